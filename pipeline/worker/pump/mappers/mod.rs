//! The threads that decode and map. A partition always goes to the same thread, so its order is kept.
//!
//! Where a record waits for its schema, those behind it in its partition wait, too, and the thread goes on with others (`parked`).

mod batch;
mod judge;
mod parked;
pub mod suspects;
mod traffic;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ingest_encoding::SchemaId;
use ingest_model::outcome::{Rejected, Verdict};
use ingest_model::record::{Epoch, Record, TopicPartition};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use ingest_registry::Handle;

pub(in crate::pump) use self::batch::{Batch, Mapped, MappedRecord};
use self::batch::{Unmapped, Work, add};
use self::judge::Judged;
pub use self::judge::{Expected, Judge};
use self::parked::Parked;
use self::suspects::{Marks, Suspects};
pub use self::traffic::TrafficRules;

/// The sending side of the threads. They end when it is dropped.
#[derive(Debug)]
pub(in crate::pump) struct Mappers {
    queues: Vec<mpsc::Sender<Work>>,
    room: Arc<Semaphore>,
    /// Something may wait for schemas.
    parks: bool,
}

/// The threads, so that their end can be awaited.
#[derive(Debug)]
pub(in crate::pump) struct MapperThreads(Vec<thread::JoinHandle<()>>);

/// Batches that wait for a thread; another is in its hand. The room bounds their bytes.
const QUEUE: usize = 1;

/// After so many records in a row that were delivered, the next one is expected to be.
const A_FEW: u32 = 3;

/// How long the threads may take to end: longer than mapping a record takes.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often that is checked.
const LOOK: Duration = Duration::from_millis(5);

/// The room for records between source and pump, in kibibytes; each takes one at least.
const ROOM_KIB: u32 = 4 * 1024;

impl Mappers {
    pub(in crate::pump) fn start(
        threads: usize,
        judge: Judge,
        suspects: Option<Suspects>,
        registry: Option<&Handle>,
        mapped: &mpsc::Sender<Batch>,
    ) -> std::io::Result<(Self, MapperThreads)> {
        let (judge, suspects) = (Arc::new(judge), suspects.map(Arc::new));
        let (mut queues, mut started) = (Vec::new(), Vec::new());
        for number in 0..threads.max(1) {
            let (queue, records) = mpsc::channel(QUEUE);
            let (judge, mapped) = (Arc::clone(&judge), mapped.clone());
            let last_line = suspects.as_ref().map(|all| LastLine::of(all, number));
            let last_line = last_line.transpose()?;
            let parked = registry.map(Parked::new);
            let runtime = tokio::runtime::Handle::current();
            let thread = Thread {
                judge,
                last_line,
                parked,
                wanted: 0,
            };
            started.push(on_mapper_stack(format!("mapper-{number}"), move || {
                thread.map_all(records, &mapped, &runtime);
            })?);
            queues.push(queue);
        }
        let permits = usize::try_from(ROOM_KIB).unwrap_or(Semaphore::MAX_PERMITS);
        let mappers = Self {
            queues,
            room: Arc::new(Semaphore::new(permits)),
            parks: registry.is_some(),
        };
        Ok((mappers, MapperThreads(started)))
    }

    /// Gives records to their threads; waits until there is room. Returns `false` if a thread has ended.
    pub(in crate::pump) async fn put(&self, batch: Vec<(Record, Epoch)>) -> bool {
        if let [queue] = self.queues.as_slice() {
            return self.put_all(queue, batch).await;
        }
        let mut parts: Vec<Vec<(Record, Epoch)>> = self.queues.iter().map(|_| Vec::new()).collect();
        for (record, epoch) in batch {
            let place = place_of(&record.position.partition, parts.len());
            if let Some(part) = parts.get_mut(place) {
                part.push((record, epoch));
            }
        }
        for (queue, part) in self.queues.iter().zip(parts) {
            if !part.is_empty() && !self.put_all(queue, part).await {
                return false;
            }
        }
        true
    }

