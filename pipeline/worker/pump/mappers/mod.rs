//! The threads that decode and map. A partition always goes to the same thread, so its order is kept.

mod judge;
pub mod suspects;
mod traffic;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ingest_delivery::machine::SkippedRun;
use ingest_mapping::event::Notes;
use ingest_model::outcome::{DroppedField, Rejected, Verdict};
use ingest_model::record::{Epoch, Record, Topic, TopicPartition, Traffic};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use self::judge::Judged;
pub use self::judge::{Expected, Judge};
use self::suspects::{Marks, Suspects};
pub use self::traffic::TrafficRules;

/// What became of records, in their order within each partition.
#[derive(Debug)]
pub(in crate::pump) struct Batch {
    pub(in crate::pump) all: Vec<Mapped>,
    /// Its share of the room between source and pump, released when the pump takes it.
    pub(in crate::pump) room: OwnedSemaphorePermit,
}

/// The result of decoding and mapping.
#[derive(Debug)]
pub(in crate::pump) enum Mapped {
    /// A record that is to be delivered or rejected.
    Record(Box<MappedRecord>),
    /// Records that are skipped, of which nothing is kept.
    Skipped(SkippedRun, Vec<Notes>),
}

impl Mapped {
    pub(in crate::pump) fn topic(&self) -> &Topic {
        match self {
            Self::Skipped(run, _) => &run.partition.topic,
            Self::Record(mapped) => &mapped.record.position.partition.topic,
        }
    }

    /// How many records it is.
    pub(in crate::pump) fn records(&self) -> u64 {
        match self {
            Self::Skipped(run, _) => run.records(),
            Self::Record(_) => 1,
        }
    }
}

/// A record with its verdict.
#[derive(Debug)]
pub(in crate::pump) struct MappedRecord {
    pub(in crate::pump) record: Record,
    pub(in crate::pump) epoch: Epoch,
    pub(in crate::pump) event_ms: Option<i64>,
    pub(in crate::pump) traffic: Traffic,
    pub(in crate::pump) notes: Notes,
    pub(in crate::pump) verdict: Verdict,
    /// The optional fields that mapping left out.
    pub(in crate::pump) dropped: Vec<DroppedField>,
}

/// The sending side of the threads. They end when it is dropped.
#[derive(Debug)]
pub(in crate::pump) struct Mappers {
    queues: Vec<mpsc::Sender<Unmapped>>,
    room: Arc<Semaphore>,
}

/// The threads, so that their end can be awaited.
#[derive(Debug)]
pub(in crate::pump) struct MapperThreads(Vec<thread::JoinHandle<()>>);

