//! What the machine looks like now, for gauges and `/status`.

use std::time::{Duration, Instant};

use super::Machine;
use super::progress::Progress;
use super::state::Assignment;
use crate::charge::{Charge, Gate};
use crate::hold::Scope;
use crate::outcome::{HoldCause, Waits};
use crate::record::{Epoch, Offset, TopicPartition};
use crate::trouble::Seen;
use crate::work::Wait;

/// Everything a gauge or a person may ask of the machine.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Owned partitions.
    pub partitions: Vec<PartitionView>,
    /// What unsettled records cost.
    pub used: Charge,
    /// The part of it that cannot go on now, whatever the permits.
    pub held: Charge,
    /// The cap on it.
    pub cap: Charge,
    /// Whether records may enter.
    pub gate: Gate,
    /// Requests a minute this replica may make.
    pub allowance: u32,
    /// The part of the organisation's target that this replica is guaranteed, from 0 to 1. Over all replicas it never adds up
    /// to more than 1 (I9).
    pub guaranteed: f64,
    /// What the last response said is left of the window for everybody.
    pub server_remaining: Option<u32>,
    /// For how long the server's limit keeps everything back.
    pub frozen_until: Option<Instant>,
    /// How often it did.
    pub freezes: u64,
    /// Requests under way.
    pub requests: usize,
    /// Records of which some operations are confirmed and others are not: after a crash the former come again, too.
    pub half_done: usize,
    /// Lanes that hold something.
    pub lanes: usize,
    /// Operations that wait for a permit: events and identities.
    pub ready_tracks: usize,
    /// Operations that wait for a permit: objects.
    pub ready_writes: usize,
    /// Operations that wait for their customer's id.
    pub waiting_for_customer: usize,
    /// Operations that wait for a time.
    pub parked: usize,
    /// Bulk jobs that have not ended.
    pub jobs: usize,
    /// Dead letters that are not acknowledged.
    pub letters: usize,
    /// Customers and objects in the directory.
    pub directory: (usize, usize),
    /// Look-ups in it that found something, and that did not.
    pub directory_hits: (u64, u64),
    /// What is kept in the state topic, if there is one.
    pub state: Option<StateView>,
    /// What is held.
    pub holds: Vec<HoldView>,
    /// How far the work is.
    pub progress: Progress,
    /// Requests a second that this replica may make, on average.
    pub allowed_per_second: f64,
    /// Whether the machine is draining for good.
    pub shutting_down: bool,
}

/// What is kept in the state topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateView {
    /// Entries that wait to be written, or to be acknowledged.
    pub waiting: usize,
    /// Writes that earlier owners left open and whose records have not all come again.
    pub inherited: usize,
    /// Writes that wait for their intents to be acknowledged.
    pub submits: usize,
    /// Whether the topic took nothing, or could not be read, when it was tried last.
    pub failing: bool,
}

/// One owned partition.
#[derive(Debug, Clone)]
pub struct PartitionView {
    /// Which.
    pub partition: TopicPartition,
    /// Under which assignment.
    pub epoch: Epoch,
    /// Records that are not settled.
    pub unsettled: u64,
    /// Records settled in this assignment.
    pub settled: u64,
    /// Up to where everything is settled.
    pub frontier: Option<Offset>,
    /// The offset after the last record that was read; `None` before the first.
    pub read_to: Option<Offset>,
    /// What the broker has acknowledged.
    pub committed: Option<Offset>,
    /// What part of the longest text that brokers take stands beside its last commit; above 1 if it would take more.
    pub metadata_used: f64,
    /// Events that wait for room in it.
    pub kept_back: usize,
    /// Whether it is being handed back.
    pub draining: bool,
    /// Whether its slice of the state topic is not restored yet.
    pub restoring: bool,
    /// Why its records are not read now although the budget has room.
    pub waits: Option<Waits>,
}

/// One hold.
#[derive(Debug, Clone)]
pub struct HoldView {
    /// Its number, for its release.
    pub id: u64,
    /// What is held.
    pub scope: Scope,
    /// Why.
    pub cause: HoldCause,
    /// Since when.
    pub since: Instant,
    /// What went wrong.
    pub seen: Seen,
    /// In how long it is tried again; `None` while it is tried, and where only a person ends it.
    pub next_try: Option<Duration>,
}

impl Snapshot {
    /// Events that wait for room in their partition's commits.
    #[must_use]
    pub fn kept_back(&self) -> usize {
        self.partitions.iter().map(|one| one.kept_back).sum()
    }
}

impl Machine {
    /// Why records of a partition are not read although the budget has room.
    fn waits(&self, partition: &TopicPartition, assignment: &Assignment) -> Option<Waits> {
        let held = self.held.waits.get(partition).copied();
        let guard = self.guard.is_holding(&partition.topic);
        held.or_else(|| guard.then_some(Waits::Guard))
            .or_else(|| assignment.room.rests().then_some(Waits::CommitRoom))
    }

    /// A picture of the machine. It costs a walk over all operations: take it once a second, not once a step.
    #[must_use]
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let mut partitions: Vec<PartitionView> = self
            .assignments
            .iter()
            .map(|(partition, assignment)| PartitionView {
                partition: partition.clone(),
                epoch: assignment.epoch,
                unsettled: assignment.in_hand(),
                settled: assignment.ledger.settled(),
                frontier: assignment.ledger.frontier(),
                read_to: assignment.ledger.read_to(),
                committed: assignment.acked,
                metadata_used: assignment.room.used(self.commit.limit),
                kept_back: self.work.kept_back(partition),
                draining: assignment.drain.is_some(),
                restoring: assignment.restoring,
                waits: self.waits(partition, assignment),
            })
            .collect();
        partitions.sort_by(|a, b| a.partition.cmp(&b.partition));
        Snapshot {
            partitions,
            used: self.budget.used(),
            held: self.held.charge,
            cap: self.budget.cap(),
            gate: self.budget.gate(),
            allowance: self.quota.allowance(),
            guaranteed: if self.is_membership_in_doubt() {
                0.0
            } else {
                self.quota.weight()
            },
            server_remaining: self.quota.server_remaining(),
            frozen_until: self.quota.frozen_until(now),
            freezes: self.quota.freezes(),
            requests: self.requests.len(),
            half_done: self
                .records
                .sum(|record| usize::from(record.delivered && record.open > 0)),
            lanes: self.work.lanes(),
            ready_tracks: self.work.ready_tracks(),
            ready_writes: self.work.ready_writes(),
            waiting_for_customer: self.resolver.waiting().0,
            parked: self
                .work
                .count(|entry| matches!(entry.wait(), Wait::Time(_))),
            jobs: self.jobs.len(),
            letters: self.letters.open(),
            directory: self.directory.sizes(),
            directory_hits: self.directory.hits_and_misses(),
            state: self.settings.state.map(|_| StateView {
                waiting: self.journal.waiting(),
                inherited: self.inheritance.len(),
                submits: self.journal.submits(),
                failing: self.journal.is_failing(),
            }),
            holds: self
                .holds
                .iter()
                .map(|(scope, hold)| HoldView {
                    id: hold.id,
                    scope: scope.clone(),
                    cause: hold.cause,
                    since: hold.since,
                    seen: hold.seen.clone(),
                    next_try: hold.next_try(now, scope),
                })
                .collect(),
            progress: self.progress(),
            allowed_per_second: f64::from(self.quota.allowance())
                / self.settings.quota.minute.as_secs_f64(),
            shutting_down: self.shutting_down,
        }
    }
}
