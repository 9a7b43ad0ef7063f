//! A producer whose sends complete when all in-sync replicas have acknowledged the record.
//!
//! It is idempotent, so the client's own retries write nothing twice. A record that is not acknowledged within the
//! delivery time-out fails; it may have been written nevertheless.

use std::error::Error;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use ingest_model::record::{Header, Offset, Partition, Position, Topic, TopicPartition};
use rdkafka::ClientConfig;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use tokio::sync::{RwLock, RwLockReadGuard};
use tokio::task::unconstrained;

use crate::client::convert;
use crate::client::log::ClientLog;
use crate::client::tokens::Tokens;
use crate::error::{SendError, SendErrorKind, StartError};
use crate::settings::KafkaSettings;

/// How long a send waits for room in the producer's queue.
const QUEUE_PATIENCE: Duration = Duration::from_secs(10);
/// How long a former producer may take to send what nobody waits for.
const FLUSH_PATIENCE: Duration = Duration::from_secs(30);

/// Sends records and waits for their acknowledgement. All methods take `&self`, so it can be shared.
pub struct RecordProducer {
    current: Mutex<Current>,
    /// Held shared while a record is under way; alone while the client is made anew.
    gate: RwLock<()>,
}

struct Current {
    config: ClientConfig,
    tokens: Tokens,
    producer: FutureProducer<ProducerLog>,
}

/// A record to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingRecord {
    /// The topic to write to.
    pub topic: Topic,
    /// The partition; `None` lets the key decide, as Java producers do.
    pub partition: Option<Partition>,
    /// The key, if any.
    pub key: Option<Bytes>,
    /// The value; `None` writes a tombstone.
    pub value: Option<Bytes>,
    /// Headers, in their order. Names may repeat, values may be null.
    pub headers: Vec<Header>,
    /// Epoch milliseconds; `None` is now.
    pub timestamp_ms: Option<i64>,
}

struct ProducerLog {
    log: ClientLog,
    tokens: Tokens,
}

// === impl RecordProducer ===

impl RecordProducer {
    /// A producer for these brokers. Connects when the first record is sent.
    ///
    /// # Errors
    /// The client refuses the settings as a whole.
    pub fn new(settings: &KafkaSettings) -> Result<Self, StartError> {
        Ok(Self {
            current: Mutex::new(Current::new(settings)?),
            gate: RwLock::new(()),
        })
    }

    /// Goes on with these settings, once everything sent so far is acknowledged or has failed. What is sent meanwhile waits,
    /// so records keep their order.
    ///
    /// # Errors
    /// The client refuses the settings, and the old ones stay.
    pub async fn renew(&self, settings: &KafkaSettings) -> Result<(), StartError> {
        let new = Current::new(settings)?;
        let alone = self.gate.write().await;
        let old = std::mem::replace(&mut *self.lock(), new);
        drop(alone);
        // Of senders that did not wait for the end, something may still be under way; and dropping it joins a thread.
        let ended = tokio::task::spawn_blocking(move || {
            if let Err(error) = old.producer.flush(FLUSH_PATIENCE) {
                tracing::debug!(%error, "the former producer had records left");
            }
        });
        drop(ended);
        Ok(())
    }

    /// Writes a record, waits until all in-sync replicas have it, and returns its position.
    ///
    /// The first poll hands the record over, unless the queue is full or the client is being made anew: records whose sends are
    /// polled one after the other keep their order. Dropping the future does not cancel the send.
    ///
    /// # Errors
    /// The record was not acknowledged; [`SendErrorKind::is_retriable`] says whether a retry can help.
    pub async fn send(&self, record: &OutgoingRecord) -> Result<Position, SendError> {
        let _under_way = self.enter().await;
        let producer = self.lock().producer.clone();
        match producer.send(client_record(record), QUEUE_PATIENCE).await {
            Ok(delivery) => Ok(Position {
                partition: TopicPartition {
                    topic: record.topic.clone(),
                    partition: Partition(delivery.partition),
                },
                offset: Offset(delivery.offset),
            }),
            Err((error, _record)) => Err(self.failed(&error, &producer)),
        }
    }

