//! A topic of letters, read from its first record to its end when the command began.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use ingest_kafka::reader::{Read, TopicReader, Watermarks, fetch_watermarks};
use ingest_kafka::{KafkaSettings, ReadError};
use ingest_model::record::{Partition, Topic};

use super::error::DeadLettersError;
use super::letter::{Letter, LetterPlace};
use super::progress::Progress;
use crate::clock::Clock;
use crate::config::Settings;
use crate::observe::words::plural;

/// How long the brokers may take to answer, and to send the next record.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait for a record before looking for signals again.
const WAIT: Duration = Duration::from_millis(100);

/// The topic that letters are read from.
#[derive(Debug)]
pub struct LetterTopic {
    pub(super) settings: Settings,
    pub(super) kafka: KafkaSettings,
    pub(super) topic: Topic,
    /// Where each partition began and ended when the command began.
    pub(super) ends: BTreeMap<Partition, Watermarks>,
}

/// Reads letters one after the other.
#[derive(Debug)]
pub(super) struct Letters<'t> {
    topic: &'t LetterTopic,
    reader: TopicReader,
    /// When silence becomes an error.
    idle_deadline: Instant,
}

/// The result of a read.
#[derive(Debug)]
pub(super) enum Step {
    Letter(Box<Letter>),
    /// Nothing yet.
    Nothing,
    End,
}

// === impl LetterTopic ===

impl LetterTopic {
    /// The dead-letter topic, or the hold topic, as it is now.
    ///
    /// # Errors
    ///
    /// When there is no such topic, or the brokers do not let it be read.
    pub fn open(settings: Settings, from_hold: bool) -> Result<Self, DeadLettersError> {
        let topic = if from_hold {
            settings.kafka.hold_topic.clone().ok_or_else(|| {
                DeadLettersError::Usage(
                    "--from-hold: the configuration names no kafka.hold_topic".to_owned(),
                )
            })?
        } else {
            settings.kafka.dead_letter_topic.clone()
        };
        let kafka = settings
            .kafka_client()
            .map_err(|error| DeadLettersError::Failed(error.into()))?;
        let ends = fetch_watermarks(&kafka, &topic, PATIENCE)
            .map_err(|error| unreadable(&settings, &topic, &error))?;
        Ok(Self {
            settings,
            kafka,
            topic,
            ends,
        })
    }

    /// Reads these ranges of the partitions.
    pub(super) fn read(
        &self,
        spans: &BTreeMap<Partition, Watermarks>,
    ) -> Result<Letters<'_>, DeadLettersError> {
        let reader = TopicReader::open(&self.kafka, &self.topic, spans)
            .map_err(|error| unreadable(&self.settings, &self.topic, &error))?;
        Ok(Letters {
            topic: self,
            reader,
            idle_deadline: Clock.now() + PATIENCE,
        })
    }

    /// The ranges of the partitions that contain these letters.
    pub(super) fn spans_of(
        &self,
        letters: &[LetterPlace],
    ) -> Result<BTreeMap<Partition, Watermarks>, DeadLettersError> {
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

    /// Checks that a letter is, or was, at this place; otherwise the error says what there is.
    fn check(&self, place: LetterPlace) -> Result<(), DeadLettersError> {
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

    /// The number of offsets in these ranges.
    pub(super) fn size(spans: &BTreeMap<Partition, Watermarks>) -> i64 {
        spans
            .values()
            .map(|span| span.high.0.saturating_sub(span.low.0).max(0))
            .sum()
    }

    /// The whole topic, or from these places on.
    pub(super) fn spans_from(
        &self,
        from: &[LetterPlace],
    ) -> Result<BTreeMap<Partition, Watermarks>, DeadLettersError> {
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
    /// The next letter; waits for it briefly.
    pub(super) fn next(&mut self) -> Result<Step, DeadLettersError> {
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

    /// Passes every letter to `take`, and reports progress.
    pub(super) fn for_each(
        mut self,
        size: i64,
        mut take: impl FnMut(Letter) -> Result<(), DeadLettersError>,
    ) -> Result<(), DeadLettersError> {
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

    /// The caller did something else in the meantime: silence counts from now.
    pub(super) fn awake(&mut self) {
        self.idle_deadline = Clock.now() + PATIENCE;
    }
}

/// Why a topic of letters cannot be read, and what to do.
fn unreadable(settings: &Settings, topic: &Topic, error: &ReadError) -> DeadLettersError {
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
    DeadLettersError::Failed(anyhow!("{error}; {way_out}"))
}
