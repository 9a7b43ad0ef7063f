//! Answers to writes of objects, single and bulk, and what is done when a write is in doubt.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::jobs::JobItems;
use crate::machine::Machine;
use crate::objects::decide::fingerprint;
use crate::objects::history::Link;
use crate::objects::quarantine::Way;
use crate::objects::revisions::Trust;
use crate::seam::fact::{Fact, ResolvedBy};
use ingest_model::batch::Batch;
use ingest_model::batch::OperationId;
use ingest_model::batch::Verb;
use ingest_model::call::{Limits, Written};
use ingest_model::known::{Affiliation, KnownObject, Revision};
use ingest_model::operation::{Klass, Operation};
use ingest_model::outcome::{JobTicket, Outcome, Rejection, RetryCause, SplitHint};
use ingest_model::record::Traffic;
use ingest_model::repeat::{ChangeKey, Changes};

impl Machine {
    pub(in crate::machine) fn on_submitted(
        &mut self,
        now: Instant,
        batch: Batch,
        outcome: Outcome<()>,
        limits: &Limits,
    ) {
        match outcome {
            Outcome::Pending(ticket) => self.on_accepted(now, batch, ticket),
            // A submission is never done at once; an answer that says so names no job to read.
            Outcome::Delivered(()) | Outcome::Ambiguous => {
                for id in batch.operations {
                    self.doubt(now, id, batch.group.verb);
                }
                self.work.clear(&batch.rest);
            }
            Outcome::Hold(_) => self.put_batch_back(batch),
            Outcome::Retry(cause @ RetryCause::OrgQuota) => {
                self.turn.fact(Fact::Retried { cause });
                self.put_batch_back(batch);
            }
            Outcome::Retry(cause) => {
                self.journal_refused(&batch.operations);
                for id in batch.operations {
                    self.retry(now, id, cause, limits.retry_after);
                }
                self.work.clear(&batch.rest);
            }
            Outcome::Reject(detail) => {
                let hint = SplitHint::unnamed(detail);
                self.split(now, batch, &hint);
            }
            Outcome::Split(hint) => self.split(now, batch, &hint),
        }
    }

    fn on_accepted(&mut self, now: Instant, batch: Batch, ticket: JobTicket) {
        let Batch {
            group,
            operations,
            with_refs,
            rest,
            ..
        } = batch;
        self.note_accepted(&group.klass, &operations);
        self.accuse(&group, rest);
        let here = operations.iter().copied();
        let named: BTreeSet<OperationId> = here.filter(|id| self.work.contains(*id)).collect();
        if named.is_empty() {
            return; // all of it was left to the next owner meanwhile
        }
        let slow = |id: &OperationId| self.work.traffic(*id) == Traffic::Backfill;
        let backfill = named.iter().all(slow);
        let items = JobItems::Objects {
            group,
            operations: named,
        };
        self.memory.journal.accepted(&operations, &ticket);
        self.tell_job(&operations, &ticket.id);
        let dear = !self.price(now).is_nothing();
        let job = self.jobs.add(now, ticket, items, with_refs, dear);
        if backfill {
            self.jobs.is_backfill(job);
        }
        for id in operations {
            self.work.in_job(id, job);
        }
    }

    /// The answer to a write of one object.
    pub(in crate::machine) fn on_written(
        &mut self,
        now: Instant,
        batch: Batch,
        outcome: Outcome<Written>,
        limits: &Limits,
    ) {
        let verb = batch.group.verb;
        let Some(id) = batch.operations.first().copied() else {
            return;
        };
        if verb == Verb::Delete {
            self.on_deleted(now, batch, outcome, limits);
            return;
        }
        if self.is_lock_test(id, &outcome) {
            self.put_back(id);
            return;
        }
        match outcome {
            Outcome::Delivered(written) => {
                self.accuse(&batch.group, batch.rest);
                match written {
                    Written::Stored { id: object, rev } => self.stored(id, verb, object, rev),
                    Written::Duplicate => self.look_at(id),
                    Written::Gone => self.gone(now, id, verb),
                }
            }
            Outcome::Retry(RetryCause::Conflict) => {
                self.accuse(&batch.group, batch.rest);
                self.conflict(id);
            }
            Outcome::Pending(_) | Outcome::Ambiguous => {
                self.doubt(now, id, verb);
                self.work.clear(&batch.rest);
            }
            Outcome::Hold(_) => self.put_batch_back(batch),
            Outcome::Retry(cause @ RetryCause::OrgQuota) => {
                self.turn.fact(Fact::Retried { cause });
                self.put_batch_back(batch);
            }
            Outcome::Retry(cause) => {
                self.journal_refused(&[id]);
                self.retry(now, id, cause, limits.retry_after);
                self.work.clear(&batch.rest);
            }
            Outcome::Reject(detail) | Outcome::Split(SplitHint { detail, .. }) => {
                self.refuse_object(now, id, Way::Alone, detail);
                self.work.clear(&batch.rest);
            }
        }
    }

