//! Threads that decode and map. A partition always goes to the same thread, so its order is kept.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use ingest_core::event::Notes;
use ingest_core::outcome::{Rejected, Rejection, Verdict};
use ingest_core::record::{Epoch, Record, Topic, TopicPartition};
use ingest_core::route::Pipeline;
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::clock::Clock;

/// A record with what decoding and mapping said.
#[derive(Debug)]
pub(super) struct Mapped {
    pub(super) record: Record,
    pub(super) epoch: Epoch,
    pub(super) event_ms: Option<i64>,
    pub(super) notes: Notes,
    pub(super) verdict: Verdict,
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
        pipelines: &Arc<HashMap<Topic, Pipeline>>,
        mapped: &mpsc::Sender<Mapped>,
    ) -> std::io::Result<Self> {
        let mut queues = Vec::new();
        for number in 0..threads.max(1) {
            let (queue, records) = mpsc::channel(QUEUE);
            let (pipelines, mapped) = (Arc::clone(pipelines), mapped.clone());
            thread::Builder::new()
                .name(format!("mapper-{number}"))
                .spawn(move || map_all(records, &pipelines, &mapped))?;
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

fn map_all(
    mut records: mpsc::Receiver<Unmapped>,
    pipelines: &HashMap<Topic, Pipeline>,
    mapped: &mpsc::Sender<Mapped>,
) {
    while let Some(Unmapped {
        record,
        epoch,
        room,
    }) = records.blocking_recv()
    {
        let now = Timestamp::from_millisecond(Clock.unix_ms()).unwrap_or_default();
        let pipeline = pipelines.get(&record.position.partition.topic);
        // A panic is a fault of the program, but it must not become one of every process that reads the record again.
        let judged = catch_unwind(AssertUnwindSafe(|| pipeline.map(|p| p.judge(&record, now))));
        let (event_ms, notes, verdict) = match judged {
            Ok(Some((summary, verdict))) => {
                let (time, notes) = summary
                    .map(|summary| (summary.time, summary.notes))
                    .unwrap_or_default();
                (time.map(Timestamp::as_millisecond), notes, verdict)
            }
            // The consumer subscribes to configured topics only; better a dead letter than a loss.
            Ok(None) => (
                None,
                Notes::default(),
                rejected(Rejection::FormatMismatch, "the topic has no mapping"),
            ),
            Err(_panic) => (
                None,
                Notes::default(),
                rejected(Rejection::MappingFailed, "the worker panicked over it"),
            ),
        };
        if mapped
            .blocking_send(Mapped {
                record,
                epoch,
                event_ms,
                notes,
                verdict,
                room,
            })
            .is_err()
        {
            return;
        }
    }
}

fn rejected(reason: Rejection, detail: &str) -> Verdict {
    Verdict::Reject(Rejected::new(reason, detail))
}
