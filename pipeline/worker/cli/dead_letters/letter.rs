//! A dead letter as it is read back, and which of them are asked for.

use std::collections::BTreeSet;

use ingest_core::outcome::Rejection;
use ingest_core::record::{Offset, Record, Topic, TopicPartition};

use super::args::{FilterArgs, LetterPlace};
use crate::cli::CommandError;
use crate::pump::letter_header as header;

/// What stands in a letter of the hold topic in place of a rejection.
pub(super) const HELD: &str = "held";

/// A record of the dead-letter topic, and what its headers say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Letter {
    /// Where it stands on the dead-letter topic.
    pub(super) place: LetterPlace,
    /// Why it was written; a label, unless somebody else wrote it.
    pub(super) reason: Option<String>,
    /// Field and rule, or the API's own words.
    pub(super) detail: Option<String>,
    /// Where the record came from first; `None` where this is no letter of the worker.
    pub(super) source: Option<Source>,
    /// The route of the mapping.
    pub(super) route: Option<String>,
    /// Attempts to deliver it.
    pub(super) attempts: Option<u64>,
    /// How often the record came back before this letter.
    pub(super) replays: u64,
    /// When the letter was written, epoch milliseconds; else the time of the record.
    pub(super) written_ms: Option<i64>,
    /// The time of the original record, epoch milliseconds.
    pub(super) recorded_ms: Option<i64>,
    /// The worker that wrote it.
    pub(super) worker: Option<String>,
    /// The record as it stands there.
    pub(super) record: Record,
}

/// Which record it was first. An offset means another record once the topic was made again, so the time belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Source {
    pub(super) partition: TopicPartition,
    pub(super) offset: Offset,
    /// What the letter says of the record's time, epoch milliseconds.
    pub(super) time_ms: Option<i64>,
}

/// Which letters are asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    reasons: BTreeSet<String>,
    topics: BTreeSet<String>,
    routes: BTreeSet<String>,
    since_ms: Option<i64>,
    until_ms: Option<i64>,
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

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.partition, self.offset.0)
    }
}

// === impl Filter ===

impl Filter {
    /// What the command line asks for; durations count back from `now_ms`.
    pub(super) fn new(args: &FilterArgs, now_ms: i64) -> Result<Self, CommandError> {
        for reason in &args.reason {
            let known = Rejection::ALL.iter().map(|known| known.as_str());
            if !known.clone().chain([HELD]).any(|known| known == reason) {
                let all: Vec<&str> = known.chain([HELD]).collect();
                return Err(CommandError::Usage(format!(
                    "--reason {reason}: there is no such reason; there are {}",
                    all.join(", ")
                )));
            }
        }
        let since_ms = args.since.map(|moment| moment.resolve(now_ms));
        let until_ms = args.until.map(|moment| moment.resolve(now_ms));
        if let (Some(since), Some(until)) = (since_ms, until_ms)
            && since >= until
        {
            return Err(CommandError::Usage(
                "--since is not before --until, so no letter fits both".to_owned(),
            ));
        }
        Ok(Self {
            reasons: args.reason.iter().cloned().collect(),
            topics: args.topic.iter().cloned().collect(),
            routes: args.route.iter().cloned().collect(),
            since_ms,
            until_ms,
        })
    }

    /// Whether this letter is asked for. One that does not say what a filter asks about is not.
    pub(super) fn takes(&self, letter: &Letter) -> bool {
        let one_of = |wanted: &BTreeSet<String>, has: Option<&str>| {
            wanted.is_empty() || has.is_some_and(|has| wanted.contains(has))
        };
        let at = letter.written_ms;
        one_of(&self.reasons, letter.reason.as_deref())
            && one_of(&self.topics, letter.source_topic().map(Topic::as_str))
            && one_of(&self.routes, letter.route.as_deref())
            && self
                .since_ms
                .is_none_or(|since| at.is_some_and(|at| at >= since))
            && self
                .until_ms
                .is_none_or(|until| at.is_some_and(|at| at < until))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use bytes::Bytes;
    use ingest_core::record::{Header, Position};

    use super::super::args::Moment;
    use super::*;

    /// A letter at 0:`offset` whose record stood at `shop.events[partition]@source`.
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

    /// The same letter of a record of that time.
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
    fn a_filter_takes_what_fits_all_of_it() {
        let takes = |args: &FilterArgs| Filter::new(args, 10_000).unwrap().takes(&letter(1, 0, 1));
        let with = |change: fn(&mut FilterArgs)| {
            let mut args = FilterArgs::default();
            change(&mut args);
            takes(&args)
        };
        assert!(with(|_| ()));
        assert!(with(
            |args| args.reason = vec!["held".into(), "mapping_failed".into()]
        ));
        assert!(!with(|args| args.reason = vec!["held".into()]));
        assert!(with(|args| args.topic = vec!["shop.events".into()]));
        assert!(!with(|args| args.topic = vec!["dead".into()]));
        assert!(!with(|args| args.route = vec!["other".into()]));
        assert!(with(|args| args.since = Some(Moment::At(5_000))));
        assert!(!with(|args| args.since = Some(Moment::At(5_001))));
        assert!(!with(|args| args.until = Some(Moment::At(5_000))));
        assert!(with(|args| {
            args.since = Some(Moment::At(4_999));
            args.until = Some(Moment::At(5_001));
            args.route = vec!["order".into()];
        }));
    }

    #[test]
    fn a_filter_that_nothing_fits_is_refused() {
        let refused = |args: FilterArgs| Filter::new(&args, 0).err().map(|error| error.to_string());
        let reason = refused(FilterArgs {
            reason: vec!["maping_failed".to_owned()],
            ..FilterArgs::default()
        });
        assert!(reason.unwrap().contains("there are invalid_json, "));
        let times = refused(FilterArgs {
            since: Some(Moment::At(2)),
            until: Some(Moment::At(2)),
            ..FilterArgs::default()
        });
        assert!(times.unwrap().contains("not before --until"));
    }
}
