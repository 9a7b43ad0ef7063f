//! Which operations go next, by kind of request: events, groups of objects, requests whose company is given, looks.

use std::time::Instant;

use super::stage::Stage;
use super::{Entry, Work};
use ingest_model::batch::{Batch, GroupKey, OperationId};
use ingest_model::operation::Klass;

/// The part of the suspects that is tried. A part that is refused costs one request, one that is accepted two, the look at its
/// job included: then the golden section narrows down faster than halves, above all where luck is bad. A request of a hundred
/// takes 12 requests at most, and one more for each job that is looked at twice; halves would take 15.
const TRIED: (usize, usize) = (5, 8);

/// So few suspects are tried one by one: a single object costs one request, a bulk of two that is accepted its job's read too.
const ONE_BY_ONE: usize = 4;

impl Work {
    // === events and identities ===

    /// The event or identity that goes next, and whether it stands where it has to.
    pub(crate) fn first_track(&self) -> Option<(OperationId, bool)> {
        let id = self.tracks.first()?;
        let holds = self.entries.get(&id).is_some_and(|entry| {
            entry.stage == Stage::ReadyTrack && self.lanes.head(entry.lane) == Some(id)
        });
        Some((id, holds))
    }

    /// Takes it out because it goes.
    pub(crate) fn take_track(&mut self) -> Option<OperationId> {
        self.tracks.take()
    }

    /// Takes it out because it does not go.
    pub(crate) fn drop_track(&mut self) {
        self.tracks.drop_first();
    }

    /// Events and identities that wait for a permit.
    pub(crate) fn ready_tracks(&self) -> usize {
        self.tracks.len()
    }

    pub(crate) fn has_tracks(&self) -> bool {
        !self.tracks.is_empty()
    }

    // === groups of objects ===

    /// The group that is due and holds the lowest operation, among those that may be sent.
    pub(crate) fn due_group(
        &self,
        now: Instant,
        plenty: bool,
        may_send: impl Fn(&GroupKey) -> bool,
    ) -> Option<GroupKey> {
        self.groups.due(now, plenty, may_send)
    }

    /// When the next group is due by its patience, after that time.
    pub(crate) fn next_group(&self, after: Instant, plenty: bool) -> Option<Instant> {
        self.groups.next_due(after, plenty)
    }

    /// Takes the oldest operations of a group that fit into one request.
    pub(crate) fn take_group(&mut self, group: &GroupKey) -> Vec<OperationId> {
        self.groups.take(group)
    }

    /// Takes one operation of a group: the first after that one, or the first of all.
    pub(crate) fn take_after(
        &mut self,
        group: &GroupKey,
        last: Option<OperationId>,
    ) -> Option<OperationId> {
        self.groups.take_after(group, last)
    }

    /// Objects that wait for a request of their group.
    pub(crate) fn ready_writes(&self) -> usize {
        self.groups.len()
    }

    /// Requests that could be filled now, forced ones included.
    pub(crate) fn full_writes(&self) -> usize {
        self.forced.len() + self.groups.full()
    }

    // === looks ===

    /// Operations whose objects are to be looked at.
    pub(crate) fn ready_looks(&self) -> usize {
        self.looks.len()
    }

    /// The first look that may leave.
    pub(crate) fn due_look(&self, may_leave: impl Fn(&Entry) -> bool) -> Option<OperationId> {
        let mut looks = self.looks.iter().copied();
        looks.find(|id| {
            let entry = self.entries.get(id);
            entry.is_some_and(|entry| entry.stage == Stage::ReadyLook && may_leave(entry))
        })
    }

    /// Drops looks that nobody wants any more from the front.
    pub(crate) fn trim_looks(&mut self) {
        while let Some(id) = self.looks.first() {
            if self.is(*id, &Stage::ReadyLook) {
                break;
            }
            self.looks.pop_first();
        }
    }

    // === requests whose company is given ===

    /// These go out together, next. `rest` holds the guilty one if they are accepted; it waits until then.
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

    /// One of these is guilty of a refusal: a part of them goes next, the others wait for what comes of it.
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

    /// Nothing is known against these: they travel with others again.
    pub(crate) fn clear(&mut self, suspects: &[OperationId]) {
        for id in suspects {
            if self.is(*id, &Stage::Suspect) {
                self.disband(&[*id]);
            }
        }
    }

    /// Nothing keeps these together any more.
    pub(crate) fn disband(&mut self, operations: &[OperationId]) {
        for id in operations {
            if self.line_up(*id, Stage::Queued)
                && let Some(entry) = self.entries.get(id)
            {
                self.dirty.push_back(entry.lane);
            }
        }
    }

    /// Forced requests of a klass are given up. Whom they carried.
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

    /// The place of the first forced request that may leave.
    pub(crate) fn due_forced(&self, may_leave: impl Fn(&GroupKey) -> bool) -> Option<usize> {
        self.forced.iter().position(|batch| may_leave(&batch.group))
    }

    /// Takes the forced request at that place.
    pub(crate) fn take_forced(&mut self, place: usize) -> Option<Batch> {
        self.forced.remove(place)
    }

    /// Drops what was left to the next owner from the forced requests.
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

    /// Puts an operation to where it stood in its lane, unless it stands there. `false` if it was left to the next owner.
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
