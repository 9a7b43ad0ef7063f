//! Answers: what they say about the destination, then what they mean for the operations that the request carried.

mod customers;
mod deleted;
mod endpoints;
mod job;
mod look;
mod owners;
mod refused;
mod split;
mod write;

use std::sync::Arc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use crate::health::failing::Ill;
use crate::health::holds::Hold;
use crate::health::key::Refused;
use crate::health::{Endpoint, Signal, label_of, signal_of};
use crate::machine::Machine;
use crate::machine::answers::endpoints::endpoint;
use crate::machine::answers::job::in_order;
use crate::seam::fact::{Fact, OutcomeLabel, ResolvedBy};
use crate::seam::hold::{Family, Scope};
use crate::seam::port::RequestId;
use crate::sending::{Sent, SentKind};
use ingest_model::batch::OperationId;
use ingest_model::call::{CallResult, Limits, Reply};
use ingest_model::operation::Operation;
use ingest_model::outcome::{HoldCause, Outcome, Rejection, RetryCause, SplitHint};
use ingest_model::record::Traffic;
use ingest_model::trouble::Trouble;

impl Machine {
    pub(in crate::machine) fn on_replied(
        &mut self,
        now: Instant,
        request: RequestId,
        reply: Arc<Reply>,
    ) {
        let Some((sent, sent_at)) = self.sending.answered(request) else {
            return;
        };
        let (limits, trouble) = (reply.limits, reply.trouble.clone());
        // A 429 for the organisation is judged below: it was not counted.
        if !matches!(signal_of(&reply.result), Signal::OrgLimited) {
            self.sending.quota.observe(now, sent_at, &limits);
        }
        if let Some(date_ms) = limits.date_ms {
            self.sending.fleet.observe(sent.at, now, date_ms);
        }
        let took = now.saturating_duration_since(sent.at);
        self.sending.took(took);
        self.turn.fact(Fact::Answered {
            class: sent.class,
            outcome: label_of(&reply.result),
            took,
        });
        self.judge_health(now, &sent, &limits, &reply.result, trouble);
        // The one large answer is only read.
        if let SentKind::ReadJob { job, state_only } = sent.what
            && let CallResult::Job(outcome) = &reply.result
        {
            self.on_job_read(now, job, state_only, outcome);
            return;
        }
        match (sent.what, Arc::unwrap_or_clone(reply).result) {
            (SentKind::Tracking(operations), CallResult::Tracked(outcome)) => {
                self.on_tracked(now, operations, outcome, &limits);
            }
            (SentKind::ResolveIdentify(key), CallResult::Tracked(outcome)) => {
                self.on_resolve_identified(now, &key, outcome);
            }
            (SentKind::Search(keys), CallResult::Searched(outcome)) => {
                self.on_searched(now, &keys, outcome);
            }
            (SentKind::ReadCustomer { customer: key }, CallResult::Customer(outcome)) => {
                self.on_customer(now, &key, outcome);
            }
            (SentKind::ReadOwner(owner), CallResult::KObject(outcome)) => {
                self.on_owner_read(now, &owner, outcome);
            }
            (SentKind::CreateCustomers { keys, with_refs }, CallResult::Submitted(outcome)) => {
                self.on_customers_submitted(now, keys, with_refs, outcome);
            }
            (SentKind::Write(batch), CallResult::Submitted(outcome)) => {
                self.on_submitted(now, batch, outcome, &limits);
            }
            (SentKind::Write(batch), CallResult::Written(outcome)) => {
                self.on_written(now, batch, outcome, &limits);
            }
            (SentKind::Verify(operation), CallResult::KObject(outcome)) => {
                self.on_verified(now, operation, outcome, &limits);
            }
            (SentKind::Probe, CallResult::Probed(_)) => {}
            // No answer, or one to another question, which is as good as none.
            (what, _) => self.on_no_answer(now, what),
        }
    }

