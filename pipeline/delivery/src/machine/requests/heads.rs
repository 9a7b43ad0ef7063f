//! What may go next: the heads of lanes, and what each of them still waits for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::machine::Machine;
use crate::objects::decide::{Decision, Known, decide};
use crate::partitions::Room;
use crate::seam::fact::{Fact, ResolvedBy};
use crate::seam::hold::Family;
use crate::work::{Front, LaneKey};
use ingest_model::batch::{GroupKey, OperationId};
use ingest_model::known::KnownObject;
use ingest_model::operation::{CustomerKey, Operation};
use ingest_model::outcome::{Rejection, SkipReason};
use ingest_model::record::{Offset, TopicPartition, Traffic};

/// How long a write waits before it asks again whether others have learnt what it needs to know.
const AWAIT_ANSWERS: Duration = Duration::from_millis(200);
/// An identity waits for an event of its customer for at most so many times the longest wait of an object for its bulk request:
/// whoever begins a visit looks around first.
const PATIENCE: u32 = 3;

impl Machine {
    /// Checks every lane whose head may have changed.
    pub(in crate::machine) fn activate_lanes(&mut self, now: Instant) {
        while let Some(head) = self.work.next_head() {
            self.activate(now, head);
        }
    }

    fn activate(&mut self, now: Instant, id: OperationId) {
        if !self.judge_inherited(now, id) || self.end_suppressed(id) || self.wait_for_pause(id) {
            return;
        }
        if !self.is_customer_named(now, id) {
            return;
        }
        if let Some(reason) = self.judge_identity(id) {
            self.finish_skipped(id, reason);
            return;
        }
        match self.work.get(id).map(|entry| &entry.operation) {
            Some(Operation::KObject(_)) => self.activate_object(now, id),
            Some(Operation::Track(_) | Operation::Identify(_)) => self.activate_track(now, id),
            None => {}
        }
    }

    fn activate_track(&mut self, now: Instant, id: OperationId) {
        let answers_near = self.are_answers_near();
        let entry = self.work.get(id);
        let customer = entry.and_then(|entry| Some(entry.operation.customer()?.first().clone()));
        if let Some(customer) = customer.filter(|_| answers_near) {
            self.customers.answer_due(now, &customer);
        }
        let turn = self.sending.quota.turn();
        let patience = self.patience_of(now, id);
        self.work.ready_track(now, turn, id, patience);
    }

    /// Until when an identity may wait for an event of its customer, with which it would cost nothing, while a request has a price
    /// and no backfill takes what it saves. Nobody waits for its answer, no event for commits that it keeps back, its
    /// partition is read, and somebody could read it again.
    fn patience_of(&self, now: Instant, id: OperationId) -> Option<Instant> {
        let entry = self.work.get(id)?;
        let Operation::Identify(identify) = &entry.operation else {
            return None;
        };
        let wanted = self.customers.is_wanted(identify.customer.first());
        let room = self.partitions.room(&entry.partition) == Room::Free
            && !self.partitions.rests(&entry.partition);
        let last = self.partitions.is_last_chance(id);
        let alone = self.work.second(id).is_none() && entry.attempts == 0 && !last;
        let until = now + self.settings.patience.max_delay * PATIENCE;
        let old = self.work.has_backfill() || self.jobs.has_backfill();
        let scarce = !old && !self.price(now).is_nothing();
        (alone && room && !wanted && scarce && until > now).then_some(until)
    }

