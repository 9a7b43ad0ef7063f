//! Which operations go next, by kind of request: events, groups of objects, requests with fixed members, looks.

use std::time::{Duration, Instant};

use super::stage::Stage;
use super::{Entry, LaneKey, Work};
use crate::common::price::Price;
use ingest_model::batch::{Batch, GroupKey, OperationId};
use ingest_model::operation::{CustomerRef, Klass};
use ingest_model::record::{TopicPartition, Traffic};

/// The part of the suspects that is tried. A refusal costs one request, an acceptance two (the read of its job included), so
/// the golden section narrows down faster than halves, above all in the worst case. A request of a hundred takes 12 requests at
/// most, plus one for each job that is read twice; halves would take 15.
const TRIED: (usize, usize) = (5, 8);

/// So few suspects are tried one by one: a single object costs one request, while a bulk of two also costs the read of its job.
const ONE_BY_ONE: usize = 4;

impl Work {
    // === events and identities ===

    /// An event or identity waits only for a permit, of which one comes in each `turn`. With `patience`, live work behind all others,
    /// until something comes that it may go with.
    pub(crate) fn ready_track(
        &mut self,
        now: Instant,
        turn: Duration,
        id: OperationId,
        patience: Option<Instant>,
    ) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.stage = Stage::ReadyTrack;
            let customer = entry.operation.customer().map(CustomerRef::first);
            match entry.traffic {
                Traffic::Live => {
                    let operation = (id, patience);
                    self.tracks
                        .add(now, turn, &entry.partition, customer, operation);
                    if patience.is_none() {
                        self.tracks.hurry(id);
                    }
                }
                // Customers take no turns there: all of it goes behind the others.
                Traffic::Backfill => {
                    let operation = (id, None);
                    self.old_tracks
                        .add(now, turn, &entry.partition, None, operation);
                }
            }
        }
    }

    /// The first operation of the entity with this key waits for nothing that it could go with.
    pub(crate) fn hurry_front(&mut self, key: &LaneKey) {
        let lane = self.lanes.find(key);
        if let Some(head) = lane.and_then(|lane| self.lanes.head(lane)) {
            self.tracks.hurry(head);
        }
    }

    /// The same for all of a partition; they are looked at in the next step.
    pub(crate) fn hurry_partition(&mut self, partition: &TopicPartition) {
        for id in self.tracks.hurry_all(partition) {
            if let Some(entry) = self.entries.get(&id) {
                self.dirty.push_back(entry.lane);
            }
        }
    }

    /// The event or identity that goes next, and whether it is still ready at the head of its lane.
    pub(crate) fn first_track(&self, traffic: Traffic) -> Option<(OperationId, bool)> {
        let id = self.queue(traffic).first()?;
        let holds = self.entries.get(&id).is_some_and(|entry| {
            let ready = entry.stage == Stage::ReadyTrack && entry.traffic == traffic;
            ready && self.lanes.head(entry.lane) == Some(id)
        });
        Some((id, holds))
    }

    /// Customers whose next turn has come are like all others.
    pub(crate) fn tick_tracks(&mut self, now: Instant) {
        self.tracks.tick(now);
    }

    /// Takes it out because it is sent.
    pub(crate) fn take_track(&mut self, traffic: Traffic) -> Option<OperationId> {
        self.queue_mut(traffic).take()
    }

    /// Takes it out because it is not to be sent.
    pub(crate) fn drop_track(&mut self, traffic: Traffic) {
        self.queue_mut(traffic).drop_first();
    }

    /// How many events and identities wait for a permit.
    pub(crate) fn ready_tracks(&self) -> usize {
        self.tracks.len() + self.old_tracks.len()
    }

    /// How many of live records are not behind the others.
    pub(crate) fn tracks_in_turn(&self) -> usize {
        self.tracks.in_turn()
    }

    /// When the next one that is behind the others is like all others.
    pub(crate) fn next_turn(&self) -> Option<Instant> {
        self.tracks.next_turn()
    }

    // === groups of objects ===

    /// The group to send now: of those that are due and may be sent, the one with the lowest operation.
    pub(crate) fn due_group(
        &self,
        now: Instant,
        price: Price,
        traffic: Traffic,
        may_send: impl Fn(&GroupKey) -> bool,
    ) -> Option<GroupKey> {
        self.groups.due(now, price, traffic, may_send)
    }

    /// When the next group after that time is due.
    pub(crate) fn next_group(
        &self,
        after: Instant,
        price: Price,
        traffic: Traffic,
    ) -> Option<Instant> {
        self.groups.next_due(after, price, traffic)
    }

    /// Takes the oldest operations of a group that fit into one request.
    pub(crate) fn take_group(&mut self, group: &GroupKey, traffic: Traffic) -> Vec<OperationId> {
        self.groups.take(group, traffic)
    }

    /// Takes one operation of a group: the first after `last`, or else the first of all.
    pub(crate) fn take_after(
        &mut self,
        group: &GroupKey,
        last: Option<OperationId>,
    ) -> Option<OperationId> {
        self.groups.take_after(group, last)
    }

    /// How many objects wait for a request of their group.
    pub(crate) fn ready_writes(&self) -> usize {
        self.groups.len()
    }

    /// How many requests of live records could be filled now, forced ones included.
    pub(crate) fn full_writes(&self, may_send: impl Fn(&GroupKey) -> bool) -> usize {
        let forced = self.forced.iter().filter(|one| may_send(&one.group));
        forced.count() + self.groups.full(Traffic::Live, may_send)
    }

    // === looks ===

    /// How many operations of live records wait for a look at their objects.
    pub(crate) fn ready_looks(&self) -> usize {
        self.looks.len()
    }

    /// The first look of such traffic that may be sent.
    pub(crate) fn due_look(
        &self,
        traffic: Traffic,
        may_leave: impl Fn(OperationId, &Entry) -> bool,
    ) -> Option<OperationId> {
        let mut looks = self.looks(traffic).iter().copied();
        looks.find(|id| {
            let entry = self.entries.get(id);
            entry.is_some_and(|entry| entry.stage == Stage::ReadyLook && may_leave(*id, entry))
        })
    }

    /// Drops looks that nobody wants any more from the front.
    pub(crate) fn trim_looks(&mut self) {
        for traffic in Traffic::ALL {
            while let Some(id) = self.looks(*traffic).first().copied() {
                if self.is(id, &Stage::ReadyLook) {
                    break;
                }
                self.looks_mut(*traffic).pop_first();
            }
        }
    }

    // === requests with fixed members ===

    /// These operations are sent together, next. If they are accepted, the guilty one is in `rest`, which waits until then.
    pub(crate) fn force(
        &mut self,
        group: GroupKey,
        mut operations: Vec<OperationId>,
        rest: Vec<OperationId>,
    ) {
        operations.retain(|id| self.line_up(*id, Stage::ReadyForced));
        if operations.is_empty() {
            self.clear(&rest);
            return;
        }
        self.forced.push_back(Batch {
            group,
            operations,
            with_refs: false,
            forced: true,
            rest,
        });
    }

    /// One of these caused a refusal: some of them are sent next, the others wait for the result.
    pub(crate) fn search(&mut self, group: GroupKey, mut suspects: Vec<OperationId>) {
        suspects.retain(|id| self.entries.contains_key(id));
        let tried = match suspects.len() {
            0 => return,
            few if few <= ONE_BY_ONE => 1,
            many => many * TRIED.0 / TRIED.1,
        };
        let rest = suspects.split_off(tried);
        for id in &rest {
            self.line_up(*id, Stage::Suspect);
        }
        self.force(group, suspects, rest);
    }

    /// These are no longer suspected: they may share requests with others again.
    pub(crate) fn clear(&mut self, suspects: &[OperationId]) {
        for id in suspects {
            if self.is(*id, &Stage::Suspect) {
                self.disband(&[*id]);
            }
        }
    }

    /// These need not stay together any more.
    pub(crate) fn disband(&mut self, operations: &[OperationId]) {
        for id in operations {
            if self.line_up(*id, Stage::Queued)
                && let Some(entry) = self.entries.get(id)
            {
                self.dirty.push_back(entry.lane);
            }
        }
    }

    /// Gives up the forced requests of a klass. Returns their operations.
    pub(crate) fn take_forced_of(&mut self, klass: &Klass) -> Vec<OperationId> {
        let mut waiting = Vec::new();
        self.forced.retain_mut(|batch| {
            let taken = batch.group.klass == *klass;
            if taken {
                waiting.append(&mut batch.operations);
                waiting.append(&mut batch.rest);
            }
            !taken
        });
        waiting
    }

    /// The place of the first forced request that may be sent.
    pub(crate) fn due_forced(&self, may_leave: impl Fn(&GroupKey) -> bool) -> Option<usize> {
        self.forced.iter().position(|batch| may_leave(&batch.group))
    }

    /// Takes the forced request at that place.
    pub(crate) fn take_forced(&mut self, place: usize) -> Option<Batch> {
        self.forced.remove(place)
    }

    /// Removes operations that were left to the next owner from the forced requests.
    pub(crate) fn trim_forced(&mut self) {
        if self.forced.is_empty() {
            return;
        }
        let entries = &self.entries;
        let mut orphaned = Vec::new();
        self.forced.retain_mut(|batch| {
            batch.operations.retain(|id| {
                entries
                    .get(id)
                    .is_some_and(|entry| entry.stage == Stage::ReadyForced)
            });
            if batch.operations.is_empty() {
                orphaned.append(&mut batch.rest);
            }
            !batch.operations.is_empty()
        });
        self.clear(&orphaned);
    }

    /// Puts an operation back to its place in its lane, if it had left it. `false` if it was left to the next owner.
    fn line_up(&mut self, id: OperationId, stage: Stage) -> bool {
        let Some(entry) = self.entries.get_mut(&id) else {
            return false;
        };
        if entry.stage.is_under_way() {
            self.lanes.put_back(entry.lane, id);
        }
        entry.stage = stage;
        true
    }
}
