//! Receipts: a small record on `kafka.receipts_topic` for each settled record, written after it was settled.
//!
//! A receipt only tells: nothing rests on it, and no commit waits for it, or a topic that refuses receipts would stop deliveries. So
//! what finds no room here is dropped, what the brokers do not accept is lost, and both are counted and said. One task writes them,
//! many at a time and several batches side by side, with a producer of its own, so that letters never wait behind them.

mod form;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ingest_delivery::settled::SettledRecord;
use ingest_kafka::{KafkaSettings, RecordProducer, SendError, StartError};
use ingest_model::record::Topic;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::form::Moment;
pub use self::form::{Done, Origin, Receipt};
use crate::clock::Clock;
use crate::observe::metrics::Metrics;
use crate::observe::metrics::labels::ReceiptResult;

/// Receipts that wait to be written.
const MOST: usize = 20_000;
/// The memory that they take, about.
const MOST_BYTES: u64 = 16 << 20;
/// Receipts that are handed to the client at once.
const BATCH: usize = 1_000;
/// So many batches may be under way: a partition that accepts nothing holds up those that have a receipt for it, until their time
/// is over. The client refuses more than 10,000 records at a time.
const BATCHES: usize = 5;
/// How long the brokers may take to accept a receipt: time enough for another broker to take over.
const DELIVERY: Duration = Duration::from_secs(30);
/// How long the end of the process waits for those that are not written.
const FLUSH: Duration = Duration::from_secs(5);
/// Pause between two log lines about receipts that are lost.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Where receipts go; nowhere, unless they are wanted.
pub(super) struct Receipts {
    queue: Option<mpsc::Sender<Waiting>>,
    writing: JoinSet<()>,
    shared: Option<Arc<Shared>>,
}

/// A receipt that is not written yet.
struct Waiting {
    settled: Box<SettledRecord>,
    when: Moment,
    bytes: u64,
}

/// What the pump and the writing task share.
struct Shared {
    topic: Topic,
    producer: Arc<RecordProducer>,
    metrics: Metrics,
    written: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    waiting: AtomicU64,
    bytes: AtomicU64,
}

/// What has become of receipts since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ReceiptsStatus {
    /// Their topic.
    pub topic: String,
    /// Those that the brokers have accepted.
    pub written: u64,
    /// Those that they have not accepted: lost.
    pub failed: u64,
    /// Those that found no room: lost.
    pub dropped: u64,
    /// Those that wait to be written or accepted.
    pub waiting: u64,
}

/// Settings for writes whose failure is known soon.
fn quick(settings: &KafkaSettings) -> Result<KafkaSettings, StartError> {
    let mut options = settings.options().clone();
    options.delivery_timeout = DELIVERY;
    KafkaSettings::try_new(options).map_err(|error| StartError::Client {
        detail: error.to_string(),
    })
}

/// Goes on with other settings.
pub(super) async fn renew(
    producer: &RecordProducer,
    settings: &KafkaSettings,
) -> Result<(), StartError> {
    producer.renew(&quick(settings)?).await
}

impl Receipts {
    /// Begins to write receipts to that topic, if there is one.
    pub(super) fn start(
        topic: Option<&Topic>,
        settings: &KafkaSettings,
        metrics: &Metrics,
    ) -> Result<Self, StartError> {
        let mut writing = JoinSet::new();
        let Some(topic) = topic else {
            return Ok(Self {
                queue: None,
                writing,
                shared: None,
            });
        };
        let shared = Arc::new(Shared {
            topic: topic.clone(),
            producer: Arc::new(RecordProducer::new(&quick(settings)?)?),
            metrics: metrics.clone(),
            written: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        });
        let (queue, waiting) = mpsc::channel(MOST);
        writing.spawn(write(waiting, Arc::clone(&shared)));
        Ok(Self {
            queue: Some(queue),
            writing,
            shared: Some(shared),
        })
    }

    /// What writes them.
    pub(super) fn producer(&self) -> Option<Arc<RecordProducer>> {
        let shared = self.shared.as_ref()?;
        Some(Arc::clone(&shared.producer))
    }

    /// Takes the receipt of a record that was settled at this time, if there is room.
    pub(super) fn put(&self, settled: Box<SettledRecord>, at: Instant, ms: i64) {
        let (Some(queue), Some(shared)) = (&self.queue, &self.shared) else {
            return;
        };
        let bytes = weight(&settled);
        let when = Moment { at, ms };
        // Nobody else adds to it.
        let has_room = shared.bytes.load(Ordering::Relaxed) + bytes <= MOST_BYTES
            && shared.waiting.load(Ordering::Relaxed) < MOST as u64;
        shared.takes(bytes);
        let waiting = Waiting {
            settled,
            when,
            bytes,
        };
        if !has_room || queue.try_send(waiting).is_err() {
            shared.ended(ReceiptResult::Dropped, 1, bytes);
        }
    }