    /// Limits, holds and health: what an answer says beyond the request's own operations.
    fn judge_health(
        &mut self,
        now: Instant,
        sent: &Sent,
        limits: &Limits,
        result: &CallResult,
        trouble: Option<Trouble>,
    ) {
        let family = sent.family.as_ref();
        match signal_of(result) {
            Signal::Good => {
                self.health.successes.note_any(now);
                let endpoint = self.endpoint_of(&sent.what);
                self.health.failing.answered(now, endpoint.as_ref());
                self.health.key.taken(now, sent.at, endpoint.clone());
                // An accepted job has not done anything yet: its items will tell.
                let done = label_of(result) != OutcomeLabel::Pending;
                if let Some(endpoint) = endpoint.filter(|_| done) {
                    self.health.successes.note(now, endpoint);
                }
                self.health
                    .holds
                    .probe_lost(now, family, &mut self.turn.jitter);
                for (scope, cause) in self.health.holds.succeeded(family) {
                    self.hold_ended(scope, cause);
                }
            }
            Signal::Alive => {
                let endpoint = self.endpoint_of(&sent.what);
                self.health.failing.answered(now, endpoint.as_ref());
                self.health
                    .holds
                    .probe_lost(now, family, &mut self.turn.jitter);
                for (scope, cause) in self.health.holds.answered(family) {
                    self.hold_ended(scope, cause);
                }
            }
            Signal::OrgLimited => {
                self.health
                    .holds
                    .probe_lost(now, family, &mut self.turn.jitter);
                self.sending.quota.freeze(now, limits);
                let wait = self
                    .sending
                    .quota
                    .frozen_until(now)
                    .map_or(Duration::ZERO, |until| until - now);
                self.turn.fact(Fact::Frozen { wait });
            }
            Signal::Failed => {
                let most = self.settings.unhealthy_after;
                self.on_failed(now, sent, trouble, most);
            }
            // What answers so is not the API: once is enough.
            Signal::Held(HoldCause::Unhealthy) => self.on_failed(now, sent, trouble, 1),
            Signal::Held(cause) => {
                // Whatever the scope of the hold, the probe that met it is over.
                self.health
                    .holds
                    .probe_lost(now, family, &mut self.turn.jitter);
                self.on_held(now, sent, cause, trouble);
            }
        }
    }

    /// A request failed: its endpoint, or all of them, may be down.
    fn on_failed(&mut self, now: Instant, sent: &Sent, trouble: Option<Trouble>, most: u32) {
        let family = sent.family.as_ref();
        self.health
            .holds
            .probe_lost(now, family, &mut self.turn.jitter);
        let endpoint = self.endpoint_of(&sent.what);
        let scope = family.cloned().map_or(Scope::Destination, Scope::Family);
        let unhealthy = |hold: &Hold| hold.cause == HoldCause::Unhealthy;
        let held = endpoint.is_some() && self.health.holds.get(&scope).is_some_and(unhealthy);
        let (scope, times, before) = match self.health.failing.failed(now, endpoint, held, most) {
            Ill::Not => return,
            Ill::Alone { times, before } => (scope, times, before),
            Ill::All { times } => (Scope::Destination, times, 0),
        };
        let seen = (u64::from(times), trouble);
        self.begin_hold(now, scope.clone(), HoldCause::Unhealthy, seen);
        if before > 0 && !held {
            let jitter = &mut self.turn.jitter;
            self.health.holds.came_back(now, &scope, before, jitter);
        }
    }

    fn on_held(&mut self, now: Instant, sent: &Sent, cause: HoldCause, trouble: Option<Trouble>) {
        let (cause, proved) = self.role_or_key(now, sent, cause);
        // A look-up that the key may not make is not needed: there are other ways.
        if cause == HoldCause::MissingRole {
            match &sent.what {
                SentKind::Search(_) => {
                    if proved {
                        self.customers.turn_search_off();
                        self.turn.fact(Fact::SearchOff);
                    }
                    return;
                }
                SentKind::ResolveIdentify(_) => {
                    if proved {
                        self.customers.turn_identify_off();
                    }
                    return;
                }
                SentKind::Tracking(_)
                | SentKind::ReadCustomer { .. }
                | SentKind::ReadOwner(_)
                | SentKind::CreateCustomers { .. }
                | SentKind::Write(_)
                | SentKind::Verify(_)
                | SentKind::ReadJob { .. }
                | SentKind::Probe => {}
            }
        }
        let whole = matches!(
            cause,
            HoldCause::BadToken | HoldCause::Billing | HoldCause::Unhealthy
        );
        let family = sent.family.clone().filter(|_| !whole);
        let scope = family.map_or(Scope::Destination, Scope::Family);
        self.begin_hold(now, scope, cause, (1, trouble));
    }

