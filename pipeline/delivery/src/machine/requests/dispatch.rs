//! Sending: what each class sends once it has a permit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::bodies::{key_fields, new_customer, older, single_call};
use smallvec::{SmallVec, smallvec};

use crate::common::price::Price;
use crate::customers::Question;
use crate::health::holds::Passage;
use crate::jobs::JobItems;
use crate::machine::Machine;
use crate::machine::requests::ReadWork;
use crate::partitions::Room;
use crate::seam::fact::{Fact, Saved};
use crate::seam::hold::Family;
use crate::seam::invariant::Invariant;
use crate::seam::port::Effect;
use crate::sending::{Sent, SentKind};
use ingest_model::batch::{Batch, GroupKey, JobId, OperationId, Verb};
use ingest_model::body::Body;
use ingest_model::call::{BulkItem, Call, Class};
use ingest_model::operation::{CustomerKey, CustomerRef, KlassKind, Operation};
use ingest_model::record::{TopicPartition, Traffic};

impl Machine {
    pub(in crate::machine) fn dispatch(
        &mut self,
        now: Instant,
        traffic: Traffic,
        class: Class,
        price: Price,
    ) {
        match class {
            Class::Track => self.dispatch_track(now, traffic),
            Class::Write => self.dispatch_write(now, traffic, price),
            Class::Read => self.dispatch_read(now, traffic),
            Class::Resolve => self.dispatch_resolve(now, traffic, price),
            Class::Probe => self.send(now, Call::Probe, SentKind::Probe, None),
        }
    }

    pub(in crate::machine) fn send(
        &mut self,
        now: Instant,
        call: Call,
        what: SentKind,
        family: Option<Family>,
    ) {
        if self.health.holds.passage(now, family.as_ref()) == Passage::Probe {
            self.health.holds.probe_sent(family.as_ref());
        }
        // An identity that is sent to learn an id counts as finding a customer, and so does a read of an object.
        let resolves = matches!(what, SentKind::ResolveIdentify(_) | SentKind::ReadOwner(_));
        let class = if resolves {
            Class::Resolve
        } else {
            call.class()
        };
        let (operations, bulk) = match &what {
            SentKind::Tracking(operations) => (operations.len(), false),
            SentKind::Write(batch) => (batch.operations.len(), batch.operations.len() > 1),
            SentKind::CreateCustomers { keys, .. } => (keys.len(), true),
            SentKind::Search(keys) => (keys.len(), false),
            SentKind::Verify(_)
            | SentKind::ResolveIdentify(_)
            | SentKind::ReadCustomer { .. }
            | SentKind::ReadOwner(_)
            | SentKind::ReadJob { .. }
            | SentKind::Probe => (1, false),
        };
        let is_event = |id: &OperationId| {
            let entry = self.work.get(*id);
            entry.is_some_and(|entry| matches!(entry.operation, Operation::Track(_)))
        };
        let makes_customers = |id: JobId| {
            let job = self.jobs.get(id);
            job.is_some_and(|job| matches!(job.items, JobItems::Customers { .. }))
        };
        self.progress.spent(&what, is_event, makes_customers);
        self.tell_cost(&what);
        let sent = Sent {
            what,
            class,
            family,
            at: now,
        };
        let request = self.sending.send(&mut self.turn, sent);
        self.turn.fact(Fact::Sent {
            class,
            operations,
            bulk,
        });
        let call = Arc::new(call);
        self.turn.effect(Effect::Send { request, call });
    }

    /// Marks operations of one lane as active. Audits I2 and I7.
    fn start(&mut self, operations: &[OperationId]) {
        let first = operations.first().and_then(|id| self.work.get(*id));
        if let Some(first) = first {
            let owned = self.partitions.is_owned(&first.partition);
            self.turn.check(Invariant::I7, owned);
        }
        self.work.start(&mut self.turn, operations);
    }

