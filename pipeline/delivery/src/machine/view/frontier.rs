//! What keeps a partition's frontier from moving, and the audit that something does (I10).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ingest_model::batch::{JobId, OperationId};
use ingest_model::operation::Operation;
use ingest_model::outcome::HeldBy;
use ingest_model::record::{Epoch, Offset, TopicPartition};

use crate::customers::Led;
use crate::machine::Machine;
use crate::partitions::LetterWait;
use crate::seam::fact::Fact;
use crate::seam::invariant::Invariant;
use crate::seam::port::RecordId;
use crate::work::{Entry, Wait};

/// A frontier that has not moved for this long is examined.
const LONG: Duration = Duration::from_secs(60);

/// What keeps the frontier of one partition.
#[derive(Debug, Clone)]
pub struct FrontierView {
    /// The partition.
    pub partition: TopicPartition,
    /// The epoch of the assignment.
    pub epoch: Epoch,
    /// Everything below is settled: the offset of the lowest open record, if there is one.
    pub frontier: Option<Offset>,
    /// Since when the frontier is known to be there; it is checked every few seconds.
    pub since: Option<Instant>,
    /// That record, if it is open.
    pub record: Option<RecordView>,
}

/// The lowest open record.
#[derive(Debug, Clone)]
pub struct RecordView {
    /// Its offset.
    pub offset: Offset,
    /// Its Kafka timestamp, epoch milliseconds.
    pub record_ms: Option<i64>,
    /// What keeps its letter, if its operations have ended.
    pub letter: Option<Keeps>,
    /// Its operations that have not ended.
    pub operations: Vec<OperationView>,
}

/// An operation that has not ended.
#[derive(Debug, Clone)]
pub struct OperationView {
    /// Its route.
    pub route: Arc<str>,
    /// What it does.
    pub kind: &'static str,
    /// Its stage.
    pub stage: &'static str,
    /// How many operations its lane has, itself included.
    pub lane: usize,
    /// How often it was started.
    pub attempts: u32,
    /// What keeps it.
    pub keeps: Keeps,
}

/// What keeps something from going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// A hold, or what is counted as one.
    Held(HeldBy),
    /// A permit to come, or others to share it with.
    Permit,
    /// Its customer, which is being looked up; not before that time, if there is one.
    Customer(Option<Instant>),
    /// A time.
    Until(Instant),
    /// The end of a job, and when that is read next.
    Job(Option<Instant>),
    /// An answer.
    Answer,
    /// An acknowledgement from Kafka.
    Acknowledgement,
    /// Room in its partition's commits.
    Room,
    /// Nothing that is known: a broken invariant.
    Nothing,
}

impl Keeps {
    /// The label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held(by) => by.as_str(),
            Self::Permit => "permit",
            Self::Customer(_) => "customer",
            Self::Until(_) => "time",
            Self::Job(_) => "job",
            Self::Answer => "answer",
            Self::Acknowledgement => "acknowledgement",
            Self::Room => "commit_room",
            Self::Nothing => "nothing",
        }
    }

    /// When it may go on, if that depends on time alone.
    #[must_use]
    pub fn until(self) -> Option<Instant> {
        match self {
            Self::Until(at) => Some(at),
            Self::Customer(at) | Self::Job(at) => at,
            Self::Held(_)
            | Self::Permit
            | Self::Answer
            | Self::Acknowledgement
            | Self::Room
            | Self::Nothing => None,
        }
    }
}

impl Machine {
    /// What keeps the frontier of a partition; `None` if it is not owned. Walks over all records and operations.
    #[must_use]
    pub fn frontier(&self, partition: &TopicPartition) -> Option<FrontierView> {
        let epoch = self.partitions.epoch(partition)?;
        let frontier = self.partitions.frontier(partition);
        let lowest = self.partitions.lowest(partition);
        Some(FrontierView {
            partition: partition.clone(),
            epoch,
            frontier: frontier.map(|(offset, _)| offset),
            since: lowest.and_then(|(_, since)| since),
            record: lowest.and_then(|(id, _)| self.record_view(id)),
        })
    }

