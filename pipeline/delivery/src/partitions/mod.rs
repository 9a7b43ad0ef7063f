//! Partitions, their records, and how records end.
//!
//! A record is taken in under an assignment and charged to the budget. Each of its operations carries a receipt; when the last
//! of them has ended, the record is settled, or its letter leaves and it is settled when that was acknowledged. Receipts and
//! offsets end here and nowhere else. What is settled is committed, and a partition is handed back when nothing of it is in
//! hand. What the operations do, and whether they may go, is of no concern here.

pub mod view;

mod commits;
mod drain;
mod frontiers;
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
use self::parts::receipts::Receipts;
pub(crate) use self::parts::record::{End, RecordState};
pub use self::parts::{commit_metadata, ledger};
use crate::seam::charge::Charge;
use crate::seam::port::RecordId;
use ingest_model::batch::OperationId;
use ingest_model::lookup::Lookup;
use ingest_model::outcome::{HeldBy, Waits};
use ingest_model::record::{Epoch, Offset, Topic, TopicPartition};
use ingest_model::repeat::{ChangeKey, Changes};
use ingest_model::state_log::OperationRef;

/// What can be set. Real time: the brokers' clock is not the API's.
#[derive(Debug)]
pub(crate) struct PartitionSettings {
    /// The cap on unsettled records.
    pub(crate) budget: Charge,
    /// Topics of which any number may be dead-lettered.
    pub(crate) accept_dead_letters: BTreeSet<Topic>,
    pub(crate) drain_timeout: Duration,
    pub(crate) commit_interval: Duration,
    pub(crate) letter_retry: Duration,
}

/// All partitions of this process.
#[derive(Debug)]
pub(crate) struct Partitions {
    settings: PartitionSettings,
    assignments: BTreeMap<TopicPartition, Assignment>,
    records: Lookup<RecordId, RecordState>,
    receipts: Receipts,
    budget: Budget,
    guard: DeadLetterGuard,
    letters: Letters,
    commits: Commits,
    /// Partitions that wait for held work, and why.
    waits: BTreeMap<TopicPartition, Waits>,
    /// Whether partitions are read may have changed.
    pauses_changed: bool,
    /// How many partitions each subscribed topic has.
    topology: BTreeMap<Topic, u32>,
    stopping: Stopping,
    /// When frontiers were looked at last.
    frontiers_at: Option<Instant>,
}

/// How far the end of everything is.
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
            budget: Budget::new(settings.budget),
            guard: DeadLetterGuard::new(settings.accept_dead_letters.clone()),
            letters: Letters::default(),
            commits: Commits::default(),
            waits: BTreeMap::new(),
            pauses_changed: false,
            topology: BTreeMap::new(),
            stopping: Stopping::No,
            frontiers_at: None,
            settings,
        }
    }

    /// Under which epoch a partition is owned.
    pub(crate) fn epoch(&self, partition: &TopicPartition) -> Option<Epoch> {
        self.assignments.get(partition).map(|one| one.epoch)
    }

    pub(crate) fn is_owned(&self, partition: &TopicPartition) -> bool {
        self.assignments.contains_key(partition)
    }

    /// How many partitions each subscribed topic has.
    pub(crate) fn set_topology(&mut self, topics: Vec<(Topic, u32)>) {
        self.topology = topics.into_iter().collect();
    }

    /// How many partitions of a topic are owned, and how many there are; `None` if nobody knows.
    pub(crate) fn owned_of(&self, topic: &Topic) -> Option<(u32, u32)> {
        let all = *self.topology.get(topic).filter(|all| **all > 0)?;
        let owned = self.assignments.keys();
        let owned = owned.filter(|partition| partition.topic == *topic).count();
        let owned = u32::try_from(owned).unwrap_or(u32::MAX);
        Some((owned.min(all), all))
    }

    // === receipts ===

    /// An operation carries a receipt from now on, beside those that it has.
    pub(crate) fn attach(&mut self, operation: OperationId, receipt: Receipt) {
        self.receipts.attach(operation, receipt);
    }

    /// How many operations of records one carries out.
    pub(crate) fn carried(&self, operation: OperationId) -> usize {
        self.receipts.of(operation).len()
    }

    /// The changes that an operation makes.
    pub(crate) fn changes(&self, operation: OperationId) -> impl Iterator<Item = ChangeKey> {
        self.receipts.of(operation).iter().map(|one| one.change)
    }

    /// Whether all that an operation changes was made before.
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

    /// The operations of records that an operation carries out, as the state topic names them.
    pub(crate) fn operation_refs(&self, operation: OperationId) -> Vec<OperationRef> {
        let receipts = self.receipts.of(operation).iter();
        let refs = receipts.filter_map(|receipt| {
            let record = self.records.get(&receipt.record)?;
            Some(receipt.operation(&record.record))
        });
        refs.collect()
    }

    /// The same of one that is not attached yet.
    pub(crate) fn operation_ref(&self, receipt: &Receipt) -> Option<OperationRef> {
        let record = self.records.get(&receipt.record)?;
        Some(receipt.operation(&record.record))
    }

    /// The event's time of the record that a receipt is for.
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

    /// The offset of a record of a partition's present life.
    pub(crate) fn present_offset(&self, id: RecordId) -> Option<Offset> {
        let state = self.records.get(&id)?;
        (!self.is_of_former_life(id)).then_some(state.record.position.offset)
    }

    /// Records whose letters are kept back, and by what.
    pub(crate) fn kept_letters(&self) -> Vec<(RecordId, HeldBy)> {
        self.records
            .said(|id, state| self.letter_held_by(*id, state))
    }

    /// Records of which some operations are confirmed and others are not.
    pub(crate) fn half_done(&self) -> usize {
        self.records
            .sum(|record| usize::from(record.delivered && record.open > 0))
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The lowest offset of a partition that is not settled, and whether its commits are short of room.
    pub(crate) fn frontier(&self, partition: &TopicPartition) -> Option<(Offset, bool)> {
        let assignment = self.assignments.get(partition)?;
        let short = assignment.room.is_full() || assignment.room.rests();
        Some((assignment.ledger.frontier()?, short))
    }

    /// Whether nothing is settled of a partition that is not committed.
    pub(crate) fn is_committed(&self, partition: &TopicPartition) -> bool {
        let assignment = self.assignments.get(partition);
        assignment.is_none_or(|one| one.uncommitted().is_none())
    }
}
