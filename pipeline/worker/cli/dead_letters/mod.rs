//! `dead-letters`: look at what was dead-lettered or held back, and send it to where it came from.
//!
//! All three commands read the topic itself, from its first record to where it ends when the command begins, without
//! joining a consumer group. Letters have no index: a filter costs a read of the whole topic.

pub mod args;
mod letter;
mod list;
mod replay;
mod show;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use ingest_core::record::{Offset, Partition, Topic};
use ingest_kafka::reader::{Read, TopicReader, Watermarks, fetch_watermarks};
use ingest_kafka::{KafkaSettings, ReadError};

use self::args::{DeadLettersArgs, DeadLettersCommand, LetterPlace, PlaceArgs};
use self::letter::Letter;
use super::output::Output;
use super::{CommandError, CommandExit, load};
use crate::clock::Clock;
use crate::config::Settings;
use crate::words::plural;

/// How long the brokers may take to answer, and to send the next record.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long one wait for a record is; between two, signals are looked at.
const WAIT: Duration = Duration::from_millis(100);
/// Pause between two lines about how far a long command is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

/// Runs a command for dead letters.
///
/// # Errors
///
/// When the configuration cannot be used, the topic cannot be read, or a record cannot be sent back.
pub fn run(args: &DeadLettersArgs, out: &mut Output<'_>) -> Result<CommandExit, CommandError> {
    match &args.command {
        DeadLettersCommand::List(args) => list::run(args, out),
        DeadLettersCommand::Show(args) => show::run(args, out),
        DeadLettersCommand::Replay(args) => replay::run(args, out),
    }
}

/// The topic that letters are read from.
#[derive(Debug)]
struct LetterTopic {
    settings: Settings,
    kafka: KafkaSettings,
    topic: Topic,
    /// Where each partition begins and ended when the command began.
    ends: BTreeMap<Partition, Watermarks>,
}

/// Reads letters one after the other.
#[derive(Debug)]
struct Letters<'t> {
    topic: &'t LetterTopic,
    reader: TopicReader,
    /// When silence becomes an error.
    idle_deadline: Instant,
}

/// What reading gave.
#[derive(Debug)]
enum Step {
    Letter(Box<Letter>),
    /// Nothing yet.
    Nothing,
    End,
}

/// Says how far a long command is, on standard error.
#[derive(Debug)]
struct Progress {
    next_line: Instant,
}

// === impl LetterTopic ===

impl LetterTopic {
    fn open(args: &PlaceArgs) -> Result<Self, CommandError> {
        let settings = load(&args.config)?;
        let topic = if args.from_hold {
            settings.kafka.hold_topic.clone().ok_or_else(|| {
                CommandError::Usage(
                    "--from-hold: the configuration names no kafka.hold_topic".to_owned(),
                )
            })?
        } else {
            settings.kafka.dead_letter_topic.clone()
        };
        let kafka = settings
            .kafka_client()
            .map_err(|error| CommandError::Failed(error.into()))?;
        let ends = fetch_watermarks(&kafka, &topic, PATIENCE)
            .map_err(|error| unreadable(&settings, &topic, &error))?;
        Ok(Self {
            settings,
            kafka,
            topic,
            ends,
        })
    }

    /// Reads these parts of the partitions.
    fn read(&self, spans: &BTreeMap<Partition, Watermarks>) -> Result<Letters<'_>, CommandError> {
        let reader = TopicReader::open(&self.kafka, &self.topic, spans)
            .map_err(|error| unreadable(&self.settings, &self.topic, &error))?;
        Ok(Letters {
            topic: self,
            reader,
            idle_deadline: Clock.now() + PATIENCE,
        })
    }

    /// The parts of the partitions that hold these letters.
    fn spans_of(
        &self,
        letters: &[LetterPlace],
    ) -> Result<BTreeMap<Partition, Watermarks>, CommandError> {
        let mut spans: BTreeMap<Partition, Watermarks> = BTreeMap::new();
        for place in letters {
            self.check(*place)?;
            let alone = Watermarks {
                low: place.offset,
                high: place.offset.next(),
            };
            let span = spans.entry(place.partition).or_insert(alone);
            span.low = span.low.min(place.offset);
            span.high = span.high.max(place.offset.next());
        }
        Ok(spans)
    }

    /// There is, or was, such a letter; else says what there is.
    fn check(&self, place: LetterPlace) -> Result<(), CommandError> {
        let topic = &self.topic;
        let Some(Watermarks { low, high }) = self.ends.get(&place.partition) else {
            return Err(anyhow!(
                "there is no letter {place}: {topic} has the partitions 0 to {}",
                self.ends.len().saturating_sub(1)
            )
            .into());
        };
        if place.offset >= *low && place.offset < *high {
            return Ok(());
        }
        let partition = place.partition.0;
        let there_is = if low == high {
            format!("partition {partition} of {topic} is empty")
        } else {
            format!(
                "partition {partition} of {topic} has the offsets {} to {}",
                low.0,
                high.0 - 1
            )
        };
        Err(anyhow!("there is no letter {place}: {there_is}").into())
    }

    /// How many offsets these parts have.
    fn size(spans: &BTreeMap<Partition, Watermarks>) -> i64 {
        spans
            .values()
            .map(|span| span.high.0.saturating_sub(span.low.0).max(0))
            .sum()
    }

    /// The whole topic, or from these places on.
    fn spans_from(
        &self,
        from: &[LetterPlace],
    ) -> Result<BTreeMap<Partition, Watermarks>, CommandError> {
        let mut spans = self.ends.clone();
        for place in from {
            let Some(span) = spans.get_mut(&place.partition) else {
                self.check(*place)?;
                continue;
            };
            span.low = span.low.max(place.offset).min(span.high);
        }
        Ok(spans)
    }
}

