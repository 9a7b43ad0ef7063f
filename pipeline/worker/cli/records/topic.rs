//! The last records of a topic, from Kafka: each partition in its order, and all of them by their time.
//!
//! Each partition has a reader of its own, so no more of them is in memory than the client fetches ahead.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{anyhow, bail};
use ingest_kafka::ReadError;
use ingest_kafka::reader::{
    Read as Next, TopicReader, Watermarks, fetch_offsets_at, fetch_watermarks,
};
use ingest_model::record::{Offset, Partition, Position, Record, Topic, TopicPartition};

use crate::clock::Clock;
use crate::config::{Settings, parse_duration};

/// `--last`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Last {
    /// Records of so long.
    Time(Duration),
    /// So many records.
    Records(u64),
}

/// Some partitions of a topic.
pub(in crate::cli) struct TopicRecords {
    brokers: String,
    topic: Topic,
    partitions: Vec<Reader>,
}

struct Reader {
    reader: TopicReader,
    head: Option<Box<Record>>,
    is_at_end: bool,
}

/// How long the brokers may take.
const PATIENCE: Duration = Duration::from_secs(30);
const WAIT: Duration = Duration::from_millis(100);
/// Each is a client with threads of its own.
const MOST: usize = 64;

impl TopicRecords {
    /// Opens the last records of a topic. How many partitions it has.
    pub(in crate::cli) fn open(
        settings: &Settings,
        topic: &Topic,
        last: Last,
    ) -> anyhow::Result<(Self, u16)> {
        let kafka = settings.kafka_client()?;
        let brokers = settings.kafka.brokers.clone();
        let unreadable = |error: ReadError| unreadable(&brokers, topic, &error);
        let ends = fetch_watermarks(&kafka, topic, PATIENCE).map_err(unreadable)?;
        if ends.len() > MOST {
            bail!(
                "{topic} has {} partitions, and at most {MOST} are read at once: write the records into a file, such as with \
                 kcat, and use --records FILE",
                ends.len()
            );
        }
        let from: BTreeMap<Partition, Offset> = match last {
            Last::Time(time) => {
                let time = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
                let since = Clock.unix_ms().saturating_sub(time);
                fetch_offsets_at(&kafka, topic, since, PATIENCE).map_err(unreadable)?
            }
            Last::Records(records) => {
                let each = records.div_ceil((ends.len() as u64).max(1));
                let each = i64::try_from(each).unwrap_or(i64::MAX);
                let from = |end: &Watermarks| Offset(end.high.0.saturating_sub(each));
                ends.iter().map(|(name, end)| (*name, from(end))).collect()
            }
        };
        let mut partitions = Vec::new();
        for (partition, end) in &ends {
            let low = from.get(partition).copied().unwrap_or(end.low).max(end.low);
            let span = Watermarks {
                low,
                high: end.high,
            };
            let span = BTreeMap::from([(*partition, span)]);
            let reader = TopicReader::open(&kafka, topic, &span).map_err(unreadable)?;
            partitions.push(Reader {
                reader,
                head: None,
                is_at_end: low >= end.high,
            });
        }
        let count = u16::try_from(partitions.len()).unwrap_or(u16::MAX).max(1);
        let input = Self {
            topic: topic.clone(),
            partitions,
            brokers,
        };
        Ok((input, count))
    }
}

impl TopicRecords {
    /// Opens the one record at a position.
    pub(in crate::cli) fn at(settings: &Settings, position: &Position) -> anyhow::Result<Self> {
        let kafka = settings.kafka_client()?;
        let TopicPartition { topic, partition } = &position.partition;
        let brokers = settings.kafka.brokers.clone();
        let unreadable = |error: ReadError| unreadable(&brokers, topic, &error);
        let ends = fetch_watermarks(&kafka, topic, PATIENCE).map_err(unreadable)?;
        let Some(end) = ends.get(partition) else {
            bail!(
                "{topic} has no partition {}: it has {} of them, counted from 0",
                partition.0,
                ends.len()
            );
        };
        let offset = position.offset;
        if offset < end.low || offset >= end.high {
            let has = if end.low >= end.high {
                "it has none now".to_owned()
            } else {
                format!("it has {} to {}", end.low.0, end.high.0 - 1)
            };
            bail!(
                "{topic}/{} has no record with the offset {} (any more): {has}",
                partition.0,
                offset.0
            );
        }
        let span = Watermarks {
            low: offset,
            high: Offset(offset.0.saturating_add(1)),
        };
        let span = BTreeMap::from([(*partition, span)]);
        let reader = TopicReader::open(&kafka, topic, &span).map_err(unreadable)?;
        Ok(Self {
            topic: topic.clone(),
            brokers: brokers.clone(),
            partitions: vec![Reader {
                reader,
                head: None,
                is_at_end: false,
            }],
        })
    }

    /// The next record, by time; `None` after the last one.
    pub(in crate::cli) fn read(&mut self) -> anyhow::Result<Option<Record>> {
        for one in &mut self.partitions {
            let read = one.fill(&self.topic);
            read.map_err(|error| unreadable(&self.brokers, &self.topic, &error))?;
        }
        let heads = self.partitions.iter_mut();
        let heads = heads.filter(|one| one.head.is_some());
        let first = heads.min_by_key(|one| one.head.as_ref().and_then(|head| head.timestamp_ms));
        Ok(first.and_then(|one| one.head.take()).map(|head| *head))
    }
}

impl Reader {
    /// Waits for its next record.
    fn fill(&mut self, topic: &Topic) -> Result<(), ReadError> {
        let deadline = Clock.now() + PATIENCE;
        while self.head.is_none() && !self.is_at_end {
            match self.reader.next(WAIT)? {
                Next::Record(record) => self.head = Some(Box::new(record)),
                Next::End => self.is_at_end = true,
                Next::Nothing if Clock.now() >= deadline => {
                    let detail = format!("nothing of {topic} arrived for {PATIENCE:?}");
                    return Err(ReadError::Unreachable { detail });
                }
                Next::Nothing => {}
            }
        }
        Ok(())
    }
}

pub(super) fn unreadable(brokers: &str, topic: &Topic, error: &ReadError) -> anyhow::Error {
    let way_out = match error {
        ReadError::UnknownTopic { .. } => "does the configuration name another topic?".to_owned(),
        ReadError::NotAuthorized { .. } => {
            format!("allow Describe and Read on {topic} for these credentials")
        }
        ReadError::Unreachable { .. } | ReadError::Start(_) => {
            format!("are {brokers} the right brokers, and can they be reached from here?")
        }
    };
    anyhow!("{error}; {way_out}")
}

/// Reads `--last`.
pub(in crate::cli) fn last(text: &str) -> Result<Last, String> {
    match text.parse() {
        Ok(0) => Err("give at least 1".to_owned()),
        Ok(records) => Ok(Last::Records(records)),
        Err(_) => parse_duration(text)
            .map(Last::Time)
            .map_err(|why| format!("{why}; or a number of records, such as 100000")),
    }
}
