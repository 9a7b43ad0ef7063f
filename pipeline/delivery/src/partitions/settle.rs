//! Records end: receipts are settled, dead letters are sent, charges are given back, offsets are settled.

use std::sync::Arc;

use super::Partitions;
use super::parts::letters::{KeptBack, rejection};
use super::parts::receipts::Receipt;
use super::parts::record::End;
use crate::common::turn::Turn;
use crate::seam::charge::Gate;
use crate::seam::fact::{Fact, Settlement};
use crate::seam::invariant::Invariant;
use crate::seam::port::{Effect, RecordId};
use crate::seam::settled::OperationEnd;
use ingest_model::batch::OperationId;
use ingest_model::outcome::{Rejected, SkipReason};
use ingest_model::record::{TopicPartition, Traffic};

impl Partitions {
    /// An operation has ended, and with it each record of which it was the last. Returns the dead letters that are kept back.
    pub(crate) fn end(
        &mut self,
        turn: &mut Turn,
        operation: OperationId,
        end: &End,
        attempts: u32,
        told: Option<Box<OperationEnd>>,
    ) -> Vec<KeptBack> {
        let mut kept = Vec::new();
        let receipts = self.receipts.detach(operation);
        let told = self.trails.as_mut().zip(told);
        let told = told
            .map(|(trails, told)| trails.end(operation, told, end.settlement(), receipts.len()));
        for receipt in receipts {
            let record = receipt.record;
            if self.close(turn, receipt, (end, told.as_ref()), attempts) {
                kept.extend(self.conclude(turn, record));
            }
        }
        kept
    }

    /// An operation is left to the next owner of its partition.
    pub(crate) fn abandon(&mut self, turn: &mut Turn, operation: OperationId) {
        if let Some(trails) = &mut self.trails {
            trails.forget(operation);
        }
        for receipt in self.receipts.detach(operation) {
            let id = receipt.end();
            let Some(record) = self.records.get_mut(&id) else {
                continue;
            };
            record.abandoned = true;
            record.open = record.open.saturating_sub(1);
            if record.open == 0 {
                self.release(turn, id);
            }
        }
    }

    /// An operation is rejected before it got a place. Its record is concluded when all are placed.
    pub(crate) fn reject_unplaced(
        &mut self,
        turn: &mut Turn,
        receipt: Receipt,
        why: Rejected,
        told: Option<Box<OperationEnd>>,
    ) {
        self.close_unplaced(turn, receipt, &End::Rejected(why), told);
    }

    /// The same for one that has nothing left to do.
    pub(crate) fn skip_unplaced(
        &mut self,
        turn: &mut Turn,
        receipt: Receipt,
        why: SkipReason,
        told: Option<Box<OperationEnd>>,
    ) {
        self.close_unplaced(turn, receipt, &End::Skipped(why), told);
    }

    fn close_unplaced(
        &mut self,
        turn: &mut Turn,
        receipt: Receipt,
        end: &End,
        told: Option<Box<OperationEnd>>,
    ) {
        let told = told.map(|mut told| {
            told.end = end.settlement();
            Arc::from(told)
        });
        self.close(turn, receipt, (end, told.as_ref()), 0);
    }

    /// Notes the end of one operation of a record. `true` if it was the last.
    fn close(
        &mut self,
        turn: &mut Turn,
        receipt: Receipt,
        (end, told): (&End, Option<&Arc<OperationEnd>>),
        attempts: u32,
    ) -> bool {
        let ordinal = receipt.ordinal();
        let Some(state) = self.records.get_mut(&receipt.end()) else {
            return false; // left to the next owner meanwhile
        };
        state.attempts = state.attempts.max(attempts);
        state.note(ordinal, end);
        if let Some(told) = told {
            state.tell(ordinal, told);
        }
        turn.check(Invariant::I3, state.open > 0);
        state.open = state.open.saturating_sub(1);
        state.open == 0
    }

