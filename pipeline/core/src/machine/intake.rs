//! Records come in: admission, charge, and the place of each operation in its lane.

use std::time::Instant;

use super::journal::MERGED;
use super::state::RecordState;
use super::weight::{RECORD_OVERHEAD, operations_bytes};
use super::{Committed, Machine};
use crate::charge::{Charge, Gate};
use crate::coalesce;
use crate::commit_metadata::Ignored;
use crate::fact::{Fact, Settlement};
use crate::invariant::Invariant;
use crate::ledger::Admission;
use crate::operation::{CustomerKey, KObject, Operation, Planned};
use crate::outcome::{DroppedField, Rejected, Rejection, SkipReason, Verdict};
use crate::partitions::receipts::Receipt;
use crate::port::RecordId;
use crate::record::{Epoch, Record, TopicPartition};
use crate::repeat::ChangeKey;
use crate::said::{self, Ages};
use crate::work::{Arrival, Wait};
use crate::work::{LaneId, LaneKey};

/// What an item costs in a bulk body besides its own JSON: reference, customer or object id, commas and quotes.
const ITEM_OVERHEAD: usize = 130;

/// An operation on its way into its lane.
struct Arriving<'a> {
    partition: &'a TopicPartition,
    operation: &'a Operation,
    ages: &'a Ages,
    /// An earlier owner of the partition began to write it.
    begun: bool,
    /// Nobody knows yet what became of that.
    doubted: bool,
}

impl Machine {
    pub(super) fn on_assigned(
        &mut self,
        now: Instant,
        partition: &TopicPartition,
        epoch: Epoch,
        committed: Option<&Committed>,
    ) {
        if self.shutting_down {
            return; // it goes back with the membership; nothing of it is begun
        }
        // Somebody else may have written meanwhile what this process wrote before.
        self.directory.forget_fingerprints();
        let known = self
            .assignments
            .get(partition)
            .map(|assignment| assignment.epoch);
        if known.is_some_and(|known| known >= epoch) {
            return;
        }
        if let Some(older) = known {
            self.on_lost(now, partition, older);
        }
        let assignment = self.restore(partition, epoch, committed);
        self.assignments.insert(partition.clone(), assignment);
        if self.settings.state.is_some() {
            self.ask_restore(partition);
        }
        self.pauses_changed = true;
        self.weigh(now);
    }

    pub(super) fn on_record(
        &mut self,
        record: Record,
        epoch: Epoch,
        event_ms: Option<i64>,
        verdict: Verdict,
        dropped: Vec<DroppedField>,
    ) {
        let partition = record.position.partition.clone();
        self.take_in(record, epoch, event_ms, verdict, dropped);
        if let Some(assignment) = self.assignments.get_mut(&partition) {
            self.pauses_changed |= assignment.room.look(&assignment.ledger, self.commit.limit);
        }
    }