    fn activate_object(&mut self, now: Instant, id: OperationId) {
        if !self.prepare_digest(now, id) || !self.prepare_customer(now, id) {
            return;
        }
        let Some((decision, group)) = self.decide(now, id) else {
            return;
        };
        let tests = decision == Decision::TestLock;
        self.objects.histories.plan_test(id, tests);
        match (decision, group) {
            (Decision::Create, _) if !self.is_customer_known(id) => {
                self.work.wait_for_customer(id);
                let operation = self.work.get(id).map(|entry| &entry.operation);
                if let Some(customer) = operation.and_then(Operation::customer).cloned() {
                    let due = self.is_answer_due(customer.first());
                    self.work
                        .hurry_front(&LaneKey::Customer(customer.first().clone()));
                    let traffic = self.work.traffic(id);
                    self.customers.want(now, &customer, (id, traffic), due);
                }
            }
            (Decision::TestLock, Some(group)) => {
                let until = now + self.settings.verification_wait;
                self.objects.revisions.test(&group.klass, until);
                self.force(group, vec![id], Vec::new());
            }
            (Decision::Create, Some(group)) => match self.place_create(now, id) {
                Ok(()) => self.work.ready_write(&self.turn, id, group),
                Err(until) => self.work.park(id, until),
            },
            (Decision::Update, Some(group))
                if group.klass.is_customer() && self.objects.histories.of(id).is_contested() =>
            {
                // Its events change it, too: alone, and right after the look, hardly anything comes in between.
                self.force(group, vec![id], Vec::new());
            }
            (Decision::Update | Decision::Delete, Some(group)) => {
                self.work.ready_write(&self.turn, id, group);
            }
            (Decision::AwaitAnswers, _) => self.work.await_answers(id, now + AWAIT_ANSWERS),
            (Decision::Skip(SkipReason::NotThere), _) => self.not_there(id),
            (Decision::Skip(reason), _) => {
                if reason == SkipReason::Unchanged {
                    self.note_made(id);
                }
                self.finish_skipped(id, reason);
            }
            (Decision::Mixed(detail), _) => {
                self.finish_rejected(id, Rejection::MixedVersions, detail);
            }
            (
                Decision::Look
                | Decision::Create
                | Decision::Update
                | Decision::Delete
                | Decision::TestLock,
                _,
            ) => {
                let until = now + self.settings.patience.max_delay;
                self.objects.revisions.look(now, until);
                let operation = self.work.get(id).map(|entry| &entry.operation);
                if let Some(Operation::KObject(object)) = operation {
                    self.objects.revisions.probe(&object.klass, until);
                }
                self.work.look(id);
            }
        }
    }

    /// Decides what an object's write does next, and notes the id and revision on which that is based. With the group in which
    /// it is written, if it is.
    fn decide(&mut self, now: Instant, id: OperationId) -> Option<(Decision, Option<GroupKey>)> {
        let entry = self.work.get(id)?;
        let Operation::KObject(object) = &entry.operation else {
            return None;
        };
        let alone = self.objects.is_alone();
        let exists = self.is_customer_there(object);
        let history = self.objects.histories.of(id);
        if history.is_to_look() {
            return Some((Decision::Look, None));
        }
        let standing = self.objects.cache.get(history.object_hash());
        let topic = self.settings.topics.get(&entry.partition.topic);
        let made = |standing: &KnownObject| self.partitions.is_made(id, &standing.changes);
        let known = Known {
            standing,
            made: standing.is_some_and(made),
            // Only the owner of its partition writes a digest.
            keyed: object.fold.is_some() || topic.is_some_and(|topic| topic.keyed),
            alone,
            held: self
                .health
                .holds
                .holds_family(|| Family::KObjectWrite(object.klass.clone())),
            exists,
        };
        let decision = decide(now, object, history, known, &self.objects.revisions);
        let group = decision.group(object);
        match standing {
            Some(known) => {
                let (found, revision) = (known.id.clone(), known.revision);
                let keeps = object
                    .klass
                    .is_customer()
                    .then(|| known.company.id().cloned());
                self.objects.histories.decided(id, found, revision);
                if let Some(keeps) = keeps {
                    self.objects.histories.keeps(id, keeps);
                }
            }
            None => self.objects.histories.forget_revision(id),
        }
        Some((decision, group))
    }

    /// A create is ready, as far as its customer may have more objects now. `Err`: when it may.
    fn place_create(&mut self, now: Instant, id: OperationId) -> Result<(), Instant> {
        let Some(customer) = self.objects.histories.of(id).customer_id.clone() else {
            return Ok(());
        };
        let imported = self.work.traffic(id) == Traffic::Backfill;
        // It will say when, if the server's time is known.
        let says = imported && self.sending.fleet.server_time(now).is_some();
        if says && !self.objects.creates.counts_imported() {
            return Ok(());
        }
        self.objects.creates.place(now, id, &customer)
    }

