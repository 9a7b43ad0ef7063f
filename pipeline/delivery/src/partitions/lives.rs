//! An owned partition begins a new life: the offsets of the old one mean nothing in it.
//!
//! The topic was recreated, or the log lost its end. The new life gets its own epoch, ledger and commits. Unsettled records
//! of a former life stay, each life with its own ledger: Kafka no longer has them, so nobody else can deliver them. They
//! settle there, and never move the committed frontier. When the partition leaves, they have until the drain's deadline;
//! what is not done by then is lost with the topic, and counted.

use super::Partitions;
use super::parts::assignment::Assignment;
use super::parts::ledger::Ledger;
use crate::common::turn::Turn;
use crate::seam::fact::Fact;
use crate::seam::port::RecordId;
use ingest_model::batch::OperationId;
use ingest_model::reading::{Gap, LifeCause};
use ingest_model::record::{Epoch, Offset, TopicPartition};

impl Partitions {
    /// Begins a new life of an owned partition. Returns whether its slice of the state topic was being restored; `None` if the
    /// partition is not owned, or is in that life already.
    pub(crate) fn begin_life(
        &mut self,
        turn: &mut Turn,
        partition: &TopicPartition,
        epoch: Epoch,
        from: Offset,
        cause: LifeCause,
    ) -> Option<bool> {
        let ended = self.assignments.remove(partition)?;
        if ended.epoch >= epoch {
            self.assignments.insert(partition.clone(), ended);
            return None;
        }
        let mut former = ended.former;
        former.end(ended.epoch, ended.ledger, ended.live);
        let restoring = ended.restoring;
        let assignment = Assignment {
            ledger: Ledger::beginning_at(from),
            former,
            membership: ended.membership,
            drain: ended.drain,
            paused: ended.paused,
            ..Assignment::new(epoch)
        };
        self.assignments.insert(partition.clone(), assignment);
        self.pauses_changed = true;
        turn.fact(Fact::LifeBegan {
            partition: partition.clone(),
            from,
            cause,
        });
        self.commits.wanted = true;
        self.commits.next_at = Some(turn.now);
        Some(restoring)
    }

    /// Records were deleted before they were read.
    pub(crate) fn vanish(
        &mut self,
        turn: &mut Turn,
        partition: &TopicPartition,
        epoch: Epoch,
        gap: Gap,
    ) {
        let Some(assignment) = self.assignments.get_mut(partition) else {
            return;
        };
        let Some((ledger, _)) = assignment.life(epoch) else {
            return;
        };
        let records = ledger.vanish(gap.from, gap.to);
        self.commits.wanted = true;
        if records > 0 {
            turn.fact(Fact::Vanished {
                partition: partition.clone(),
                gap,
                records,
            });
        }
    }

    /// Offsets hold no records, and none will come.
    pub(crate) fn pass_empty(&mut self, partition: &TopicPartition, epoch: Epoch, gap: Gap) {
        let assignment = self.assignments.get_mut(partition);
        if let Some((ledger, _)) = assignment.and_then(|one| one.life(epoch)) {
            let _lost = ledger.vanish(gap.from, gap.to);
            self.commits.wanted = true;
        }
    }

    /// Whether the operation carries a record of a former life, which nobody else can deliver.
    pub(crate) fn is_last_chance(&self, id: OperationId) -> bool {
        let receipts = self.receipts.of(id).iter();
        receipts
            .map(|receipt| receipt.record)
            .any(|record| self.is_of_former_life(record))
    }

    pub(super) fn is_of_former_life(&self, id: RecordId) -> bool {
        self.records.get(&id).is_some_and(|state| {
            let assignment = self.assignments.get(state.partition());
            assignment.is_some_and(|assignment| assignment.epoch != state.epoch)
        })
    }

    /// The partition leaves now: unsettled records of its former lives are lost.
    pub(super) fn count_lost_lives(&self, turn: &mut Turn, partition: &TopicPartition) {
        let former = self.assignments.get(partition).map(|one| one.former.live());
        if let Some(records) = former.filter(|records| *records > 0) {
            let partition = partition.clone();
            turn.fact(Fact::LifeCut { partition, records });
        }
    }
}
