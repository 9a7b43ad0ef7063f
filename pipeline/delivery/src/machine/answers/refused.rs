//! Quarantine of a klass whose items keep failing the same way: its writes wait, and one item at a time is tried.

use std::time::Instant;

use crate::machine::Machine;
use crate::objects::quarantine::{RUN, Way};
use crate::seam::hold::{Family, Scope};
use ingest_model::batch::GroupKey;
use ingest_model::batch::OperationId;
use ingest_model::operation::{Klass, Operation};
use ingest_model::outcome::{HoldCause, Rejection};
use ingest_model::trouble::{Trouble, TroubleKind};

impl Machine {
    /// An object was refused for good: it becomes a dead letter, unless its klass is in quarantine or enters it now.
    pub(in crate::machine) fn refuse_object(
        &mut self,
        now: Instant,
        id: OperationId,
        way: Way,
        detail: String,
    ) {
        let Some(state) = self.work.get(id) else {
            return;
        };
        let sent = state.last_attempt.unwrap_or(now);
        if let Operation::KObject(object) = &state.operation {
            let klass = object.klass.clone();
            if self.is_quarantined(&klass) {
                self.put_back(id);
                let scope = Scope::Family(Family::KObjectWrite(klass));
                self.note_trouble(now, &scope, refusal(&detail));
                return;
            }
            if self.objects.quarantine.refused(&klass, way, sent, &detail) {
                self.put_back(id);
                self.begin_quarantine(now, klass, (RUN, &detail));
                return;
            }
        }
        self.finish_rejected(id, Rejection::RefusedByApi, detail);
    }

    /// A request of that klass was refused as a whole. `true` if the klass is in quarantine: then no item is to blame.
    pub(in crate::machine) fn is_quarantined_for(
        &mut self,
        now: Instant,
        klass: &Klass,
        operations: &[OperationId],
        detail: &str,
    ) -> bool {
        if self.is_quarantined(klass) {
            return true;
        }
        let sent = self.sent_at(operations).unwrap_or(now);
        let trips = self
            .objects
            .quarantine
            .refused(klass, Way::Whole, sent, detail);
        if trips {
            self.begin_quarantine(now, klass.clone(), (RUN, detail));
        }
        trips
    }

    /// A bulk request of that klass was accepted.
    pub(in crate::machine) fn note_accepted(&mut self, klass: &Klass, operations: &[OperationId]) {
        if let Some(sent) = self.sent_at(operations) {
            self.objects.quarantine.accepted(klass, sent);
        }
    }

    /// An object was stored: the quarantine of its klass is over if the object was sent since it began.
    pub(in crate::machine) fn note_stored(&mut self, klass: &Klass, sent: Option<Instant>) {
        let Some(sent) = sent else {
            return;
        };
        self.objects.quarantine.stored(klass, sent);
        if self.health.holds.is_empty() {
            return;
        }
        let scope = Scope::Family(Family::KObjectWrite(klass.clone()));
        let proves = self
            .health
            .holds
            .get(&scope)
            .is_some_and(|hold| hold.cause == HoldCause::Quarantine && sent >= hold.since);
        if proves && let Some(cause) = self.health.holds.end(&scope) {
            self.hold_ended(scope, cause);
        }
    }

    pub(in crate::machine) fn is_quarantined(&self, klass: &Klass) -> bool {
        let holds = &self.health.holds;
        if holds.is_empty() {
            return false;
        }
        holds
            .get(&Scope::Family(Family::KObjectWrite(klass.clone())))
            .is_some_and(|hold| hold.cause == HoldCause::Quarantine)
    }

    /// The item of a quarantined klass that is tried next: another one each time, so that one bad item proves nothing.
    pub(in crate::machine) fn take_probe(&mut self, group: &GroupKey) -> Vec<OperationId> {
        let last = self.objects.quarantine.last_probe(&group.klass);
        let Some(next) = self.work.take_after(group, last) else {
            return Vec::new();
        };
        self.objects.quarantine.probed(&group.klass, next);
        vec![next]
    }

    fn begin_quarantine(&mut self, now: Instant, klass: Klass, (times, detail): (u32, &str)) {
        let waiting = self.work.take_forced_of(&klass);
        let scope = Scope::Family(Family::KObjectWrite(klass));
        let seen = (u64::from(times), Some(refusal(detail)));
        self.begin_hold(now, scope, HoldCause::Quarantine, seen);
        self.work.disband(&waiting);
    }

    fn sent_at(&self, operations: &[OperationId]) -> Option<Instant> {
        operations
            .iter()
            .find_map(|id| self.work.get(*id)?.last_attempt)
    }
}

/// A refusal, in the API's words.
fn refusal(detail: &str) -> Trouble {
    Trouble::new(TroubleKind::Rejected(Rejection::RefusedByApi), detail)
}