    fn dispatch_track(&mut self, now: Instant, traffic: Traffic) {
        let Some(id) = self.work.take_track(traffic) else {
            return;
        };
        let fused = self.fused_with(id);
        let operations: SmallVec<[OperationId; 2]> = match fused {
            Some(second) => smallvec![id, second],
            None => smallvec![id],
        };
        self.start(&operations);
        if fused.is_some() {
            let way = Saved::Fused;
            self.turn.fact(Fact::Saved { way });
        }
        let (mut identify, mut track) = (None, None);
        for id in &operations {
            match self.work.get(*id).map(|state| &state.operation) {
                Some(Operation::Identify(one)) => {
                    self.customers.saying(&one.customer);
                    identify = Some(one);
                }
                Some(Operation::Track(one)) => track = Some(one),
                Some(Operation::KObject(_)) | None => {}
            }
        }
        let customer = track.map(|track| &track.customer);
        let identity = match (identify, customer) {
            (Some(identify), customer) => identify.identity_with(customer),
            (None, Some(customer)) => customer.identity(),
            (None, None) => Body::default(),
        };
        let call = match track {
            Some(track) => Call::Track {
                identity,
                event: track.event.clone(),
            },
            None => Call::Identify { identity },
        };
        self.send(
            now,
            call,
            SentKind::Tracking(operations),
            Some(Family::Tracking),
        );
    }

    /// An identity is fused with the customer's next event at no cost, even if one of the two has keys that the other lacks.
    fn fused_with(&self, id: OperationId) -> Option<OperationId> {
        let first = self.work.get(id)?;
        let second_id = self.work.second(id)?;
        let second = self.work.get(second_id)?;
        let together = self.mean_one(first.operation.customer()?, second.operation.customer()?);
        let fits = matches!(first.operation, Operation::Identify(_))
            && matches!(second.operation, Operation::Track(_))
            && together
            && self.work.may_fuse(id, second_id)
            && !self.is_repeat(second_id)
            && !self.is_paused(second)
            && !self.is_suppressed(&second.operation)
            && self.may_ride(second_id, &second.partition);
        fits.then_some(second_id)
    }

    /// Whether both name one customer, so that one request has the same effect as two: their most trusted key is the same, or
    /// the event's keys are among the identity's and both are known to mean the same customer.
    fn mean_one(&self, identify: &CustomerRef, event: &CustomerRef) -> bool {
        let known = |customer: &CustomerRef| self.customers.ids.peek(customer.first());
        let within = || event.keys().iter().all(|key| identify.keys().contains(key));
        identify.joined(event).is_some()
            || (within() && known(event).is_some() && known(event) == known(identify))
    }

    /// While commits have no room, an event may be fused only if it is of the lowest unsettled record.
    fn may_ride(&self, id: OperationId, partition: &TopicPartition) -> bool {
        match self.partitions.room(partition) {
            Room::Free => true,
            Room::OnlyFor(lowest) => {
                lowest.is_some_and(|lowest| self.belongs_to(id, partition, lowest))
            }
        }
    }

    fn dispatch_write(&mut self, now: Instant, traffic: Traffic, price: Price) {
        if traffic == Traffic::Live
            && let Some(place) = self.due_forced(now)
            && let Some(batch) = self.work.take_forced(place)
        {
            self.send_batch(now, batch);
            return;
        }
        let Some(group) = self.due_group(now, price, traffic) else {
            return;
        };
        let mut operations = if group.verb != Verb::Delete && self.is_quarantined(&group.klass) {
            self.take_probe(&group)
        } else {
            self.work.take_group(&group, traffic)
        };
        let fallen: Vec<OperationId> = operations
            .extract_if(.., |id| !self.still_fits(*id, group.verb))
            .collect();
        self.work.disband(&fallen);
        if operations.is_empty() {
            return;
        }
        let batch = Batch {
            group,
            operations,
            with_refs: false,
            forced: false,
            rest: Vec::new(),
        };
        self.send_batch(now, batch);
    }

