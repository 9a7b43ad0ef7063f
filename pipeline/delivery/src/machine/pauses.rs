//! Planned pauses: what is paused waits where it is, and nothing is asked for it.
//!
//! What was begun is finished: answers come in, jobs are read, and writes in doubt are looked into; while the whole destination is
//! paused, only jobs are read. Everything else of the scope waits at the heads of its lanes, and a topic's partitions are not read.

use std::sync::Arc;
use std::time::Instant;

use crate::health::pauses::Pauses;
use crate::machine::Machine;
use crate::seam::fact::Fact;
use crate::seam::hold::{Family, Pause, PausedBy, Scope};
use crate::work::Entry;
use ingest_model::batch::OperationId;
use ingest_model::operation::Operation;
use ingest_model::outcome::HoldCause;
use ingest_model::trouble::Seen;

impl Machine {
    pub(super) fn on_pause(&mut self, now: Instant, pause: Pause) {
        let scope = pause.scope.clone();
        let id = self.health.holds.number();
        let began = self.health.holds.pauses.begin(now, id, pause);
        if !began {
            return;
        }
        for id in self.work.not_begun(|entry| self.is_paused(entry)) {
            self.let_go(id);
            self.answer_not_due(now, id);
            self.work.pause(id);
        }
        if matches!(scope, Scope::Destination | Scope::Family(Family::Tracking)) {
            self.customers.no_answer_due(now);
        }
        self.pauses_changed();
        self.turn.fact(Fact::HoldBegan {
            scope,
            cause: HoldCause::Paused,
            seen: Seen::default(),
        });
    }

    pub(super) fn on_resume(&mut self, scope: Scope, by: Option<&PausedBy>) {
        if self.health.holds.pauses.end(&scope, by) > 0 {
            self.pause_ended(scope);
        }
    }

    /// Ends the pauses whose time has come.
    pub(super) fn end_pauses(&mut self, now: Instant) {
        if self
            .health
            .holds
            .pauses
            .next_end()
            .is_some_and(|at| at <= now)
        {
            for scope in self.health.holds.pauses.end_due(now) {
                self.pause_ended(scope);
            }
        }
    }

    /// Something of that scope is not paused any more; somebody else may have paused it, too.
    pub(super) fn pause_ended(&mut self, scope: Scope) {
        let pauses = &self.health.holds.pauses;
        self.work.resume(|entry| is_paused(pauses, entry));
        self.pauses_changed();
        if !self.health.holds.pauses.holds(&scope) {
            let cause = HoldCause::Paused;
            self.turn.fact(Fact::HoldEnded { scope, cause });
        }
    }

    fn pauses_changed(&mut self) {
        self.health.held.changed();
        let topics = self.health.holds.pauses.topics();
        self.partitions.pause_topics(topics);
    }

    /// Whether an operation is not to be begun.
    pub(super) fn is_paused(&self, entry: &Entry) -> bool {
        is_paused(&self.health.holds.pauses, entry)
    }

    /// Whether a pause of that route keeps something back that would leave with this operation, which is of another route.
    pub(super) fn only_route_is_paused(&self, route: &Arc<str>, with: &Entry) -> bool {
        let pauses = &self.health.holds.pauses;
        let paused = || Scope::Route(with.partition.topic.clone(), Arc::clone(route));
        !pauses.is_empty() && with.route != *route && pauses.holds(&paused())
    }

    /// Lets an operation wait if it is not to be begun.
    pub(super) fn wait_for_pause(&mut self, id: OperationId) -> bool {
        let paused = self.work.get(id).is_some_and(|entry| self.is_paused(entry));
        if paused {
            self.work.pause(id);
        }
        paused
    }
}

fn is_paused(pauses: &Pauses, entry: &Entry) -> bool {
    pauses.of_work(&entry.partition.topic, &entry.route, || {
        match &entry.operation {
            Operation::KObject(object) => Family::KObjectWrite(object.klass.clone()),
            Operation::Identify(_) | Operation::Track(_) => Family::Tracking,
        }
    })
}
