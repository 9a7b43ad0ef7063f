//! Threads that decode and map. A partition always goes to the same thread, so its order is kept.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::thread;

use ingest_core::event::Notes;
use ingest_core::outcome::{DroppedField, Rejected, Verdict};
use ingest_core::record::{Epoch, Record, TopicPartition};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::judge::{Judge, Judged};
use crate::suspects::{Marks, Suspects};

/// A record with what decoding and mapping said.
#[derive(Debug)]
pub(super) struct Mapped {
    pub(super) record: Record,
    pub(super) epoch: Epoch,
    pub(super) event_ms: Option<i64>,
    pub(super) notes: Notes,
    pub(super) verdict: Verdict,
    /// The optional fields that mapping left out.
    pub(super) dropped: Vec<DroppedField>,
    /// Its room on the way from the source to the pump, given back when the pump has taken it.
    pub(super) room: OwnedSemaphorePermit,
}

/// The way into the threads. When it is dropped, they end.
#[derive(Debug)]
pub(super) struct Mappers {
    queues: Vec<mpsc::Sender<Unmapped>>,
    room: Arc<Semaphore>,
}

/// A record on its way to a thread.
#[derive(Debug)]
struct Unmapped {
    record: Record,
    epoch: Epoch,
    room: OwnedSemaphorePermit,
}

/// Records that wait for a thread.
const QUEUE: usize = 128;

/// Kibibytes of records between the source and the pump, whatever their number.
const ROOM_KIB: u32 = 8 * 1024;

impl Mappers {
    pub(super) fn start(
        threads: usize,
        judge: Judge,
        suspects: Option<Suspects>,
        mapped: &mpsc::Sender<Mapped>,
    ) -> std::io::Result<Self> {
        let (judge, suspects) = (Arc::new(judge), suspects.map(Arc::new));
        let mut queues = Vec::new();
        for number in 0..threads.max(1) {
            let (queue, records) = mpsc::channel(QUEUE);
            let (judge, mapped) = (Arc::clone(&judge), mapped.clone());
            let last_line = suspects.as_ref().map(|all| LastLine::of(all, number));
            let last_line = last_line.transpose()?;
            on_mapper_stack(format!("mapper-{number}"), move || {
                map_all(records, &judge, last_line, &mapped);
            })?;
            queues.push(queue);
        }
        let permits = usize::try_from(ROOM_KIB).unwrap_or(Semaphore::MAX_PERMITS);
        Ok(Self {
            queues,
            room: Arc::new(Semaphore::new(permits)),
        })
    }

    /// Waits until there is room. `false` if the thread has ended.
    pub(super) async fn put(&self, record: Record, epoch: Epoch) -> bool {
        let kib = u32::try_from(record.payload_bytes() / 1024 + 1).unwrap_or(ROOM_KIB);
        let Ok(room) = Arc::clone(&self.room)
            .acquire_many_owned(kib.min(ROOM_KIB))
            .await
        else {
            return false; // nobody closes it
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

fn place_of(partition: &TopicPartition, threads: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    partition.hash(&mut hasher);
    let threads = u64::try_from(threads.max(1)).unwrap_or(1);
    usize::try_from(hasher.finish() % threads).unwrap_or(0)
}

/// A thread on which records may be mapped: the child that tries suspects uses the same, or it would not die of the same.
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

/// What one thread does before it maps a record, lest the record end the process.
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
