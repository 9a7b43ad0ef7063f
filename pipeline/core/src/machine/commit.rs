//! Commits: the frontier of each partition, and beside it what is settled above.

use std::time::Instant;

use super::state::{Assignment, Membership};
use super::{CommitAnswer, CommitEntry, Committed, Effect, Machine};
use crate::batch::OperationId;
use crate::commit_metadata::{self, Metadata, TextLimit};
use crate::fact::Fact;
use crate::invariant::Invariant;
use crate::operation::Operation;
use crate::record::{Epoch, Offset, TopicPartition};
use crate::work::LaneId;

impl Machine {
    /// A new assignment with what its former owner settled above its last commit.
    pub(super) fn restore(
        &mut self,
        partition: &TopicPartition,
        epoch: Epoch,
        committed: Option<&Committed>,
    ) -> Assignment {
        let Some(Committed { offset, metadata }) = committed else {
            return Assignment::new(epoch);
        };
        let decoded = match metadata {
            Metadata::None => return Assignment::committed_at(epoch, *offset),
            Metadata::Text(text) => commit_metadata::decode(partition, *offset, text),
            Metadata::Unreadable => Err(commit_metadata::Ignored::Foreign),
        };
        match decoded {
            Ok(restored) => {
                self.turn.fact(Fact::MetadataRestored {
                    partition: partition.clone(),
                    records: restored.offsets(),
                });
                Assignment::restored(epoch, restored)
            }
            Err(why) => {
                self.turn.fact(Fact::MetadataIgnored {
                    partition: partition.clone(),
                    why,
                });
                Assignment::committed_at(epoch, *offset)
            }
        }
    }

    /// Issues commits of all partitions of which more is settled than was committed, one call at a time.
    pub(super) fn settle_commits(&mut self, now: Instant) {
        if !self.commit.under_way.is_empty() {
            return;
        }
        let anything = self.assignments.values().any(|a| a.uncommitted().is_some());
        if !anything {
            self.commit.next_at = None;
            return;
        }
        let draining = self
            .assignments
            .values()
            .any(|a| a.drain.is_some() && a.in_hand() == 0);
        let at = *self
            .commit
            .next_at
            .get_or_insert(now + self.settings.commit_interval);
        if at > now && !draining {
            return;
        }
        self.commit.next_at = None;
        let limit = self.commit.limit;
        let mut entries = Vec::new();
        for (partition, assignment) in &mut self.assignments {
            let Some(offset) = assignment.uncommitted() else {
                continue;
            };
            self.turn
                .check(Invariant::I1, !assignment.ledger.has_open_below(offset));
            self.turn.check(
                Invariant::I8,
                assignment.issued.is_none_or(|before| before <= offset),
            );
            assignment.issued = Some(offset);
            assignment.issued_settled = assignment.ledger.settled();
            if assignment.membership == Membership::InDoubt {
                assignment.membership = Membership::Asked;
            }
            let metadata = assignment.metadata(partition, offset, limit);
            if metadata.cut {
                self.turn.fact(Fact::MetadataCut);
            }
            self.commit
                .under_way
                .push((partition.clone(), assignment.epoch, offset));
            entries.push(CommitEntry {
                partition: partition.clone(),
                epoch: assignment.epoch,
                offset,
                metadata: metadata.text,
            });
        }
        let looked_at: Vec<TopicPartition> = entries
            .iter()
            .map(|entry| entry.partition.clone())
            .collect();
        self.turn.effect(Effect::Commit(entries));
        for partition in looked_at {
            self.start_kept_back(&partition);
        }
    }

    /// Part of a commit, or all of it, was answered.
    pub(super) fn on_committed(
        &mut self,
        entries: Vec<(TopicPartition, Epoch, Offset)>,
        answer: CommitAnswer,
    ) {
        if answer == CommitAnswer::MetadataTooLarge {
            self.learn_limit(&entries);
        }
        for (partition, epoch, offset) in entries {
            self.commit
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
                self.sweep_inherited(&partition, offset);
            } else if let Some(drain) = assignment.drain.as_mut() {
                drain.commits_failed += u32::from(answer == CommitAnswer::Failed);
            }
        }
    }

    /// One of these texts was longer than a broker takes.
    fn learn_limit(&mut self, entries: &[(TopicPartition, Epoch, Offset)]) {
        let longest = entries
            .iter()
            .filter_map(|(partition, epoch, _)| {
                let assignment = self.assignments.get(partition)?;
                (assignment.epoch == *epoch).then(|| assignment.room.issued())
            })
            .max();
        let Some(longest) = longest else { return };
        self.commit.limit.refused(longest);
        for assignment in self.assignments.values_mut() {
            self.pauses_changed |= assignment.room.look(&assignment.ledger, self.commit.limit);
        }
    }

    pub(super) fn next_commit(&self) -> Option<Instant> {
        self.commit
            .next_at
            .filter(|_| self.commit.under_way.is_empty())
    }

    /// Whether an event or identity at the head of its lane may be started, or what is settled above its partition's frontier
    /// has no room in the commit: then only what leads to the lowest unsettled record may, so that the frontier moves.
    /// Objects go on: to repeat them is harmless.
    pub(super) fn may_start(&self, id: OperationId) -> bool {
        let Some(state) = self.work.get(id) else {
            return true;
        };
        let Some(assignment) = self.assignments.get(&state.partition) else {
            return true;
        };
        let noted = assignment.room.is_full() && matches!(state.operation, Operation::Track(_));
        if !noted || self.is_last_chance(id) {
            return true;
        }
        assignment
            .ledger
            .frontier()
            .is_some_and(|lowest| self.leads_to(state.lane(), &state.partition, lowest))
    }

    /// Whether an operation of the record at this offset is in the lane.
    fn leads_to(&self, lane: LaneId, partition: &TopicPartition, offset: Offset) -> bool {
        self.work
            .in_lane(lane)
            .any(|id| self.belongs_to(id, partition, offset))
    }

    /// Whether the operation carries a receipt of the record at this offset.
    pub(super) fn belongs_to(
        &self,
        id: OperationId,
        partition: &TopicPartition,
        offset: Offset,
    ) -> bool {
        self.work.get(id).is_some_and(|state| {
            state.partition == *partition
                && self.receipts.of(id).iter().any(|receipt| {
                    self.records
                        .get(&receipt.record)
                        .is_some_and(|record| record.record.position.offset == offset)
                        && !self.is_of_former_life(receipt.record)
                })
        })
    }

    /// Sets an event aside until its partition's commits have room again.
    pub(super) fn keep_back(&mut self, id: OperationId) {
        if let Some(state) = self.work.get(id)
            && self.assignments.contains_key(&state.partition)
        {
            self.work.keep_back(id);
        }
    }

    /// Events that were set aside are looked at again.
    pub(super) fn start_kept_back(&mut self, partition: &TopicPartition) {
        let Some(assignment) = self.assignments.get(partition) else {
            return;
        };
        let full = assignment.room.is_full();
        for id in self.work.take_kept_back(partition) {
            if full && !self.may_start(id) {
                self.keep_back(id);
                continue;
            }
            self.work.has_room(id);
        }
    }
}

impl Assignment {
    /// The text beside a commit of this offset; notes how much room is left.
    fn metadata(
        &mut self,
        partition: &TopicPartition,
        offset: Offset,
        limit: TextLimit,
    ) -> commit_metadata::Encoded {
        let encoded = commit_metadata::encode(
            partition,
            offset,
            self.ledger.frontier_stamp(),
            self.ledger.settled_above(),
            limit.characters(),
        );
        self.room.note(&encoded, limit);
        encoded
    }
}