    fn record_view(&self, id: RecordId) -> Option<RecordView> {
        let record = self.partitions.record(id)?.record();
        let operation = |id: OperationId| {
            let entry = self.work.get(id)?;
            Some(OperationView {
                route: Arc::clone(&entry.route),
                kind: entry.operation.kind(),
                stage: entry.wait().as_str(),
                lane: self.work.length(entry.lane()),
                attempts: entry.attempts,
                keeps: self.keeps(id, entry),
            })
        };
        let operations = self.operations_of(&BTreeSet::from([id])).remove(&id);
        Some(RecordView {
            offset: record.position.offset,
            record_ms: record.timestamp_ms,
            letter: self.letter_keeps(id),
            operations: operations
                .into_iter()
                .flatten()
                .filter_map(operation)
                .collect(),
        })
    }

    /// The open operations of these records.
    fn operations_of(&self, records: &BTreeSet<RecordId>) -> BTreeMap<RecordId, Vec<OperationId>> {
        let of = |id| {
            let carried = self.partitions.records_of(id).map(|(record, _)| record);
            carried.filter(|record| records.contains(record))
        };
        let mut all: BTreeMap<RecordId, Vec<OperationId>> = BTreeMap::new();
        for id in self.work.matching(|id, _| of(id).next().is_some()) {
            for record in of(id) {
                all.entry(record).or_default().push(id);
            }
        }
        all
    }

    fn letter_keeps(&self, id: RecordId) -> Option<Keeps> {
        Some(match self.partitions.letter_wait(id)? {
            LetterWait::UnderWay => Keeps::Acknowledgement,
            LetterWait::Until(at) => Keeps::Until(at),
            LetterWait::Held(by) => Keeps::Held(by),
            LetterWait::Nothing => Keeps::Nothing,
        })
    }

    /// What keeps an operation; one behind another in its lane is kept by the same.
    fn keeps(&self, id: OperationId, entry: &Entry) -> Keeps {
        if !self.work.is_placed(id) {
            return Keeps::Nothing;
        }
        if let Some(by) = self.held_by(id, entry).filter(|by| *by != HeldBy::Parked) {
            return Keeps::Held(by);
        }
        match entry.wait() {
            Wait::Turn => match self.work.stands_behind(id) {
                Some(before) => match self.work.get(before) {
                    Some(entry) if entry.wait() != Wait::Turn => self.keeps(before, entry),
                    Some(_) if self.work.is_placed(before) => Keeps::Permit,
                    Some(_) | None => Keeps::Nothing,
                },
                None => Keeps::Permit,
            },
            Wait::Customer => self.keeps_customer(id, entry),
            Wait::Track | Wait::Write | Wait::Look => Keeps::Permit,
            Wait::Forced if self.decides(id) => Keeps::Answer,
            Wait::Forced if self.work.is_forced(id) => Keeps::Permit,
            // It should have been checked again with the last commit.
            Wait::Room if self.may_start(id) && self.partitions.is_committed(&entry.partition) => {
                Keeps::Nothing
            }
            Wait::Room => Keeps::Room,
            Wait::Time(at) | Wait::Others(at) | Wait::Events(at) => Keeps::Until(at),
            Wait::Inherited => self.keeps_heir(id, entry),
            Wait::Journal if self.memory.journal.carries(id) => Keeps::Acknowledgement,
            Wait::Answer if self.sending.carries(id) => Keeps::Answer,
            Wait::Job(job) if self.jobs.carries(job, id) => self.keeps_job(job),
            Wait::Pause | Wait::Forced | Wait::Journal | Wait::Answer | Wait::Job(_) => {
                Keeps::Nothing
            }
        }
    }

    /// What keeps the customer of an operation.
    fn keeps_customer(&self, id: OperationId, entry: &Entry) -> Keeps {
        let Some(customer) = entry.operation.customer() else {
            return Keeps::Nothing;
        };
        let customer = customer.first();
        match self.customers.led(customer, id) {
            Led::Question => Keeps::Customer(None),
            Led::Until(at) => Keeps::Customer(Some(at)),
            Led::Answer if self.sending.asks_about(customer) => Keeps::Customer(None),
            Led::Answer => self
                .jobs
                .making(customer)
                .map_or(Keeps::Nothing, |job| self.keeps_job(job)),
            Led::Nothing => Keeps::Nothing,
        }
    }

    /// What keeps a job: its next read, or the answer to the last.
    fn keeps_job(&self, job: JobId) -> Keeps {
        if self.jobs.is_due(job) || self.sending.reads(job) {
            Keeps::Job(self.jobs.next_read(job))
        } else {
            Keeps::Nothing
        }
    }

