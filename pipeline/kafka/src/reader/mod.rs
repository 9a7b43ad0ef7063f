//! Reading a topic once, from its first record to its current end, without a consumer group.
//!
//! For the dead-letter commands, for restoring state and for the demo. Everything here blocks its thread. [`read_topic`]
//! passes the records to a function; with a [`TopicReader`] the caller asks for each record, and can do something else in
//! between.

pub(crate) mod client;
pub(crate) mod configs;
pub mod memory;
pub mod retention;
pub mod topics;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use ingest_model::record::{Offset, Partition, Record, Topic, TopicPartition};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{Offset as ClientOffset, TopicPartitionList};

use self::client::{ReaderContext, ask, assigning_client, reading_client, unreachable};
use self::topics::partition_count;
use crate::client::convert;
use crate::clock;
use crate::error::ReadError;
use crate::settings::KafkaSettings;

const POLL: Duration = Duration::from_millis(100);

/// Where a partition's log begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermarks {
    /// The first offset that is still there.
    pub low: Offset,
    /// The offset after the last record.
    pub high: Offset,
}

/// Reads partitions of a topic, each between two offsets, at the caller's pace.
///
/// Records beyond the second offset are not read, so a caller that writes to the same topic does come to an end.
pub struct TopicReader {
    client: BaseConsumer<ReaderContext>,
    reading: Reading,
}

/// The ends still to be reached. The last offset may be a transaction marker, which is never delivered, so the client's
/// own "end of partition" counts too.
#[derive(Debug)]
struct Reading {
    ends: BTreeMap<TopicPartition, Offset>,
}

/// What a [`TopicReader`] has next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// A record.
    Record(Record),
    /// Nothing yet.
    Nothing,
    /// Every partition was read to its end.
    End,
}

/// Passes every record of a topic to `take`, in offset order within a partition and with partitions interleaved.
///
/// It ends when each partition has reached the end that it had at the time of the call, or when `take` breaks off. It blocks.
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

/// The first offset of each partition of a topic whose record was written at this time or later, epoch milliseconds; the end of
/// the partition if there is none. Blocks.
///
/// # Errors
/// The topic does not exist or may not be read, or no broker answered in time.
pub fn fetch_offsets_at(
    settings: &KafkaSettings,
    topic: &Topic,
    time_ms: i64,
    timeout: Duration,
) -> Result<BTreeMap<Partition, Offset>, ReadError> {
    let client = assigning_client(settings)?;
    let deadline = clock::now() + timeout;
    let count = partition_count(&client, topic, deadline)?;
    let mut list = TopicPartitionList::new();
    for number in (0..).take(count) {
        list.add_partition_offset(topic.as_str(), number, ClientOffset::Offset(time_ms))
            .map_err(|error| unreachable(&error))?;
    }
    let remaining = deadline.saturating_duration_since(clock::now());
    let list = client
        .offsets_for_times(list, remaining)
        .map_err(|error| unreachable(&error))?;
    let mut found = BTreeMap::new();
    for element in list.elements() {
        element.error().map_err(|error| unreachable(&error))?;
        let partition = TopicPartition {
            topic: topic.clone(),
            partition: Partition(element.partition()),
        };
        let offset = if let ClientOffset::Offset(offset) = element.offset() {
            Offset(offset)
        } else {
            watermarks_of(&client, &partition, deadline)?.high
        };
        found.insert(partition.partition, offset);
    }
    Ok(found)
}

pub(crate) fn read(
    client: &BaseConsumer<ReaderContext>,
    partitions: &[TopicPartition],
    timeout: Duration,
    mut take: impl FnMut(Record) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    let mut reading = Reading::start(client, spans(client, partitions, clock::now() + timeout)?)?;
    let mut idle_deadline = clock::now() + timeout;
    loop {
        match reading.next(client, POLL)? {
            Read::Record(record) => {
                idle_deadline = clock::now() + timeout;
                if take(record).is_break() {
                    return Ok(());
                }
            }
            Read::End => return Ok(()),
            Read::Nothing if clock::now() >= idle_deadline => {
                return Err(ReadError::Unreachable {
                    detail: format!("nothing arrived for {timeout:?}"),
                });
            }
            Read::Nothing => {}
        }
    }
}

/// Where each partition begins and ends now.
fn spans(
    client: &BaseConsumer<ReaderContext>,
    partitions: &[TopicPartition],
    deadline: Instant,
) -> Result<BTreeMap<TopicPartition, Watermarks>, ReadError> {
    partitions
        .iter()
        .map(|partition| {
            let watermarks = watermarks_of(client, partition, deadline)?;
            Ok((partition.clone(), watermarks))
        })
        .collect()
}