/// Records on their way to a thread.
#[derive(Debug)]
struct Unmapped {
    records: Vec<(Record, Epoch)>,
    room: OwnedSemaphorePermit,
}

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
        mapped: &mpsc::Sender<Batch>,
    ) -> std::io::Result<(Self, MapperThreads)> {
        let (judge, suspects) = (Arc::new(judge), suspects.map(Arc::new));
        let (mut queues, mut started) = (Vec::new(), Vec::new());
        for number in 0..threads.max(1) {
            let (queue, records) = mpsc::channel(QUEUE);
            let (judge, mapped) = (Arc::clone(&judge), mapped.clone());
            let last_line = suspects.as_ref().map(|all| LastLine::of(all, number));
            let last_line = last_line.transpose()?;
            started.push(on_mapper_stack(format!("mapper-{number}"), move || {
                map_all(records, &judge, last_line, &mapped);
            })?);
            queues.push(queue);
        }
        let permits = usize::try_from(ROOM_KIB).unwrap_or(Semaphore::MAX_PERMITS);
        let mappers = Self {
            queues,
            room: Arc::new(Semaphore::new(permits)),
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

    async fn put_all(&self, queue: &mpsc::Sender<Unmapped>, records: Vec<(Record, Epoch)>) -> bool {
        let kib = records
            .iter()
            .map(|(record, _)| record.payload_bytes() / 1024 + 1)
            .sum::<usize>();
        let kib = u32::try_from(kib).unwrap_or(ROOM_KIB).min(ROOM_KIB);
        let Ok(room) = Arc::clone(&self.room).acquire_many_owned(kib).await else {
            return false; // it is never closed
        };
        queue.send(Unmapped { records, room }).await.is_ok()
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

fn map_all(
    mut batches: mpsc::Receiver<Unmapped>,
    judge: &Judge,
    mut last_line: Option<LastLine>,
    mapped: &mpsc::Sender<Batch>,
) {
    // how many records in a row were delivered
    let mut wanted = 0_u32;
    while let Some(Unmapped { records, room }) = batches.blocking_recv() {
        let mut all = Vec::new();
        for (record, epoch) in records {
            let expected = if wanted < A_FEW {
                Expected::Skipped
            } else {
                Expected::Wanted
            };
            let rejected = last_line.as_mut().and_then(|last| last.before(&record));
            let judged = rejected.map_or_else(|| judge.judge(&record, expected), Judged::from);
            wanted = match judged.verdict {
                Verdict::Emit(_) | Verdict::Batch(_) => wanted.saturating_add(1),
                Verdict::Skip(_) | Verdict::Reject(_) => 0,
            };
            add(&mut all, record, epoch, judged);
        }
        if mapped.blocking_send(Batch { all, room }).is_err() {
            return;
        }
    }
}

/// Adds a record and its result to those before it.
fn add(all: &mut Vec<Mapped>, record: Record, epoch: Epoch, judged: Judged) {
    let Judged {
        event_ms,
        traffic,
        notes,
        verdict,
        dropped,
    } = judged;
    let Verdict::Skip(reason) = verdict else {
        all.push(Mapped::Record(Box::new(MappedRecord {
            record,
            epoch,
            event_ms,
            traffic,
            notes,
            verdict,
            dropped,
        })));
        return;
    };
    let noted = (!notes.is_empty()).then_some(notes);
    if let Some(Mapped::Skipped(run, before)) = all.last_mut()
        && run.add(&record, epoch, reason)
    {
        before.extend(noted);
        return;
    }
    let run = SkippedRun::of(&record, epoch, reason);
    all.push(Mapped::Skipped(run, noted.into_iter().collect()));
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

    use ingest_model::outcome::{Rejection, SkipReason};
    use ingest_model::record::{Offset, Position};

    use super::suspects::Child;
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

    #[test]
    fn neighbours_that_are_skipped_come_as_one() {
        let skipped = || Judged {
            event_ms: None,
            traffic: Traffic::Live,
            notes: Notes::default(),
            verdict: Verdict::Skip(SkipReason::NoRoute),
            dropped: Vec::new(),
        };
        let rejected = || Judged::from(Rejected::new(Rejection::InvalidJson, "no"));
        let mut all = Vec::new();
        for (partition, offset, judged) in [
            (0, 1, skipped()),
            (0, 2, skipped()),
            (1, 3, skipped()),
            (1, 4, rejected()),
            (1, 5, skipped()),
            (1, 7, skipped()),
        ] {
            add(&mut all, record(partition, offset), Epoch(1), judged);
        }
        let shown: Vec<(i64, u64)> = all
            .iter()
            .map(|mapped| match mapped {
                Mapped::Record(one) => (one.record.position.offset.0, 0),
                Mapped::Skipped(run, _) => (run.first.0, run.records()),
            })
            .collect();
        assert_eq!(shown, [(1, 2), (3, 1), (4, 0), (5, 1), (7, 1)]);
    }

    #[tokio::test]
    async fn threads_that_were_waited_for_leave_no_notes() {
        let dir = tempfile::tempdir().unwrap();
        let child = Child {
            program: "/bin/false".into(),
            arguments: Vec::new(),
        };
        let suspects = Suspects::open(dir.path(), "workers", child, Clock.unix_ms()).unwrap();
        let (mapped_in, mut mapped) = mpsc::channel(1);
        let judge = Judge::new(HashMap::new());
        let (mappers, threads) = Mappers::start(2, judge, Some(suspects), &mapped_in).unwrap();
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
