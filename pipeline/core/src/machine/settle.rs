//! Records end: receipts are settled, dead letters sent, charges given back, offsets committed.

use std::sync::Arc;

use super::Machine;
use crate::batch::OperationId;
use crate::charge::Gate;
use crate::fact::{Fact, Settlement};
use crate::invariant::Invariant;
use crate::operation::Operation;
use crate::outcome::{Held, Rejected, Rejection, SkipReason};
use crate::partitions::receipts::Receipt;
use crate::port::RecordId;

/// What an operation came to.
#[derive(Debug, Clone)]
enum End {
    Delivered,
    Skipped(SkipReason),
    Rejected(Rejected),
    Diverted(Held),
}

impl Machine {
    pub(super) fn finish_delivered(&mut self, id: OperationId) {
        if let Some(Operation::Track(track)) = self.work.get(id).map(|state| &state.operation) {
            let key = track.event_key.as_u128();
            self.delivered_events.insert(key, ());
            self.note_event(id, key);
        }
        self.finish(id, &End::Delivered);
    }

    pub(super) fn finish_skipped(&mut self, id: OperationId, reason: SkipReason) {
        self.finish(id, &End::Skipped(reason));
    }

    pub(super) fn finish_rejected(&mut self, id: OperationId, reason: Rejection, detail: String) {
        let route = self.work.get(id).map(|state| Arc::clone(&state.route));
        self.finish(
            id,
            &End::Rejected(Rejected {
                reason,
                detail,
                route,
            }),
        );
    }

    /// Ends an operation whose record goes to the hold topic.
    pub(super) fn finish_diverted(&mut self, id: OperationId, held: Held) {
        self.finish(id, &End::Diverted(held));
    }

    pub(super) fn reject_unknown_customer(&mut self, id: OperationId) {
        let detail = "no customer has any of the record's keys, and the route does not create one"
            .to_owned();
        self.finish_rejected(id, Rejection::UnknownCustomer, detail);
    }

    fn finish(&mut self, id: OperationId, end: &End) {
        let Some(state) = self.work.end(id) else {
            return;
        };
        let history = self.histories.end(id);
        self.progress
            .ended(&state.operation, self.receipts.of(id).len());
        if !matches!(end, End::Delivered) {
            self.answer_gone(&state.operation);
        }
        self.journal_end(id, &state, &history);
        for receipt in self.receipts.detach(id) {
            self.settle(receipt, end, state.attempts);
        }
    }

    /// Ends an operation that never got a lane. Its record is concluded by the admission, once all have their place.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a receipt ends here; nobody may use it again"
    )]
    pub(super) fn reject_receipt(&mut self, receipt: Receipt, rejected: Rejected) {
        self.settle_open(&receipt, &End::Rejected(rejected), 0);
    }

    /// The same for one that has nothing left to do.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a receipt ends here; nobody may use it again"
    )]
    pub(super) fn skip_receipt(&mut self, receipt: Receipt, reason: SkipReason) {
        self.settle_open(&receipt, &End::Skipped(reason), 0);
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "a receipt ends here; nobody may use it again"
    )]
    fn settle(&mut self, receipt: Receipt, end: &End, attempts: u32) {
        if self.settle_open(&receipt, end, attempts) {
            self.conclude(receipt.record);
        }
    }

    /// Notes the end of one operation of a record. `true` if it was the last.
    fn settle_open(&mut self, receipt: &Receipt, end: &End, attempts: u32) -> bool {
        let Some(state) = self.records.get_mut(&receipt.record) else {
            return false; // left to the next owner meanwhile
        };
        state.attempts = state.attempts.max(attempts);
        match end {
            End::Delivered => state.delivered = true,
            End::Skipped(reason) => state.skipped = Some(*reason),
            End::Rejected(rejected) => {
                state.rejected.get_or_insert_with(|| rejected.clone());
            }
            End::Diverted(held) => {
                state.diverted.get_or_insert_with(|| held.clone());
            }
        }
        self.turn.check(Invariant::I3, state.open > 0);
        state.open = state.open.saturating_sub(1);
        state.open == 0
    }

    /// All operations of a record have ended: it is settled, or its dead letter leaves.
    pub(super) fn conclude(&mut self, id: RecordId) {
        let Some(state) = self.records.get(&id) else {
            return;
        };
        if state.abandoned {
            self.release(id);
            return;
        }
        if state.goes_aside() {
            self.send_letter(id);
            return;
        }
        let rejected = state.rejected.as_ref().map(|rejected| rejected.reason);
        self.guard.ended(&state.record.position.partition, rejected);
        if rejected.is_some() {
            self.dead_letter(id);
        } else {
            let settlement = match (state.delivered, state.skipped) {
                (true, _) | (false, None) => Settlement::Delivered,
                (false, Some(reason)) => Settlement::Skipped(reason),
            };
            self.complete(id, settlement);
        }
    }

    /// The one place where an offset becomes settled.
    pub(super) fn complete(&mut self, id: RecordId, settlement: Settlement) {
        let Some(state) = self.records.get(&id) else {
            return;
        };
        let rightly = match settlement {
            Settlement::DeadLettered(_) | Settlement::Diverted(_) => state.acknowledged,
            Settlement::Delivered | Settlement::Skipped(_) => state.letter.is_none(),
        };
        self.turn.check(Invariant::I4, rightly);
        let position = &state.record.position;
        if let Some(assignment) = self.assignments.get_mut(&position.partition) {
            if let Some((ledger, _)) = assignment.life(state.epoch) {
                let settled = ledger.settle(position.offset);
                self.turn.check(Invariant::I3, settled);
            }
            self.pauses_changed |= assignment.room.look(&assignment.ledger, self.commit.limit);
        }
        let fact = Fact::Settled {
            topic: position.partition.topic.clone(),
            settlement,
            event_ms: state.event_ms,
            record_ms: state.record.timestamp_ms,
        };
        self.turn.fact(fact);
        self.release(id);
    }

    /// Lets go of a record: gives its charge back and counts it out of its assignment.
    pub(super) fn release(&mut self, id: RecordId) {
        let Some(state) = self.records.remove(&id) else {
            return;
        };
        if let Some(to) = state.letter {
            self.letters.ended(to);
        }
        self.letters.forget(id);
        let assignment = self.assignments.get_mut(&state.record.position.partition);
        if let Some((_, live)) = assignment.and_then(|one| one.life(state.epoch)) {
            *live = live.saturating_sub(1);
        }
        if self.budget.refund(state.charge) == Some(Gate::Open) {
            self.pauses_changed = true;
        }
        let drained = self.records.is_empty();
        let zero = self.budget.used().records == 0 && self.budget.used().bytes == 0;
        self.turn.check(Invariant::I5, drained == zero);
    }
}
