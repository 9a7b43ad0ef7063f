//! The threads that decode and map. A partition always goes to the same thread, so its order is kept.

mod judge;
pub mod suspects;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ingest_mapping::event::Notes;
use ingest_model::outcome::{DroppedField, Rejected, Verdict};
use ingest_model::record::{Epoch, Record, TopicPartition};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

pub use self::judge::Judge;
use self::judge::Judged;
use self::suspects::{Marks, Suspects};

/// A record with the result of decoding and mapping.
#[derive(Debug)]
pub(in crate::pump) struct Mapped {
    pub(in crate::pump) record: Record,
    pub(in crate::pump) epoch: Epoch,
    pub(in crate::pump) event_ms: Option<i64>,
    pub(in crate::pump) notes: Notes,
    pub(in crate::pump) verdict: Verdict,
    /// The optional fields that mapping left out.
    pub(in crate::pump) dropped: Vec<DroppedField>,
    /// Its share of the room between source and pump, released when the pump takes it.
    pub(in crate::pump) room: OwnedSemaphorePermit,
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

/// A record on its way to a thread.
#[derive(Debug)]
struct Unmapped {
    record: Record,
    epoch: Epoch,
    room: OwnedSemaphorePermit,
}

/// Records that wait for a thread.
const QUEUE: usize = 128;

/// How long the threads may take to end: longer than mapping a record takes.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often that is checked.
const LOOK: Duration = Duration::from_millis(5);

/// The room for records between source and pump, in kibibytes, whatever their number.
const ROOM_KIB: u32 = 8 * 1024;

impl Mappers {
    pub(in crate::pump) fn start(
        threads: usize,
        judge: Judge,
        suspects: Option<Suspects>,
        mapped: &mpsc::Sender<Mapped>,
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

    /// Waits until there is room. Returns `false` if the thread has ended.
    pub(in crate::pump) async fn put(&self, record: Record, epoch: Epoch) -> bool {
        let kib = u32::try_from(record.payload_bytes() / 1024 + 1).unwrap_or(ROOM_KIB);
        let Ok(room) = Arc::clone(&self.room)
            .acquire_many_owned(kib.min(ROOM_KIB))
            .await
        else {
            return false; // it is never closed
        };
        let place = place_of(&record.position.partition, self.queues.len());
        match self.queues.get(place) {
            Some(queue) => queue
                .send(Unmapped {
                    record,
                    epoch,
                    room,
                })
                .await
                .is_ok(),
            None => false,
        }
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
    mut records: mpsc::Receiver<Unmapped>,
    judge: &Judge,
    mut last_line: Option<LastLine>,
    mapped: &mpsc::Sender<Mapped>,
) {
    while let Some(Unmapped {
        record,
        epoch,
        room,
    }) = records.blocking_recv()
    {
        let rejected = last_line.as_mut().and_then(|last| last.before(&record));
        let judged = rejected.map_or_else(|| judge.judge(&record), Judged::from);
        if mapped
            .blocking_send(Mapped {
                record,
                epoch,
                event_ms: judged.event_ms,
                verdict: judged.verdict,
                notes: judged.notes,
                dropped: judged.dropped,
                room,
            })
            .is_err()
        {
            return;
        }
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

    use super::suspects::Child;
    use super::*;
    use crate::clock::Clock;

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
        for partition in 0..20 {
            let record = Record {
                position: Position {
                    partition: TopicPartition::new("shop.events", partition),
                    offset: Offset(7),
                },
                key: None,
                value: None,
                headers: Vec::new(),
                timestamp_ms: None,
            };
            assert!(mappers.put(record, Epoch(1)).await);
        }
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
