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
use ingest_model::record::{Offset, Partition, Record, Topic};

use super::args::Last;
use crate::clock::Clock;
use crate::config::Settings;
use crate::simulated::forecast::{Input, Read, Recorded};

/// Some partitions of a topic.
pub(super) struct TopicInput {
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

impl TopicInput {
    /// Opens the last records of a topic. How many partitions it has.
    pub(super) fn open(
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

impl Input for TopicInput {
    fn next(&mut self) -> anyhow::Result<Read> {
        for one in &mut self.partitions {
            let read = one.fill(&self.topic);
            read.map_err(|error| unreadable(&self.brokers, &self.topic, &error))?;
        }
        let heads = self.partitions.iter_mut();
        let heads = heads.filter(|one| one.head.is_some());
        let first = heads.min_by_key(|one| one.head.as_ref().and_then(|head| head.timestamp_ms));
        Ok(match first.and_then(|one| one.head.take()) {
            Some(record) => Read::Record(Box::new(Recorded {
                record: *record,
                has_partition: true,
            })),
            None => Read::End,
        })
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

fn unreadable(brokers: &str, topic: &Topic, error: &ReadError) -> anyhow::Error {
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