    /// What has become of them so far.
    pub(super) fn status(&self) -> Option<ReceiptsStatus> {
        let shared = self.shared.as_ref()?;
        let count = |one: &AtomicU64| one.load(Ordering::Relaxed);
        Some(ReceiptsStatus {
            topic: shared.topic.as_str().to_owned(),
            written: count(&shared.written),
            failed: count(&shared.failed),
            dropped: count(&shared.dropped),
            waiting: count(&shared.waiting),
        })
    }

    /// Waits briefly until all of them are written. What is not is lost, and that is said.
    pub(super) async fn finish(&mut self) {
        self.queue = None;
        let all = async { while self.writing.join_next().await.is_some() {} };
        let in_time = tokio::time::timeout(FLUSH, all).await.is_ok();
        self.writing.abort_all();
        let Some(shared) = &self.shared else { return };
        let left = shared.waiting.load(Ordering::Relaxed);
        if !in_time && left > 0 {
            shared.ended(ReceiptResult::Dropped, left, 0);
            tracing::warn!(
                topic = %shared.topic,
                setting = "kafka.receipts_topic",
                receipts = left,
                "receipts were not written before the end; their records are settled"
            );
        }
    }
}

/// Writes receipts until nobody puts any more.
async fn write(mut queue: mpsc::Receiver<Waiting>, shared: Arc<Shared>) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut under_way: JoinSet<Option<SendError>> = JoinSet::new();
    let mut teller = Teller::default();
    let mut goes_on = true;
    while goes_on || !under_way.is_empty() {
        let owes = teller.owes(&shared);
        let may_receive = goes_on && under_way.len() < BATCHES;
        tokio::select! {
            received = queue.recv_many(&mut batch, BATCH), if may_receive => {
                goes_on = received > 0;
                let batch = std::mem::take(&mut batch);
                let shared = Arc::clone(&shared);
                if goes_on {
                    under_way.spawn(async move { shared.write(batch).await });
                }
            }
            Some(written) = under_way.join_next() => {
                teller.error = written.ok().flatten().or(teller.error);
            }
            // What is lost is said although no more may come.
            () = tokio::time::sleep(LOG_INTERVAL), if owes => {}
        }
        teller.tell(&shared);
    }
}

/// Says that receipts are lost, at most every ten seconds.
#[derive(Default)]
struct Teller {
    told: Option<Instant>,
    /// What was lost when it was last said.
    lost: u64,
    /// Why the brokers have not accepted some.
    error: Option<SendError>,
}

impl Teller {
    fn owes(&self, shared: &Shared) -> bool {
        shared.lost() > self.lost
    }

    fn tell(&mut self, shared: &Shared) {
        let now = Clock.now();
        let again = self
            .told
            .is_none_or(|at| now.duration_since(at) >= LOG_INTERVAL);
        if !again || !self.owes(shared) {
            return;
        }
        (self.told, self.lost) = (Some(now), shared.lost());
        let error = self.error.take();
        let error = error.map_or_else(|| "no room".to_owned(), |error| error.to_string());
        tracing::warn!(
            topic = %shared.topic,
            setting = "kafka.receipts_topic",
            failed = shared.failed.load(Ordering::Relaxed),
            dropped = shared.dropped.load(Ordering::Relaxed),
            error,
            "receipts are lost; deliveries go on"
        );
    }
}

// === impl Shared ===

impl Shared {
    /// Writes a batch. Why the brokers have not accepted some of it, if so.
    async fn write(&self, batch: Vec<Waiting>) -> Option<SendError> {
        let made = batch
            .iter()
            .map(|one| form::outgoing(&self.topic, &one.settled, one.when));
        let made: Vec<_> = made.collect();
        let results = self.producer.send_each(&made).await;
        let mut failure = None;
        for (one, result) in batch.into_iter().zip(results) {
            match result {
                Ok(()) => self.ended(ReceiptResult::Written, 1, one.bytes),
                Err(error) => {
                    self.ended(ReceiptResult::Failed, 1, one.bytes);
                    failure = Some(error);
                }
            }
        }
        failure
    }

    fn lost(&self) -> u64 {
        self.failed.load(Ordering::Relaxed) + self.dropped.load(Ordering::Relaxed)
    }

    fn takes(&self, bytes: u64) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn ended(&self, result: ReceiptResult, receipts: u64, bytes: u64) {
        self.waiting.fetch_sub(receipts, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        let count = match result {
            ReceiptResult::Written => &self.written,
            ReceiptResult::Failed => &self.failed,
            ReceiptResult::Dropped => &self.dropped,
        };
        count.fetch_add(receipts, Ordering::Relaxed);
        self.metrics.receipts(result, receipts);
    }
}

/// The bytes that a receipt takes while it waits, about.
fn weight(settled: &SettledRecord) -> u64 {
    let ids = settled.event_ids.as_deref();
    let ids: usize = ids.map_or(0, |all| all.ids.iter().map(|id| id.len() + 32).sum());
    let bytes = 300 + ids + settled.operations.len() * 500;
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
