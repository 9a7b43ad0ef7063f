//! Partitions leave: drop what waits, wait for what is in flight, commit, hand back. Or they begin a new life.

use std::time::Instant;

use crate::machine::Machine;
use crate::partitions::Drained;
use crate::seam::fact::Fact;
use crate::work::Wait;
use ingest_model::batch::OperationId;
use ingest_model::reading::LifeCause;
use ingest_model::record::{Epoch, Offset, TopicPartition};

impl Machine {
    pub(in crate::machine) fn on_revoked(&mut self, partition: &TopicPartition, epoch: Epoch) {
        if self.partitions.revoke(&mut self.turn, partition, epoch) {
            self.abandon_waiting(partition);
        }
    }

    pub(in crate::machine) fn on_lost(
        &mut self,
        now: Instant,
        partition: &TopicPartition,
        epoch: Epoch,
    ) {
        if self.partitions.epoch(partition) != Some(epoch) {
            return;
        }
        self.partitions.give_up(&mut self.turn, partition);
        self.abandon_all(partition);
        self.partitions.lose(partition);
        self.is_gone(now, partition);
    }

    pub(in crate::machine) fn on_shutdown(&mut self) {
        for partition in self.partitions.revoke_all(&self.turn) {
            self.abandon_waiting(&partition);
        }
        self.partitions.tell_when_stopped(&mut self.turn);
    }

    pub(in crate::machine) fn on_new_life(
        &mut self,
        partition: &TopicPartition,
        epoch: Epoch,
        from: Offset,
        cause: LifeCause,
    ) {
        let turn = &mut self.turn;
        let Some(restoring) = self
            .partitions
            .begin_life(turn, partition, epoch, from, cause)
        else {
            return;
        };
        self.start_kept_back(partition);
        self.disinherit(partition);
        if restoring {
            self.partitions.ask_restore(&mut self.turn, partition);
        }
        self.health.held.changed();
    }

    /// Drops every operation of a partition that has no request in flight, except those that nobody could read again: they have
    /// until the drain's deadline.
    fn abandon_waiting(&mut self, partition: &TopicPartition) {
        let waiting = self.work.matching(|id, entry| {
            let waits = entry.partition == *partition && !entry.wait().is_under_way();
            waits && !self.partitions.is_last_chance(id)
        });
        for id in waiting {
            self.abandon_operation(id);
        }
        // No event comes any more for what is left.
        self.work.hurry_partition(partition);
        self.partitions.abandon_letters(&mut self.turn, partition);
    }

    /// The operation no longer waits for its customer, if it did.
    pub(in crate::machine) fn let_go(&mut self, id: OperationId) {
        if let Some(entry) = self.work.get(id)
            && entry.wait() == Wait::Customer
            && let Some(customer) = entry.operation.customer()
        {
            self.customers.unwant(customer, id);
        }
    }

    fn abandon_operation(&mut self, id: OperationId) {
        let never_left = self
            .work
            .get(id)
            .is_some_and(|entry| entry.wait() == Wait::Journal);
        if never_left {
            self.journal_refused(&[id]);
        }
        self.let_go(id);
        let Some(entry) = self.work.end(id) else {
            return;
        };
        self.objects.histories.end(id);
        self.objects.creates.ended(self.turn.now, id);
        self.memory.journal.abandon(id);
        self.answer_gone(&entry.operation);
        self.inherited_left(id, &entry.operation);
        self.partitions.abandon(&mut self.turn, id);
    }

    /// Drops everything of an assignment; answers that still arrive find nothing.
    fn abandon_all(&mut self, partition: &TopicPartition) {
        let operations = self.work.matching(|_, entry| entry.partition == *partition);
        for id in operations {
            self.abandon_operation(id);
        }
        self.partitions.abandon_records(&mut self.turn, partition);
    }

    /// Hands back every partition that is drained and committed, or out of time.
    pub(in crate::machine) fn check_drains(&mut self, now: Instant) {
        for (partition, epoch) in self.partitions.draining() {
            self.check_drain(now, &partition, epoch);
        }
    }

    fn check_drain(&mut self, now: Instant, partition: &TopicPartition, epoch: Epoch) {
        if self.partitions.drained(now, partition) == Some(Drained::Late) {
            let records = self.partitions.give_up(&mut self.turn, partition);
            self.abandon_all(partition);
            if records > 0 {
                self.turn.fact(Fact::DrainCut { records });
            }
        }
        match self.partitions.drained(now, partition) {
            None | Some(Drained::NotYet | Drained::Late) => {}
            Some(Drained::Uncommitted) => self.settle_commits(),
            // The next owner will read what is written by then.
            Some(Drained::Done { late }) if !late && !self.memory.journal.is_idle(partition) => {}
            Some(Drained::Done { .. }) => {
                self.partitions.hand_back(&mut self.turn, partition, epoch);
                self.is_gone(now, partition);
            }
        }
    }

    /// This process no longer owns a partition.
    fn is_gone(&mut self, now: Instant, partition: &TopicPartition) {
        self.work.drop_partition(partition);
        self.close_state(partition);
        self.weigh(now);
        self.partitions.tell_when_stopped(&mut self.turn);
    }
}
