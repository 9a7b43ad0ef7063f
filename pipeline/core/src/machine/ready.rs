//! What may go next: the heads of lanes, and what each of them still waits for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::Machine;
use super::state::{Stage, Timer};
use crate::fact::{Fact, ResolvedBy};
use crate::hold::{Family, Scope};
use crate::lane::{LaneKey, OperationId};
use crate::operation::{CustomerKey, KObject, Operation, Version};
use crate::outcome::{Rejection, SkipReason};
use crate::pack::{GroupKey, Verb};
use crate::record::{Offset, TopicPartition};
use crate::resolve::Resolver;
use crate::revision::{Revision, Trust};

enum Next {
    Track,
    Verify,
    Write(GroupKey, usize),
    /// Alone, with a revision that is known to be old.
    TestLock(GroupKey),
    Park(Duration),
    Customer,
    Skip(SkipReason),
    /// Its version and the object's are of two kinds.
    Mixed(String),
}

impl Machine {
    /// Looks at every lane whose head may have changed.
    pub(super) fn activate_lanes(&mut self, now: Instant) {
        while let Some(lane) = self.dirty.pop_front() {
            if let Some(head) = self.lanes.head(lane) {
                self.activate(now, head);
            }
        }
    }

    fn activate(&mut self, now: Instant, id: OperationId) {
        match self.operations.get(&id) {
            Some(state) if state.stage == Stage::Queued => {}
            Some(_) | None => return,
        }
        if !self.judge_inherited(now, id) {
            return;
        }
        let next = self.next_of(now, id);
        let answers_near = self.are_answers_near();
        let Some(state) = self.operations.get_mut(&id) else {
            return;
        };
        // A test that was not made is forgotten: what it named is no longer known to be old.
        state.tests_lock = matches!(next, Next::TestLock(_));
        match next {
            Next::Track => {
                state.stage = Stage::ReadyTrack;
                let customer = state.work.customer().map(|one| one.first().clone());
                if let Some(customer) = customer.filter(|_| answers_near) {
                    self.resolver.answer_due(now, &customer);
                }
                self.ready_track.add(&state.partition, id);
            }
            Next::Verify => {
                state.stage = Stage::ReadyVerify;
                self.verify.insert(id);
            }
            Next::Write(group, bytes) => {
                state.stage = Stage::ReadyWrite(group.clone());
                self.groups.add(now, group, id, bytes);
            }
            Next::TestLock(group) => {
                self.force(group, vec![id], Vec::new());
            }
            Next::Park(pause) => {
                state.stage = Stage::Parked(now + pause);
                self.timers.insert((now + pause, Timer::Unpark(id)));
            }
            Next::Customer => {
                state.stage = Stage::WaitCustomer;
                if let Some(customer) = state.work.customer().cloned() {
                    let due = self.is_answer_due(customer.first());
                    self.resolver.want(now, &customer, id, due);
                }
            }
            Next::Skip(reason) => {
                if reason == SkipReason::Unchanged {
                    self.note_made(id);
                }
                self.finish_skipped(id, reason);
            }
            Next::Mixed(detail) => self.finish_rejected(id, Rejection::MixedVersions, detail),
        }
    }