    /// Some organisations answer 401 for a missing role; such a 401 is treated as one. The flag says whether that is proved.
    fn role_or_key(&mut self, now: Instant, sent: &Sent, cause: HoldCause) -> (HoldCause, bool) {
        if cause != HoldCause::BadToken {
            return (cause, true);
        }
        let endpoint = self.endpoint_of(&sent.what);
        let minute = self.settings.quota.minute;
        let held = sent.family.clone().map(Scope::Family);
        // A family that waits for its role is expected to answer 401. A bad key shows in the others.
        let waits_for_role = held
            .and_then(|scope| self.health.holds.get(&scope))
            .is_some_and(|hold| hold.cause == HoldCause::MissingRole);
        match self.health.key.refused(now, sent.at, endpoint, minute) {
            Refused::Key if !waits_for_role => (HoldCause::BadToken, false),
            Refused::Key | Refused::Role => (HoldCause::MissingRole, false),
            Refused::RoleProved => (HoldCause::MissingRole, true),
        }
    }

    /// Begins a hold, or continues the one there is: something went wrong that often, the last time like this.
    pub(in crate::machine) fn begin_hold(
        &mut self,
        now: Instant,
        scope: Scope,
        cause: HoldCause,
        (times, trouble): (u64, Option<Trouble>),
    ) {
        let began = self
            .health
            .holds
            .hold(now, scope.clone(), cause, &mut self.turn.jitter);
        let Some(hold) = self.health.holds.note(now, &scope, times, trouble) else {
            return;
        };
        let seen = hold.seen.clone();
        if began {
            self.health.held.changed();
            if scope == Scope::Family(Family::Tracking) {
                self.customers.no_answer_due(now);
            }
            self.turn.fact(Fact::HoldBegan { scope, cause, seen });
        } else {
            let next = hold.next_try(now, &scope);
            self.turn.fact(Fact::HoldGoesOn {
                scope,
                cause,
                seen,
                next,
            });
        }
    }

    /// Something went wrong that keeps a scope on hold, but says nothing about a probe in flight.
    pub(in crate::machine) fn note_trouble(
        &mut self,
        now: Instant,
        scope: &Scope,
        trouble: Trouble,
    ) {
        if let Some(hold) = self.health.holds.note(now, scope, 1, Some(trouble)) {
            let fact = Fact::HoldGoesOn {
                scope: scope.clone(),
                cause: hold.cause,
                seen: hold.seen.clone(),
                next: hold.next_try(now, scope),
            };
            self.turn.fact(fact);
        }
    }

    pub(in crate::machine) fn hold_ended(&mut self, scope: Scope, cause: HoldCause) {
        self.health.held.changed();
        self.turn.fact(Fact::HoldEnded { scope, cause });
    }

    fn on_tracked(
        &mut self,
        now: Instant,
        operations: SmallVec<[OperationId; 2]>,
        outcome: Outcome<Option<Arc<str>>>,
        limits: &Limits,
    ) {
        let fused = operations.len() > 1;
        match outcome {
            Outcome::Delivered(id) => {
                let mut carried = operations.iter();
                let customer = carried
                    .find_map(|op| self.work.get(*op)?.operation.customer())
                    .cloned();
                let noted = self.settings.state.is_some();
                let mut carried = operations.iter().filter(|_| noted);
                let origin = carried.find_map(|op| self.origin(*op));
                for operation in operations {
                    self.note_identity(operation, id.as_ref());
                    self.tell_customer(operation, id.as_ref());
                    self.finish_delivered(operation);
                }
                // Only the first key is sure to mean this customer: another one may be somebody else's.
                match (id, &customer) {
                    (Some(id), Some(customer)) => {
                        self.learn_customer(customer.first(), &id, ResolvedBy::Tracking, origin);
                    }
                    (None, Some(customer)) => self.customers.answer_not_due(now, customer.first()),
                    (_, None) => {}
                }
            }
            Outcome::Reject(_) | Outcome::Split(_) if fused => {
                // Which one is guilty is not known: each is sent alone.
                for operation in operations {
                    self.work.goes_alone(operation);
                    self.put_back(operation);
                }
            }
            Outcome::Reject(detail) | Outcome::Split(SplitHint { detail, .. }) => {
                for operation in &operations {
                    self.answer_not_due(now, *operation);
                }
                self.reject_all(&operations, &detail);
            }
            Outcome::Retry(cause) => {
                for operation in operations {
                    self.answer_not_due(now, operation);
                    self.retry(now, operation, cause, limits.retry_after);
                }
            }
            Outcome::Ambiguous | Outcome::Pending(_) => {
                for operation in operations {
                    self.possible_repeat(operation);
                    self.answer_not_due(now, operation);
                    self.retry(now, operation, RetryCause::ServerError, limits.retry_after);
                }
            }
            Outcome::Hold(_) => {
                for operation in operations {
                    self.put_back(operation);
                }
            }
        }
    }

