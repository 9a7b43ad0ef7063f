//! Deletions: their answers, and what stays known of an object that is gone.

use std::time::Instant;

use crate::machine::Machine;
use crate::seam::fact::Fact;
use ingest_model::batch::{Batch, OperationId};
use ingest_model::call::{Limits, Written};
use ingest_model::known::KnownObject;
use ingest_model::operation::{CustomerKey, Operation};
use ingest_model::outcome::{Outcome, Rejection, RetryCause, SkipReason, SplitHint};

impl Machine {
    /// The answer to a deletion. One that may have arrived is sent again: it names the object by its id, and what made it anew
    /// since has another one.
    pub(in crate::machine) fn on_deleted(
        &mut self,
        now: Instant,
        batch: Batch,
        outcome: Outcome<Written>,
        limits: &Limits,
    ) {
        let Some(id) = batch.operations.first().copied() else {
            return;
        };
        match outcome {
            Outcome::Delivered(_) => {
                self.learn_gone(id);
                self.finish_delivered(id);
            }
            Outcome::Pending(_) | Outcome::Ambiguous => {
                self.objects.histories.doubt(id);
                self.retry(now, id, RetryCause::ServerError, limits.retry_after);
            }
            Outcome::Hold(_) => self.put_batch_back(batch),
            Outcome::Retry(cause @ RetryCause::OrgQuota) => {
                self.turn.fact(Fact::Retried { cause });
                self.put_batch_back(batch);
            }
            Outcome::Retry(cause) => self.retry(now, id, cause, limits.retry_after),
            Outcome::Reject(detail) | Outcome::Split(SplitHint { detail, .. }) => {
                self.finish_rejected(id, Rejection::RefusedByApi, detail);
            }
        }
    }

    /// There is no object to delete.
    pub(in crate::machine) fn not_there(&mut self, id: OperationId) {
        let sent = self.objects.histories.of(id).last_write.is_some();
        self.learn_gone(id);
        if sent {
            self.finish_delivered(id);
        } else {
            self.finish_skipped(id, SkipReason::NotThere);
        }
    }

    /// The object of a deletion or a mark is gone. That and its version stay known, so that no older state brings it back.
    pub(in crate::machine) fn learn_gone(&mut self, id: OperationId) {
        let Some(Operation::KObject(object)) = self.work.get(id).map(|entry| &entry.operation)
        else {
            return;
        };
        let owner = CustomerKey::of_object(&object.klass, &object.external_id);
        let (klass, version) = (object.klass.clone(), object.version.clone());
        let hash = self.objects.histories.of(id).object_hash();
        let before = self.objects.cache.peek(hash).cloned();
        let mut learnt = KnownObject::deleted(version, before);
        learnt.changes.extend(self.partitions.changes(id));
        self.learn_object(id, learnt);
        self.objects.sessions.forget(hash);
        if self.is_asked(&klass) {
            self.forget_customer(&owner);
        }
    }

    /// Whether an operation deletes its object.
    pub(in crate::machine) fn deletes(&self, id: OperationId) -> bool {
        let entry = self.work.get(id);
        entry.is_some_and(|entry| entry.operation.deletes())
    }
}