    /// What keeps an operation that waits for an earlier owner's write: that write's job.
    fn keeps_heir(&self, id: OperationId, entry: &Entry) -> Keeps {
        if !matches!(entry.operation, Operation::KObject(_)) {
            return Keeps::Nothing;
        }
        let hash = self.objects.histories.of(id).object_hash();
        let inheritance = &self.memory.inheritance;
        if !inheritance.is_waiting(hash, id) {
            return Keeps::Nothing;
        }
        let mut unread = inheritance.unread(hash);
        let job = unread.find_map(|entity| self.jobs.inherited_from(entity));
        job.map_or(Keeps::Nothing, |job| self.keeps_job(job))
    }

    /// Whether a request that is in flight or being journalled decides about a suspect.
    fn decides(&self, id: OperationId) -> bool {
        self.sending.carries(id) || self.memory.journal.carries(id)
    }

    /// Examines frontiers that have not moved for long: each must have a cause. Audits I10.
    pub(in crate::machine) fn look_at_frontiers(&mut self, now: Instant) {
        if !self.partitions.watch_frontiers(now) {
            return;
        }
        let standing = self.partitions.standing_for(now, LONG);
        if standing.is_empty() {
            return;
        }
        let records: BTreeSet<RecordId> = standing.values().filter_map(|(_, id)| *id).collect();
        let operations = self.operations_of(&records);
        let mut stalled = Vec::new();
        for (partition, (offset, record)) in standing {
            if let Some(stage) = self.stalls(record, &operations) {
                self.partitions.stall_reported(now, &partition);
                stalled.push(Fact::Stalled {
                    partition,
                    offset,
                    stage,
                });
            } else {
                self.partitions.stall_over(&partition);
            }
        }
        debug_assert!(stalled.is_empty(), "invariant I10 is broken: {stalled:?}");
        self.turn.check(Invariant::I10, stalled.is_empty());
        for fact in stalled {
            self.turn.fact(fact);
        }
    }

    /// Where the lowest open record of a partition is stuck, if nothing is known that leads it on. `operations` are the open
    /// operations of such records.
    fn stalls(
        &self,
        record: Option<RecordId>,
        operations: &BTreeMap<RecordId, Vec<OperationId>>,
    ) -> Option<&'static str> {
        // An offset that is open without a record would never be settled.
        let Some(record) = record else {
            return Some("no_record");
        };
        if let Some(letter) = self.letter_keeps(record) {
            return (letter == Keeps::Nothing).then_some("letter");
        }
        let Some(own) = operations.get(&record) else {
            return Some("no_operation");
        };
        own.iter().find_map(|id| {
            let entry = self.work.get(*id)?;
            (self.keeps(*id, entry) == Keeps::Nothing).then(|| entry.wait().as_str())
        })
    }
}

#[cfg(test)]
mod tests {
    use ingest_model::operation::{CustomerKey, CustomerRef, MissingCustomer, Occurrence, Planned};
    use ingest_model::outcome::Verdict;
    use ingest_model::record::{Partition, Position, Record, Topic, Traffic};
    use serde_json::Map;
    use uuid::Uuid;

    use super::*;
    use crate::common::instants::start;
    use crate::machine::{MachineSettings, TopicSettings};
    use crate::seam::port::{Effect, Input};

    const PARTITION: i32 = 3;

    fn partition() -> TopicPartition {
        TopicPartition::new("shop.events", PARTITION)
    }

    /// A machine with one event, which waits for a permit because the quota is one request a minute.
    fn waiting(now: Instant) -> Machine {
        let mut settings = MachineSettings::new(1, 1.0, 0, 1.0).unwrap();
        let topic = TopicSettings {
            weight: 1.0,
            keyed: false,
        };
        settings.topics.insert(Topic::new("shop.events"), topic);
        let mut machine = Machine::new(settings, now);
        let topology = vec![(Topic::new("shop.events"), 4)];
        machine.step(now, Input::Topology(topology));
        for number in 0..=PARTITION {
            let assigned = Input::Assigned {
                partition: TopicPartition::new("shop.events", number),
                epoch: Epoch(1),
                committed: None,
            };
            machine.step(now, assigned);
        }
        for offset in 0..2_i64 {
            let keys = vec![CustomerKey::ExternalId(Arc::from(format!("c{offset}")))];
            let customer = CustomerRef::new(keys, MissingCustomer::Create).unwrap();
            let event_key = Uuid::from_u128(u128::from(7 + offset.unsigned_abs()));
            let track = Operation::Track(
                Occurrence {
                    customer,
                    name: Arc::from("Cart-Left"),
                    session_id: None,
                    tracking_id: None,
                    meta: Map::new(),
                    event_key,
                }
                .into(),
            );
            let planned = Planned {
                route: Arc::from("carts"),
                event_key,
                operation: track,
            };
            machine.step(now, record(offset, Verdict::Emit(vec![planned])));
        }
        machine
    }

