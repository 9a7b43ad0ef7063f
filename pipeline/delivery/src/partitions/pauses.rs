//! Which partitions are read: pauses, and slices of the state topic that are not restored yet.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::Partitions;
use super::parts::assignment::Assignment;
use crate::common::turn::Turn;
use crate::seam::charge::{Charge, Gate};
use crate::seam::fact::Fact;
use crate::seam::port::{Effect, SchemaMissing};
use ingest_model::outcome::Waits;
use ingest_model::record::{Epoch, Topic, TopicPartition, Traffic};

impl Partitions {
    /// Tells the source which partitions to pause and to resume. Returns those of which nothing more is read from now on.
    pub(crate) fn settle_pauses(&mut self, turn: &mut Turn) -> Vec<TopicPartition> {
        if !std::mem::take(&mut self.pauses_changed) {
            return Vec::new();
        }
        let closed = self.budget.gate() == Gate::Closed;
        let old_rests = self.old_rests();
        let (mut pause, mut resume) = (Vec::new(), Vec::new());
        for (partition, assignment) in &mut self.assignments {
            if assignment.drain.is_some() {
                continue;
            }
            let rests = closed
                || assignment.restoring
                || assignment.schema_missing
                || self.guard.is_holding(&partition.topic)
                || self.waits.contains_key(partition)
                || self.paused.contains(&partition.topic)
                || old_rests && assignment.brings_old
                || assignment.room.rests();
            if rests != assignment.paused {
                assignment.paused = rests;
                let to = if rests { &mut pause } else { &mut resume };
                to.push(partition.clone());
            }
        }
        if !pause.is_empty() {
            turn.effect(Effect::Pause(pause.clone()));
        }
        if !resume.is_empty() {
            turn.effect(Effect::Resume(resume));
        }
        pause
    }

    /// Whether nothing more of it is read for now.
    pub(crate) fn rests(&self, partition: &TopicPartition) -> bool {
        let assignment = self.assignments.get(partition);
        assignment.is_some_and(|assignment| assignment.paused)
    }

    /// Whether the next record of a partition waits for its schema. Of another assignment it means nothing.
    pub(crate) fn schema_missing(&mut self, missing: &SchemaMissing) {
        let assignment = self.assignments.get_mut(&missing.partition);
        let Some(assignment) = assignment.filter(|one| one.epoch == missing.epoch) else {
            return;
        };
        assignment.parked = missing.bytes;
        self.parks |= missing.bytes > 0;
        if assignment.schema_missing != missing.waits {
            assignment.schema_missing = missing.waits;
            self.pauses_changed = true;
        }
    }

    /// The bytes of records that wait for schemas. They are not here yet, and take memory.
    pub(crate) fn parked(&mut self) -> u64 {
        if !self.parks {
            return 0;
        }
        let parked = self.assignments.values().map(|one| one.parked).sum();
        self.parks = parked > 0;
        parked
    }

    /// Whether partitions that bring backfill rest: it has as much room as it may, and others may bring live records.
    pub(super) fn old_rests(&self) -> bool {
        let may_bring_live = |assignment: &Assignment| !assignment.brings_old;
        self.budget.is_full_of_old() && self.assignments.values().any(may_bring_live)
    }

    /// A record was admitted at that cost.
    pub(super) fn note_traffic(
        &mut self,
        partition: &TopicPartition,
        traffic: Traffic,
        charge: Charge,
    ) {
        let old = traffic == Traffic::Backfill;
        if old && self.budget.charged_old(charge) {
            self.pauses_changed = true;
        }
        if let Some(assignment) = self.assignments.get_mut(partition)
            && assignment.brings_old != old
        {
            assignment.brings_old = old;
            self.pauses_changed = true;
        }
    }

    /// Sets what held work costs, and which partitions wait because of it.
    pub(crate) fn set_held(
        &mut self,
        turn: &mut Turn,
        held: Charge,
        waits: BTreeMap<TopicPartition, Waits>,
    ) {
        if self.budget.set_held(turn.now, held) == Some(Gate::Open) {
            self.pauses_changed = true;
        }
        if waits == self.waits {
            return;
        }
        for (partition, why) in &waits {
            if !self.waits.contains_key(partition) {
                turn.fact(Fact::PartitionWaits {
                    partition: partition.clone(),
                    why: *why,
                });
            }
        }
        self.waits = waits;
        self.pauses_changed = true;
    }

    /// Sets which topics are not to be read because they are paused.
    pub(crate) fn pause_topics(&mut self, topics: BTreeSet<Topic>) {
        self.pauses_changed |= topics != self.paused;
        self.paused = topics;
    }

    /// Partitions that wait because of held work, and why.
    pub(crate) fn waits(&self) -> &BTreeMap<TopicPartition, Waits> {
        &self.waits
    }

    /// What is kept apart from records takes that many bytes of the budget.
    pub(crate) fn charge_beside(&mut self, now: Instant, bytes: u64) {
        if self.budget.set_beside(now, bytes).is_some() {
            self.pauses_changed = true;
        }
    }

    // === slices of the state topic ===

    /// Asks for the slice of a partition; until it is here, nothing is read from the partition.
    pub(crate) fn ask_restore(&mut self, turn: &mut Turn, partition: &TopicPartition) {
        if let Some(assignment) = self.assignments.get_mut(partition) {
            assignment.restoring = true;
            assignment.restore_at = None;
            let epoch = assignment.epoch;
            let partition = partition.clone();
            turn.effect(Effect::Restore { partition, epoch });
        }
    }

    /// The slice could not be read; it is requested again after `pause`. `false` if nobody waits for it.
    pub(crate) fn restore_failed(
        &mut self,
        turn: &Turn,
        partition: &TopicPartition,
        epoch: Epoch,
        pause: Duration,
    ) -> bool {
        let Some(assignment) = self.assignments.get_mut(partition) else {
            return false;
        };
        let waits = assignment.epoch == epoch && assignment.restoring;
        if waits {
            assignment.restore_failed = true;
            assignment.restore_at = Some(turn.now + pause);
        }
        waits
    }

    /// The slice is here. `false` if nobody waits for it.
    pub(crate) fn restored(&mut self, partition: &TopicPartition, epoch: Epoch) -> bool {
        let Some(assignment) = self.assignments.get_mut(partition) else {
            return false;
        };
        let waits = assignment.epoch == epoch && assignment.restoring;
        if waits {
            assignment.restoring = false;
            assignment.restore_failed = false;
            assignment.restore_at = None;
            self.pauses_changed = true;
        }
        waits
    }

    /// Slices that are due to be requested again.
    pub(crate) fn due_restores(&self, now: Instant) -> Vec<TopicPartition> {
        let due = self
            .assignments
            .iter()
            .filter(|(_, one)| one.restore_at.is_some_and(|at| at <= now));
        due.map(|(partition, _)| partition.clone()).collect()
    }

    pub(crate) fn next_restore(&self) -> Option<Instant> {
        let owned = self.assignments.values();
        owned.filter_map(|one| one.restore_at).min()
    }

    /// Whether the last attempt to read some slice failed.
    pub(crate) fn fails_to_restore(&self) -> bool {
        self.assignments.values().any(|one| one.restore_failed)
    }
}