    /// Handles the answer to a write that named an old revision on purpose. `true` if the write is still to be made: it was
    /// refused, as it should be, or was not tried at all.
    fn is_lock_test(&mut self, id: OperationId, outcome: &Outcome<Written>) -> bool {
        if !self.objects.histories.test_answered(id) {
            return false;
        }
        let Some(state) = self.work.get(id) else {
            return false;
        };
        let Operation::KObject(object) = &state.operation else {
            return false;
        };
        match outcome {
            Outcome::Delivered(Written::Stored { .. }) => {
                self.objects.revisions.tested(&object.klass, Some(false));
                self.turn.fact(Fact::LockIgnored);
                false
            }
            Outcome::Retry(RetryCause::Conflict) => {
                self.objects.histories.test_conflicted(id);
                self.objects.revisions.tested(&object.klass, Some(true));
                true
            }
            // For its revision or its content: only a write with the right revision can tell which.
            Outcome::Reject(_) | Outcome::Split(_) => {
                self.objects.histories.test_refused(id);
                self.objects.revisions.tested(&object.klass, None);
                self.journal_refused(&[id]);
                true
            }
            // It was not tried, and the object may have changed by the time it can be.
            Outcome::Hold(_) | Outcome::Retry(RetryCause::OrgQuota) => {
                self.objects.revisions.tested(&object.klass, None);
                self.journal_refused(&[id]);
                true
            }
            Outcome::Delivered(Written::Duplicate | Written::Gone)
            | Outcome::Pending(_)
            | Outcome::Retry(_)
            | Outcome::Ambiguous => {
                self.objects.revisions.tested(&object.klass, None);
                false
            }
        }
    }

    /// A write was stored: the cache learns it, and the operation is done.
    pub(in crate::machine) fn stored(
        &mut self,
        id: OperationId,
        verb: Verb,
        object: Option<Arc<str>>,
        shown: Option<i64>,
    ) {
        self.tell_object(id, object.as_ref());
        if let Some(state) = self.work.get(id)
            && let Operation::KObject(written) = &state.operation
        {
            let history = self.objects.histories.of(id);
            let counted = match verb {
                Verb::Create => Revision::SinceCreate(0),
                Verb::Update | Verb::Delete => history.decided.next(),
            };
            match (verb, shown) {
                (Verb::Create, Some(rev)) => self.objects.revisions.learn_first(rev),
                // Without a version it is written without a look, so somebody else may have written in between.
                (Verb::Update | Verb::Delete, Some(_)) | (_, None) => {}
            }
            if verb == Verb::Update {
                self.objects.revisions.count(&written.klass, false);
            }
            if history.was_refused_in_test() {
                // It was accepted with the right revision.
                self.objects.revisions.tested(&written.klass, Some(true));
            }
            let (klass, sent) = (written.klass.clone(), state.last_attempt);
            let told = object.or_else(|| history.object_id.clone());
            // An object created without an id in the answer must not be created again: it is read when its id is needed.
            if told.is_some() || verb == Verb::Create {
                let before = self.known_as(history.object_hash(), told.as_ref());
                let mut learnt = KnownObject {
                    id: told,
                    // A write without a version leaves the object's version as it is.
                    version: written
                        .version
                        .clone()
                        .or_else(|| before.as_ref()?.version.clone()),
                    // A customer that was not given its company is to be given it next time.
                    fingerprint: (!matches!(history.link(), Link::Missing(_)))
                        .then(|| fingerprint(written)),
                    revision: shown.map_or(counted, Revision::Known),
                    doubtful: false,
                    gone: false,
                    changes: Changes::default(),
                    company: self.affiliation(id, &klass),
                };
                if let Some(before) = before
                    && before.ties_with(learnt.version.as_ref())
                {
                    learnt.changes = before.changes;
                }
                learnt.changes.extend(self.partitions.changes(id));
                let told = learnt.id.clone();
                self.learn_object(id, learnt);
                if let Some(told) = told {
                    let way = match verb {
                        Verb::Create => ResolvedBy::Create,
                        Verb::Update | Verb::Delete => ResolvedBy::Read,
                    };
                    self.note_customer_id(id, &told, way);
                }
            }
            if let Some(sent) = self.objects.histories.take_sent(id) {
                self.session_known(id, sent);
            }
            self.note_owner(id, verb);
            self.note_stored(&klass, sent);
        }
        self.finish_delivered(id);
    }

