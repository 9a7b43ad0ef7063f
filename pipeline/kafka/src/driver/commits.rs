//! Which commits wait and which are in flight. Pure.
//!
//! One commit is in flight at a time. A later commit of a partition replaces one that still waits, because only the
//! newest matters. Offsets of one epoch never go back (I8).

use std::collections::BTreeMap;

use ingest_model::record::TopicPartition;

use crate::port::CommitEntry;

#[derive(Debug, Default)]
pub(super) struct Commits {
    waiting: BTreeMap<TopicPartition, CommitEntry>,
    in_flight: Vec<CommitEntry>,
}

// === impl Commits ===

impl Commits {
    /// A commit was asked for.
    pub(super) fn ask(&mut self, entry: CommitEntry) {
        let newer = self
            .waiting
            .get(&entry.partition)
            .is_none_or(|waiting| (entry.epoch, entry.offset) >= (waiting.epoch, waiting.offset));
        if newer {
            self.waiting.insert(entry.partition.clone(), entry);
        }
    }

    /// What to send now; `None` while a commit is in flight or nothing waits.
    pub(super) fn next(&mut self) -> Option<Vec<CommitEntry>> {
        if !self.in_flight.is_empty() || self.waiting.is_empty() {
            return None;
        }
        let entries: Vec<CommitEntry> = std::mem::take(&mut self.waiting).into_values().collect();
        self.in_flight.clone_from(&entries);
        Some(entries)
    }

    /// The commit in flight was answered.
    pub(super) fn answered(&mut self) {
        self.in_flight.clear();
    }

    /// Nobody will answer the commit in flight, nor send those that wait: returns all of them.
    pub(super) fn give_up(&mut self) -> Vec<CommitEntry> {
        let waiting = std::mem::take(&mut self.waiting);
        let mut all = std::mem::take(&mut self.in_flight);
        all.extend(waiting.into_values());
        all
    }

    /// Whether a commit of one of these partitions waits or is in flight.
    pub(super) fn concern(&self, partitions: &[TopicPartition]) -> bool {
        partitions.iter().any(|one| {
            let is_it = |entry: &CommitEntry| entry.partition == *one;
            self.waiting.contains_key(one) || self.in_flight.iter().any(is_it)
        })
    }

    /// Whether nothing waits and nothing is in flight.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.in_flight.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use ingest_model::record::{Epoch, Offset};

    use super::*;

    fn entry(number: i32, epoch: u64, offset: i64) -> CommitEntry {
        CommitEntry {
            partition: TopicPartition::new("t", number),
            epoch: Epoch(epoch),
            offset: Offset(offset),
            metadata: Some(offset.to_string()),
        }
    }

    #[test]
    fn the_newest_commit_of_a_partition_replaces_those_that_wait() {
        let mut commits = Commits::default();
        commits.ask(entry(0, 1, 5));
        commits.ask(entry(1, 1, 7));
        commits.ask(entry(0, 1, 9));
        commits.ask(entry(0, 1, 6));
        assert_eq!(commits.next(), Some(vec![entry(0, 1, 9), entry(1, 1, 7)]));
    }

    #[test]
    fn a_newer_epoch_may_start_lower() {
        let mut commits = Commits::default();
        commits.ask(entry(0, 1, 9));
        commits.ask(entry(0, 2, 3));
        assert_eq!(commits.next(), Some(vec![entry(0, 2, 3)]));
    }

    #[test]
    fn one_commit_is_on_its_way_at_a_time() {
        let mut commits = Commits::default();
        commits.ask(entry(0, 1, 5));
        assert!(commits.next().is_some());
        commits.ask(entry(1, 1, 5));
        assert_eq!(commits.next(), None);
        assert!(
            commits.concern(&[TopicPartition::new("t", 0)]),
            "on its way"
        );
        assert!(commits.concern(&[TopicPartition::new("t", 1)]), "waits");
        assert!(!commits.concern(&[TopicPartition::new("t", 2)]));
        commits.answered();
        assert_eq!(commits.next().map(|entries| entries.len()), Some(1));
        commits.answered();
        assert!(commits.is_idle());
    }

    #[test]
    fn what_nobody_will_answer_is_given_up_as_a_whole() {
        let mut commits = Commits::default();
        commits.ask(entry(0, 1, 5));
        assert!(commits.next().is_some());
        commits.ask(entry(0, 1, 6));
        commits.ask(entry(1, 1, 7));
        let all = commits.give_up();
        assert_eq!(all, [entry(0, 1, 5), entry(0, 1, 6), entry(1, 1, 7)]);
        assert!(commits.is_idle());
    }
}
