//! Threads that decode and map. A partition always goes to the same thread, so its order is kept.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::thread;

use ingest_core::outcome::{Rejected, Rejection, Verdict};
use ingest_core::record::{Epoch, Record, Topic, TopicPartition};
use ingest_core::route::Pipeline;
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::clock::Clock;

/// A record with what decoding and mapping said.
#[derive(Debug)]
pub(super) struct Mapped {
    pub(super) record: Record,
    pub(super) epoch: Epoch,
    pub(super) event_ms: Option<i64>,
    pub(super) verdict: Verdict,
}

/// The way into the threads. When it is dropped, they end.
#[derive(Debug)]
pub(super) struct Mappers {
    queues: Vec<mpsc::Sender<(Record, Epoch)>>,
}

/// Records that wait for a thread.
const QUEUE: usize = 128;

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
        Ok(Self { queues })
    }

    /// Waits until there is room. `false` if the thread has ended.
    pub(super) async fn put(&self, record: Record, epoch: Epoch) -> bool {
        let place = place_of(&record.position.partition, self.queues.len());
        match self.queues.get(place) {
            Some(queue) => queue.send((record, epoch)).await.is_ok(),
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
    mut records: mpsc::Receiver<(Record, Epoch)>,
    pipelines: &HashMap<Topic, Pipeline>,
    mapped: &mpsc::Sender<Mapped>,
) {
    while let Some((record, epoch)) = records.blocking_recv() {
        let now = Timestamp::from_millisecond(Clock.unix_ms()).unwrap_or_default();
        let one = match pipelines.get(&record.position.partition.topic) {
            Some(pipeline) => {
                let (summary, verdict) = pipeline.judge(&record, now);
                let event_ms = summary
                    .as_ref()
                    .and_then(|summary| summary.time)
                    .map(Timestamp::as_millisecond);
                Mapped {
                    record,
                    epoch,
                    event_ms,
                    verdict,
                }
            }
            None => {
                // The consumer subscribes to configured topics only; better a dead letter than a loss.
                let rejected = Rejected::new(Rejection::FormatMismatch, "the topic has no mapping");
                Mapped {
                    record,
                    epoch,
                    event_ms: None,
                    verdict: Verdict::Reject(rejected),
                }
            }
        };
        if mapped.blocking_send(one).is_err() {
            return;
        }
    }
}
