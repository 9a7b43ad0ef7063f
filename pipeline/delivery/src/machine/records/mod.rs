//! Records come in: admission, charge, and the place of each operation in its lane.

mod asleep;
mod commits;
mod deleted;
mod drain;
mod ends;
mod identities;
mod letters;
mod receipts;
mod suppressed;
mod weight;

use std::sync::Arc;
use std::time::Instant;

use crate::machine::Machine;
use crate::machine::records::weight::operations_bytes;
use crate::memory::journal::MERGED;
use crate::objects::coalesce;
use crate::partitions::{Admitted, Read, Receipt};
use crate::seam::fact::{Fact, Saved};
use crate::seam::port::{Committed, SkippedRun};
use crate::work::{Arrival, Entry, Wait};
use crate::work::{LaneId, LaneKey};
use ingest_model::batch::ITEM_OVERHEAD;
use ingest_model::known::object_hash;
use ingest_model::operation::{CustomerKey, KObject, Operation, Planned};
use ingest_model::outcome::{DroppedField, Rejected, Rejection, SkipReason, Verdict};
use ingest_model::record::{Epoch, Record, TopicPartition, Traffic};
use ingest_model::repeat::ChangeKey;
use ingest_model::said::{self, Ages};
use smallvec::{SmallVec, smallvec};
use uuid::Uuid;

/// The keys of one lane.
pub(in crate::machine) type LaneKeys = SmallVec<[LaneKey; 2]>;

/// An operation on its way into its lane.
struct Arriving<'a> {
    partition: &'a TopicPartition,
    route: &'a Arc<str>,
    operation: &'a Operation,
    ages: &'a Ages,
    /// An earlier owner of the partition had begun to write it.
    begun: bool,
    /// What became of that is not known yet.
    doubted: bool,
}

impl Machine {
    pub(in crate::machine) fn on_assigned(
        &mut self,
        now: Instant,
        partition: &TopicPartition,
        epoch: Epoch,
        committed: Option<&Committed>,
    ) {
        if self.partitions.is_stopping() {
            return; // it leaves with the membership; none of its work is begun
        }
        // Another process may have written meanwhile what this one had written before.
        self.objects.cache.forget_fingerprints();
        self.customers.said.doubt_all();
        self.objects.sessions.forget_of(partition);
        let Some(older) = self.partitions.is_news(partition, epoch) else {
            return;
        };
        if let Some(older) = older {
            self.on_lost(now, partition, older);
        }
        self.partitions
            .assign(&mut self.turn, partition, epoch, committed);
        self.sending.fleet.own(now, partition, committed);
        if self.settings.state.is_some() {
            self.partitions.ask_restore(&mut self.turn, partition);
        }
        self.weigh(now);
    }

    pub(in crate::machine) fn on_record(
        &mut self,
        record: Record,
        epoch: Epoch,
        read: Read,
        verdict: Verdict,
        dropped: Vec<DroppedField>,
    ) {
        if let Verdict::Skip(reason) = verdict {
            self.on_skipped(&SkippedRun::of(&record, epoch, reason));
            return;
        }
        let partition = record.position.partition.clone();
        let judged = match &verdict {
            Verdict::Reject(rejected) => Err(rejected),
            Verdict::Batch(batch) => match &batch.rejected {
                Some(rejected) if batch.planned.is_empty() => Err(rejected),
                Some(_) | None => Ok((batch.planned.len(), operations_bytes(&batch.planned))),
            },
            Verdict::Emit(_) | Verdict::Skip(_) => {
                let planned = verdict.planned();
                Ok((planned.len(), operations_bytes(planned)))
            }
        };
        let batch = match &verdict {
            Verdict::Batch(batch) => Some(&**batch),
            Verdict::Emit(_) | Verdict::Skip(_) | Verdict::Reject(_) => None,
        };
        let traffic = read.traffic;
        let admitted = self
            .partitions
            .admit(&mut self.turn, record, epoch, read, judged, batch);
        match admitted {
            Admitted::Ignored => return,
            Admitted::SettledBefore => self.progress.read(1),
            Admitted::Rejected(..) | Admitted::Open(..) => {
                self.progress.read(1);
                for DroppedField { route, field, .. } in dropped {
                    let topic = partition.topic.clone();
                    self.turn.fact(Fact::FieldDropped {
                        topic,
                        route,
                        field,
                    });
                }
            }
        }
        match admitted {
            Admitted::Ignored | Admitted::SettledBefore => {}
            Admitted::Rejected(charge, kept) => {
                self.health.held.came_in(charge);
                self.note_kept(kept);
            }
            Admitted::Open(charge, id) => {
                self.health.held.came_in(charge);
                let planned = match verdict {
                    Verdict::Emit(planned) => planned,
                    Verdict::Batch(batch) => batch.planned,
                    Verdict::Skip(_) | Verdict::Reject(_) => Vec::new(),
                };
                for (ordinal, plan) in (0..).zip(planned) {
                    let change = ChangeKey::of(&plan);
                    let receipt = self.partitions.oblige(id, ordinal, change);
                    self.enqueue(&partition, (plan, traffic), receipt, change);
                }
                let kept = self.partitions.taken_in(&mut self.turn, id);
                self.note_kept(kept);
            }
        }
        self.partitions.look_ahead(&partition);
    }

