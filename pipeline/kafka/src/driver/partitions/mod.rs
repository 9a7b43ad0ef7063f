//! Which partitions this process holds, and their state. Pure.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use ingest_model::reading::{Gap, Reading, Step};
use ingest_model::record::{Epoch, Offset, Partition, Topic, TopicPartition};

/// The partitions held, grouped by topic name, because each record is looked up here by its topic's name.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    topics: HashMap<String, TopicPartitions>,
    /// The deadline for answering the open revocation.
    deadline: Option<Instant>,
    /// New partitions deliver nothing until the worker resumes them.
    start_paused: bool,
}

#[derive(Debug)]
struct TopicPartitions {
    topic: Topic,
    held: BTreeMap<i32, Held>,
}

#[derive(Debug)]
struct Held {
    /// The first epoch of the assignment, and the epoch of the present life.
    first: Epoch,
    epoch: Epoch,
    state: State,
    /// The worker asked for a pause.
    paused: bool,
    reading: Reading,
    /// The topic was recreated: what the client delivers is meaningless until it was told to start again.
    astray: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The committed offset is not known yet; the worker does not know of the partition.
    Starting,
    /// Delivers, unless paused.
    Active,
    /// The group wants it back and the worker is draining it.
    Draining,
    /// Handed back by the worker (or never reported to it); waits for the rest of the revocation.
    HandedBack,
}

// === impl Partitions ===

impl Partitions {
    /// No partitions; with `start_paused`, new ones deliver nothing until they are resumed.
    pub(super) fn new(start_paused: bool) -> Self {
        Self {
            start_paused,
            ..Self::default()
        }
    }

    /// Adds new partitions, each with an epoch of its own.
    pub(super) fn assign(
        &mut self,
        partitions: &[TopicPartition],
        mut next_epoch: impl FnMut() -> Epoch,
    ) -> Vec<(TopicPartition, Epoch)> {
        let mut assigned = Vec::with_capacity(partitions.len());
        for partition in partitions {
            let epoch = next_epoch();
            self.topics
                .entry(partition.topic.as_str().to_owned())
                .or_insert_with(|| TopicPartitions {
                    topic: partition.topic.clone(),
                    held: BTreeMap::new(),
                })
                .held
                .insert(
                    partition.partition.0,
                    Held {
                        first: epoch,
                        epoch,
                        state: State::Starting,
                        paused: self.start_paused,
                        reading: Reading::default(),
                        astray: false,
                    },
                );
            assigned.push((partition.clone(), epoch));
        }
        assigned
    }

    /// Whether the partition waits for its committed offset in that epoch.
    pub(super) fn is_starting(&self, partition: &TopicPartition, epoch: Epoch) -> bool {
        self.get(partition)
            .is_some_and(|held| held.epoch == epoch && held.state == State::Starting)
    }

    /// The committed offset is known: the partition may deliver, and is read like this.
    pub(super) fn start(&mut self, partition: &TopicPartition, epoch: Epoch, reading: Reading) {
        if let Some(held) = self.get_mut(partition)
            && held.epoch == epoch
            && held.state == State::Starting
        {
            held.state = State::Active;
            held.reading = reading;
        }
    }

    /// A topic was recreated. Returns its partitions that are held.
    pub(super) fn led_astray(&mut self, topic: &str) -> Vec<TopicPartition> {
        let Some(found) = self.topics.get_mut(topic) else {
            return Vec::new();
        };
        for held in found.held.values_mut() {
            held.astray = true;
        }
        let all = found.held.keys();
        all.map(|number| named(&found.topic, *number)).collect()
    }

    /// The partitions, delivering or draining, whose client has yet to be told that the topic was recreated.
    pub(super) fn astray(&self) -> Vec<TopicPartition> {
        self.iter()
            .filter(|(_, _, held)| {
                held.astray && matches!(held.state, State::Active | State::Draining)
            })
            .map(|(topic, number, _)| named(topic, number))
            .collect()
    }

    /// The client was told where the new topic starts.
    pub(super) fn found(&mut self, partition: &TopicPartition) {
        if let Some(held) = self.get_mut(partition) {
            held.astray = false;
        }
    }

    /// A new life begins at this offset, in a new epoch. Returns what was left unread of the old one.
    pub(super) fn begin_life(
        &mut self,
        partition: &TopicPartition,
        epoch: Epoch,
        from: Offset,
    ) -> Option<Gap> {
        let held = self.get_mut(partition)?;
        held.epoch = epoch;
        let ended = std::mem::replace(&mut held.reading, Reading::at(Some(from)));
        ended.unread()
    }