// === impl Letters ===

impl Letters<'_> {
    /// The next letter; waits a moment for it.
    fn next(&mut self) -> Result<Step, CommandError> {
        let LetterTopic {
            settings, topic, ..
        } = self.topic;
        let read = self
            .reader
            .next(WAIT)
            .map_err(|error| unreadable(settings, topic, &error))?;
        match read {
            Read::Record(record) => {
                self.idle_deadline = Clock.now() + PATIENCE;
                Ok(Step::Letter(Box::new(Letter::of(record))))
            }
            Read::End => Ok(Step::End),
            Read::Nothing if Clock.now() >= self.idle_deadline => {
                let detail = format!("nothing of {topic} arrived for {PATIENCE:?}");
                Err(unreadable(
                    settings,
                    topic,
                    &ReadError::Unreachable { detail },
                ))
            }
            Read::Nothing => Ok(Step::Nothing),
        }
    }

    /// Gives every letter to `take`, with progress.
    fn for_each(
        mut self,
        size: i64,
        mut take: impl FnMut(Letter) -> Result<(), CommandError>,
    ) -> Result<(), CommandError> {
        let mut progress = Progress::new();
        let mut count: i64 = 0;
        loop {
            match self.next()? {
                Step::Letter(letter) => {
                    count += 1;
                    take(*letter)?;
                }
                Step::Nothing => {}
                Step::End => return Ok(()),
            }
            progress.tell(|| format!("read {count} of about {}", plural(size, "letter")))?;
        }
    }

    /// The caller did something else meanwhile: silence begins now.
    fn awake(&mut self) {
        self.idle_deadline = Clock.now() + PATIENCE;
    }
}

// === impl Progress ===

impl Progress {
    fn new() -> Self {
        Self {
            next_line: Clock.now() + PROGRESS_INTERVAL,
        }
    }

    fn tell(&mut self, line: impl FnOnce() -> String) -> Result<(), CommandError> {
        let now = Clock.now();
        if now < self.next_line {
            return Ok(());
        }
        self.next_line = now + PROGRESS_INTERVAL;
        say(&line())
    }
}

/// A line for the person who waits.
fn say(line: &str) -> Result<(), CommandError> {
    let mut err = Output::stderr();
    err.line(line)?;
    err.flush()
}

/// Why a topic of letters cannot be read, and the way out.
fn unreadable(settings: &Settings, topic: &Topic, error: &ReadError) -> CommandError {
    let way_out = match error {
        ReadError::UnknownTopic { .. } => {
            "no letter was ever written there, or the configuration names another topic".to_owned()
        }
        ReadError::NotAuthorized { .. } => {
            format!("allow Describe and Read on {topic} for these credentials")
        }
        ReadError::Unreachable { .. } | ReadError::Start(_) => format!(
            "are {} the right brokers, and can they be reached from here?",
            settings.kafka.brokers
        ),
    };
    CommandError::Failed(anyhow!("{error}; {way_out}"))
}

/// A time for people; `-` where there is none.
fn show_time(ms: Option<i64>) -> String {
    let time = ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.map_or_else(|| "-".to_owned(), |time| format!("{time:.0}"))
}

/// Text from outside, safe for a terminal.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

/// The offset at which a partition goes on after a letter.
fn after(place: LetterPlace) -> Offset {
    place.offset.next()
}