    fn next_of(&mut self, now: Instant, id: OperationId) -> Next {
        if let Some(reason) = self.judge_identity(id) {
            return Next::Skip(reason);
        }
        let Some(state) = self.operations.get_mut(&id) else {
            return Next::Track;
        };
        let Operation::KObject(object) = &state.work else {
            return Next::Track;
        };
        if state.verify_first {
            return Next::Verify;
        }
        let group = |verb| GroupKey {
            klass: object.klass.clone(),
            verb,
        };
        if let Some(known) = self.directory.object(&object.klass, &object.external_id) {
            if state.is_made(&known.changes) {
                return Next::Skip(SkipReason::Repeat);
            }
            if known.is_newer_than(object.version.as_ref()) {
                return Next::Skip(SkipReason::Stale);
            }
            if let Some(detail) = mixed(object, known.version.as_ref()) {
                return Next::Mixed(detail);
            }
            state.object_id = known.has_id().then(|| Arc::clone(&known.id));
            state.decided = known.revision;
            let keyed = self
                .settings
                .topics
                .get(&state.partition.topic)
                .is_some_and(|t| t.keyed);
            if keyed && !state.ambiguous && known.fingerprint == Some(fingerprint(object)) {
                return Next::Skip(SkipReason::Unchanged);
            }
            if !known.has_id() {
                return Next::Verify;
            }
            let writes = Scope::Family(Family::KObjectWrite(object.klass.clone()));
            let company = !self.alone || known.doubtful;
            if object.version.is_some() && !keyed && company {
                match self.revisions.trust(&object.klass) {
                    Trust::Honoured => {
                        let lock = self
                            .revisions
                            .lock(&object.klass, known.revision, state.looked);
                        if lock.is_none() && !state.looked {
                            return Next::Verify;
                        }
                    }
                    // What is read last is what stands, but for the time until the write has run.
                    Trust::Useless if !state.looked => return Next::Verify,
                    Trust::Useless => return Next::Write(group(Verb::Update), state.bytes),
                    // What a held klass is tried with, and what was refused in a test, has to mean what it says.
                    Trust::Unknown
                        if state.looked
                            && (state.refused_in_test || self.holds.get(&writes).is_some()) =>
                    {
                        return Next::Write(group(Verb::Update), state.bytes);
                    }
                    Trust::Unknown if self.revisions.is_tested(now, &object.klass) => {
                        return Next::Park(self.settings.patience.linger);
                    }
                    Trust::Unknown if !state.looked => return Next::Verify,
                    Trust::Unknown => {
                        let until = now + self.settings.verification_wait;
                        self.revisions.test(&object.klass, until);
                        return Next::TestLock(group(Verb::Update));
                    }
                }
            }
            // Without a revision an update could land on a newer state. The first look teaches where this organisation
            // begins to count, for all objects made here.
            if object.version.is_some() && self.revisions.needs_look(&object.klass, known.revision)
            {
                return Next::Verify;
            }
            return Next::Write(group(Verb::Update), state.bytes);
        }
        // It was found before and the directory has forgotten it since: it is there all the same. What is to be compared
        // with it has to be read again.
        if state.object_id.is_some() {
            state.decided = Revision::Unknown;
            return if object.version.is_some() {
                Next::Verify
            } else {
                Next::Write(group(Verb::Update), state.bytes)
            };
        }
        if let Some(customer) = &object.customer
            && state.customer_id.is_none()
        {
            state.customer_id = self.directory.any_customer(customer.keys());
            if state.customer_id.is_none() {
                return Next::Customer;
            }
        }
        Next::Write(group(Verb::Create), state.bytes)
    }

    /// Whether an answer that tells who this customer is will come without being asked for, and soon.
    fn is_answer_due(&self, customer: &CustomerKey) -> bool {
        let Some(lane) = self.lanes.find(&LaneKey::Customer(customer.clone())) else {
            return false;
        };
        if self.lanes.is_active(lane) {
            return true;
        }
        let head = self
            .lanes
            .head(lane)
            .and_then(|id| self.operations.get(&id));
        let goes =
            head.is_some_and(|state| matches!(state.stage, Stage::Queued | Stage::ReadyTrack));
        goes && self.are_answers_near()
    }

    /// An event or identity came to nothing, or has to wait: whoever waits for its answer waits no longer.
    pub(super) fn answer_not_due(&mut self, now: Instant, id: OperationId) {
        let work = self.operations.get(&id).map(|state| &state.work);
        if let Some(Operation::Track(_) | Operation::Identify(_)) = work
            && let Some(customer) = work.and_then(Operation::customer)
        {
            self.resolver.answer_not_due(now, customer.first());
        }
    }

    /// The same of one that is gone without an answer, unless that of another is due.
    pub(super) fn answer_gone(&mut self, work: &Operation) {
        let now = self.turn.now;
        if let Operation::Track(_) | Operation::Identify(_) = work
            && let Some(customer) = work.customer()
            && !self.is_answer_due(customer.first())
        {
            self.resolver.answer_not_due(now, customer.first());
        }
    }