    /// Partitions were assigned, or are taken away: what waits of them for schemas is let go, because it is read again, here or elsewhere. Returns `false`
    /// if a thread has ended.
    pub(in crate::pump) async fn forget(&self, partitions: Vec<TopicPartition>) -> bool {
        if !self.parks {
            return true;
        }
        for queue in &self.queues {
            if queue.send(Work::Forget(partitions.clone())).await.is_err() {
                return false;
            }
        }
        true
    }

    async fn put_all(&self, queue: &mpsc::Sender<Work>, records: Vec<(Record, Epoch)>) -> bool {
        let kib = records
            .iter()
            .map(|(record, _)| record.payload_bytes() / 1024 + 1)
            .sum::<usize>();
        let kib = u32::try_from(kib).unwrap_or(ROOM_KIB).min(ROOM_KIB);
        let Ok(room) = Arc::clone(&self.room).acquire_many_owned(kib).await else {
            return false; // it is never closed
        };
        let work = Work::Records(Unmapped { records, room });
        queue.send(work).await.is_ok()
    }
}

impl MapperThreads {
    /// Waits briefly until all threads have ended, which they do once the sending side is dropped. If the process exits
    /// earlier, its notes of records in hand remain, and its successor takes that for a crash.
    pub(in crate::pump) async fn ended(self) {
        let all = async {
            while !self.0.iter().all(thread::JoinHandle::is_finished) {
                tokio::time::sleep(LOOK).await;
            }
        };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            tracing::warn!(
                "a mapper thread has not ended; records are tried alone at the next start"
            );
        }
    }
}

fn place_of(partition: &TopicPartition, threads: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    partition.hash(&mut hasher);
    let threads = u64::try_from(threads.max(1)).unwrap_or(1);
    usize::try_from(hasher.finish() % threads).unwrap_or(0)
}

/// Starts a thread on which records may be mapped. The child that tries suspects uses it too, or it would not die of the
/// same causes.
///
/// # Errors
/// The thread cannot be started.
pub(crate) fn on_mapper_stack<T: Send + 'static>(
    name: String,
    work: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<thread::JoinHandle<T>> {
    thread::Builder::new().name(name).spawn(work)
}

/// What a thread has.
struct Thread {
    judge: Arc<Judge>,
    last_line: Option<LastLine>,
    /// What waits for schemas, where there is a registry.
    parked: Option<Parked>,
    /// How many records in a row were delivered.
    wanted: u32,
}

impl Thread {
    fn map_all(
        mut self,
        mut batches: mpsc::Receiver<Work>,
        mapped: &mpsc::Sender<Batch>,
        runtime: &tokio::runtime::Handle,
    ) {
        loop {
            let mut all = Vec::new();
            let room = match &mut self.parked {
                None => match batches.blocking_recv() {
                    Some(Work::Records(batch)) => Some(self.batch(batch, &mut all)),
                    Some(Work::Forget(_)) => None,
                    None => return,
                },
                Some(parked) => match runtime.block_on(parked.next(&mut batches)) {
                    parked::Next::Batch(batch) => Some(self.batch(batch, &mut all)),
                    parked::Next::Forget(partitions) => {
                        parked.forget(&partitions);
                        None
                    }
                    parked::Next::News => {
                        self.again(&mut all);
                        None
                    }
                    parked::Next::End => return,
                },
            };
            if let Some(parked) = &mut self.parked {
                parked.tell(&mut all);
                runtime.block_on(parked.ask());
            }
            if !all.is_empty() && mapped.blocking_send(Batch { all, room }).is_err() {
                return;
            }
        }
    }

    fn batch(&mut self, batch: Unmapped, all: &mut Vec<Mapped>) -> OwnedSemaphorePermit {
        for (record, epoch) in batch.records {
            if let Some(parked) = &mut self.parked
                && parked.holds(&record.position.partition)
            {
                parked.behind(record, epoch);
                continue;
            }
            if let Some((record, schema)) = self.one(record, epoch, all)
                && let Some(parked) = &mut self.parked
            {
                parked.first(record, epoch, schema);
            }
        }
        batch.room
    }

