//! What a partition looks like, for gauges and `/status`.

use std::time::Instant;

use super::Partitions;
use super::parts::assignment::Assignment;
use ingest_model::outcome::Waits;
use ingest_model::record::{Epoch, Offset, TopicPartition};

/// One owned partition.
#[derive(Debug, Clone)]
pub struct PartitionView {
    /// The partition.
    pub partition: TopicPartition,
    /// The epoch of the assignment.
    pub epoch: Epoch,
    /// Records that are not settled.
    pub unsettled: u64,
    /// Records settled in this assignment.
    pub settled: u64,
    /// Everything below is settled.
    pub frontier: Option<Offset>,
    /// The time in epoch milliseconds of the oldest record that is not settled; `None` if there is none in memory.
    pub oldest_ms: Option<i64>,
    /// The offset after the last record that was read; `None` before the first.
    pub read_to: Option<Offset>,
    /// The offset that the broker has acknowledged.
    pub committed: Option<Offset>,
    /// The part of the longest allowed text that the last commit's text took; above 1 if it would take more.
    pub metadata_used: f64,
    /// Events that wait for room in that text.
    pub kept_back: usize,
    /// Whether it is being handed back.
    pub draining: bool,
    /// Whether its slice of the state topic is not restored yet.
    pub restoring: bool,
    /// Why it is not read although the budget has room.
    pub waits: Option<Waits>,
    /// Since when its lowest open record stands, if nothing is known that leads it on: a broken invariant (I10).
    pub stuck_since: Option<Instant>,
}

impl Partitions {
    /// Why a partition is not read although the budget has room.
    fn why_it_waits(&self, partition: &TopicPartition, assignment: &Assignment) -> Option<Waits> {
        let held = self.waits.get(partition).copied();
        let guard = self.guard.is_holding(&partition.topic);
        let paused = self.paused.contains(&partition.topic);
        held.or_else(|| guard.then_some(Waits::Guard))
            .or_else(|| paused.then_some(Waits::Pause))
            .or_else(|| assignment.schema_missing.then_some(Waits::Schema))
            .or_else(|| assignment.room.rests().then_some(Waits::CommitRoom))
            .or_else(|| (assignment.brings_old && self.old_rests()).then_some(Waits::LiveFirst))
    }

    /// All owned partitions. `kept_back` returns how many events of a partition wait for room in its commits.
    pub(crate) fn views(&self, kept_back: impl Fn(&TopicPartition) -> usize) -> Vec<PartitionView> {
        let view = |(partition, assignment): (&TopicPartition, &Assignment)| PartitionView {
            partition: partition.clone(),
            epoch: assignment.epoch,
            unsettled: assignment.in_hand(),
            settled: assignment.ledger.settled(),
            frontier: assignment.ledger.frontier(),
            oldest_ms: assignment.ledger.oldest_stamp(),
            read_to: assignment.ledger.read_to(),
            committed: assignment.acked,
            metadata_used: assignment.room.used(self.commits.limit),
            kept_back: kept_back(partition),
            draining: assignment.drain.is_some(),
            restoring: assignment.restoring,
            waits: self.why_it_waits(partition, assignment),
            stuck_since: assignment.standing.stuck_since(),
        };
        self.assignments.iter().map(view).collect()
    }
}
