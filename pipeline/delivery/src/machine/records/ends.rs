//! Operations end, and everybody who knew of them hears of it.

use std::sync::Arc;

use crate::machine::Machine;
use crate::partitions::{End, KeptBack};
use crate::seam::fact::{Fact, Saved};
use crate::seam::hold::Scope;
use ingest_model::batch::OperationId;
use ingest_model::operation::Operation;
use ingest_model::outcome::{Held, Rejected, Rejection, SkipReason};

impl Machine {
    pub(in crate::machine) fn finish_delivered(&mut self, id: OperationId) {
        if let Some(Operation::Track(track)) = self.work.get(id).map(|entry| &entry.operation) {
            let key = track.event_key.as_u128();
            self.memory.events.insert(key, ());
            self.note_event(id, key);
        }
        self.finish(id, &End::Delivered);
    }

    pub(in crate::machine) fn finish_skipped(&mut self, id: OperationId, reason: SkipReason) {
        self.note_saved(reason);
        self.finish(id, &End::Skipped(reason));
    }

    /// Nothing is sent for an operation. What was merged into it was saved before.
    pub(in crate::machine) fn note_saved(&mut self, reason: SkipReason) {
        if let Some(way) = Saved::of(reason) {
            self.turn.fact(Fact::Saved { way });
        }
    }

    pub(in crate::machine) fn finish_rejected(
        &mut self,
        id: OperationId,
        reason: Rejection,
        detail: String,
    ) {
        let route = self.work.get(id).map(|entry| Arc::clone(&entry.route));
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
    pub(in crate::machine) fn finish_diverted(&mut self, id: OperationId, held: Held) {
        self.finish(id, &End::Diverted(held));
    }

    pub(in crate::machine) fn reject_unknown_customer(&mut self, id: OperationId) {
        let detail = "no customer has any of the record's keys, and the route does not create one"
            .to_owned();
        self.finish_rejected(id, Rejection::UnknownCustomer, detail);
    }

    fn finish(&mut self, id: OperationId, end: &End) {
        let Some(entry) = self.work.end(id) else {
            return;
        };
        let history = self.objects.histories.end(id);
        self.objects.creates.ended(self.turn.now, id);
        self.progress
            .ended(&entry.operation, self.partitions.carried(id));
        if !matches!(end, End::Delivered) {
            self.answer_gone(&entry.operation);
        }
        self.journal_end(id, &entry, &history);
        let told = self.told_of(&entry, &history);
        let kept = self
            .partitions
            .end(&mut self.turn, id, end, entry.attempts, told);
        self.note_kept(kept);
    }

    /// Letters are kept back because their topics are held.
    pub(in crate::machine) fn note_kept(&mut self, kept: impl IntoIterator<Item = KeptBack>) {
        for KeptBack { topic, why } in kept {
            self.note_trouble(self.turn.now, &Scope::Topic(topic), why);
        }
    }
}
