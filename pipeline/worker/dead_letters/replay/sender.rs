//! Sends records one by one, at a given rate, until a signal comes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use ingest_kafka::reader::topics::fetch_partition_counts_of;
use ingest_kafka::{OutgoingRecord, ReadError, RecordProducer, SendError, SendErrorKind};
use ingest_model::record::Topic;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::dead_letters::error::DeadLettersError;
use crate::dead_letters::topic::{LetterTopic, PATIENCE};
use crate::lifecycle::Signals;

/// How sending one record ended.
pub(super) enum Sending {
    Sent,
    TooLarge,
    Stopped,
}

/// Sends records at a given rate.
pub(super) struct Sender<'a> {
    topic: &'a LetterTopic,
    runtime: Runtime,
    producer: RecordProducer,
    stop: CancellationToken,
    gap: Duration,
    next_send: Instant,
    partitions: BTreeMap<Topic, usize>,
}

// === impl Sender ===

impl<'a> Sender<'a> {
    pub(super) fn new(topic: &'a LetterTopic, rate: u32) -> Result<Self, DeadLettersError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        let stop = CancellationToken::new();
        let cancelled = stop.clone();
        let mut signals = {
            let _inside = runtime.enter();
            Signals::install().context("cannot listen to signals")?
        };
        // It ends with the runtime, and cannot fail.
        drop(runtime.spawn(async move {
            signals.next().await;
            cancelled.cancel();
        }));
        let producer = RecordProducer::new(&topic.kafka).map_err(anyhow::Error::new)?;
        Ok(Self {
            topic,
            runtime,
            producer,
            stop,
            gap: Duration::from_secs(1) / rate.max(1),
            next_send: Clock.now(),
            partitions: BTreeMap::new(),
        })
    }

    /// Whether a signal came.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// How many partitions a source topic has; asked once for each topic.
    pub(super) fn partitions_of(&mut self, topic: &Topic) -> Result<usize, DeadLettersError> {
        if let Some(count) = self.partitions.get(topic) {
            return Ok(*count);
        }
        let counts =
            fetch_partition_counts_of(&self.topic.kafka, std::slice::from_ref(topic), PATIENCE)
                .map_err(|error| cannot_send_to(topic, &error))?;
        let count = counts.get(topic).copied().unwrap_or_default();
        self.partitions.insert(topic.clone(), count);
        Ok(count)
    }

    /// Sends a record when its time has come. A signal ends only the wait: a send that has begun is finished.
    pub(super) fn send(&mut self, mut record: OutgoingRecord) -> Result<Sending, DeadLettersError> {
        let now = Clock.now();
        let at = self.next_send.max(now);
        let stop = self.stop.clone();
        let stopped = self.runtime.block_on(async move {
            tokio::select! { biased;
                () = stop.cancelled() => true,
                () = tokio::time::sleep_until(at.into()) => false,
            }
        });
        if stopped {
            return Ok(Sending::Stopped);
        }
        self.next_send = at + self.gap;
        let mut sent = self.runtime.block_on(self.producer.send(&record));
        // A topic may refuse old times; the original time is in the headers.
        if matches!(&sent, Err(error) if error.kind == SendErrorKind::Timestamp)
            && record.timestamp_ms.take().is_some()
        {
            sent = self.runtime.block_on(self.producer.send(&record));
        }
        match sent {
            Ok(_position) => Ok(Sending::Sent),
            Err(error) if error.kind == SendErrorKind::TooLarge => Ok(Sending::TooLarge),
            Err(error) => Err(not_sent(&record.topic, &error)),
        }
    }
}

fn cannot_send_to(topic: &Topic, error: &ReadError) -> DeadLettersError {
    let way_out = match error {
        ReadError::UnknownTopic { .. } => "recreate it, or select other topics with --topic",
        ReadError::NotAuthorized { .. } => "allow Describe and Write on it for these credentials",
        ReadError::Unreachable { .. } | ReadError::Start(_) => "try again when the brokers answer",
    };
    DeadLettersError::Failed(anyhow!(
        "nothing can be sent back to {topic}: {error}; {way_out}"
    ))
}

fn not_sent(topic: &Topic, error: &SendError) -> DeadLettersError {
    let way_out = match error.kind {
        SendErrorKind::Timeout => {
            "the last record may have arrived nevertheless; run the same command again to continue, which may send it twice"
        }
        SendErrorKind::QueueFull | SendErrorKind::Other => "run the same command again to continue",
        SendErrorKind::TooLarge => "raise the topic's max.message.bytes",
        SendErrorKind::Timestamp => "the topic refuses the time of writing; is the clock right?",
        SendErrorKind::UnknownTopic => "recreate it, or select other topics with --topic",
        SendErrorKind::NotAuthorized => "allow Write on it for these credentials",
    };
    DeadLettersError::Failed(anyhow!(
        "{topic} did not accept a record: {error}; {way_out}"
    ))
}