    pub(in crate::machine) fn on_skipped(&mut self, run: &SkippedRun) {
        if self.partitions.skip(&mut self.turn, run) {
            self.progress.read(run.records());
            self.partitions.look_ahead(&run.partition);
        }
    }

    fn enqueue(
        &mut self,
        partition: &TopicPartition,
        (plan, traffic): (Planned, Traffic),
        receipt: Receipt,
        change: ChangeKey,
    ) {
        let Planned {
            route,
            mut operation,
            ..
        } = plan;
        let owner = self.name_on_arrival(&mut operation);
        if self.is_suppressed(&operation) {
            self.skip_unplaced(receipt, SkipReason::Suppressed, (&route, &operation));
            return;
        }
        let ages = match &operation {
            Operation::Identify(identify) => {
                Ages::of(&identify.fields, self.partitions.event_ms(&receipt))
            }
            Operation::Track(_) | Operation::KObject(_) => Ages::default(),
        };
        let object = match &operation {
            Operation::KObject(object) => Some(object_hash(&object.klass, &object.external_id)),
            Operation::Identify(_) | Operation::Track(_) => None,
        };
        let keys = match self.lane_keys(&operation, object, owner) {
            Ok(keys) => keys,
            Err(detail) => {
                let rejected = Rejected {
                    reason: Rejection::IllegalField,
                    detail,
                    route: Some(Arc::clone(&route)),
                };
                let told = self.told((&route, &operation));
                self.partitions
                    .reject_unplaced(&mut self.turn, receipt, rejected, told);
                return;
            }
        };
        let mut copy = false;
        match self.has_nothing_to_do(&mut operation, object, &ages, change) {
            // A waiting operation or one in flight may undo what this one says.
            Some(SkipReason::Repeat) if operation.fold().is_none() && self.work.is_busy(&keys) => {
                copy = true;
            }
            Some(reason) => {
                self.note_saved(reason);
                self.skip_unplaced(receipt, reason, (&route, &operation));
                return;
            }
            None => {}
        }
        let lane = self.work.lane_of(&keys);
        if traffic == Traffic::Live {
            self.hurry(lane);
        }
        self.progress.planned(&operation);
        let copy = copy || self.is_copy(lane, &operation, change);
        let (begun, doubted) = object.map_or((false, false), |object| {
            self.has_begun(partition, object, &receipt)
        });
        let arriving = Arriving {
            partition,
            route: &route,
            operation: &operation,
            ages: &ages,
            begun,
            doubted,
        };
        let receipt = if copy {
            receipt
        } else {
            match self.merge_into_tail(lane, &arriving, receipt) {
                Some(receipt) => receipt,
                None => return,
            }
        };
        let deletes = operation.deletes();
        let bytes = item_bytes(&operation);
        let arrival = Arrival {
            partition: partition.clone(),
            route,
            operation,
            traffic,
            ages,
            copy,
            bytes,
        };
        let id = self.work.push(&mut self.turn, lane, arrival);
        if let Some(object) = object {
            self.objects.histories.begin(id, object, begun);
        }
        self.partitions.attach(id, receipt);
        if deletes {
            self.drop_parked(lane);
        }
    }

    /// A live operation comes into a lane: what is before it there is as urgent, and so are the customers that it waits for.
    fn hurry(&mut self, lane: LaneId) {
        let now = self.turn.now;
        for id in self.work.hurry(lane) {
            let entry = self.work.get(id);
            if let Some(Wait::Job(job)) = entry.map(Entry::wait) {
                self.jobs.hurry(job);
            }
            let waits = entry.filter(|entry| entry.wait() == Wait::Customer);
            if let Some(customer) = waits.and_then(|entry| entry.operation.customer()) {
                self.customers.hurry(now, customer.first());
            }
        }
    }

    /// Whether an earlier owner of the partition had begun to write this, and whether the result of that is in doubt.
    fn has_begun(
        &self,
        partition: &TopicPartition,
        object: u128,
        receipt: &Receipt,
    ) -> (bool, bool) {
        let inheritance = &self.memory.inheritance;
        if !inheritance.concerns(object) {
            return (false, false);
        }
        let named = self.partitions.operation_ref(receipt);
        named.map_or((false, false), |operation| {
            inheritance.has_begun(partition, object, operation)
        })
    }

