//! Answers to reads of objects that name a customer, and of customers by their ids.

use std::sync::Arc;
use std::time::Instant;

use crate::customers::NotFound;
use crate::health::Endpoint;
use crate::machine::Machine;
use crate::seam::fact::ResolvedBy;
use ingest_model::batch::OperationId;
use ingest_model::call::{CustomerFound, ObjectState};
use ingest_model::known::{KnownObject, object_hash};
use ingest_model::operation::CustomerKey;
use ingest_model::outcome::{Outcome, Rejection, RetryCause, SkipReason, SplitHint};

impl Machine {
    pub(in crate::machine) fn on_owner_read(
        &mut self,
        now: Instant,
        owner: &CustomerKey,
        outcome: Outcome<Option<ObjectState>>,
    ) {
        match outcome {
            Outcome::Delivered(found) => {
                let there = found.is_some();
                if let Some(object) = &found {
                    self.note_standing(owner, object);
                }
                match found.and_then(|object| object.customer) {
                    Some(customer) => self.learn_owner(owner, &customer, None),
                    None => self.owner_missing(now, owner, there),
                }
            }
            Outcome::Reject(detail) | Outcome::Split(SplitHint { detail, .. }) => {
                self.refuse_customer(owner, &detail);
            }
            Outcome::Retry(RetryCause::OrgQuota) | Outcome::Hold(_) => {
                self.customers.ask_again(now, owner);
            }
            Outcome::Retry(_) | Outcome::Ambiguous | Outcome::Pending(_) => {
                self.owner_read_failed(now, owner);
            }
        }
    }

    /// An object was read for its customer: if nothing was known of it, its next write need not look at it.
    fn note_standing(&mut self, owner: &CustomerKey, object: &ObjectState) {
        let Some((klass, external_id)) = owner.object() else {
            return;
        };
        let hash = object_hash(&klass, &external_id);
        if self.objects.cache.peek(hash).is_none() {
            self.objects.cache.learn(hash, KnownObject::read(object));
        }
    }

    pub(in crate::machine) fn owner_read_failed(&mut self, now: Instant, owner: &CustomerKey) {
        if let Some((klass, _)) = owner.object() {
            self.look_up_failed(now, owner, &Endpoint::Look(klass));
        }
    }

    /// There is no such object, or it belongs to nobody: operations wait, or are refused.
    fn owner_missing(&mut self, now: Instant, owner: &CustomerKey, there: bool) {
        let missing = self.customers.proved_missing(now, owner);
        self.drop_parked_for(owner);
        let NotFound::Refused(operations) = missing else {
            return;
        };
        let klass = owner.object().map(|(klass, _)| klass.0);
        let klass = klass.unwrap_or_default();
        let detail = if there {
            format!(
                "the {klass} that names the customer belongs to nobody: whoever writes it has to give it a customer"
            )
        } else {
            format!(
                "no {klass} has the external id that names the customer: whatever writes it comes later than the route \
                 waits, or not at all"
            )
        };
        for operation in operations {
            if !there && self.work.skips_missing(operation) {
                self.learn_gone(operation);
                self.finish_skipped(operation, SkipReason::NotThere);
            } else {
                self.finish_rejected(operation, Rejection::UnknownCustomer, detail.clone());
            }
        }
    }

    /// A customer was read by its id for the keys that the tracking API knows it by.
    pub(in crate::machine) fn on_keys_read(&mut self, asked: &CustomerKey, found: &CustomerFound) {
        if asked.value() != &found.id {
            // It was merged into another one.
            for operation in self.customers.found(asked) {
                self.start_anew(operation);
            }
            return;
        }
        for key in &found.keys {
            self.customers.suppressed.learn(key, &found.id);
        }
        let Some(named) = Self::name_of(&found.keys) else {
            let detail = "the customer that the object belongs to has no external id, e-mail address or phone number, and \
                          the tracking API knows nobody by anything else"
                .to_owned();
            for operation in self.customers.found(asked) {
                self.finish_rejected(operation, Rejection::UnknownCustomer, detail.clone());
            }
            return;
        };
        let first = named.first().clone();
        self.customers.named(&found.id, named);
        self.learn_customer(&first, &Arc::clone(&found.id), ResolvedBy::Read, None);
        for operation in self.customers.found(asked) {
            self.work.customer_found(operation);
        }
    }

    /// The customer that an object was said to belong to is gone: the object may belong to another one by now.
    pub(in crate::machine) fn start_anew(&mut self, operation: OperationId) {
        if !self.ask_anew(operation) {
            self.reject_unknown_customer(operation);
        }
    }
}
