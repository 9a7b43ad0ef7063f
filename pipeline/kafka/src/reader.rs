//! Reading a topic once, from its first record to where it ends now, without a consumer group.
//!
//! For the dead letters' commands, for restoring state and for the demo. Everything here blocks the thread it runs on.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use ingest_core::record::{Offset, Partition, Record, Topic, TopicPartition};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{ClientConfig, Offset as ClientOffset, TopicPartitionList};

use crate::client_log::ClientLog;
use crate::clock;
use crate::convert;
use crate::error::{ReadError, StartError};
use crate::settings::KafkaSettings;
use crate::topics::partition_count;

const POLL: Duration = Duration::from_millis(100);

/// Where a partition begins and ends at the brokers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermarks {
    /// The first offset that is still there.
    pub low: Offset,
    /// The offset after the last record.
    pub high: Offset,
}

/// Callbacks of reading clients: only their log.
#[derive(Default)]
pub(crate) struct ReaderContext(ClientLog);

/// Gives every record of a topic to `take`, partition by partition in offset order, partitions interleaved, until each
/// reaches the end it had when the call began, or `take` breaks off. Blocks.
///
/// # Errors
/// The topic does not exist or may not be read, or nothing arrived for `timeout`.
pub fn read_topic(
    settings: &KafkaSettings,
    topic: &Topic,
    timeout: Duration,
    take: impl FnMut(Record) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    let client = assigning_client(settings)?;
    let count = partition_count(&client, topic, clock::now() + timeout)?;
    let partitions: Vec<TopicPartition> = (0..)
        .take(count)
        .map(|number| TopicPartition {
            topic: topic.clone(),
            partition: Partition(number),
        })
        .collect();
    read(&client, &partitions, timeout, take)
}

/// The same for some partitions only. Blocks.
///
/// # Errors
/// As [`read_topic`].
pub fn read_partitions(
    settings: &KafkaSettings,
    partitions: &[TopicPartition],
    timeout: Duration,
    take: impl FnMut(Record) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    read(&assigning_client(settings)?, partitions, timeout, take)
}

/// Where each partition of a topic begins and ends. Blocks.
///
/// # Errors
/// The topic does not exist or may not be read, or no broker answered in time.
pub fn fetch_watermarks(
    settings: &KafkaSettings,
    topic: &Topic,
    timeout: Duration,
) -> Result<BTreeMap<Partition, Watermarks>, ReadError> {
    let client = reading_client(settings)?;
    let deadline = clock::now() + timeout;
    let count = partition_count(&client, topic, deadline)?;
    let mut watermarks = BTreeMap::new();
    for number in (0..).take(count) {
        let partition = TopicPartition {
            topic: topic.clone(),
            partition: Partition(number),
        };
        watermarks.insert(
            partition.partition,
            watermarks_of(&client, &partition, deadline)?,
        );
    }
    Ok(watermarks)
}

/// The offsets that the group of the settings has committed in a topic. Blocks.
///
/// # Errors
/// The topic does not exist or may not be read, or no broker answered in time.
pub fn fetch_committed(
    settings: &KafkaSettings,
    topic: &Topic,
    timeout: Duration,
) -> Result<BTreeMap<Partition, Offset>, ReadError> {
    let client = assigning_client(settings)?;
    let deadline = clock::now() + timeout;
    let count = partition_count(&client, topic, deadline)?;
    let mut list = TopicPartitionList::new();
    for number in (0..).take(count) {
        list.add_partition(topic.as_str(), number);
    }
    let remaining = deadline.saturating_duration_since(clock::now());
    let list = client
        .committed_offsets(list, remaining)
        .map_err(|error| unreachable(&error))?;
    let mut committed = BTreeMap::new();
    for element in list.elements() {
        element.error().map_err(|error| unreachable(&error))?;
        if let ClientOffset::Offset(offset) = element.offset() {
            committed.insert(Partition(element.partition()), Offset(offset));
        }
    }
    Ok(committed)
}