    /// Tries what waits again: more schemas are known.
    fn again(&mut self, all: &mut Vec<Mapped>) {
        let partitions = self.parked.as_ref().map(Parked::partitions);
        for partition in partitions.unwrap_or_default() {
            let before = all.len();
            while let Some((record, epoch)) = self
                .parked
                .as_mut()
                .and_then(|parked| parked.take(&partition))
            {
                if let Some((record, schema)) = self.one(record, epoch, all)
                    && let Some(parked) = &mut self.parked
                {
                    parked.back(&partition, (record, epoch), schema);
                    break;
                }
            }
            if let Some(parked) = &mut self.parked {
                parked.settle(&partition, before, all);
            }
        }
    }

    /// Maps a record, or returns it with the schema that has to be known first.
    fn one(
        &mut self,
        record: Record,
        epoch: Epoch,
        all: &mut Vec<Mapped>,
    ) -> Option<(Record, SchemaId)> {
        let expected = if self.wanted < A_FEW {
            Expected::Skipped
        } else {
            Expected::Wanted
        };
        let rejected = self
            .last_line
            .as_mut()
            .and_then(|last| last.before(&record));
        let judged = match rejected {
            Some(rejected) => Judged::from(rejected),
            None => match self.judge.judge(&record, expected) {
                Ok(judged) => judged,
                Err(schema) => return Some((record, schema)),
            },
        };
        self.wanted = match judged.verdict {
            Verdict::Emit(_) | Verdict::Batch(_) => self.wanted.saturating_add(1),
            Verdict::Skip(_) | Verdict::Reject(_) => 0,
        };
        add(all, (record, epoch), judged, self.judge.receipts());
        None
    }
}

/// What a thread does before it maps a record, in case the record ends the process.
struct LastLine {
    suspects: Arc<Suspects>,
    marks: Marks,
}

impl LastLine {
    fn of(suspects: &Arc<Suspects>, thread: usize) -> std::io::Result<Self> {
        Ok(Self {
            marks: suspects.marks(thread)?,
            suspects: Arc::clone(suspects),
        })
    }

    fn before(&mut self, record: &Record) -> Option<Rejected> {
        let rejected = self.suspects.rejected(record);
        if rejected.is_none() {
            self.marks.note(&record.position);
        }
        rejected
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use ingest_model::record::{Offset, Position};

    use super::suspects::{Child, Patience};
    use super::*;
    use crate::clock::Clock;

    fn record(partition: i32, offset: i64) -> Record {
        Record {
            position: Position {
                partition: TopicPartition::new("shop.events", partition),
                offset: Offset(offset),
            },
            key: None,
            value: None,
            headers: Vec::new(),
            timestamp_ms: None,
        }
    }

    #[tokio::test]
    async fn threads_that_were_waited_for_leave_no_notes() {
        let dir = tempfile::tempdir().unwrap();
        let child = Child {
            program: "/bin/false".into(),
            arguments: Vec::new(),
            patience: Patience::default(),
        };
        let suspects = Suspects::open(dir.path(), "workers", child, Clock.unix_ms()).unwrap();
        let (mapped_in, mut mapped) = mpsc::channel(1);
        let judge = Judge::new(HashMap::new());
        let (mappers, threads) =
            Mappers::start(2, judge, Some(suspects), None, &mapped_in).unwrap();
        drop(mapped_in);
        let batch = (0..20).map(|partition| (record(partition, 7), Epoch(1)));
        assert!(mappers.put(batch.collect()).await);
        assert!(mapped.recv().await.is_some());
        let notes = || {
            let folder = dir.path().join("group-workers/0");
            let bytes = |number| {
                let file = folder.join(format!("mapper-{number}"));
                std::fs::metadata(file).unwrap().len()
            };
            bytes(0) + bytes(1)
        };
        assert!(notes() > 0, "records are in hand");
        drop((mappers, mapped));
        threads.ended().await;
        assert_eq!(notes(), 0);
    }
}