pub(crate) fn watermarks_of(
    client: &BaseConsumer<ReaderContext>,
    partition: &TopicPartition,
    deadline: Instant,
) -> Result<Watermarks, ReadError> {
    let (topic, number) = (partition.topic.as_str(), partition.partition.0);
    let (low, high) = ask(client, deadline, |timeout| {
        client.fetch_watermarks(topic, number, timeout)
    })?;
    Ok(Watermarks {
        low: Offset(low),
        high: Offset(high),
    })
}

// === impl TopicReader ===

impl TopicReader {
    /// Opens these partitions of a topic, each to be read from its first offset up to, but not including, its second, as
    /// far as the topic has these records. Blocks.
    ///
    /// # Errors
    /// The topic does not exist or may not be read, or no broker answered.
    pub fn open(
        settings: &KafkaSettings,
        topic: &Topic,
        spans: &BTreeMap<Partition, Watermarks>,
    ) -> Result<Self, ReadError> {
        let spans = spans
            .iter()
            .map(|(partition, span)| {
                let partition = TopicPartition {
                    topic: topic.clone(),
                    partition: *partition,
                };
                (partition, *span)
            })
            .collect();
        let client = assigning_client(settings)?;
        let reading = Reading::start(&client, spans)?;
        Ok(Self { client, reading })
    }

    /// The next record, in offset order within a partition; waits at most this long. Blocks.
    ///
    /// # Errors
    /// The credentials do not allow reading the topic, or it no longer exists.
    pub fn next(&mut self, wait: Duration) -> Result<Read, ReadError> {
        self.reading.next(&self.client, wait)
    }
}

impl std::fmt::Debug for TopicReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TopicReader")
            .field("reading", &self.reading)
            .finish_non_exhaustive()
    }
}

// === impl Reading ===

impl Reading {
    fn start(
        client: &BaseConsumer<ReaderContext>,
        spans: BTreeMap<TopicPartition, Watermarks>,
    ) -> Result<Self, ReadError> {
        let mut ends = BTreeMap::new();
        let mut list = TopicPartitionList::new();
        for (partition, Watermarks { low, high }) in spans {
            if low < high {
                list.add_partition(partition.topic.as_str(), partition.partition.0)
                    .set_offset(ClientOffset::Offset(low.0))
                    .map_err(|error| unreachable(&error))?;
                ends.insert(partition, high);
            }
        }
        client.assign(&list).map_err(|error| unreachable(&error))?;
        Ok(Self { ends })
    }

    fn next(
        &mut self,
        client: &BaseConsumer<ReaderContext>,
        wait: Duration,
    ) -> Result<Read, ReadError> {
        if self.ends.is_empty() {
            return Ok(Read::End);
        }
        match client.poll(wait) {
            Some(Ok(message)) => {
                let partition = TopicPartition::new(message.topic(), message.partition());
                let Some(&end) = self.ends.get(&partition) else {
                    return Ok(Read::Nothing);
                };
                let offset = Offset(message.offset());
                let record =
                    (offset < end).then(|| convert::record(&message, partition.topic.clone()).0);
                if offset.next() >= end {
                    self.ends.remove(&partition);
                }
                Ok(record.map_or(Read::Nothing, Read::Record))
            }
            Some(Err(KafkaError::PartitionEOF(number))) => {
                // It names only the partition number; with several topics, the positions decide.
                let reached: Vec<TopicPartition> = self
                    .ends
                    .keys()
                    .filter(|partition| partition.partition.0 == number)
                    .cloned()
                    .collect();
                if let [only] = reached.as_slice() {
                    self.ends.remove(only);
                }
                Ok(Read::Nothing)
            }
            Some(Err(error)) => match self.ends.keys().next() {
                Some(partition) => not_readable(&partition.topic, &error),
                None => Ok(Read::Nothing),
            },
            None => Ok(Read::Nothing),
        }
    }
}

/// Errors that stay until somebody changes something; the client recovers from all others by itself.
fn not_readable(topic: &Topic, error: &KafkaError) -> Result<Read, ReadError> {
    let topic = topic.clone();
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::TopicAuthorizationFailed) => Err(ReadError::NotAuthorized { topic }),
        Some(
            RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownPartition,
        ) => Err(ReadError::UnknownTopic { topic }),
        _ => Ok(Read::Nothing),
    }
}
