//! Commits, and events that wait for room in them.

use crate::machine::Machine;
use crate::partitions::Room;
use crate::seam::port::CommitAnswer;
use ingest_model::batch::OperationId;
use ingest_model::operation::Operation;
use ingest_model::record::{Epoch, Offset, TopicPartition};

impl Machine {
    /// Issues commits, and checks the events again that waited for room in them.
    pub(in crate::machine) fn settle_commits(&mut self) {
        let (now, fleet) = (self.turn.now, &self.sending.fleet);
        let rider = |partition: &TopicPartition| fleet.rider(now, partition);
        for partition in self.partitions.commit(&mut self.turn, rider) {
            self.start_kept_back(&partition);
        }
    }

    pub(in crate::machine) fn on_committed(
        &mut self,
        entries: Vec<(TopicPartition, Epoch, Offset)>,
        answer: CommitAnswer,
    ) {
        for (partition, offset) in self.partitions.committed(entries, answer) {
            self.sweep_inherited(&partition, offset);
        }
    }

    /// Whether an event may be started. While its partition's commits have no room for what is settled above the frontier, only
    /// two kinds may: one that carries a record of a former life, and one whose lane leads to the lowest unsettled record, so
    /// that the frontier moves. Identities and objects always may, because repeating them is harmless.
    pub(in crate::machine) fn may_start(&self, id: OperationId) -> bool {
        let Some(entry) = self.work.get(id) else {
            return true;
        };
        let Room::OnlyFor(lowest) = self.partitions.room(&entry.partition) else {
            return true;
        };
        if !matches!(entry.operation, Operation::Track(_)) || self.partitions.is_last_chance(id) {
            return true;
        }
        let mut lane = self.work.in_lane(entry.lane());
        lowest.is_some_and(|lowest| {
            lane.any(|other| self.belongs_to(other, &entry.partition, lowest))
        })
    }

    /// Whether the operation carries a receipt of the record at this offset of that partition.
    pub(in crate::machine) fn belongs_to(
        &self,
        id: OperationId,
        partition: &TopicPartition,
        offset: Offset,
    ) -> bool {
        let entry = self.work.get(id);
        entry.is_some_and(|entry| entry.partition == *partition)
            && self.partitions.belongs_to(id, offset)
    }

    /// Keeps an event back until its partition's commits have room again.
    pub(in crate::machine) fn keep_back(&mut self, id: OperationId) {
        if let Some(entry) = self.work.get(id)
            && self.partitions.is_owned(&entry.partition)
        {
            let partition = entry.partition.clone();
            self.work.keep_back(id);
            self.work.hurry_partition(&partition);
        }
    }

    /// Checks the events again that were kept back.
    pub(in crate::machine) fn start_kept_back(&mut self, partition: &TopicPartition) {
        if !self.partitions.is_owned(partition) {
            return;
        }
        for id in self.work.take_kept_back(partition) {
            if self.may_start(id) {
                self.work.has_room(id);
            } else {
                self.keep_back(id);
            }
        }
    }
}