    fn record(offset: i64, verdict: Verdict) -> Input {
        Input::Record {
            record: Record {
                position: Position {
                    partition: TopicPartition {
                        topic: Topic::new("shop.events"),
                        partition: Partition(PARTITION),
                    },
                    offset: Offset(offset),
                },
                key: None,
                value: None,
                headers: Vec::new(),
                timestamp_ms: Some(1_790_000_000_000),
            },
            epoch: Epoch(1),
            event_ms: None,
            traffic: Traffic::Live,
            verdict,
            dropped: Vec::new(),
            event_ids: None,
        }
    }

    #[test]
    fn the_record_at_the_frontier_and_what_keeps_it_can_be_asked_for() {
        let now = start();
        let mut machine = waiting(now);
        let later = now + Duration::from_secs(7);
        machine.step(later, Input::Wake);
        let view = machine.frontier(&partition()).unwrap();
        assert_eq!(view.frontier, Some(Offset(0)));
        assert_eq!(view.since, Some(later), "that was when it was looked at");
        let record = view.record.unwrap();
        assert_eq!(record.offset, Offset(0));
        let operation = record.operations.first().unwrap();
        assert_eq!((operation.kind, operation.stage), ("track", "under_way"));
        assert_eq!((operation.lane, operation.attempts), (1, 1));
        assert_eq!(operation.keeps, Keeps::Answer);
        assert!(machine.frontier(&TopicPartition::new("other", 0)).is_none());
    }

    #[test]
    fn a_frontier_that_waits_for_an_answer_is_no_stall() {
        let now = start();
        let mut machine = waiting(now);
        for minutes in 1..60 {
            let at = now + Duration::from_secs(60 * minutes);
            let effects = machine.step(at, Input::Wake);
            let broken = |one: &Effect| format!("{one:?}").contains("Broken");
            assert!(!effects.iter().any(broken), "after {minutes} minutes");
        }
    }

    /// A record disappeared without its offset being settled: nobody would ever settle it.
    #[test]
    #[should_panic(expected = "invariant I10 is broken")]
    fn an_open_offset_without_a_record_is_a_broken_invariant() {
        let now = start();
        let mut machine = waiting(now);
        for id in machine.work.matching(|_, _| true) {
            machine.work.end(id);
            machine.partitions.abandon(&mut machine.turn, id);
        }
        for seconds in [10, 80, 90] {
            machine.step(now + Duration::from_secs(seconds), Input::Wake);
        }
    }

    /// The head of a lane was taken and its place forgotten: nothing would ever lead it on.
    #[test]
    #[should_panic(expected = "invariant I10 is broken")]
    fn an_operation_that_nothing_leads_on_is_a_broken_invariant() {
        let now = start();
        let mut machine = waiting(now);
        let under_way = machine
            .work
            .matching(|_, entry| entry.wait() == Wait::Answer);
        machine.work.put_back(under_way[0]);
        assert_eq!(
            machine.work.next_head(),
            Some(under_way[0]),
            "taken, and dropped"
        );
        for seconds in [10, 80, 90] {
            machine.step(now + Duration::from_secs(seconds), Input::Wake);
        }
    }

    #[test]
    fn a_reported_stall_is_shown_with_its_beginning() {
        let now = start();
        let mut machine = waiting(now);
        let later = |seconds| now + Duration::from_secs(seconds);
        assert!(machine.partitions.watch_frontiers(later(10)));
        let stuck = |machine: &Machine| {
            let views = machine.snapshot(later(20)).partitions;
            let view = views.iter().find(|view| view.partition == partition());
            view.unwrap().stuck_since
        };
        assert_eq!(stuck(&machine), None);
        machine.partitions.stall_reported(later(80), &partition());
        assert_eq!(stuck(&machine), Some(later(10)));
        // a cause is known again
        machine.step(later(150), Input::Wake);
        assert_eq!(stuck(&machine), None);
    }
}
