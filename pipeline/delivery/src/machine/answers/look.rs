//! Looks at objects: compares their present state with what is to be written.

use std::sync::Arc;
use std::time::Instant;

use crate::machine::Machine;
use crate::objects::decide::{fingerprint, mixed};
use crate::objects::history::{Link, Looked};
use crate::objects::standing::shows;
use crate::seam::fact::{Fact, ResolvedBy};
use ingest_model::batch::OperationId;
use ingest_model::call::{Limits, ObjectState};
use ingest_model::digest::Session;
use ingest_model::known::{Affiliation, KnownObject};
use ingest_model::operation::{KObject, KlassKind, Operation};
use ingest_model::outcome::{Outcome, Rejection, RetryCause, SkipReason};
use serde_json::{Map, Value};

impl Machine {
    pub(in crate::machine) fn on_verified(
        &mut self,
        now: Instant,
        id: OperationId,
        outcome: Outcome<Option<ObjectState>>,
        limits: &Limits,
    ) {
        let Some(outcome) = self.on_company_read(now, id, outcome, limits) else {
            return;
        };
        self.objects.revisions.looked();
        match outcome {
            Outcome::Delivered(Some(found)) => self.compare(now, id, found),
            Outcome::Delivered(None) if self.deletes(id) => {
                self.objects.histories.found_nothing(id);
                self.not_there(id);
            }
            Outcome::Delivered(None) => {
                let doubted = self.objects.histories.found_nothing(id);
                self.forget_standing(id);
                self.forget_customer_of(id);
                if doubted {
                    // It did not arrive, so it may be sent again.
                    self.put_back(id);
                } else if !self.look_by_contact(id) {
                    // "Exists" and "not found" contradict each other: one of them is outdated.
                    self.retry(now, id, RetryCause::Conflict, limits.retry_after);
                }
            }
            Outcome::Retry(RetryCause::OrgQuota) | Outcome::Hold(_) => {
                self.objects.histories.look_first(id);
                self.put_back(id);
            }
            Outcome::Retry(cause) => {
                self.objects.histories.look_first(id);
                self.retry(now, id, cause, limits.retry_after);
            }
            Outcome::Ambiguous | Outcome::Pending(_) => {
                self.objects.histories.look_first(id);
                self.retry(now, id, RetryCause::Garbled, limits.retry_after);
            }
            Outcome::Reject(detail) => self.finish_rejected(id, Rejection::RefusedByApi, detail),
            Outcome::Split(hint) => {
                self.finish_rejected(id, Rejection::RefusedByApi, hint.detail);
            }
        }
    }

    /// Compares the object's present state with what is to be written.
    fn compare(&mut self, now: Instant, id: OperationId, found: ObjectState) {
        let Some(state) = self.work.get(id) else {
            return;
        };
        let Operation::KObject(object) = &state.operation else {
            return;
        };
        let object = object.clone();
        if !self.is_same_customer(id, &object, &found) {
            let detail = "the customer's e-mail address or phone number belongs to a customer with another external id: merge the \
                          two in Kustomer, or leave the contact out"
                .to_owned();
            self.finish_rejected(id, Rejection::RefusedByApi, detail);
            return;
        }
        let hash = self.objects.histories.of(id).object_hash();
        let before = self.objects.cache.get(hash).cloned();
        let looked = self.objects.histories.looked(id);
        self.objects.note_found(before.as_ref(), &found.id);
        self.learn_counting(&object, before.as_ref(), &found, looked.conflicted);
        if let Some(customer) = &found.customer {
            self.note_shown_owner(id, customer);
        }
        self.note_customer_id(id, &found.id, ResolvedBy::Read);
        let history = self.objects.histories.of(id);
        let given =
            matches!(history.link(), Link::Found(given) if found.company.as_ref() != Some(given));
        let mut learnt = KnownObject::read(&found);
        let standing = found.version;
        if object.klass.is_customer() {
            learnt.company = Affiliation::known(found.company);
        }
        if object.fold.is_some() {
            self.compare_digest(now, id, (learnt, found.shown), looked);
            return;
        }
        if let Some(before) = before
            && (before.id.is_none() || before.id == learnt.id)
            && before.ties_with(learnt.version.as_ref())
        {
            learnt.changes = before.changes;
        }
        // One version does not mean one state: the state shown may be another of its version, without this write.
        let arrived = looked.doubted
            && !object.deletes
            && !given
            && learnt.ties_with(object.version.as_ref())
            && shows(&object.body.parse(), &found.shown);
        if arrived {
            let linked = !matches!(self.objects.histories.of(id).link(), Link::Missing(_));
            learnt.fingerprint = linked.then(|| fingerprint(&object));
            learnt.changes.extend(self.changes_of(id));
        }
        let newer = learnt.is_newer_than(object.version.as_ref());
        self.learn_object(id, learnt);
        if newer {
            self.finish_skipped(id, SkipReason::Stale);
        } else if arrived {
            self.finish_delivered(id);
        } else if let Some(detail) = mixed(&object, standing.as_ref()) {
            self.finish_rejected(id, Rejection::MixedVersions, detail);
        } else {
            self.write_after_look(now, id, looked.unanswered);
        }
    }