    fn take_in(
        &mut self,
        record: Record,
        epoch: Epoch,
        event_ms: Option<i64>,
        verdict: Verdict,
        dropped: Vec<DroppedField>,
    ) {
        let partition = record.position.partition.clone();
        let Some(assignment) = self.assignments.get_mut(&partition) else {
            return; // left to the owner, who reads it again
        };
        let present = assignment.epoch == epoch;
        if present {
            assignment.former.seal();
            if assignment.drain.is_some() {
                return;
            }
        }
        let Some((ledger, live)) = assignment.life(epoch) else {
            return;
        };
        let offset = record.position.offset;
        let vouched = ledger.vouch(offset, record.timestamp_ms);
        let admission = ledger.admit(offset, record.timestamp_ms);
        self.turn
            .check(Invariant::I3, admission != Admission::OutOfOrder);
        if !vouched {
            self.turn.fact(Fact::MetadataIgnored {
                partition: partition.clone(),
                why: Ignored::Generation,
            });
        }
        if admission != Admission::OutOfOrder {
            self.progress.read();
        }
        match admission {
            Admission::Open => {}
            Admission::SettledBefore => {
                let settlement = Settlement::Skipped(SkipReason::SettledBefore);
                self.settled_unseen(&record, event_ms, settlement);
                return;
            }
            Admission::OutOfOrder => return,
        }
        for DroppedField { route, field, .. } in dropped {
            let topic = partition.topic.clone();
            let fact = Fact::FieldDropped {
                topic,
                route,
                field,
            };
            self.turn.fact(fact);
        }
        let rejected = match &verdict {
            Verdict::Reject(rejected) => Some(rejected.reason),
            Verdict::Emit(_) | Verdict::Skip(_) => None,
        };
        self.guard.mapped(&partition, rejected);
        if let Verdict::Skip(reason) = verdict {
            let settled = ledger.settle(record.position.offset);
            self.turn.check(Invariant::I3, settled);
            self.settled_unseen(&record, event_ms, Settlement::Skipped(reason));
            return;
        }
        *live += 1;
        let bytes = u64::try_from(record.payload_bytes()).unwrap_or(u64::MAX);
        let operations = match &verdict {
            Verdict::Emit(planned) => operations_bytes(planned),
            Verdict::Skip(_) | Verdict::Reject(_) => 0,
        };
        let bytes = bytes
            .saturating_add(RECORD_OVERHEAD)
            .saturating_add(operations);
        let charge = Charge { records: 1, bytes };
        self.held.since.records += 1;
        self.held.since.bytes = self.held.since.bytes.saturating_add(bytes);
        if self.budget.charge(charge) == Some(Gate::Closed) {
            self.pauses_changed = true;
        }
        let id = RecordId(self.turn.number());
        let mut state = RecordState {
            record,
            epoch,
            event_ms,
            charge,
            open: 0,
            delivered: false,
            skipped: None,
            rejected: None,
            diverted: None,
            attempts: 0,
            abandoned: false,
            letter: None,
            letter_at: None,
            acknowledged: false,
        };
        match verdict {
            Verdict::Skip(_) => {}
            Verdict::Reject(rejected) => {
                state.rejected = Some(rejected);
                self.records.insert(id, state);
                self.dead_letter(id);
            }
            Verdict::Emit(planned) => {
                state.open = planned.len();
                self.records.insert(id, state);
                for (ordinal, plan) in (0..).zip(planned) {
                    let receipt = Receipt {
                        record: id,
                        ordinal,
                        change: ChangeKey::of(&plan),
                    };
                    self.enqueue(&partition, plan, receipt);
                }
                if self.records.get(&id).is_some_and(|state| state.open == 0) {
                    self.conclude(id);
                }
            }
        }
    }

    /// A record that never was charged is settled.
    fn settled_unseen(&mut self, record: &Record, event_ms: Option<i64>, settlement: Settlement) {
        self.turn.fact(Fact::Settled {
            topic: record.position.partition.topic.clone(),
            settlement,
            event_ms,
            record_ms: record.timestamp_ms,
        });
    }