/// A consumer that asks about topics only.
pub(crate) fn reading_client(
    settings: &KafkaSettings,
) -> Result<BaseConsumer<ReaderContext>, StartError> {
    create(settings.reader_config())
}

/// A consumer that names the group, without which the client assigns nothing; it neither joins the group nor commits.
pub(crate) fn assigning_client(
    settings: &KafkaSettings,
) -> Result<BaseConsumer<ReaderContext>, StartError> {
    let mut config = settings.reader_config().clone();
    config.set("group.id", &settings.options().group);
    create(&config)
}

fn create(config: &ClientConfig) -> Result<BaseConsumer<ReaderContext>, StartError> {
    config
        .create_with_context(ReaderContext::default())
        .map_err(|error| StartError::Client {
            detail: error.to_string(),
        })
}

pub(crate) fn read(
    client: &BaseConsumer<ReaderContext>,
    partitions: &[TopicPartition],
    timeout: Duration,
    mut take: impl FnMut(Record) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    let deadline = clock::now() + timeout;
    // The ends still to be reached; the end itself may be a transaction's marker, which is never delivered, so the
    // client's own word for "end of partition" counts, too.
    let mut ends: BTreeMap<(Topic, i32), Offset> = BTreeMap::new();
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        let Watermarks { low, high } = watermarks_of(client, partition, deadline)?;
        if low < high {
            ends.insert((partition.topic.clone(), partition.partition.0), high);
            let topic = partition.topic.as_str();
            list.add_partition(topic, partition.partition.0)
                .set_offset(ClientOffset::Offset(low.0))
                .map_err(|error| unreachable(&error))?;
        }
    }
    client.assign(&list).map_err(|error| unreachable(&error))?;
    let mut idle_deadline = clock::now() + timeout;
    while !ends.is_empty() {
        match client.poll(POLL) {
            Some(Ok(message)) => {
                idle_deadline = clock::now() + timeout;
                let key = (Topic::new(message.topic()), message.partition());
                let Some(&end) = ends.get(&key) else { continue };
                let next = Offset(message.offset()).next();
                if message.offset() < end.0 {
                    let (record, _unreadable) = convert::record(&message, key.0.clone());
                    if take(record).is_break() {
                        return Ok(());
                    }
                }
                if next >= end {
                    ends.remove(&key);
                }
            }
            Some(Err(KafkaError::PartitionEOF(number))) => {
                // Says the number only; with several topics of that partition, the positions decide.
                let reached: Vec<(Topic, i32)> = ends
                    .keys()
                    .filter(|(_, partition)| *partition == number)
                    .cloned()
                    .collect();
                if let [only] = reached.as_slice() {
                    ends.remove(only);
                }
            }
            Some(Err(_)) | None => {
                if clock::now() >= idle_deadline {
                    return Err(ReadError::Unreachable {
                        detail: format!("nothing arrived for {timeout:?}"),
                    });
                }
            }
        }
    }
    Ok(())
}

pub(crate) fn watermarks_of(
    client: &BaseConsumer<ReaderContext>,
    partition: &TopicPartition,
    deadline: Instant,
) -> Result<Watermarks, ReadError> {
    let remaining = deadline.saturating_duration_since(clock::now());
    let (low, high) = client
        .fetch_watermarks(partition.topic.as_str(), partition.partition.0, remaining)
        .map_err(|error| unreachable(&error))?;
    Ok(Watermarks {
        low: Offset(low),
        high: Offset(high),
    })
}

fn unreachable(error: &KafkaError) -> ReadError {
    ReadError::Unreachable {
        detail: error.to_string(),
    }
}

// === impl ReaderContext ===

impl ClientContext for ReaderContext {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, log_message: &str) {
        self.0.line(level, fac, log_message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let text = format!("{error}: {reason}");
        self.0.line(RDKafkaLogLevel::Warning, "READER", &text);
    }
}

impl ConsumerContext for ReaderContext {}