    /// Whether what was decided for an object still agrees with what is known: a restored slice or an earlier owner's job may
    /// have changed that meanwhile.
    fn still_fits(&mut self, id: OperationId, verb: Verb) -> bool {
        let Some(state) = self.work.get(id) else {
            return false;
        };
        let Operation::KObject(object) = &state.operation else {
            return true;
        };
        if self.objects.is_outdated(id) {
            return false;
        }
        let history = self.objects.histories.of(id);
        let Some(known) = self.objects.cache.by_hash(history.object_hash()) else {
            // A deletion without an id would name the klass.
            return verb != Verb::Delete || history.object_id.is_some();
        };
        let version = object.version.as_ref();
        let stale = known.is_newer_than(version) || known.is_of_another_kind(version);
        let open = !stale && !self.partitions.is_made(id, &known.changes);
        match verb {
            Verb::Create => known.gone && open,
            Verb::Update | Verb::Delete => {
                open && known.id.is_some() && history.object_id == known.id
            }
        }
    }

    /// Sends a batch. A single object is written alone: one unit, confirmed at once.
    fn send_batch(&mut self, now: Instant, batch: Batch) {
        for id in &batch.operations {
            self.start(std::slice::from_ref(id));
        }
        self.word_digests(&batch.operations);
        // A deletion names the object by its id, so a copy of it never meets another one: nobody has to know that it was begun.
        if self.settings.state.is_some() && batch.group.verb != Verb::Delete {
            self.journal_write(now, batch);
        } else {
            self.leave(now, batch);
        }
    }

    /// Sends a write whose permit is taken, and whose intent, if it needs one, is journalled.
    pub(in crate::machine) fn leave(&mut self, now: Instant, mut batch: Batch) {
        let GroupKey { klass, verb } = batch.group.clone();
        let family = Some(Family::of_write(klass.clone(), verb));
        let imported_at = self.imported_at(&batch);
        let mut items = Vec::with_capacity(batch.operations.len());
        for id in &batch.operations {
            items.extend(self.bulk_item(*id, verb, imported_at.as_ref()));
        }
        let bulk = batch.operations.len() > 1;
        for id in &batch.operations {
            self.objects.histories.left(*id, now, bulk);
        }
        let call = if batch.operations.len() == 1
            && let Some(item) = items.pop()
        {
            single_call(&batch.group, &item)
        } else {
            batch.with_refs = self.objects.are_named();
            let with_refs = batch.with_refs;
            match verb {
                Verb::Create => Call::CreateKObjects {
                    klass,
                    items,
                    with_refs,
                },
                // Deletions are sent one by one.
                Verb::Update | Verb::Delete => Call::UpdateKObjects {
                    klass,
                    items,
                    with_refs,
                },
            }
        };
        self.send(now, call, SentKind::Write(batch), family);
    }

    /// What creates of backfill say, so that they do not count by customer. Only creates of objects are counted so.
    fn imported_at(&self, batch: &Batch) -> Option<Arc<str>> {
        let GroupKey { klass, verb } = &batch.group;
        let counted = *verb == Verb::Create && klass.kind() == KlassKind::Objects;
        let old = |id: &OperationId| self.work.traffic(*id) == Traffic::Backfill;
        if !counted || !batch.operations.iter().any(old) {
            return None;
        }
        self.sending.fleet.server_time(self.turn.now).map(Arc::from)
    }

    fn bulk_item(
        &mut self,
        id: OperationId,
        verb: Verb,
        imported_at: Option<&Arc<str>>,
    ) -> Option<BulkItem> {
        let state = self.work.get(id)?;
        let Operation::KObject(object) = &state.operation else {
            return None;
        };
        // Only a state with a version can be compared after a conflict; a customer's company has to be the one it has.
        let history = self.objects.histories.of(id);
        let guarded = object.version.is_some() || object.klass.is_customer();
        let comparable = verb == Verb::Update && guarded;
        let lock = comparable
            .then(|| {
                self.objects
                    .revisions
                    .lock(&object.klass, history.decided, history.has_looked())
            })
            .flatten();
        let rev = if history.is_lock_test() {
            lock.map(older)
        } else {
            lock
        };
        let old = self.work.traffic(id) == Traffic::Backfill;
        Some(BulkItem {
            reference: id.reference(),
            body: match verb {
                Verb::Create => object.body_on_create(),
                Verb::Update | Verb::Delete => object.body.clone(),
            },
            imported_at: imported_at.filter(|_| old).cloned(),
            company: history.company().cloned(),
            customer: match verb {
                Verb::Create => history.customer_id.clone(),
                Verb::Update | Verb::Delete => None,
            },
            // The directory may have changed since; what was decided is sent.
            id: match verb {
                Verb::Create => None,
                Verb::Update | Verb::Delete => history.object_id.clone(),
            },
            rev,
        })
    }

