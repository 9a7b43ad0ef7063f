//! Partitions, their records, and how records end.
//!
//! A record is taken in under an assignment and charged to the budget. Each of its operations carries a receipt. When the last
//! operation has ended, the record is settled; or its letter is sent, and it is settled when that is acknowledged. Receipts
//! and offsets end here and nowhere else. What is settled is committed, and a partition is handed back when none of its
//! records is unsettled. What operations do, and whether they may be sent, is not decided here.

pub mod view;

mod commits;
mod drain;
mod frontiers;
mod holdings;
mod intake;
mod letters;
mod lives;
mod parts;
mod pauses;
mod settle;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

pub(crate) use self::commits::Room;
pub(crate) use self::drain::Drained;
pub(crate) use self::frontiers::LetterWait;
pub(crate) use self::intake::Admitted;
pub(crate) use self::letters::{Answered, Try};
use self::parts::assignment::Assignment;
use self::parts::budget::Budget;
use self::parts::commits::Commits;
use self::parts::guard::DeadLetterGuard;
pub(crate) use self::parts::letters::KeptBack;
use self::parts::letters::Letters;
pub(crate) use self::parts::receipts::Receipt;
use self::parts::receipts::{Receipts, Trails};
pub(crate) use self::parts::record::{End, Read, RecordState};
pub use self::parts::{commit_metadata, ledger};
use crate::seam::charge::Charge;
use crate::seam::port::RecordId;
use crate::seam::settled::ReceiptsOf;
use ingest_model::batch::OperationId;
use ingest_model::lookup::Lookup;
use ingest_model::outcome::{HeldBy, Waits};
use ingest_model::record::{Epoch, Offset, Position, Topic, TopicPartition};
use ingest_model::repeat::{ChangeKey, Changes};
use ingest_model::state_log::OperationRef;

/// Settings. All times are real time: the brokers' clock is not the API's.
#[derive(Debug)]
pub(crate) struct PartitionSettings {
    /// The cap on what unsettled records cost.
    pub(crate) budget: Charge,
    /// Topics that may dead-letter any number of records.
    pub(crate) accept_dead_letters: BTreeSet<Topic>,
    pub(crate) drain_timeout: Duration,
    pub(crate) commit_interval: Duration,
    pub(crate) letter_retry: Duration,
    pub(crate) receipts: ReceiptsOf,
}

/// All partitions of this process.
#[derive(Debug)]
pub(crate) struct Partitions {
    settings: PartitionSettings,
    assignments: BTreeMap<TopicPartition, Assignment>,
    records: Lookup<RecordId, RecordState>,
    receipts: Receipts,
    /// What operations leave behind for the receipts topic; `None` where nobody wants that.
    trails: Option<Trails>,
    budget: Budget,
    guard: DeadLetterGuard,
    letters: Letters,
    commits: Commits,
    /// Partitions that wait because of held work, and why.
    waits: BTreeMap<TopicPartition, Waits>,
    /// Topics that are not to be read.
    paused: BTreeSet<Topic>,
    /// Which partitions are to be read may have changed.
    pauses_changed: bool,
    /// Records of some partition may wait for schemas.
    parks: bool,
    /// Some partition may be draining.
    drains: bool,
    /// It may be in doubt whether this process owns some partition.
    doubts: bool,
    /// How many partitions each subscribed topic has.
    topology: BTreeMap<Topic, u32>,
    stopping: Stopping,
    /// When frontiers were last checked.
    frontiers_at: Option<Instant>,
}

/// How far the shutdown has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopping {
    No,
    Begun,
    Done,
}

impl Partitions {
    pub(crate) fn new(settings: PartitionSettings) -> Self {
        Self {
            assignments: BTreeMap::new(),
            records: Lookup::default(),
            receipts: Receipts::default(),
            trails: (settings.receipts != ReceiptsOf::Nothing).then(Trails::default),
            budget: Budget::new(settings.budget),
            guard: DeadLetterGuard::new(settings.accept_dead_letters.clone()),
            letters: Letters::default(),
            commits: Commits::default(),
            waits: BTreeMap::new(),
            paused: BTreeSet::new(),
            pauses_changed: false,
            parks: false,
            drains: false,
            doubts: false,
            topology: BTreeMap::new(),
            stopping: Stopping::No,
            frontiers_at: None,
            settings,
        }
    }

    /// The epoch under which a partition is owned.
    pub(crate) fn epoch(&self, partition: &TopicPartition) -> Option<Epoch> {
        self.assignments.get(partition).map(|one| one.epoch)
    }

    pub(crate) fn is_owned(&self, partition: &TopicPartition) -> bool {
        self.assignments.contains_key(partition)
    }

    /// Sets how many partitions each subscribed topic has.
    pub(crate) fn set_topology(&mut self, topics: Vec<(Topic, u32)>) {
        self.topology = topics.into_iter().collect();
    }