    pub(in crate::machine) fn reject_all(&mut self, operations: &[OperationId], detail: &str) {
        for operation in operations {
            self.finish_rejected(*operation, Rejection::RefusedByApi, detail.to_owned());
        }
    }

    /// Something is sent again although it may have arrived: counted by kind.
    pub(in crate::machine) fn possible_repeat(&mut self, operation: OperationId) {
        if let Some(state) = self.work.get(operation) {
            let kind = state.operation.kind();
            // Repeating identities and objects changes nothing.
            if matches!(state.operation, Operation::Track(_)) {
                self.turn.fact(Fact::PossibleRepeat { kind });
            }
        }
    }

    /// Back to the front of its lane and ready at once; it does not count as a failure.
    pub(in crate::machine) fn put_back(&mut self, operation: OperationId) {
        self.work.put_back(operation);
    }

    /// Back to the front of its lane, to be sent again later. Refused if it keeps failing while others of its kind succeed.
    pub(in crate::machine) fn retry(
        &mut self,
        now: Instant,
        operation: OperationId,
        cause: RetryCause,
        hint: Option<Duration>,
    ) {
        self.turn.fact(Fact::Retried { cause });
        if matches!(cause, RetryCause::OrgQuota | RetryCause::KeyReplaced) {
            self.put_back(operation);
            return;
        }
        let Some(state) = self.work.get(operation) else {
            return;
        };
        let attempts = state.attempts;
        // A contradiction is an answer; no answer may be the endpoint's fault.
        let (success, since) = if cause == RetryCause::Conflict {
            (self.health.successes.any(), state.last_attempt)
        } else {
            let (endpoint, since) = endpoint(state, self.objects.histories.of(operation));
            (self.health.successes.of(&endpoint), since)
        };
        let others_succeeded = success
            .zip(since)
            .is_some_and(|(success, since)| success >= since);
        if cause != RetryCause::ObjectQuota && others_succeeded {
            self.work.failed_alone(operation);
        }
        let sick = self.work.sick(operation);
        if sick >= self.settings.max_failures {
            let detail = format!(
                "failed {sick} times with {} while other requests of its kind succeeded",
                cause.as_str()
            );
            self.finish_rejected(operation, Rejection::RetriesExhausted, detail);
            return;
        }
        let attempt = if cause == RetryCause::ObjectQuota {
            let history = self.objects.histories.of(operation);
            let create = history.object_id.is_none() && !self.deletes(operation);
            if let Some(customer) = history.customer_id.clone().filter(|_| create) {
                self.objects.creates.limited(now, operation, &customer);
            }
            if create && self.work.traffic(operation) == Traffic::Backfill {
                self.objects.creates.imported_counted();
            }
            4
        } else {
            attempts
        };
        let hint = hint.map(|hint| hint.div_f64(self.settings.quota.time_scale));
        let delay = self
            .settings
            .retry
            .delay(attempt, hint, &mut self.turn.jitter);
        self.park(operation, now + delay);
    }

    pub(in crate::machine) fn park(&mut self, operation: OperationId, until: Instant) {
        self.work.park(operation, until);
    }

    fn on_no_answer(&mut self, now: Instant, what: SentKind) {
        let nothing = Limits::default();
        match what {
            SentKind::Tracking(operations) => {
                self.on_tracked(now, operations, Outcome::Ambiguous, &nothing);
            }
            SentKind::ResolveIdentify(key) => self.look_up_failed(now, &key, &Endpoint::Identity),
            SentKind::ReadCustomer { customer } => {
                self.look_up_failed(now, &customer, &Endpoint::CustomerRead);
            }
            SentKind::ReadOwner(owner) => self.owner_read_failed(now, &owner),
            SentKind::Search(keys) => {
                for key in keys {
                    self.look_up_failed(now, &key, &Endpoint::CustomerSearch);
                }
            }
            SentKind::CreateCustomers { keys, .. } => {
                for key in in_order(keys) {
                    self.look_up_failed(now, &key, &Endpoint::CustomerCreate);
                }
            }
            SentKind::Write(batch) if batch.operations.len() == 1 => {
                self.on_written(now, batch, Outcome::Ambiguous, &nothing);
            }
            SentKind::Write(batch) => {
                self.on_submitted(now, batch, Outcome::Ambiguous, &nothing);
            }
            SentKind::Verify(operation) => {
                self.on_verified(
                    now,
                    operation,
                    Outcome::Retry(RetryCause::Garbled),
                    &nothing,
                );
            }
            SentKind::ReadJob { job, .. } => self.jobs.read_again(now, job, false),
            SentKind::Probe => {}
        }
    }
}