    fn dispatch_read(&mut self, now: Instant, traffic: Traffic) {
        match self.due_read(now, traffic) {
            Some(ReadWork::Job(id)) => {
                self.jobs.reading(now, id);
                let Some(job) = self.jobs.get(id) else { return };
                let state_only = !job.with_refs && !job.state_complete;
                let remote = job.remote_id();
                let call = if state_only {
                    Call::ReadJobState { job: remote }
                } else {
                    Call::ReadJob { job: remote }
                };
                self.send(
                    now,
                    call,
                    SentKind::ReadJob {
                        job: id,
                        state_only,
                    },
                    Some(Family::BulkRead),
                );
            }
            Some(ReadWork::Verify(id)) => {
                let Some(state) = self.work.get(id) else {
                    return;
                };
                let Operation::KObject(object) = &state.operation else {
                    return;
                };
                let call = self.look_call(id, object);
                let klass = self.looked_at(id, state);
                let owned = self.partitions.is_owned(&state.partition);
                self.turn.check(Invariant::I7, owned);
                self.work.start_look(&mut self.turn, id);
                let family = klass.map(Family::KObjectRead);
                self.send(now, call, SentKind::Verify(id), family);
            }
            None => {}
        }
    }

    fn dispatch_resolve(&mut self, now: Instant, traffic: Traffic, price: Price) {
        if self.read_owner(now, traffic) {
            return;
        }
        let allowed = self.allowed(now, traffic);
        match self.customers.ask(now, price, allowed) {
            Some(Question::Search(customers)) => {
                let keys: Vec<CustomerKey> = customers
                    .iter()
                    .filter_map(|key| self.customers.keys(key))
                    .flatten()
                    .cloned()
                    .collect();
                let call = Call::SearchCustomers { keys };
                let family = Some(Family::CustomerSearch);
                self.send(now, call, SentKind::Search(customers), family);
            }
            Some(Question::Create(customers)) => self.send_create_customers(now, customers),
            Some(Question::Identify(key)) => {
                let identity = key_fields(self.customers.keys(&key).unwrap_or(&[]));
                let what = SentKind::ResolveIdentify(key);
                self.send(
                    now,
                    Call::Identify { identity },
                    what,
                    Some(Family::Tracking),
                );
            }
            Some(Question::Read { customer, key }) => {
                let what = SentKind::ReadCustomer { customer };
                self.send(
                    now,
                    Call::GetCustomer { key },
                    what,
                    Some(Family::CustomerRead),
                );
            }
            None => {}
        }
    }

    fn send_create_customers(&mut self, now: Instant, customers: Vec<CustomerKey>) {
        let mut items = Vec::with_capacity(customers.len());
        let mut keys = BTreeMap::new();
        for (index, key) in customers.into_iter().enumerate() {
            let reference = format!("c{index}");
            let all = self
                .customers
                .keys(&key)
                .map_or_else(|| vec![key.clone()], <[_]>::to_vec);
            items.push(BulkItem {
                reference: reference.clone(),
                body: new_customer(&all),
                imported_at: None,
                customer: None,
                id: None,
                rev: None,
                company: None,
            });
            keys.insert(reference, key);
        }
        let with_refs = self.customers.are_named();
        let what = SentKind::CreateCustomers { keys, with_refs };
        self.send(
            now,
            Call::CreateCustomers { items, with_refs },
            what,
            Some(Family::CustomerCreate),
        );
    }
}