    /// All operations of a record have ended: it is settled, or its letter is sent.
    pub(super) fn conclude(&mut self, turn: &mut Turn, id: RecordId) -> Option<KeptBack> {
        let state = self.records.get(&id)?;
        if state.abandoned {
            self.release(turn, id);
            return None;
        }
        if state.goes_aside() {
            self.send_letter(turn, id);
            return None;
        }
        let rejected = state.rejected.as_ref().map(|rejected| rejected.reason);
        self.guard.ended(&state.record.position.partition, rejected);
        if rejected.is_some() {
            return self.dead_letter(turn, id);
        }
        let settlement = match (state.delivered, state.skipped) {
            (true, _) | (false, None) => Settlement::Delivered,
            (false, Some(reason)) => Settlement::Skipped(reason),
        };
        self.complete(turn, id, settlement);
        None
    }

    /// Sends the dead letter of a record, or keeps it back while its topic is held. It is not kept in a partition that is being
    /// handed back: the next owner rejects the record again, or delivers it with another mapping.
    pub(super) fn dead_letter(&mut self, turn: &mut Turn, id: RecordId) -> Option<KeptBack> {
        let state = self.records.get(&id)?;
        let topic = &state.partition().topic;
        if state.goes_aside() || !self.guard.is_holding(topic) {
            self.send_letter(turn, id);
            return None;
        }
        let kept = state.rejected.as_ref().map(|rejected| KeptBack {
            topic: topic.clone(),
            why: rejection(rejected.reason, &rejected.detail),
        });
        // One that the brokers have not accepted waits like one that was never sent.
        self.keep_letter(turn, id);
        kept
    }

    /// Settles a record that had operations or a letter, and with it its offset.
    pub(super) fn complete(&mut self, turn: &mut Turn, id: RecordId, settlement: Settlement) {
        let Some(state) = self.records.get_mut(&id) else {
            return;
        };
        let rightly = match settlement {
            Settlement::DeadLettered(_) | Settlement::Diverted(_) => state.acknowledged,
            Settlement::Delivered | Settlement::Skipped(_) => state.letter.is_none(),
        };
        turn.check(Invariant::I4, rightly);
        let position = &state.record.position;
        if let Some(assignment) = self.assignments.get_mut(&position.partition) {
            if let Some((ledger, _)) = assignment.life(state.epoch) {
                let settled = ledger.settle(position.offset);
                turn.check(Invariant::I3, settled);
            }
            self.pauses_changed |= assignment.room.look(&assignment.ledger, self.commits.limit);
            self.commits.wanted |= assignment.uncommitted().is_some();
        }
        turn.fact(Fact::Settled {
            topic: position.partition.topic.clone(),
            place: Some((position.partition.partition, position.offset)),
            settlement,
            records: 1,
            event_ms: state.event_ms,
            record_ms: state.record.timestamp_ms,
            traffic: state.traffic,
        });
        if let Some(settled) = state.settled(settlement) {
            turn.effect(Effect::Receipt(settled));
        }
        self.release(turn, id);
    }

    /// Removes a record: gives its charge back and subtracts it from its assignment.
    pub(super) fn release(&mut self, turn: &mut Turn, id: RecordId) {
        let Some(state) = self.records.remove(&id) else {
            return;
        };
        if let Some(to) = state.letter {
            self.letters.ended(to);
        }
        self.letters.forget(id);
        let assignment = self.assignments.get_mut(state.partition());
        if let Some((_, live)) = assignment.and_then(|one| one.life(state.epoch)) {
            *live = live.saturating_sub(1);
        }
        if self.budget.refund(turn.now, state.charge) == Some(Gate::Open) {
            self.pauses_changed = true;
        }
        if state.traffic == Traffic::Backfill && self.budget.refunded_old(state.charge) {
            self.pauses_changed = true;
        }
        let drained = self.records.is_empty();
        let zero = self.budget.used().records == 0 && self.budget.used().bytes == 0;
        turn.check(Invariant::I5, drained == zero);
    }

    /// Removes the records of a partition that match.
    pub(super) fn release_where(
        &mut self,
        turn: &mut Turn,
        partition: &TopicPartition,
        matches: impl Fn(&Self, RecordId) -> bool,
    ) {
        let records = self
            .records
            .keys_where(|id, state| state.partition() == partition && matches(self, *id));
        for id in records {
            self.release(turn, id);
        }
    }
}
