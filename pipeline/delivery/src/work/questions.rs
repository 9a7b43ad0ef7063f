//! Queries about operations and their lanes. Nothing here changes anything.

use ingest_model::batch::OperationId;
use ingest_model::operation::{MissingCustomer, Operation};

use super::stage::{Stage, Wait};
use super::{Entry, LaneId, LaneKey, Work};

/// The state of an entity's first operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Front {
    /// An operation of the entity is active.
    UnderWay,
    /// Its first operation waits for its turn or for a permit.
    Ready,
    /// It has no operation, or the first one waits for something else.
    Nothing,
}

/// How many objects a request carries at best: a hundred in a submission, whose job takes a read.
const OBJECTS_A_REQUEST: f64 = 50.0;

impl Work {
    pub(crate) fn get(&self, id: OperationId) -> Option<&Entry> {
        self.entries.get(&id)
    }

    /// Whether nothing is to be done where the object that names an operation's customer is not there.
    pub(crate) fn skips_missing(&self, id: OperationId) -> bool {
        let customer = self.get(id).and_then(|entry| entry.operation.customer());
        customer.is_some_and(|customer| customer.missing == MissingCustomer::Skip)
    }

    pub(crate) fn contains(&self, id: OperationId) -> bool {
        self.entries.contains_key(&id)
    }

    /// How many lanes have operations.
    pub(crate) fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// The matching operations, in the order of arrival.
    pub(crate) fn matching(
        &self,
        matches: impl Fn(OperationId, &Entry) -> bool,
    ) -> Vec<OperationId> {
        self.entries.keys_where(|id, entry| matches(*id, entry))
    }

    /// What `of` returns for operations, in the order of arrival.
    pub(crate) fn said<T>(
        &self,
        of: impl Fn(OperationId, &Entry) -> Option<T>,
    ) -> Vec<(OperationId, T)> {
        self.entries.said(|id, entry| of(*id, entry))
    }

    /// How many operations match.
    pub(crate) fn count(&self, matches: impl Fn(&Entry) -> bool) -> usize {
        self.entries.sum(|entry| usize::from(matches(entry)))
    }

    /// About how many requests the operations take that wait for permits.
    pub(crate) fn requests_waiting(&self) -> f64 {
        let waits = |entry: &Entry| match entry.wait() {
            Wait::Turn
            | Wait::Customer
            | Wait::Track
            | Wait::Room
            | Wait::Write
            | Wait::Forced
            | Wait::Look => true,
            Wait::Pause
            | Wait::Time(_)
            | Wait::Others(_)
            | Wait::Events(_)
            | Wait::Inherited
            | Wait::Journal
            | Wait::Answer
            | Wait::Job(_) => false,
        };
        let of_object = |entry: &Entry| matches!(entry.operation, Operation::KObject(_));
        let objects = self.count(|entry| of_object(entry) && waits(entry));
        let others = self.count(|entry| !of_object(entry) && waits(entry));
        let few = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        few(others) + (few(objects) / OBJECTS_A_REQUEST).ceil()
    }

    /// The last waiting operation of a lane.
    pub(crate) fn tail(&self, lane: LaneId) -> Option<OperationId> {
        self.lanes.tail(lane)
    }

    /// The operation right behind the first one of its lane.
    pub(crate) fn second(&self, first: OperationId) -> Option<OperationId> {
        self.lanes.second(self.entries.get(&first)?.lane)
    }

    /// The operation that a queued one waits for: the active one of its lane, or the first.
    pub(crate) fn stands_behind(&self, id: OperationId) -> Option<OperationId> {
        let lane = self.entries.get(&id)?.lane;
        let first = self.lanes.waiting(lane).next();
        let active = self.lanes.active(lane);
        active
            .first()
            .copied()
            .or_else(|| first.filter(|first| *first != id))
    }