    fn enqueue(&mut self, partition: &TopicPartition, plan: Planned, receipt: Receipt) {
        let Planned {
            route,
            mut operation,
            ..
        } = plan;
        let ages = match &operation {
            Operation::Identify(identify) => {
                let record = self.records.get(&receipt.record);
                Ages::of(&identify.fields, record.and_then(|record| record.event_ms))
            }
            Operation::Track(_) | Operation::KObject(_) => Ages::default(),
        };
        let change = receipt.change;
        let keys = match self.lane_keys(&operation) {
            Ok(keys) => keys,
            Err(detail) => {
                let rejected = Rejected {
                    reason: Rejection::IllegalField,
                    detail,
                    route: Some(route),
                };
                self.reject_receipt(receipt, rejected);
                return;
            }
        };
        let mut copy = false;
        match self.has_nothing_to_do(&mut operation, &ages, change) {
            // What waits or is under way may set back what this one says.
            Some(SkipReason::Repeat) if self.work.is_busy(&keys) => {
                copy = true;
            }
            Some(reason) => {
                self.skip_receipt(receipt, reason);
                return;
            }
            None => {}
        }
        let lane = self.work.lane_of(&keys);
        self.progress.planned(&operation);
        let copy = copy || self.is_copy(lane, &operation, change);
        let (begun, doubted) = self.has_begun(partition, &operation, &receipt);
        let arriving = Arriving {
            partition,
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
        let is_object = matches!(operation, Operation::KObject(_));
        let bytes = item_bytes(&operation);
        let arrival = Arrival {
            partition: partition.clone(),
            route,
            operation,
            ages,
            copy,
            bytes,
        };
        let id = self.work.push(&mut self.turn, lane, arrival);
        if is_object {
            self.histories.begin(id, begun);
        }
        self.receipts.attach(id, receipt);
    }

    /// Whether an earlier owner of the partition began to write this, and whether what became of it is in doubt.
    fn has_begun(
        &self,
        partition: &TopicPartition,
        operation: &Operation,
        receipt: &Receipt,
    ) -> (bool, bool) {
        let (Operation::KObject(object), Some(record)) =
            (operation, self.records.get(&receipt.record))
        else {
            return (false, false);
        };
        let operation = receipt.operation(&record.record);
        self.inheritance.has_begun(partition, object, operation)
    }

    fn lane_keys(&mut self, operation: &Operation) -> Result<Vec<LaneKey>, String> {
        let customer = match operation {
            Operation::KObject(object) => {
                return Ok(vec![LaneKey::Object(
                    object.klass.clone(),
                    object.external_id.clone(),
                )]);
            }
            Operation::Identify(identify) => &identify.customer,
            Operation::Track(track) => &track.customer,
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
        let mut keys = vec![LaneKey::Customer(customer.first().clone())];
        if let Some(id) = self.directory.customer(customer.first()) {
            let by_id = LaneKey::Customer(CustomerKey::Id(id));
            if !keys.contains(&by_id) {
                keys.push(by_id);
            }
        }
        Ok(keys)
    }

    /// Neighbours of one lane and partition become one operation where the kind allows it. Gives the receipt back if not.
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
        let history = self.histories.of(tail);
        let journalled = self.settings.state.is_some();
        // An earlier owner may have written it; here it waits, unwritten, until that is known.
        let heir = history.begun && history.last_write.is_none() && state.attempts == 0;
        let waits_unwritten = match state.wait() {
            Wait::Time(_) => heir && arriving.doubted,
            wait => wait.is_unsaid() && !history.is_doubted(),
        };
        let may_merge = waits_unwritten
            && state.partition == *arriving.partition
            && !state.copy
            && history.begun == arriving.begun
            && !(journalled && self.receipts.of(tail).len() >= MERGED);
        if !may_merge {
            return Some(receipt);
        }
        let merged = match (&state.operation, arriving.operation) {
            (Operation::Identify(a), Operation::Identify(b)) => {
                said::merge((a, &state.ages), (b, arriving.ages))
                    .map(|(identify, ages)| (Operation::Identify(identify), ages))
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
        if bytes > crate::batch::MAX_BYTES {
            return Some(receipt);
        }
        self.receipts.attach(tail, receipt);
        self.work.replace(tail, merged, ages, bytes);
        None
    }
}

/// Bytes of an operation's item in a bulk body.
fn item_bytes(operation: &Operation) -> usize {
    match operation {
        Operation::KObject(KObject { body, .. }) => {
            serde_json::to_vec(body.as_ref()).map_or(usize::MAX, |json| json.len()) + ITEM_OVERHEAD
        }
        Operation::Identify(_) | Operation::Track(_) => 0,
    }
}