    /// The company that a customer has after a write of it: the one that the write named.
    fn affiliation(&self, id: OperationId, klass: &Klass) -> Affiliation {
        if klass.is_customer() {
            Affiliation::known(self.objects.histories.of(id).company().cloned())
        } else {
            Affiliation::default()
        }
    }

    /// What is known of the object with that hash, if it is this one.
    fn known_as(&self, object: u128, id: Option<&Arc<str>>) -> Option<KnownObject> {
        let known = self.objects.cache.peek(object);
        known
            .filter(|known| known.id.is_none() || known.id.as_ref() == id)
            .cloned()
    }

    /// The changes that an operation makes.
    pub(in crate::machine) fn changes_of(&self, id: OperationId) -> Vec<ChangeKey> {
        self.partitions.changes(id).collect()
    }

    /// Somebody else wrote in between, or the revision was counted wrongly: look at the object before anything else.
    pub(in crate::machine) fn conflict(&mut self, id: OperationId) {
        self.turn.fact(Fact::Conflict);
        self.objects.histories.conflict(id);
        self.verify_now(id);
    }

    fn verify_now(&mut self, id: OperationId) {
        self.work.look(id);
    }

    /// An object with this external id exists: read it before anything else.
    pub(in crate::machine) fn look_at(&mut self, id: OperationId) {
        if let Some(Operation::KObject(object)) = self.work.get(id).map(|state| &state.operation) {
            self.objects.note_duplicate(&object.klass);
            if object.klass.is_customer() {
                self.objects.histories.customer_exists(id);
            }
        }
        self.verify_now(id);
    }

    /// A write may or may not have arrived. It is repeated at once if a second copy would be refused: a create where duplicates
    /// are refused, an update that names a revision. Otherwise the object is looked at first, when any copy in flight has had
    /// its time.
    pub(in crate::machine) fn doubt(&mut self, now: Instant, id: OperationId, verb: Verb) {
        match self.wait_in_doubt(id, verb) {
            None => self.retry(now, id, RetryCause::ServerError, None),
            Some(wait) => self.park(id, now + wait),
        }
    }

    /// How long a write that may have arrived is left alone before the object is looked at; `None` if it may be repeated at
    /// once.
    pub(in crate::machine) fn wait_in_doubt(
        &mut self,
        id: OperationId,
        verb: Verb,
    ) -> Option<Duration> {
        self.objects.histories.doubt(id);
        let state = self.work.get(id)?;
        let history = self.objects.histories.of(id);
        let Operation::KObject(object) = &state.operation else {
            return None;
        };
        let refused = match verb {
            Verb::Create => self.objects.refuses_duplicates(&object.klass),
            Verb::Update => {
                (object.version.is_some() || object.klass.is_customer())
                    && self.objects.revisions.trust(&object.klass) == Trust::Honoured
                    && self
                        .objects
                        .revisions
                        .lock(&object.klass, history.decided, false)
                        .is_some()
            }
            Verb::Delete => true,
        };
        if refused {
            return None;
        }
        let kind = format!("{}/{verb:?}", object.klass);
        self.objects.histories.look_first(id);
        let least = self.settings.verification_wait;
        Some(self.jobs.verification_wait(&kind, least))
    }

    /// The object to update, or the customer of a new one, does not exist: forget what led there and start again, once.
    pub(in crate::machine) fn gone(&mut self, now: Instant, id: OperationId, verb: Verb) {
        let Some(state) = self.work.get(id) else {
            return;
        };
        let Operation::KObject(object) = &state.operation else {
            return;
        };
        let again = self.objects.histories.gone(id);
        let keys = object.customer.as_ref().map(|one| one.keys().to_vec());
        self.forget_company(id);
        match verb {
            Verb::Update | Verb::Delete => {
                self.objects.histories.forget_object(id);
                self.forget_object(id);
                self.forget_customer_of(id);
            }
            Verb::Create => {
                for key in keys.unwrap_or_default() {
                    self.forget_customer(&key);
                }
            }
        }
        if again {
            let detail = "the customer or object that it belongs to is gone".to_owned();
            self.finish_rejected(id, Rejection::RefusedByApi, detail);
        } else {
            self.retry(now, id, RetryCause::Conflict, None);
        }
    }
}
