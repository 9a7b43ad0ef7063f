//! Which partitions this process holds, and in which state. Pure.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use ingest_core::record::{Epoch, Partition, Topic, TopicPartition};

/// The partitions held. Topics by name, because every record is looked up here by the name it comes with.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    topics: HashMap<String, TopicPartitions>,
    /// Until when the open revocation must be answered.
    deadline: Option<Instant>,
    /// New partitions deliver nothing before the worker resumes them.
    start_paused: bool,
}

#[derive(Debug)]
struct TopicPartitions {
    topic: Topic,
    held: BTreeMap<i32, Held>,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    epoch: Epoch,
    state: State,
    /// The worker asked for a pause.
    paused: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The committed offset is not known yet; the worker has not heard of the partition.
    Starting,
    /// Delivers, unless paused.
    Active,
    /// The group wants it back and the worker drains it.
    Draining,
    /// Handed back by the worker (or never reported to it); waits for the rest of the revocation.
    HandedBack,
}

// === impl Partitions ===

impl Partitions {
    /// None yet; with `start_paused`, new ones deliver nothing before they are resumed.
    pub(super) fn new(start_paused: bool) -> Self {
        Self {
            start_paused,
            ..Self::default()
        }
    }

    /// New partitions, each with an epoch of its own.
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
                        epoch,
                        state: State::Starting,
                        paused: self.start_paused,
                    },
                );
            assigned.push((partition.clone(), epoch));
        }
        assigned
    }

    /// Whether the partition waits for its committed offset under that epoch.
    pub(super) fn is_starting(&self, partition: &TopicPartition, epoch: Epoch) -> bool {
        self.get(partition)
            .is_some_and(|held| held.epoch == epoch && held.state == State::Starting)
    }

    /// The committed offset is known; the partition may deliver.
    pub(super) fn start(&mut self, partition: &TopicPartition, epoch: Epoch) {
        if let Some(held) = self.get_mut(partition)
            && held.epoch == epoch
            && held.state == State::Starting
        {
            held.state = State::Active;
        }
    }

    /// The group wants these back; gives those that the worker has to drain. A second revocation joins the open one
    /// and its deadline.
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

    /// The worker has drained a partition. Says whether it belonged to the open revocation.
    pub(super) fn hand_back(&mut self, partition: &TopicPartition, epoch: Epoch) -> bool {
        match self.get_mut(partition) {
            Some(held) if held.epoch == epoch && held.state == State::Draining => {
                held.state = State::HandedBack;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Until when the open revocation must be answered; `None` if there is none.
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

    /// The open revocation is answered; gives the partitions that the worker had not handed back.
    pub(super) fn end_revocation(&mut self) -> Vec<(TopicPartition, Epoch)> {
        self.deadline = None;
        let revoking = self.revoking();
        self.remove(&revoking)
    }

    /// These are gone; gives those that the worker knows of and has not handed back.
    pub(super) fn lose(&mut self, partitions: &[TopicPartition]) -> Vec<(TopicPartition, Epoch)> {
        let known = self.remove(partitions);
        if self.revoking().is_empty() {
            self.deadline = None;
        }
        known
    }

    /// The worker wants records of this partition, or wants none. Says whether anything changed.
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

    /// The partitions that deliver when the channel has room.
    pub(super) fn delivering(&self) -> Vec<TopicPartition> {
        self.iter()
            .filter(|(_, _, held)| held.state == State::Active && !held.paused)
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

    /// The partitions that deliver or are paused.
    pub(super) fn active(&self) -> Vec<TopicPartition> {
        self.iter()
            .filter(|(_, _, held)| held.state == State::Active)
            .map(|(topic, number, _)| named(topic, number))
            .collect()
    }

    /// Under which assignment a record of this partition is delivered; `None` if it must not be.
    pub(super) fn delivery(&self, topic: &str, partition: i32) -> Option<(&Topic, Epoch)> {
        let partitions = self.topics.get(topic)?;
        let held = partitions.held.get(&partition)?;
        (held.state == State::Active).then_some((&partitions.topic, held.epoch))
    }

    /// Whether the partition is still held under that epoch.
    pub(super) fn holds(&self, partition: &TopicPartition, epoch: Epoch) -> bool {
        self.get(partition).is_some_and(|held| held.epoch == epoch)
    }

    /// Whether a commit of the partition under that epoch may be asked for.
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

    fn iter(&self) -> impl Iterator<Item = (&Topic, i32, &Held)> {
        self.topics.values().flat_map(|topic| {
            topic
                .held
                .iter()
                .map(|(number, held)| (&topic.topic, *number, held))
        })
    }
}

fn named(topic: &Topic, number: i32) -> TopicPartition {
    TopicPartition {
        topic: topic.clone(),
        partition: Partition(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn partition(number: i32) -> TopicPartition {
        TopicPartition::new("t", number)
    }

    /// Partitions 0, 1 and 2 with the epochs 1, 2 and 3; 0 and 1 have started.
    fn three() -> Partitions {
        let mut partitions = Partitions::default();
        let mut last = 0;
        let assigned = partitions.assign(&[partition(0), partition(1), partition(2)], || {
            last += 1;
            Epoch(last)
        });
        assert_eq!(assigned.len(), 3);
        partitions.start(&partition(0), Epoch(1));
        partitions.start(&partition(1), Epoch(2));
        partitions
    }

    #[test]
    fn a_partition_delivers_once_its_committed_offset_is_known() {
        let mut partitions = three();
        assert_eq!(
            partitions.delivery("t", 0).map(|(_, epoch)| epoch),
            Some(Epoch(1))
        );
        assert!(partitions.delivery("t", 2).is_none());
        assert!(
            !partitions.is_starting(&partition(2), Epoch(2)),
            "another epoch"
        );
        partitions.start(&partition(2), Epoch(3));
        assert!(partitions.delivery("t", 2).is_some());
        assert!(partitions.delivery("u", 0).is_none());
    }

    #[test]
    fn a_revocation_is_over_when_all_of_it_is_handed_back() {
        let mut partitions = three();
        let deadline = clock::now();
        let all = [partition(0), partition(1), partition(2)];
        let draining = partitions.revoke(&all, deadline);
        assert_eq!(
            draining,
            vec![(partition(0), Epoch(1)), (partition(1), Epoch(2))]
        );
        assert!(partitions.delivery("t", 0).is_none());
        assert!(
            partitions.may_commit(&partition(0), Epoch(1)),
            "draining ends with a commit"
        );
        assert!(partitions.hand_back(&partition(0), Epoch(1)));
        assert!(
            !partitions.may_commit(&partition(0), Epoch(1)),
            "nothing after the hand-back"
        );
        assert!(!partitions.is_drained());
        assert!(
            !partitions.hand_back(&partition(1), Epoch(1)),
            "an answer to an older epoch"
        );
        assert!(partitions.hand_back(&partition(1), Epoch(2)));
        assert!(partitions.is_drained());
        assert_eq!(partitions.end_revocation(), vec![], "all were handed back");
        assert!(partitions.revocation_deadline().is_none());
    }

    #[test]
    fn what_is_not_handed_back_by_the_deadline_counts_as_lost() {
        let mut partitions = three();
        partitions.revoke(&[partition(0), partition(1)], clock::now());
        assert!(partitions.hand_back(&partition(0), Epoch(1)));
        assert_eq!(partitions.end_revocation(), vec![(partition(1), Epoch(2))]);
    }

    #[test]
    fn a_second_revocation_joins_the_first_and_keeps_its_deadline() {
        let mut partitions = three();
        let first = clock::now();
        partitions.revoke(&[partition(0)], first);
        let later = first + std::time::Duration::from_secs(9);
        assert_eq!(
            partitions
                .revoke(&[partition(0), partition(1)], later)
                .len(),
            1
        );
        assert_eq!(partitions.revocation_deadline(), Some(first));
        assert_eq!(partitions.revoking().len(), 2);
    }

    #[test]
    fn losing_everything_closes_the_open_revocation() {
        let mut partitions = three();
        partitions.revoke(&[partition(0)], clock::now());
        assert!(partitions.hand_back(&partition(0), Epoch(1)));
        let lost = partitions.lose(&[partition(0), partition(1), partition(2)]);
        assert_eq!(
            lost,
            vec![(partition(1), Epoch(2))],
            "only what the worker still holds"
        );
        assert!(partitions.revocation_deadline().is_none());
    }

    #[test]
    fn a_pause_outlives_the_channels_and_not_the_assignment() {
        let mut partitions = three();
        assert!(partitions.set_paused(&partition(0), true));
        assert!(
            !partitions.set_paused(&partition(0), true),
            "nothing changed"
        );
        assert_eq!(partitions.delivering(), vec![partition(1)]);
        partitions.lose(&[partition(0)]);
        partitions.assign(&[partition(0)], || Epoch(9));
        partitions.start(&partition(0), Epoch(9));
        assert_eq!(partitions.delivering().len(), 2);
    }
}