    /// The operations of a lane: the waiting ones, first to last, then the active ones.
    pub(crate) fn in_lane(&self, lane: LaneId) -> impl Iterator<Item = OperationId> {
        self.lanes.waiting(lane).chain(self.lanes.active(lane))
    }

    /// The last waiting operation of a lane that matches, and those before it.
    pub(crate) fn last_of_lane(
        &self,
        lane: LaneId,
        matches: impl Fn(&Operation) -> bool,
    ) -> Option<(&Entry, Vec<(OperationId, &Entry)>)> {
        let named = |id| Some((id, self.entries.get(&id)?));
        let mut all: Vec<_> = self.lanes.waiting(lane).filter_map(named).collect();
        let last = all.iter().rposition(|(_, one)| matches(&one.operation))?;
        all.truncate(last + 1);
        let (_, last) = all.pop()?;
        Some((last, all))
    }

    /// The last waiting operations of a lane, `most` at most, then the active ones.
    pub(crate) fn latest_in_lane(
        &self,
        lane: LaneId,
        most: usize,
    ) -> impl Iterator<Item = OperationId> {
        let waiting = self.lanes.waiting(lane).rev().take(most);
        waiting.chain(self.lanes.active(lane))
    }

    /// The state of the first operation of the entity with this key.
    pub(crate) fn front(&self, key: &LaneKey) -> Front {
        let Some(lane) = self.lanes.find(key) else {
            return Front::Nothing;
        };
        if self.lanes.is_active(lane) {
            return Front::UnderWay;
        }
        let head = self.lanes.head(lane).and_then(|id| self.entries.get(&id));
        match head.map(|entry| &entry.stage) {
            Some(Stage::Queued | Stage::ReadyTrack) => Front::Ready,
            Some(
                Stage::Paused
                | Stage::WaitCustomer
                | Stage::KeptBack
                | Stage::ReadyWrite(_)
                | Stage::ReadyForced
                | Stage::Suspect
                | Stage::ReadyLook
                | Stage::Parked(_)
                | Stage::AwaitAnswers(_)
                | Stage::Gathering(_)
                | Stage::WaitInherited
                | Stage::Journalling
                | Stage::UnderWay
                | Stage::InJob(_),
            )
            | None => Front::Nothing,
        }
    }

    // === audit ===

    /// Whether an operation is where its stage says, if that place belongs to this folder: in the queue that leads it on, or
    /// behind another one in its lane.
    pub(crate) fn is_placed(&self, id: OperationId) -> bool {
        let Some(entry) = self.entries.get(&id) else {
            return true;
        };
        match &entry.stage {
            Stage::Queued => {
                self.lanes.head(entry.lane) != Some(id) || self.dirty.contains(&entry.lane)
            }
            Stage::ReadyTrack => self.queue(entry.traffic).contains(&entry.partition, id),
            Stage::KeptBack => {
                let waiting = self.kept_back.get(&entry.partition);
                waiting.is_some_and(|waiting| waiting.contains(&id))
            }
            Stage::ReadyWrite(group) => self.groups.contains(group, id),
            Stage::ReadyForced => self.forced.iter().any(|one| one.operations.contains(&id)),
            Stage::ReadyLook => self.looks(entry.traffic).contains(&id),
            Stage::Parked(until) | Stage::AwaitAnswers(until) => {
                self.timers.contains(&(*until, id))
            }
            Stage::Gathering(until) => self.gathering.contains(&(*until, id)),
            // The request that decides about a suspect may be in flight.
            Stage::Suspect
            | Stage::Paused
            | Stage::WaitCustomer
            | Stage::WaitInherited
            | Stage::Journalling
            | Stage::UnderWay
            | Stage::InJob(_) => true,
        }
    }

    /// Whether a waiting forced request carries an operation or decides about it.
    pub(crate) fn is_forced(&self, id: OperationId) -> bool {
        self.forced.iter().any(|one| one.carries(id))
    }

    /// How many operations a lane has.
    pub(crate) fn length(&self, lane: LaneId) -> usize {
        self.in_lane(lane).count()
    }
}
