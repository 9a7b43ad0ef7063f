//! Partitions leave: wait for work in flight, commit, hand back.

use std::time::{Duration, Instant};

use super::parts::assignment::Drain;
use super::{Partitions, Stopping};
use crate::common::turn::Turn;
use crate::seam::invariant::Invariant;
use crate::seam::port::Effect;
use ingest_model::record::{Epoch, TopicPartition};

/// How often a final commit is tried before the partition is handed back without it.
const FINAL_COMMITS: u32 = 3;

/// What a draining partition waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drained {
    /// The end of the work in flight.
    NotYet,
    /// Nothing more: its deadline has passed, and what is left is abandoned.
    Late,
    /// Its final commit.
    Uncommitted,
    /// Nothing in here; state about it may still be in flight. `late` if it must not wait for that any longer.
    Done { late: bool },
}

impl Partitions {
    /// A partition is to be handed back. `false` if it is not owned in this epoch: it is handed back as it is.
    pub(crate) fn revoke(
        &mut self,
        turn: &mut Turn,
        partition: &TopicPartition,
        epoch: Epoch,
    ) -> bool {
        let deadline = turn.now + self.settings.drain_timeout;
        match self.assignments.get_mut(partition) {
            Some(assignment) if assignment.epoch == epoch => {
                self.drains = true;
                assignment.drain.get_or_insert(Drain {
                    deadline,
                    commits_failed: 0,
                });
                true
            }
            Some(_) | None => {
                turn.effect(Effect::HandBack {
                    partition: partition.clone(),
                    epoch,
                });
                false
            }
        }
    }

    /// Everything is to be handed back. Returns all owned partitions.
    pub(crate) fn revoke_all(&mut self, turn: &Turn) -> Vec<TopicPartition> {
        self.stopping = Stopping::Begun;
        self.drains = true;
        let deadline = turn.now + self.settings.drain_timeout;
        for assignment in self.assignments.values_mut() {
            assignment.drain.get_or_insert(Drain {
                deadline,
                commits_failed: 0,
            });
        }
        self.assignments.keys().cloned().collect()
    }

    /// The waiting operations of a draining partition were abandoned; so are its records with waiting letters. A record with a
    /// letter in flight is waited for.
    pub(crate) fn abandon_letters(&mut self, turn: &mut Turn, partition: &TopicPartition) {
        self.release_where(turn, partition, |this, id| {
            let state = this.records.get(&id);
            let waits = state.is_some_and(|state| state.open == 0 && state.letter.is_none());
            waits && !this.is_of_former_life(id)
        });
    }

    /// All operations of a partition were abandoned; so are its records.
    pub(crate) fn abandon_records(&mut self, turn: &mut Turn, partition: &TopicPartition) {
        self.release_where(turn, partition, |_, _| true);
    }

    /// The number of records of a partition's present life, before they are abandoned. Unsettled records of former lives are
    /// lost, which is reported.
    pub(crate) fn give_up(&self, turn: &mut Turn, partition: &TopicPartition) -> u64 {
        self.count_lost_lives(turn, partition);
        self.assignments.get(partition).map_or(0, |one| one.live)
    }

    /// Partitions that are draining.
    pub(crate) fn draining(&mut self) -> Vec<(TopicPartition, Epoch)> {
        if !self.drains {
            return Vec::new();
        }
        let owned = self.assignments.iter();
        let draining = owned.filter(|(_, one)| one.drain.is_some());
        let draining: Vec<_> = draining
            .map(|(partition, one)| (partition.clone(), one.epoch))
            .collect();
        self.drains = !draining.is_empty();
        draining
    }

    pub(crate) fn is_draining(&self, partition: &TopicPartition) -> bool {
        let assignment = self.assignments.get(partition);
        assignment.is_some_and(|one| one.drain.is_some())
    }

    /// How far a drain has come; `None` if the partition is not draining.
    pub(crate) fn drained(&self, now: Instant, partition: &TopicPartition) -> Option<Drained> {
        let assignment = self.assignments.get(partition)?;
        let drain = assignment.drain.as_ref()?;
        let late = drain.deadline <= now;
        if assignment.in_hand() > 0 {
            return Some(if late { Drained::Late } else { Drained::NotYet });
        }
        let over = late && is_over(drain, now, self.settings.drain_timeout);
        let commits = assignment.uncommitted().is_some();
        Some(
            if commits && drain.commits_failed < FINAL_COMMITS && !over {
                Drained::Uncommitted
            } else {
                Drained::Done { late }
            },
        )
    }

    /// Hands a drained partition back to the group.
    pub(crate) fn hand_back(&mut self, turn: &mut Turn, partition: &TopicPartition, epoch: Epoch) {
        let in_hand = self
            .assignments
            .get(partition)
            .map_or(0, |one| one.in_hand());
        turn.check(Invariant::I5, in_hand == 0);
        self.assignments.remove(partition);
        turn.effect(Effect::HandBack {
            partition: partition.clone(),
            epoch,
        });
    }

    /// Whether everything is being handed back.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping != Stopping::No
    }

    /// Reports once that everything was handed back.
    pub(crate) fn tell_when_stopped(&mut self, turn: &mut Turn) {
        if self.stopping == Stopping::Begun && self.assignments.is_empty() {
            self.stopping = Stopping::Done;
            turn.effect(Effect::Drained);
        }
    }

    /// A partition belongs to another member now.
    pub(crate) fn lose(&mut self, partition: &TopicPartition) {
        self.assignments.remove(partition);
    }

    pub(crate) fn next_drain_check(&self, now: Instant) -> Option<Instant> {
        if !self.drains {
            return None;
        }
        let owned = self.assignments.values();
        let drains = owned.filter_map(|assignment| assignment.drain.as_ref());
        drains
            .map(|drain| {
                if drain.deadline > now {
                    drain.deadline
                } else {
                    drain.deadline.max(now) + self.settings.commit_interval
                }
            })
            .min()
    }
}

/// Whether the time for the final commit is over, too: a quarter of the drain's time on top of it.
fn is_over(drain: &Drain, now: Instant, timeout: Duration) -> bool {
    now >= drain.deadline + timeout / 4
}