    /// How many partitions of a topic are owned, and how many it has; `None` if that is unknown.
    pub(crate) fn owned_of(&self, topic: &Topic) -> Option<(u32, u32)> {
        let all = *self.topology.get(topic).filter(|all| **all > 0)?;
        let owned = self.assignments.keys();
        let owned = owned.filter(|partition| partition.topic == *topic).count();
        let owned = u32::try_from(owned).unwrap_or(u32::MAX);
        Some((owned.min(all), all))
    }

    // === receipts ===

    /// Attaches a receipt to an operation, in addition to those it has.
    pub(crate) fn attach(&mut self, operation: OperationId, receipt: Receipt) {
        self.receipts.attach(operation, receipt);
    }

    /// Where what operations cost is noted, if receipts are wanted.
    pub(crate) fn trails(&mut self) -> Option<&mut Trails> {
        self.trails.as_mut()
    }

    /// A request leaves that is for these operations: they share what it costs.
    pub(crate) fn cost<'i>(&mut self, operations: impl ExactSizeIterator<Item = &'i OperationId>) {
        if let Some(trails) = &mut self.trails {
            trails.cost(operations, &self.receipts);
        }
    }

    /// How many operations of records this operation carries out.
    pub(crate) fn carried(&self, operation: OperationId) -> usize {
        self.receipts.of(operation).len()
    }

    /// The changes that an operation makes.
    pub(crate) fn changes(&self, operation: OperationId) -> impl Iterator<Item = ChangeKey> {
        self.receipts.of(operation).iter().map(|one| one.change)
    }

    /// Whether everything that an operation changes was changed before.
    pub(crate) fn is_made(&self, operation: OperationId, made: &Changes) -> bool {
        self.changes(operation).all(|change| made.contains(change))
    }

    /// The records that an operation is for.
    pub(crate) fn records_of(
        &self,
        operation: OperationId,
    ) -> impl Iterator<Item = (RecordId, &RecordState)> {
        let records = self.receipts.of(operation).iter().map(|one| one.record);
        records.filter_map(|id| Some((id, self.records.get(&id)?)))
    }

    /// The operations of records that this operation carries out, as the state topic names them.
    pub(crate) fn operation_refs(&self, operation: OperationId) -> Vec<OperationRef> {
        let receipts = self.receipts.of(operation).iter();
        let refs = receipts.filter_map(|receipt| {
            let record = self.records.get(&receipt.record)?;
            Some(receipt.operation(&record.record))
        });
        refs.collect()
    }

    /// The same for a receipt that is not attached yet.
    pub(crate) fn operation_ref(&self, receipt: &Receipt) -> Option<OperationRef> {
        let record = self.records.get(&receipt.record)?;
        Some(receipt.operation(&record.record))
    }

    /// The event time of a receipt's record.
    pub(crate) fn event_ms(&self, receipt: &Receipt) -> Option<i64> {
        self.records.get(&receipt.record)?.event_ms
    }

    /// The highest offset that an operation is for.
    pub(crate) fn highest(&self, operation: OperationId) -> Option<Offset> {
        let records = self.records_of(operation);
        records.map(|(_, state)| state.record.position.offset).max()
    }

    // === records ===

    pub(crate) fn record(&self, id: RecordId) -> Option<&RecordState> {
        self.records.get(&id)
    }

    /// Whether a record that was read in the present life of its partition is not settled.
    pub(crate) fn is_open(&self, position: &Position, epoch: Epoch) -> bool {
        let assignment = self.assignments.get(&position.partition);
        let present = assignment.filter(|assignment| assignment.epoch == epoch);
        present.is_some_and(|assignment| assignment.ledger.is_open(position.offset))
    }

    /// The offset of a record, if it belongs to the present life of its partition.
    pub(crate) fn present_offset(&self, id: RecordId) -> Option<Offset> {
        let state = self.records.get(&id)?;
        (!self.is_of_former_life(id)).then_some(state.record.position.offset)
    }

    /// Records whose letters are kept back, and what keeps them.
    pub(crate) fn kept_letters(&self) -> Vec<(RecordId, HeldBy)> {
        if !self.letters.may_wait() && !self.guard.is_holding_any() {
            return Vec::new();
        }
        self.records
            .said(|id, state| self.letter_held_by(*id, state))
    }

    /// The number of records with some operations delivered and others open.
    pub(crate) fn half_done(&self) -> usize {
        self.records
            .sum(|record| usize::from(record.delivered && record.open > 0))
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// A partition's frontier, and whether its commits are short of room.
    pub(crate) fn frontier(&self, partition: &TopicPartition) -> Option<(Offset, bool)> {
        let assignment = self.assignments.get(partition)?;
        let short = assignment.room.is_full() || assignment.room.rests();
        Some((assignment.ledger.frontier()?, short))
    }

    /// Whether everything settled in a partition is committed.
    pub(crate) fn is_committed(&self, partition: &TopicPartition) -> bool {
        let assignment = self.assignments.get(partition);
        assignment.is_none_or(|one| one.uncommitted().is_none())
    }
}
