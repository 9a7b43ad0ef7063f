//! Which letters were sent back, remembered in Kafka between two runs ([`super::sent`] describes the format).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use ingest_kafka::reader::Watermarks;
use ingest_kafka::reader::memory::GroupMemory;
use ingest_model::record::{Offset, Partition};

use super::record::fingerprint;
use super::sent::Sent;
use crate::clock::Clock;
use crate::dead_letters::error::DeadLettersError;
use crate::dead_letters::letter::{Letter, LetterPlace};
use crate::dead_letters::progress::say;
use crate::dead_letters::topic::{LetterTopic, PATIENCE};

/// How often this is saved while sending: a command that is killed repeats no more than that.
const WRITE_INTERVAL: Duration = Duration::from_secs(1);

/// Which letters were sent back, by partition of the dead-letter topic.
#[derive(Debug)]
pub(super) struct Memory {
    group: String,
    /// Where it is saved; nowhere in a dry run, and where `--again` goes on without it.
    store: Option<GroupMemory>,
    partitions: BTreeMap<Partition, Sent>,
    changed: BTreeSet<Partition>,
    next_write: Instant,
    may_fail: bool,
}

// === impl Memory ===

impl Memory {
    /// Reads what is remembered. With `again` that is not needed, so it need not be readable.
    pub(super) fn open(
        topic: &LetterTopic,
        again: bool,
        dry_run: bool,
    ) -> Result<Self, DeadLettersError> {
        let group = format!("{}.replay", topic.settings.kafka.group);
        let mut memory = Self {
            group,
            store: None,
            partitions: BTreeMap::new(),
            changed: BTreeSet::new(),
            next_write: Clock.now(),
            may_fail: again,
        };
        let store = GroupMemory::new(&topic.kafka, &memory.group, &topic.topic)
            .map_err(anyhow::Error::new)?;
        match store.read(topic.ends.keys().copied(), PATIENCE) {
            Ok(committed) => {
                for (partition, committed) in committed {
                    let text = committed.metadata.unwrap_or_default();
                    if let Some(sent) = Sent::decode(committed.offset, &text) {
                        memory.partitions.insert(partition, sent);
                    }
                }
                memory.forget_other_topics(topic)?;
                memory.store = Some(store).filter(|_| !dry_run);
            }
            Err(error) if again => say(&format!(
                "what is sent back is not remembered: {error}; allow Read on the group {}",
                memory.group
            ))?,
            Err(error) => {
                return Err(anyhow!(
                    "what was sent back before cannot be read: {error}; allow Read on the group {} for these \
                     credentials, or give --again to send without asking",
                    memory.group
                )
                .into());
            }
        }
        Ok(memory)
    }

    /// Whether this letter was sent back.
    pub(super) fn knows(&self, place: LetterPlace) -> bool {
        self.partitions
            .get(&place.partition)
            .is_some_and(|sent| sent.contains(place.offset))
    }

    /// Whether some of the letters sent back are no longer remembered.
    pub(super) fn forgot(&self) -> bool {
        self.partitions.values().any(Sent::forgot)
    }

    /// Remembers a letter that was sent back.
    pub(super) fn remember(&mut self, letter: &Letter) -> Result<(), DeadLettersError> {
        if self.store.is_none() {
            return Ok(());
        }
        let LetterPlace { partition, offset } = letter.place;
        self.partitions
            .entry(partition)
            .or_default()
            .insert(offset, fingerprint(letter));
        self.changed.insert(partition);
        if Clock.now() < self.next_write {
            return Ok(());
        }
        self.write()
    }

    /// Saves what has changed.
    pub(super) fn write(&mut self) -> Result<(), DeadLettersError> {
        self.next_write = Clock.now() + WRITE_INTERVAL;
        let Some(store) = &self.store else {
            return Ok(());
        };
        while let Some(partition) = self.changed.pop_first() {
            let Some((offset, text)) = self.partitions.get_mut(&partition).and_then(Sent::encode)
            else {
                continue;
            };
            let Err(error) = store.write(partition, offset, text) else {
                continue;
            };
            let group = &self.group;
            let problem = format!(
                "what was sent back last could not be remembered: {}; allow Read on the group {group} for these \
                 credentials",
                error.detail
            );
            self.store = None;
            self.changed.clear();
            if self.may_fail {
                return say(&problem);
            }
            return Err(anyhow!("{problem}, or use --again to go on without it").into());
        }
        Ok(())
    }

    /// Forgets what was remembered of a topic that was deleted and recreated: it says nothing about this one.
    fn forget_other_topics(&mut self, topic: &LetterTopic) -> Result<(), DeadLettersError> {
        let mut to_compare = BTreeMap::new();
        let mut others = BTreeSet::new();
        for (partition, sent) in &self.partitions {
            let Some((end, expected)) = sent.anchor() else {
                continue;
            };
            let Some(Watermarks { low, high }) = topic.ends.get(partition).copied() else {
                continue;
            };
            let last = Offset(end.0 - 1);
            if end > high {
                others.insert(*partition);
            } else if last >= low {
                to_compare.insert(*partition, (last, expected));
            }
        }
        let spans: BTreeMap<Partition, Watermarks> = to_compare
            .iter()
            .map(|(partition, (last, _))| {
                let span = Watermarks {
                    low: *last,
                    high: last.next(),
                };
                (*partition, span)
            })
            .collect();
        topic
            .read(&spans)?
            .for_each(LetterTopic::size(&spans), |letter| {
                let LetterPlace { partition, offset } = letter.place;
                let expected = to_compare.get(&partition).copied();
                if expected.is_some_and(|(last, expected)| {
                    offset == last && expected != fingerprint(&letter)
                }) {
                    others.insert(partition);
                }
                Ok(())
            })?;
        for partition in others {
            self.partitions.remove(&partition);
            say(&format!(
                "partition {} of {} was recreated: what was sent back from it before does not count",
                partition.0, topic.topic
            ))?;
        }
        Ok(())
    }
}