    /// The object of a session shows which events it has; the others are added to it.
    fn compare_digest(
        &mut self,
        now: Instant,
        id: OperationId,
        (mut learnt, shown): (KnownObject, Map<String, Value>),
        looked: Looked,
    ) {
        let session = Session::read(&shown, learnt.version.as_ref());
        let session = session.unwrap_or_else(|| Session::since(learnt.version.as_ref()));
        learnt.version = Some(session.version());
        self.learn_object(id, learnt);
        let others = self.work.base_on(id, Some(&session));
        self.session_known(id, Arc::new(session));
        if others {
            self.write_after_look(now, id, looked.unanswered);
        } else if looked.doubted {
            self.finish_delivered(id);
        } else {
            self.finish_skipped(id, SkipReason::Repeat);
        }
    }

    /// The object does not show what is to be written. A few rounds are ordinary; more mean that the answers to writes and
    /// looks contradict each other.
    fn write_after_look(&mut self, now: Instant, id: OperationId, unanswered: bool) {
        if self.objects.histories.another_round(id) {
            self.put_back(id);
        } else if unanswered {
            self.retry(now, id, RetryCause::ServerError, None);
        } else {
            let entry = self.work.get(id).map(|entry| &entry.operation);
            if matches!(entry, Some(Operation::KObject(object)) if object.klass.is_customer()) {
                // Events change customers, too: what was read before the pause may be old after it.
                self.objects.histories.look_again(id);
            }
            self.retry(now, id, RetryCause::Conflict, None);
        }
    }

    /// What a look teaches about revisions. The number of writes is known only if nobody else has written; a conflict then
    /// speaks against the lock. Where duplicates are allowed, another object with the same external id may be found, of which
    /// nothing is known.
    fn learn_counting(
        &mut self,
        object: &KObject,
        before: Option<&KnownObject>,
        found: &ObjectState,
        conflicted: bool,
    ) {
        if object.klass.kind() == KlassKind::Companies {
            // They have no lock, and whether their answers have revisions says nothing of others.
            return;
        }
        let Some(rev) = found.rev else {
            self.objects.revisions.note_unshown();
            return;
        };
        let Some(before) = before.filter(|before| {
            let told = before.version.is_some() || object.klass.is_customer();
            let same = told && before.ties_with(found.version.as_ref());
            before.id.as_ref() == Some(&found.id) && same
        }) else {
            return;
        };
        self.objects.revisions.learn(before.revision, rev);
        // Events and identities change customers, too, and leave the version as it is.
        let counted = conflicted && !object.klass.is_customer();
        if counted && self.objects.revisions.count(&object.klass, true) {
            self.turn.fact(Fact::LockOff);
        }
    }
}