    /// Writes records in order, within each partition, and waits until all in-sync replicas have all of them.
    ///
    /// # Errors
    /// A record was not acknowledged: the first such failure. Any of the records may have been written.
    pub async fn send_all(&self, records: &[OutgoingRecord]) -> Result<(), SendError> {
        let _under_way = self.enter().await;
        let producer = self.lock().producer.clone();
        let mut deliveries = Vec::with_capacity(records.len());
        let mut failure = None;
        for record in records {
            match producer.send_result(client_record(record)) {
                Ok(delivery) => deliveries.push(delivery),
                Err((error, _record)) => {
                    failure = Some(self.failed(&error, &producer));
                    break;
                }
            }
        }
        for delivery in deliveries {
            if let Err(failed) = self.ended(delivery, &producer).await {
                failure.get_or_insert(failed);
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Writes records that do not depend on each other, and waits until each is acknowledged or has failed. The results are in the
    /// records' order.
    pub async fn send_each(&self, records: &[OutgoingRecord]) -> Vec<Result<(), SendError>> {
        let _under_way = self.enter().await;
        let producer = self.lock().producer.clone();
        let mut begun = Vec::with_capacity(records.len());
        for record in records {
            let one = producer.send_result(client_record(record));
            begun.push(one.map_err(|(error, _record)| self.failed(&error, &producer)));
        }
        let mut results = Vec::with_capacity(begun.len());
        for one in begun {
            results.push(match one {
                Ok(delivery) => self.ended(delivery, &producer).await,
                Err(failed) => Err(failed),
            });
        }
        results
    }

    async fn ended(
        &self,
        delivery: DeliveryFuture,
        producer: &FutureProducer<ProducerLog>,
    ) -> Result<(), SendError> {
        match delivery.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err((error, _record))) => Err(self.failed(&error, producer)),
            Err(_canceled) => Err(SendError {
                kind: SendErrorKind::Other,
                detail: "the producer ended".to_owned(),
            }),
        }
    }

    /// Waits until everything sent so far is acknowledged or has failed. Blocks: not for an async task.
    ///
    /// # Errors
    /// Some records were still open after the time-out.
    pub fn flush(&self, timeout: Duration) -> Result<(), SendError> {
        let producer = self.lock().producer.clone();
        producer.flush(timeout).map_err(|error| SendError {
            kind: SendErrorKind::Timeout,
            detail: error.to_string(),
        })
    }

    fn failed(&self, error: &KafkaError, producer: &FutureProducer<ProducerLog>) -> SendError {
        let code = error.rdkafka_error_code();
        if let Some((fatal, reason)) = producer.client().fatal_error() {
            self.replace(producer);
            return SendError {
                kind: SendErrorKind::Other,
                detail: format!("the producer failed and was replaced: {fatal}: {reason}"),
            };
        }
        SendError {
            kind: convert::send_error(code),
            detail: error.to_string(),
        }
    }

    /// Waits while the client is made anew. Otherwise it is ready at once, also in a task that has used up its turn: whoever
    /// polls several sends one after the other relies on their order.
    async fn enter(&self) -> RwLockReadGuard<'_, ()> {
        unconstrained(self.gate.read()).await
    }

    /// A fatal error ends an idempotent producer for good; it is replaced for the next send.
    fn replace(&self, failed: &FutureProducer<ProducerLog>) {
        let mut current = self.lock();
        let is_current = current.producer.client().native_ptr() == failed.client().native_ptr();
        if !is_current {
            return;
        }
        match create(&current.config, &current.tokens) {
            Ok(producer) => current.producer = producer,
            Err(error) => tracing::error!(%error, "a new producer could not be created"),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a producer puts a key, in a topic with so many partitions: where Java producers put it, too.
#[must_use]
pub fn partition_of(key: &[u8], partitions: u32) -> Partition {
    const MIX: u32 = 0x5bd1_e995;
    let chunks = key.chunks_exact(4);
    let rest = chunks.remainder();
    let word = |bytes: &[u8]| {
        let bytes = bytes.iter().rev();
        bytes.fold(0, |word: u32, byte| (word << 8) | u32::from(*byte))
    };
    let mut hash = 0x9747_b28c ^ u32::try_from(key.len()).unwrap_or(u32::MAX);
    for chunk in chunks {
        let mut mixed = word(chunk).wrapping_mul(MIX);
        mixed = (mixed ^ (mixed >> 24)).wrapping_mul(MIX);
        hash = hash.wrapping_mul(MIX) ^ mixed;
    }
    if !rest.is_empty() {
        hash = (hash ^ word(rest)).wrapping_mul(MIX);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(MIX);
    hash ^= hash >> 15;
    let place = (hash & 0x7fff_ffff) % partitions.max(1);
    Partition(i32::try_from(place).unwrap_or(i32::MAX))
}

fn client_record(record: &OutgoingRecord) -> FutureRecord<'_, [u8], [u8]> {
    let mut outgoing: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(record.topic.as_str());
    outgoing.partition = record.partition.map(|partition| partition.0);
    outgoing.key = record.key.as_deref();
    outgoing.payload = record.value.as_deref();
    outgoing.timestamp = record.timestamp_ms;
    if !record.headers.is_empty() {
        outgoing.headers = Some(convert::client_headers(&record.headers));
    }
    outgoing
}

impl fmt::Debug for RecordProducer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordProducer").finish_non_exhaustive()
    }
}

fn create(
    config: &ClientConfig,
    tokens: &Tokens,
) -> Result<FutureProducer<ProducerLog>, StartError> {
    let context = ProducerLog {
        log: ClientLog::default(),
        tokens: tokens.clone(),
    };
    config
        .create_with_context(context)
        .map_err(|error| StartError::Client {
            detail: error.to_string(),
        })
}

// === impl Current ===

impl Current {
    fn new(settings: &KafkaSettings) -> Result<Self, StartError> {
        let config = settings.producer_config().clone();
        let tokens = settings.tokens();
        let producer = create(&config, &tokens)?;
        Ok(Self {
            config,
            tokens,
            producer,
        })
    }
}

// === impl ProducerLog ===

impl ClientContext for ProducerLog {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, fac: &str, log_message: &str) {
        self.log.line(level, fac, log_message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let text = format!("{error}: {reason}");
        self.log.line(RDKafkaLogLevel::Warning, "PRODUCER", &text);
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.tokens.give()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hashes from the tests of Kafka's own client, as Java's signed numbers.
    #[test]
    fn a_key_is_where_java_producers_put_it() {
        for (key, hash) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("abc", 479_470_107),
        ] {
            let positive = hash & i32::MAX;
            let most = partition_of(key.as_bytes(), u32::MAX >> 1);
            assert_eq!(most.0, positive % i32::MAX, "{key}");
            assert_eq!(partition_of(key.as_bytes(), 7).0, positive % 7, "{key}");
        }
    }
}