    /// Whether the customer of a new object is known, so that it can be created now.
    fn is_customer_known(&mut self, id: OperationId) -> bool {
        let operation = self.work.get(id).map(|entry| &entry.operation);
        let Some(customer) = operation.and_then(Operation::customer) else {
            return true;
        };
        if self.objects.histories.of(id).customer_id.is_some() {
            return true;
        }
        let Some(found) = self.customers.ids.any(customer.keys()) else {
            return false;
        };
        self.objects.histories.found_customer(id, found);
        true
    }

    /// Whether an answer that identifies this customer is due soon anyway.
    fn is_answer_due(&self, customer: &CustomerKey) -> bool {
        if let CustomerKey::Owner(_) = customer {
            return false; // an answer names the customer, not the object
        }
        match self.work.front(&LaneKey::Customer(customer.clone())) {
            Front::UnderWay => true,
            Front::Ready => self.are_answers_near(),
            Front::Nothing => false,
        }
    }

    /// An event or identity failed or has to wait: nobody may wait for its answer any longer.
    pub(in crate::machine) fn answer_not_due(&mut self, now: Instant, id: OperationId) {
        let work = self.work.get(id).map(|state| &state.operation);
        if let Some(Operation::Track(_) | Operation::Identify(_)) = work
            && let Some(customer) = work.and_then(Operation::customer)
        {
            self.customers.answer_not_due(now, customer.first());
        }
    }

    /// The same for one that ended without an answer, unless another answer is due.
    pub(in crate::machine) fn answer_gone(&mut self, work: &Operation) {
        let now = self.turn.now;
        if let Operation::Track(_) | Operation::Identify(_) = work
            && let Some(customer) = work.customer()
            && !self.is_answer_due(customer.first())
        {
            self.customers.answer_not_due(now, customer.first());
        }
    }

    /// A key is known to mean a customer: waiting operations go on, and lanes of one customer are merged.
    ///
    /// `origin` is the record that taught it; if there is none, that of the first waiting operation is used.
    pub(in crate::machine) fn learn_customer(
        &mut self,
        key: &CustomerKey,
        id: &Arc<str>,
        way: ResolvedBy,
        origin: Option<(TopicPartition, Offset)>,
    ) {
        let new = self.customers.ids.learn(key, id);
        self.customers.suppressed.learn(key, id);
        if new {
            self.turn.fact(Fact::Resolved { way });
            let by_id = LaneKey::Customer(CustomerKey::Id(Arc::clone(id)));
            self.work.join(&LaneKey::Customer(key.clone()), &by_id);
        }
        let waited = self.customers.found(key);
        if self.settings.state.is_some() {
            let origin = origin.or_else(|| waited.iter().find_map(|one| self.origin(*one)));
            self.note_customer(origin, key, id, new);
        }
        for operation in waited {
            if self.work.customer_found(operation) {
                self.objects
                    .histories
                    .found_customer(operation, Arc::clone(id));
            }
        }
    }

    pub(in crate::machine) fn fire_timers(&mut self, now: Instant) {
        self.work.unpark(&self.turn);
        self.end_gathering();
        let kept = self.partitions.send_due_letters(&mut self.turn);
        self.note_kept(kept);
        self.customers.tick(now);
    }

    /// Drops what is no longer ready from the front of the queues, and skips repeats, so that no permit is taken in vain.
    pub(in crate::machine) fn trim_ready(&mut self, now: Instant) {
        self.work.tick_tracks(now);
        for traffic in Traffic::ALL {
            self.trim_tracks(now, *traffic);
        }
        self.work.trim_looks();
        self.work.trim_forced();
    }

    fn trim_tracks(&mut self, now: Instant, traffic: Traffic) {
        while let Some((id, holds)) = self.work.first_track(traffic) {
            let repeat = holds && self.is_repeat(id);
            if holds && !repeat && self.may_start(id) {
                break;
            }
            self.work.drop_track(traffic);
            self.answer_not_due(now, id);
            if repeat {
                self.finish_skipped(id, SkipReason::Repeat);
                self.activate_lanes(now);
            } else if holds {
                self.keep_back(id);
            }
        }
    }

    pub(in crate::machine) fn is_repeat(&self, id: OperationId) -> bool {
        match self.work.get(id).map(|state| &state.operation) {
            Some(Operation::Track(track)) => {
                self.memory.events.contains(&track.event_key.as_u128())
            }
            Some(Operation::Identify(_) | Operation::KObject(_)) | None => false,
        }
    }
}
