//! What can be said on the command line, and what it means.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Subcommand};
use ingest_core::record::{Offset, Partition};

use crate::cli::ConfigArg;
use crate::config::parse_duration;

/// `dead-letters`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "A dead letter is a record that can never be delivered as it is, with the reason and its origin in \
headers. Letters are named by where they stand on the dead-letter topic: PARTITION:OFFSET.\n\nExamples:\n  \
kustomer-ingest dead-letters list --config worker.yaml --since 2h\n  kustomer-ingest dead-letters show --config \
worker.yaml 0:42\n  kustomer-ingest dead-letters replay --config worker.yaml --reason mapping_failed --dry-run"
)]
pub struct DeadLettersArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub command: DeadLettersCommand,
}

/// The commands for dead letters.
#[derive(Debug, Clone, Subcommand)]
pub enum DeadLettersCommand {
    /// List letters and count them by reason and topic; shows no keys and no values.
    List(ListArgs),
    /// Show letters in full.
    Show(ShowArgs),
    /// Send the original records back to the topics that they came from.
    Replay(ReplayArgs),
}

/// Where the letters are.
#[derive(Debug, Clone, Args)]
pub struct PlaceArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub config: ConfigArg,
    /// Read the hold topic (`kafka.hold_topic`) instead of the dead-letter topic.
    #[arg(long)]
    pub from_hold: bool,
}

/// Which letters.
#[derive(Debug, Clone, Default, Args)]
pub struct FilterArgs {
    /// Only letters of this reason, such as `mapping_failed`; may be given several times.
    #[arg(long, value_name = "REASON")]
    pub reason: Vec<String>,
    /// Only letters whose record came from this topic; may be given several times.
    #[arg(long, value_name = "TOPIC")]
    pub topic: Vec<String>,
    /// Only letters of this route of the mapping; may be given several times.
    #[arg(long, value_name = "ROUTE")]
    pub route: Vec<String>,
    /// Only letters written at this time or later: 2026-03-04T05:06:07Z, or how long ago, such as 2h.
    #[arg(long, value_name = "TIME")]
    pub since: Option<Moment>,
    /// Only letters written before this time.
    #[arg(long, value_name = "TIME")]
    pub until: Option<Moment>,
}

/// `dead-letters list`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "The newest letters are shown last. The time is that at which the letter was written, or that of the \
record where the letter does not say.\n\nWith --json each line is an object: position, partition, offset, reason, \
source {topic, partition, offset}, route, attempts, replays, written, recorded, key_bytes, value_bytes, \
headers.\n\nExamples:\n  kustomer-ingest dead-letters list --config worker.yaml --summary\n  kustomer-ingest \
dead-letters list --config worker.yaml --reason refused_by_api --since 2h --json"
)]
pub struct ListArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub place: PlaceArgs,
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub filter: FilterArgs,
    /// Show only the newest N; 100 if left out, and all with --json.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub limit: Option<u64>,
    /// Only the counts by reason and topic.
    #[arg(long)]
    pub summary: bool,
    /// One JSON object a line, for programs.
    #[arg(long)]
    pub json: bool,
}

/// `dead-letters show`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Without --value, keys, values and the producer's headers are shown by their sizes only: they may hold \
personal data.\n\nExamples:\n  kustomer-ingest dead-letters show --config worker.yaml 0:42\n  kustomer-ingest \
dead-letters show --config worker.yaml --value 0:42"
)]
pub struct ShowArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub place: PlaceArgs,
    /// Also show the key, the value and the producer's headers.
    #[arg(long)]
    pub value: bool,
    /// Where the letter stands on the dead-letter topic.
    #[arg(value_name = "PARTITION:OFFSET", required = true)]
    pub letters: Vec<LetterPlace>,
}

/// `dead-letters replay`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Each letter's record goes back to the topic that it came from, and to the same partition if the topic \
still has it: key, value, time and headers as they were, with its origin (ingest.source.*) and how often it came back \
(ingest.replays). The worker then treats it like any record; one that fails again becomes a letter whose ingest.replays \
is one higher. Only letters that stood there when the command began are sent, so it always ends.\n\nWhat was sent is \
remembered under the consumer group GROUP.replay: the same command sends nothing twice, and goes on where one that was \
stopped ended. --again sends it all the same. Brokers forget this after offsets.retention.minutes (seven days by \
default). Records that are sent twice do no harm to objects with a version; events repeat, marked by the same \
meta.eventKey.\n\nSIGINT stops after the record under way and says where to go on.\n\nExamples:\n  kustomer-ingest \
dead-letters replay --config worker.yaml --reason mapping_failed --dry-run\n  kustomer-ingest dead-letters replay \
--config worker.yaml --reason mapping_failed --since 2h\n  kustomer-ingest dead-letters replay --config worker.yaml \
0:42 0:43"
)]
pub struct ReplayArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub place: PlaceArgs,
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub filter: FilterArgs,
    /// All letters; needed when nothing says which.
    #[arg(long, conflicts_with = "letters")]
    pub all: bool,
    /// Begin at this letter of its partition; may be given once for each partition.
    #[arg(long, value_name = "PARTITION:OFFSET")]
    pub from: Vec<LetterPlace>,
    /// Send at most N.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Say what would be sent, and send nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Records a second, at most; each is acknowledged before the next, which itself is the limit at about a hundred.
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rate: u32,
    /// Leave out records that came back this often already.
    #[arg(long, value_name = "N", default_value = "3")]
    pub max_replays: u64,
    /// Also what was sent back before.
    #[arg(long)]
    pub again: bool,
    /// Only these letters.
    #[arg(value_name = "PARTITION:OFFSET")]
    pub letters: Vec<LetterPlace>,
}

/// Where a letter stands on its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LetterPlace {
    /// The partition of the dead-letter topic.
    pub partition: Partition,
    /// The offset in it.
    pub offset: Offset,
}

/// A time as a person says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// A time, in epoch milliseconds.
    At(i64),
    /// So long before now.
    Ago(Duration),
}

// === impl FilterArgs ===

impl FilterArgs {
    /// Nothing is left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self {
            reason,
            topic,
            route,
            since,
            until,
        } = self;
        reason.is_empty()
            && topic.is_empty()
            && route.is_empty()
            && since.is_none()
            && until.is_none()
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

// === impl Moment ===

impl Moment {
    /// The time in epoch milliseconds, if it is `now_ms`.
    #[must_use]
    pub fn resolve(self, now_ms: i64) -> i64 {
        match self {
            Self::At(ms) => ms,
            Self::Ago(ago) => {
                now_ms.saturating_sub(i64::try_from(ago.as_millis()).unwrap_or(i64::MAX))
            }
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(time) = text.parse::<jiff::Timestamp>() {
            return Ok(Self::At(time.as_millisecond()));
        }
        parse_duration(text).map(Self::Ago).map_err(|_neither| {
            "give a time such as 2026-03-04T05:06:07Z, or how long ago, such as 90s, 30m or 2h"
                .to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_how_long_ago() {
        let at = |text: &str| {
            text.parse::<Moment>()
                .map(|moment| moment.resolve(10_000_000))
        };
        assert_eq!(at("2h"), Ok(10_000_000 - 7_200_000));
        assert_eq!(at("1970-01-01T00:00:05Z"), Ok(5_000));
        for text in ["", "yesterday", "-2h", "2026-03-04"] {
            assert!(at(text).is_err(), "{text}");
        }
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