    /// The client discards what it has fetched of these.
    pub(super) fn disturbed(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            if let Some(held) = self.get_mut(partition) {
                held.reading.disturbed();
            }
        }
    }

    /// The client holds no fetched record that was not taken.
    pub(super) fn emptied(&mut self) {
        for held in self.all_mut().filter(|held| held.delivers()) {
            held.reading.emptied();
        }
    }

    /// The reading of a partition that delivers, or is paused.
    pub(super) fn reading(&mut self, partition: &TopicPartition) -> Option<&mut Reading> {
        self.get_mut(partition)
            .filter(|held| held.state == State::Active && !held.astray)
            .map(|held| &mut held.reading)
    }

    /// The epoch in which a partition is read.
    pub(super) fn epoch(&self, partition: &TopicPartition) -> Option<Epoch> {
        self.get(partition).map(|held| held.epoch)
    }

    /// Those of the partitions that are held, with the epochs in which they are read.
    pub(super) fn with_epochs(
        &self,
        partitions: Vec<TopicPartition>,
    ) -> Vec<(TopicPartition, Epoch)> {
        let held = partitions.into_iter().filter_map(|partition| {
            let epoch = self.epoch(&partition)?;
            Some((partition, epoch))
        });
        held.collect()
    }

    /// Whether something learnt about the log in that epoch is true of the log being read now.
    pub(super) fn reads_under(&self, partition: &TopicPartition, epoch: Epoch) -> bool {
        self.get(partition)
            .is_some_and(|held| held.epoch == epoch && !held.astray)
    }

    /// Offsets above the last record that are known to hold no records.
    pub(super) fn empty_ahead(&self, partition: &TopicPartition) -> u64 {
        self.get(partition)
            .map_or(0, |held| held.reading.empty_ahead())
    }

    /// The group wants these back. Returns those that the worker has to drain. A second revocation joins the open one and
    /// keeps its deadline.
    pub(super) fn revoke(
        &mut self,
        partitions: &[TopicPartition],
        deadline: Instant,
    ) -> Vec<(TopicPartition, Epoch)> {
        let mut draining = Vec::new();
        for partition in partitions {
            let Some(held) = self.get_mut(partition) else {
                continue;
            };
            match held.state {
                State::Starting => held.state = State::HandedBack,
                State::Active => {
                    held.state = State::Draining;
                    draining.push((partition.clone(), held.epoch));
                }
                State::Draining | State::HandedBack => {}
            }
        }
        self.deadline.get_or_insert(deadline);
        draining
    }

    /// The worker has drained a partition. Returns whether it belonged to the open revocation.
    pub(super) fn hand_back(&mut self, partition: &TopicPartition, epoch: Epoch) -> bool {
        match self.get_mut(partition) {
            // The worker may not know yet that a new life began.
            Some(held) if held.is_under(epoch) && held.state == State::Draining => {
                held.state = State::HandedBack;
                true
            }
            Some(_) | None => false,
        }
    }

    /// The deadline for answering the open revocation; `None` if there is none.
    pub(super) fn revocation_deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether nothing of the open revocation is left to drain.
    pub(super) fn is_drained(&self) -> bool {
        !self
            .iter()
            .any(|(_, _, held)| held.state == State::Draining)
    }

    /// The partitions of the open revocation.
    pub(super) fn revoking(&self) -> Vec<TopicPartition> {
        self.iter()
            .filter(|(_, _, held)| matches!(held.state, State::Draining | State::HandedBack))
            .map(|(topic, number, _)| named(topic, number))
            .collect()
    }

    /// The open revocation was answered. Returns the partitions that the worker had not handed back.
    pub(super) fn end_revocation(&mut self) -> Vec<(TopicPartition, Epoch)> {
        self.deadline = None;
        let revoking = self.revoking();
        self.remove(&revoking)
    }

    /// These are gone. Returns those that the worker knows of and has not handed back.
    pub(super) fn lose(&mut self, partitions: &[TopicPartition]) -> Vec<(TopicPartition, Epoch)> {
        let known = self.remove(partitions);
        if self.revoking().is_empty() {
            self.deadline = None;
        }
        known
    }

    /// The worker wants records of this partition, or no longer wants them. Returns whether anything changed.
    pub(super) fn set_paused(&mut self, partition: &TopicPartition, paused: bool) -> bool {
        match self.get_mut(partition) {
            Some(held) => {
                let changed = held.paused != paused;
                held.paused = paused;
                changed && held.state == State::Active
            }
            None => false,
        }
    }

    /// The partitions that may deliver when the channel has room.
    pub(super) fn delivering(&self) -> Vec<TopicPartition> {
        self.iter()
            .filter(|(_, _, held)| held.delivers())
            .map(|(topic, number, _)| named(topic, number))
            .collect()
    }

    /// The partitions that the worker has paused.
    pub(super) fn paused(&self) -> Vec<TopicPartition> {
        self.iter()
            .filter(|(_, _, held)| held.state == State::Active && held.paused)
            .map(|(topic, number, _)| named(topic, number))
            .collect()
    }

    /// Whether the worker has paused it.
    pub(super) fn is_paused(&self, partition: &TopicPartition) -> bool {
        self.get(partition)
            .is_some_and(|held| held.state == State::Active && held.paused)
    }

    /// All partitions.
    pub(super) fn all(&self) -> Vec<TopicPartition> {
        let all = self.iter();
        all.map(|(topic, number, _)| named(topic, number)).collect()
    }

    /// The partitions that deliver or are paused.
    pub(super) fn active(&self) -> Vec<TopicPartition> {
        self.iter()
            .filter(|(_, _, held)| held.state == State::Active)
            .map(|(topic, number, _)| named(topic, number))
            .collect()
    }

    /// The epoch in which a record of this partition is delivered; `None` if it must not be.
    pub(super) fn delivery(&self, topic: &str, partition: i32) -> Option<(&Topic, Epoch)> {
        let partitions = self.topics.get(topic)?;
        let held = partitions.held.get(&partition)?;
        (held.state == State::Active && !held.astray).then_some((&partitions.topic, held.epoch))
    }

    /// Takes a record of a partition that delivers.
    pub(super) fn take(&mut self, topic: &str, partition: i32, offset: Offset) -> Step {
        let found = self.topics.get_mut(topic);
        let held = found.and_then(|topic| topic.held.get_mut(&partition));
        held.map_or(Step::Follows, |held| held.reading.take(offset))
    }

    /// Whether a record that was taken in this epoch should still be delivered.
    pub(super) fn delivers(&self, partition: &TopicPartition, epoch: Epoch) -> bool {
        self.get(partition)
            .is_some_and(|held| held.state == State::Active && held.is_under(epoch))
    }

    /// Whether the partition is still held in that epoch.
    pub(super) fn holds(&self, partition: &TopicPartition, epoch: Epoch) -> bool {
        self.get(partition).is_some_and(|held| held.epoch == epoch)
    }

    /// Whether a commit of the partition in that epoch may be sent.
    pub(super) fn may_commit(&self, partition: &TopicPartition, epoch: Epoch) -> bool {
        self.get(partition).is_some_and(|held| {
            held.epoch == epoch && matches!(held.state, State::Active | State::Draining)
        })
    }

    fn remove(&mut self, partitions: &[TopicPartition]) -> Vec<(TopicPartition, Epoch)> {
        let mut known = Vec::new();
        for partition in partitions {
            let Some(held) = self
                .topics
                .get_mut(partition.topic.as_str())
                .and_then(|topic| topic.held.remove(&partition.partition.0))
            else {
                continue;
            };
            match held.state {
                State::Active | State::Draining => known.push((partition.clone(), held.epoch)),
                State::Starting | State::HandedBack => {}
            }
        }
        known
    }

    fn get(&self, partition: &TopicPartition) -> Option<&Held> {
        self.topics
            .get(partition.topic.as_str())?
            .held
            .get(&partition.partition.0)
    }

    fn get_mut(&mut self, partition: &TopicPartition) -> Option<&mut Held> {
        self.topics
            .get_mut(partition.topic.as_str())?
            .held
            .get_mut(&partition.partition.0)
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Held> {
        self.topics
            .values_mut()
            .flat_map(|topic| topic.held.values_mut())
    }

    fn iter(&self) -> impl Iterator<Item = (&Topic, i32, &Held)> {
        self.topics.values().flat_map(|topic| {
            topic
                .held
                .iter()
                .map(|(number, held)| (&topic.topic, *number, held))
        })
    }
}

impl Held {
    fn delivers(&self) -> bool {
        self.state == State::Active && !self.paused
    }

    /// Whether the epoch belongs to this assignment.
    fn is_under(&self, epoch: Epoch) -> bool {
        self.first <= epoch && epoch <= self.epoch
    }
}

fn named(topic: &Topic, number: i32) -> TopicPartition {
    TopicPartition {
        topic: topic.clone(),
        partition: Partition(number),
    }
}

#[cfg(test)]
mod tests;