    /// A key is known to mean a customer: whoever waited goes on, and lanes of one customer become one.
    ///
    /// `origin` is where the operation that told it comes from; without one, the first that waited is.
    pub(super) fn learn_customer(
        &mut self,
        key: &CustomerKey,
        id: &Arc<str>,
        way: ResolvedBy,
        origin: Option<(TopicPartition, Offset)>,
    ) {
        let new = self.directory.customer(key).as_ref() != Some(id);
        self.directory.learn_customer(key, Arc::clone(id));
        if new {
            self.turn.fact(Fact::Resolved { way });
            let by_id = LaneKey::Customer(CustomerKey::Id(Arc::clone(id)));
            if let Some(lane) = self.lanes.join(&LaneKey::Customer(key.clone()), &by_id) {
                self.adopt_lane(lane);
            }
        }
        let waited = Resolver::found(&mut self.resolver, key);
        if self.settings.state.is_some() {
            let origin = origin.or_else(|| waited.iter().find_map(|one| self.origin(*one)));
            self.note_customer(origin, key, id, new);
        }
        for operation in waited {
            if let Some(state) = self.operations.get_mut(&operation)
                && state.stage == Stage::WaitCustomer
            {
                state.customer_id = Some(Arc::clone(id));
                state.stage = Stage::Queued;
                self.dirty.push_back(state.lane);
            }
        }
    }

    /// After two lanes became one: every operation learns its lane, and only the first may be ready.
    pub(super) fn adopt_lane(&mut self, lane: crate::lane::LaneId) {
        let waiting: Vec<OperationId> = self.lanes.waiting(lane).collect();
        for id in waiting.into_iter().chain(self.lanes.active(lane)) {
            if let Some(state) = self.operations.get_mut(&id) {
                state.lane = lane;
                if state.stage == Stage::ReadyTrack {
                    state.stage = Stage::Queued;
                }
            }
        }
        self.dirty.push_back(lane);
    }

    pub(super) fn fire_timers(&mut self, now: Instant) {
        while let Some((at, timer)) = self.timers.first().copied() {
            if at > now {
                break;
            }
            self.timers.pop_first();
            match timer {
                Timer::Unpark(id) => {
                    if let Some(state) = self.operations.get_mut(&id)
                        && state.stage == Stage::Parked(at)
                    {
                        state.stage = Stage::Queued;
                        self.dirty.push_back(state.lane);
                    }
                }
                Timer::Letter(record) => self.letter_pause_over(at, record),
            }
        }
        self.resolver.tick(now);
    }

    /// Drops what is no longer ready from the front of the queues, and skips repeats, so that a permit is never taken for
    /// nothing.
    pub(super) fn trim_ready(&mut self, now: Instant) {
        while let Some(id) = self.ready_track.first() {
            let stage_holds = self.operations.get(&id).is_some_and(|s| {
                s.stage == Stage::ReadyTrack && self.lanes.head(s.lane) == Some(id)
            });
            let repeat = stage_holds && self.is_repeat(id);
            if stage_holds && !repeat && self.may_start(id) {
                break;
            }
            self.ready_track.drop_first();
            self.answer_not_due(now, id);
            if repeat {
                self.finish_skipped(id, SkipReason::Repeat);
                self.activate_lanes(now);
            } else if stage_holds {
                self.keep_back(id);
            }
        }
        while let Some(id) = self.verify.first() {
            if self
                .operations
                .get(id)
                .is_some_and(|state| state.stage == Stage::ReadyVerify)
            {
                break;
            }
            self.verify.pop_first();
        }
        self.trim_forced();
    }

    pub(super) fn is_repeat(&self, id: OperationId) -> bool {
        match self.operations.get(&id).map(|state| &state.work) {
            Some(Operation::Track(track)) => {
                self.delivered_events.contains(&track.event_key.as_u128())
            }
            Some(Operation::Identify(_) | Operation::KObject(_)) | None => false,
        }
    }
}

/// What is wrong where an object stands with a version of another kind than is to be written.
pub(super) fn mixed(object: &KObject, standing: Option<&Version>) -> Option<String> {
    let (ours, theirs) = (object.version.as_ref()?, standing?);
    ours.compare(theirs).is_none().then(|| {
        format!(
            "the version is {}, and the {} stands with one that is {}: between the two nobody can tell which is newer; all \
             routes of a klass need versions of one kind",
            ours.kind().as_str(),
            object.klass,
            theirs.kind().as_str()
        )
    })
}

/// The namespace of fingerprints. Fixed: they are compared with what an earlier process wrote.
const FINGERPRINTS: Uuid = Uuid::from_u128(0x6b75_7374_6f6d_6572_2d69_6e67_6573_7403);

/// A hash of what a write would say, the same in every process.
pub(super) fn fingerprint(object: &KObject) -> u64 {
    let body = serde_json::to_vec(object.body.as_ref()).unwrap_or_default();
    Uuid::new_v5(&FINGERPRINTS, &body).as_u64_pair().0
}
