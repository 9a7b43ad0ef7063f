//! A dead letter as it is read back, and its place.

use std::fmt;
use std::str::FromStr;

use ingest_model::record::{Offset, Partition, Record, Topic, TopicPartition};

use crate::pump::letter_header as header;

/// The place of a letter on its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LetterPlace {
    /// The partition of the dead-letter topic.
    pub partition: Partition,
    /// The offset in it.
    pub offset: Offset,
}

/// A record of the dead-letter topic, and what its headers say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Letter {
    /// Its place on the dead-letter topic.
    pub(super) place: LetterPlace,
    /// Why it was written; a label, unless the worker did not write it.
    pub(super) reason: Option<String>,
    /// The field and the rule, or the API's own words.
    pub(super) detail: Option<String>,
    /// Where the record came from originally; `None` if the worker did not write this letter.
    pub(super) source: Option<Source>,
    /// The route of the mapping.
    pub(super) route: Option<String>,
    /// Attempts to deliver it.
    pub(super) attempts: Option<u64>,
    /// How often the record had been replayed before this letter.
    pub(super) replays: u64,
    /// When the letter was written, epoch milliseconds; otherwise the time of the record.
    pub(super) written_ms: Option<i64>,
    /// The time of the original record, epoch milliseconds.
    pub(super) recorded_ms: Option<i64>,
    /// The worker that wrote it.
    pub(super) worker: Option<String>,
    /// The record on the dead-letter topic.
    pub(super) record: Record,
}

/// The original record. If the topic was recreated, the same offset is another record, so the time belongs to the
/// identity.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Source {
    pub(super) partition: TopicPartition,
    pub(super) offset: Offset,
    /// The record's time according to the letter, epoch milliseconds.
    pub(super) time_ms: Option<i64>,
}

// === impl Letter ===

impl Letter {
    pub(super) fn of(record: Record) -> Self {
        let text = |name: &str| {
            let value = record.header(name)?;
            Some(String::from_utf8_lossy(value).into_owned())
        };
        let number = |name: &str| text(name)?.parse::<i64>().ok();
        let count = |name: &str| text(name)?.parse::<u64>().ok();
        let source = || {
            let topic = text(header::SOURCE_TOPIC).filter(|topic| !topic.is_empty())?;
            let partition = i32::try_from(number(header::SOURCE_PARTITION)?).ok()?;
            let offset = number(header::SOURCE_OFFSET)?;
            (partition >= 0 && offset >= 0).then(|| Source {
                partition: TopicPartition::new(&topic, partition),
                offset: Offset(offset),
                time_ms: number(header::SOURCE_TIMESTAMP),
            })
        };
        let position = &record.position;
        Self {
            place: LetterPlace {
                partition: position.partition.partition,
                offset: position.offset,
            },
            reason: text(header::REASON),
            detail: text(header::DETAIL),
            source: source(),
            route: text(header::ROUTE),
            attempts: count(header::ATTEMPTS),
            replays: count(header::REPLAYS).unwrap_or(0),
            written_ms: number(header::WRITTEN).or(record.timestamp_ms),
            recorded_ms: number(header::SOURCE_TIMESTAMP).or(record.timestamp_ms),
            worker: text(header::WORKER_VERSION),
            record,
        }
    }

    /// The topic that the record came from, for counts.
    pub(super) fn source_topic(&self) -> Option<&Topic> {
        self.source.as_ref().map(|source| &source.partition.topic)
    }
}

// === impl Source ===

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.partition, self.offset.0)
    }
}

// === impl LetterPlace ===

impl fmt::Display for LetterPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.partition.0, self.offset.0)
    }
}

impl FromStr for LetterPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.split_once(':').and_then(|(partition, offset)| {
            let partition = partition.parse::<i32>().ok().filter(|n| *n >= 0)?;
            let offset = offset.parse::<i64>().ok().filter(|n| *n >= 0)?;
            Some(Self {
                partition: Partition(partition),
                offset: Offset(offset),
            })
        });
        parsed.ok_or_else(|| "give PARTITION:OFFSET, such as 0:42".to_owned())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use bytes::Bytes;
    use ingest_model::record::{Header, Position};

    use super::*;

    /// A letter at 0:`offset` whose record was at `shop.events[partition]@source`.
    pub(in super::super) fn letter(offset: i64, partition: i32, source: i64) -> Letter {
        let text = |name: &str, value: String| Header {
            name: name.to_owned(),
            value: Some(Bytes::from(value)),
        };
        Letter::of(Record {
            position: Position {
                partition: TopicPartition::new("dead", 0),
                offset: Offset(offset),
            },
            key: Some(Bytes::from_static(b"u1")),
            value: Some(Bytes::from(format!("{{\"n\":{source}}}"))),
            headers: vec![
                text("trace", "abc".to_owned()),
                text(header::REASON, "mapping_failed".to_owned()),
                text(
                    header::DETAIL,
                    "route order: `title` has no value".to_owned(),
                ),
                text(header::WRITTEN, "5000".to_owned()),
                text(header::SOURCE_TOPIC, "shop.events".to_owned()),
                text(header::SOURCE_PARTITION, partition.to_string()),
                text(header::SOURCE_OFFSET, source.to_string()),
                text(header::SOURCE_TIMESTAMP, "4000".to_owned()),
                text(header::ROUTE, "order".to_owned()),
                text(header::ATTEMPTS, "2".to_owned()),
                text(header::REPLAYS, "1".to_owned()),
                text(header::WORKER_VERSION, "0.1.0".to_owned()),
            ],
            timestamp_ms: Some(4_000),
        })
    }

    #[test]
    fn what_the_headers_say_is_read_back() {
        let read = letter(7, 3, 42);
        assert_eq!(read.place.to_string(), "0:7");
        assert_eq!(read.reason.as_deref(), Some("mapping_failed"));
        let source = read.source.expect("an origin");
        assert_eq!(source.to_string(), "shop.events[3]@42");
        assert_eq!((read.attempts, read.replays), (Some(2), 1));
        assert_eq!(
            (read.written_ms, read.recorded_ms),
            (Some(5_000), Some(4_000))
        );
        let foreign = Letter::of(Record {
            headers: Vec::new(),
            ..letter(1, 0, 0).record
        });
        assert_eq!((foreign.source, foreign.replays), (None, 0));
        assert_eq!(foreign.written_ms, Some(4_000), "the record's own time");
    }

    /// The same letter for a record with that time.
    pub(in super::super) fn at(letter: Letter, time_ms: i64) -> Letter {
        let mut record = letter.record;
        for one in &mut record.headers {
            if one.name == header::SOURCE_TIMESTAMP {
                one.value = Some(Bytes::from(time_ms.to_string()));
            }
        }
        Letter::of(record)
    }

    #[test]
    fn an_offset_is_another_record_once_the_topic_was_made_again() {
        let (first, again) = (letter(1, 0, 42), letter(2, 0, 42));
        assert_eq!(first.source, again.source, "a second letter of one record");
        let other = at(letter(3, 0, 42), 9_000);
        assert_ne!(first.source, other.source);
    }

    #[test]
    fn a_letter_is_named_by_partition_and_offset() {
        let place: LetterPlace = "3:42".parse().unwrap();
        assert_eq!((place.partition, place.offset), (Partition(3), Offset(42)));
        assert_eq!(place.to_string(), "3:42");
        for text in [
            "",
            "42",
            "a:1",
            "1:b",
            "-1:2",
            "1:-2",
            "1:2:3",
            "99999999999:1",
        ] {
            assert!(text.parse::<LetterPlace>().is_err(), "{text}");
        }
    }
}
