//! Commits: the frontier of each partition, and what is settled above it.

use std::time::Instant;

use super::Partitions;
use super::parts::assignment::{Assignment, Membership};
use crate::common::turn::Turn;
use crate::seam::fact::Fact;
use crate::seam::invariant::Invariant;
use crate::seam::port::{CommitAnswer, CommitEntry, Effect};
use crate::seam::rider::Rider;
use ingest_model::batch::OperationId;
use ingest_model::record::{Epoch, Offset, TopicPartition};

/// Whether an event of a partition may be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// Yes.
    Free,
    /// Only one that the record at that offset, the lowest unsettled one, is waiting for.
    OnlyFor(Option<Offset>),
}

impl Partitions {
    /// Commits all partitions that have settled more than was committed; one commit is in flight at a time. Returns the
    /// partitions whose room in the commit was checked again.
    pub(crate) fn commit(
        &mut self,
        turn: &mut Turn,
        rider: impl Fn(&TopicPartition) -> Option<Rider>,
    ) -> Vec<TopicPartition> {
        if !self.commits.under_way.is_empty() {
            return Vec::new();
        }
        let mut owned = self.assignments.values();
        if !self.commits.wanted || !owned.any(|one| one.uncommitted().is_some()) {
            self.commits.wanted = false;
            self.commits.next_at = None;
            return Vec::new();
        }
        let mut owned = self.assignments.values();
        let drained = |one: &Assignment| one.drain.is_some() && one.in_hand() == 0;
        let draining = self.drains && owned.any(drained);
        let at = *self
            .commits
            .next_at
            .get_or_insert(turn.now + self.settings.commit_interval);
        if at > turn.now && !draining {
            return Vec::new();
        }
        self.commits.next_at = None;
        let limit = self.commits.limit;
        let mut entries = Vec::new();
        for (partition, assignment) in &mut self.assignments {
            let Some(offset) = assignment.uncommitted() else {
                continue;
            };
            turn.check(Invariant::I1, !assignment.ledger.has_open_below(offset));
            let grows = assignment.issued.is_none_or(|before| before <= offset);
            turn.check(Invariant::I8, grows);
            assignment.issued = Some(offset);
            assignment.issued_settled = assignment.ledger.settled();
            if assignment.membership == Membership::InDoubt {
                assignment.membership = Membership::Asked;
            }
            assignment.rider_due = false;
            let rider = rider(partition);
            let metadata = assignment.metadata(partition, offset, limit, rider.as_ref());
            if metadata.cut {
                turn.fact(Fact::MetadataCut);
            }
            let issued = (partition.clone(), assignment.epoch, offset);
            self.commits.under_way.push(issued);
            entries.push(CommitEntry {
                partition: partition.clone(),
                epoch: assignment.epoch,
                offset,
                metadata: metadata.text,
            });
        }
        let looked_at = entries.iter().map(|entry| entry.partition.clone());
        let looked_at = looked_at.collect();
        turn.effect(Effect::Commit(entries));
        looked_at
    }

    /// All or part of a commit was answered. Returns the partitions that have everything below an offset committed now.
    pub(crate) fn committed(
        &mut self,
        entries: Vec<(TopicPartition, Epoch, Offset)>,
        answer: CommitAnswer,
    ) -> Vec<(TopicPartition, Offset)> {
        if answer == CommitAnswer::MetadataTooLarge {
            self.learn_limit(&entries);
        }
        self.commits.wanted = true;
        let mut accepted = Vec::new();
        for (partition, epoch, offset) in entries {
            self.commits
                .under_way
                .retain(|(other, of, _)| *other != partition || *of != epoch);
            let Some(assignment) = self.assignments.get_mut(&partition) else {
                continue;
            };
            if assignment.epoch != epoch {
                continue;
            }
            if assignment.membership == Membership::Asked {
                assignment.membership = match answer {
                    CommitAnswer::Accepted => Membership::Sure,
                    CommitAnswer::Failed | CommitAnswer::MetadataTooLarge => Membership::InDoubt,
                };
            }
            if answer == CommitAnswer::Accepted {
                if assignment.issued == Some(offset) {
                    assignment.acked_settled = assignment.issued_settled;
                }
                assignment.acked = assignment.acked.max(Some(offset));
                accepted.push((partition, offset));
            } else if let Some(drain) = assignment.drain.as_mut() {
                drain.commits_failed += u32::from(answer == CommitAnswer::Failed);
            }
        }
        self.doubts = self.is_membership_in_doubt();
        accepted
    }

    /// One of these texts was longer than a broker accepts.
    fn learn_limit(&mut self, entries: &[(TopicPartition, Epoch, Offset)]) {
        let longest = entries
            .iter()
            .filter_map(|(partition, epoch, _)| {
                let assignment = self.assignments.get(partition)?;
                (assignment.epoch == *epoch).then(|| assignment.room.issued())
            })
            .max();
        let Some(longest) = longest else { return };
        self.commits.limit.refused(longest);
        for assignment in self.assignments.values_mut() {
            self.pauses_changed |= assignment.room.look(&assignment.ledger, self.commits.limit);
        }
    }

    /// Commits every partition whose commit can carry a lease, soon, whether or not anything has settled.
    pub(crate) fn send_riders(&mut self) {
        for assignment in self.assignments.values_mut() {
            assignment.rider_due = assignment.may_lend();
        }
        self.commits.wanted = true;
    }

    pub(crate) fn next_commit(&self) -> Option<Instant> {
        let idle = self.commits.under_way.is_empty();
        self.commits.next_at.filter(|_| idle)
    }

    /// The offsets that brokers have acknowledged.
    pub(crate) fn acknowledged(&self) -> Vec<(TopicPartition, Offset)> {
        let owned = self.assignments.iter();
        owned
            .filter_map(|(partition, one)| Some((partition.clone(), one.acked?)))
            .collect()
    }

    /// Whether a partition's commits have room for what is settled above its frontier.
    pub(crate) fn room(&self, partition: &TopicPartition) -> Room {
        match self.assignments.get(partition) {
            Some(assignment) if assignment.room.is_full() => {
                Room::OnlyFor(assignment.ledger.frontier())
            }
            Some(_) | None => Room::Free,
        }
    }

    /// Whether the operation carries a receipt of the record at this offset, in the present life of its partition.
    pub(crate) fn belongs_to(&self, id: OperationId, offset: Offset) -> bool {
        let receipts = self.receipts.of(id).iter();
        let mut records = receipts.map(|receipt| receipt.record);
        records.any(|record| {
            let state = self.records.get(&record);
            state.is_some_and(|state| state.record.position.offset == offset)
                && !self.is_of_former_life(record)
        })
    }

    // === a process that slept ===

    /// Another member may own the partitions by now; a commit will tell.
    pub(crate) fn doubt_membership(&mut self, turn: &Turn) {
        let mut anything = false;
        for assignment in self.assignments.values_mut() {
            if assignment.ledger.frontier().is_some() {
                assignment.membership = Membership::InDoubt;
                anything = true;
            }
        }
        if anything {
            self.doubts = true;
            self.commits.wanted = true;
            self.commits.next_at = Some(turn.now);
        }
    }

    /// Whether it is still unknown if this process owns its partitions: then nothing may be sent.
    pub(crate) fn is_membership_in_doubt(&self) -> bool {
        let mut owned = self.assignments.values();
        self.doubts && owned.any(|assignment| assignment.membership != Membership::Sure)
    }
}