    /// The keys of an operation's lane; `object` is the hash of the object that it writes, `owner` the object that names its
    /// customer: the lane of that is joined, so that nothing overtakes what waits there.
    pub(in crate::machine) fn lane_keys(
        &mut self,
        operation: &Operation,
        object: Option<u128>,
        owner: Option<CustomerKey>,
    ) -> Result<LaneKeys, String> {
        if let Some(object) = object {
            return Ok(smallvec![LaneKey::Object(Uuid::from_u128(object))]);
        }
        let Some(customer) = operation.customer() else {
            return Ok(LaneKeys::new());
        };
        if customer
            .keys()
            .iter()
            .all(|key| matches!(key, CustomerKey::Id(_)))
        {
            return Err(format!(
                "`{}` names the customer by its Kustomer id only; tracking needs an external id, an e-mail or a phone",
                operation.kind()
            ));
        }
        if !customer.is_trackable() {
            // It enters the customer's lane when it is known by what to track them.
            return Ok(owner.into_iter().map(LaneKey::Customer).collect());
        }
        let mut keys: LaneKeys = smallvec![LaneKey::Customer(customer.first().clone())];
        keys.extend(owner.map(LaneKey::Customer));
        if let Some(id) = self.customers.ids.get(customer.first()) {
            let by_id = LaneKey::Customer(CustomerKey::Id(id));
            if !keys.contains(&by_id) {
                keys.push(by_id);
            }
        }
        Ok(keys)
    }

    /// Merges an operation into the last one of its lane, if kind and partition allow. Gives the receipt back if not.
    fn merge_into_tail(
        &mut self,
        lane: LaneId,
        arriving: &Arriving<'_>,
        receipt: Receipt,
    ) -> Option<Receipt> {
        let Some(tail) = self.work.tail(lane) else {
            return Some(receipt);
        };
        let Some(state) = self.work.get(tail) else {
            return Some(receipt);
        };
        let history = self.objects.histories.of(tail);
        let journalled = self.settings.state.is_some();
        // An earlier owner may have written it; here it waits, unwritten, until that is known.
        let heir = history.begun && history.last_write.is_none() && state.attempts == 0;
        let waits_unwritten = if let Wait::Time(_) = state.wait() {
            heir && arriving.doubted
        } else {
            state.wait().is_unsaid() && !history.is_doubted()
        };
        let may_merge = waits_unwritten
            && state.partition == *arriving.partition
            && !state.copy
            && !self.only_route_is_paused(arriving.route, state)
            && history.begun == arriving.begun
            && !(journalled && self.partitions.carried(tail) >= MERGED);
        if !may_merge {
            return Some(receipt);
        }
        if let Some(later) = arriving.operation.fold() {
            let base = history.base().map(AsRef::as_ref);
            if !self.work.fold_in(tail, later, base) {
                return Some(receipt);
            }
            self.partitions.attach(tail, receipt);
            let way = Saved::Digested;
            self.turn.fact(Fact::Saved { way });
            return None;
        }
        let merged = match (&state.operation, arriving.operation) {
            (Operation::Identify(a), Operation::Identify(b)) => {
                said::merge((a, &state.ages), (b, arriving.ages))
                    .map(|(identify, ages)| (Operation::Identify(identify), ages))
            }
            // What waits for something else than its turn or the end of a pause would go on waiting for that.
            (Operation::KObject(_), Operation::KObject(b))
                if b.deletes && !matches!(state.wait(), Wait::Turn | Wait::Pause | Wait::Write) =>
            {
                None
            }
            (Operation::KObject(a), Operation::KObject(b)) => {
                coalesce::merge(a, b).map(|object| (Operation::KObject(object), Ages::default()))
            }
            (Operation::Identify(_) | Operation::Track(_) | Operation::KObject(_), _) => None,
        };
        let Some((merged, ages)) = merged else {
            return Some(receipt);
        };
        let bytes = item_bytes(&merged);
        if bytes > ingest_model::batch::MAX_BYTES {
            return Some(receipt);
        }
        self.partitions.attach(tail, receipt);
        let way = Saved::Coalesced;
        self.turn.fact(Fact::Saved { way });
        self.work.replace(tail, merged, ages, bytes);
        if self.deletes(tail) {
            self.drop_parked(lane);
        }
        None
    }
}

/// The bytes of an operation's item in a bulk body.
fn item_bytes(operation: &Operation) -> usize {
    match operation {
        Operation::KObject(KObject { body, party, .. }) => {
            let created = party.as_ref().map_or(0, |party| party.on_create.size());
            body.size() + created + ITEM_OVERHEAD
        }
        Operation::Identify(_) | Operation::Track(_) => 0,
    }
}
