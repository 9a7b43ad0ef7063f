//! Operations and their places: the lane of each, and what it waits for there.
//!
//! An operation is in exactly one place at a time. Whoever learns something about it reports that with a verb; this module
//! alone decides which place follows, and that the head of the lane is checked again. It does not know what an operation
//! writes, whether it may be sent, or what its end means.

mod backfill;
mod batches;
mod gathering;
mod groups;
mod lane;
mod paused;
mod questions;
mod queue;
mod stage;
mod times;
mod tracks;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;

use self::groups::Groups;
use self::lane::Lanes;
pub(crate) use self::lane::{LaneId, LaneKey};
pub(crate) use self::questions::Front;
use self::stage::Stage;
pub(crate) use self::stage::Wait;
use self::tracks::TrackQueue;
use crate::common::turn::Turn;
use crate::seam::invariant::Invariant;
use ingest_model::batch::{Batch, GroupKey, JobId, OperationId, Patience};
use ingest_model::lookup::Lookup;
use ingest_model::operation::Operation;
use ingest_model::record::{TopicPartition, Traffic};
use ingest_model::said::Ages;

/// All operations that have not ended.
#[derive(Debug)]
pub(crate) struct Work {
    entries: Lookup<OperationId, Entry>,
    lanes: Lanes,
    /// Lanes whose heads may have changed.
    dirty: VecDeque<LaneId>,
    tracks: TrackQueue,
    /// Events and identities of backfill.
    old_tracks: TrackQueue,
    groups: Groups,
    /// Requests whose operations are fixed.
    forced: VecDeque<Batch>,
    looks: BTreeSet<OperationId>,
    old_looks: BTreeSet<OperationId>,
    /// How many operations are backfill.
    old: usize,
    timers: BTreeSet<(Instant, OperationId)>,
    /// Folds that wait for more events, by the end of their patience.
    gathering: BTreeSet<(Instant, OperationId)>,
    kept_back: BTreeMap<TopicPartition, Vec<OperationId>>,
}

/// An operation that has not ended.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) partition: TopicPartition,
    pub(crate) route: Arc<str>,
    pub(crate) operation: Operation,
    /// How urgent it is: it, or what waits behind it.
    traffic: Traffic,
    /// For an identity: when its fields were stated.
    pub(crate) ages: Ages,
    /// Another operation of its lane makes the same change; which of them is sent is decided when they are due. Never merged.
    pub(crate) copy: bool,
    /// Size of its item in a bulk request, in bytes.
    pub(crate) bytes: usize,
    /// How often it was started, be it with a look at its object.
    pub(crate) attempts: u32,
    pub(crate) last_attempt: Option<Instant>,
    /// How often it failed while others succeeded.
    sick: u32,
    /// Never fused, because a fused request with it was refused.
    unfused: bool,
    lane: LaneId,
    stage: Stage,
}

/// An operation that arrives.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) partition: TopicPartition,
    pub(crate) route: Arc<str>,
    pub(crate) operation: Operation,
    pub(crate) traffic: Traffic,
    pub(crate) ages: Ages,
    pub(crate) copy: bool,
    pub(crate) bytes: usize,
}

impl Entry {
    /// What it waits for.
    pub(crate) fn wait(&self) -> Wait {
        self.stage.wait()
    }

    pub(crate) fn lane(&self) -> LaneId {
        self.lane
    }
}

impl Work {
    pub(crate) fn new(patience: Patience) -> Self {
        Self {
            entries: Lookup::default(),
            lanes: Lanes::default(),
            dirty: VecDeque::new(),
            tracks: TrackQueue::default(),
            old_tracks: TrackQueue::default(),
            groups: Groups::new(patience),
            forced: VecDeque::new(),
            looks: BTreeSet::new(),
            old_looks: BTreeSet::new(),
            old: 0,
            timers: BTreeSet::new(),
            gathering: BTreeSet::new(),
            kept_back: BTreeMap::new(),
        }
    }

    // === arrival ===

    /// Whether an entity with one of these keys has an operation that has not ended.
    pub(crate) fn is_busy(&self, keys: &[LaneKey]) -> bool {
        keys.iter().any(|key| self.lanes.is_busy(key))
    }

    /// The lane of an entity. If the keys belonged to different lanes, these are merged.
    pub(crate) fn lane_of(&mut self, keys: &[LaneKey]) -> LaneId {
        let (lane, merged) = self.lanes.lane_of(keys);
        if merged {
            self.adopt(lane);
        }
        lane
    }

    /// Two keys are known to mean one customer: their lanes are merged.
    pub(crate) fn join(&mut self, one: &LaneKey, other: &LaneKey) {
        if let Some(lane) = self.lanes.join(one, other) {
            self.adopt(lane);
        }
    }

    /// Appends an operation to a lane.
    pub(crate) fn push(&mut self, turn: &mut Turn, lane: LaneId, arrival: Arrival) -> OperationId {
        let id = OperationId(turn.number());
        let Arrival {
            partition,
            route,
            operation,
            traffic,
            ages,
            copy,
            bytes,
        } = arrival;
        let is_event = matches!(operation, Operation::Track(_));
        let entry = Entry {
            partition,
            route,
            operation,
            traffic,
            ages,
            copy,
            bytes,
            attempts: 0,
            last_attempt: None,
            sick: 0,
            unfused: false,
            lane,
            stage: Stage::Queued,
        };
        self.old += usize::from(traffic == Traffic::Backfill);
        self.entries.insert(id, entry);
        self.lanes.push(lane, id);
        self.dirty.push_back(lane);
        if let Some(head) = self.lanes.head(lane) {
            let joins = is_event && self.may_fuse(head, id);
            self.tracks.accompany(head, joins);
        }
        id
    }

    /// Replaces what an operation says; it keeps its place in its lane. Its size may have changed, so it leaves its group and
    /// is placed again.
    pub(crate) fn replace(
        &mut self,
        id: OperationId,
        operation: Operation,
        ages: Ages,
        bytes: usize,
    ) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        entry.operation = operation;
        entry.ages = ages;
        entry.bytes = bytes;
        if let Stage::ReadyWrite(group) = &entry.stage {
            self.groups.remove(group, id);
            entry.stage = Stage::Queued;
            self.dirty.push_back(entry.lane);
        }
    }

    /// Replaces an identity by what is left of it; it stays where it is.
    pub(crate) fn reword(&mut self, id: OperationId, operation: Operation) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.operation = operation;
        }
    }

    /// Replaces an operation whose customer goes by another name now; it enters the lane of that, in the order of arrival.
    pub(crate) fn rename(&mut self, id: OperationId, operation: Operation, keys: &[LaneKey]) {
        self.reword(id, operation);
        let lane = self.lane_of(keys);
        self.dirty.push_back(lane);
    }

    // === heads of lanes ===

    /// The next operation that has become the head of its lane and has no place yet.
    pub(crate) fn next_head(&mut self) -> Option<OperationId> {
        while let Some(lane) = self.dirty.pop_front() {
            if let Some(head) = self.lanes.head(lane)
                && self.is(head, &Stage::Queued)
            {
                return Some(head);
            }
        }
        None
    }

    /// Whether heads remain to be checked.
    pub(crate) fn has_heads(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// It waits for a request of its group.
    pub(crate) fn ready_write(&mut self, turn: &Turn, id: OperationId, group: GroupKey) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.stage = Stage::ReadyWrite(group.clone());
            let traffic = entry.traffic;
            self.groups.add(turn.now, group, (id, traffic), entry.bytes);
        }
    }

    /// It waits for a look at its object.
    pub(crate) fn look(&mut self, id: OperationId) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.stage = Stage::ReadyLook;
            let traffic = entry.traffic;
            self.looks_mut(traffic).insert(id);
        }
    }

    /// It waits for its customer's id.
    pub(crate) fn wait_for_customer(&mut self, id: OperationId) {
        self.place(id, Stage::WaitCustomer);
    }

    /// Its customer's id is known. `true` if it waited for that.
    pub(crate) fn customer_found(&mut self, id: OperationId) -> bool {
        self.requeue_from(id, &Stage::WaitCustomer)
    }

    /// It waits for the result of an earlier owner's write.
    pub(crate) fn wait_for_inherited(&mut self, id: OperationId) {
        self.place(id, Stage::WaitInherited);
    }

    /// More is known of an earlier owner's write.
    pub(crate) fn inherited_known(&mut self, id: OperationId) {
        self.requeue_from(id, &Stage::WaitInherited);
    }

    /// It stays where it is until its partition's commits have room.
    pub(crate) fn keep_back(&mut self, id: OperationId) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.stage = Stage::KeptBack;
            let waiting = match self.kept_back.get_mut(&entry.partition) {
                Some(waiting) => waiting,
                None => self.kept_back.entry(entry.partition.clone()).or_default(),
            };
            waiting.push(id);
        }
    }

    /// Takes all events of a partition that wait for room, so that they are checked again.
    pub(crate) fn take_kept_back(&mut self, partition: &TopicPartition) -> Vec<OperationId> {
        let mut waiting = self.kept_back.remove(partition).unwrap_or_default();
        waiting.retain(|id| self.is(*id, &Stage::KeptBack));
        waiting
    }

    /// How many events of a partition wait for room.
    pub(crate) fn kept_back(&self, partition: &TopicPartition) -> usize {
        self.kept_back.get(partition).map_or(0, Vec::len)
    }

    /// There is room for it.
    pub(crate) fn has_room(&mut self, id: OperationId) {
        self.requeue_from(id, &Stage::KeptBack);
    }

    // === requests ===

    /// Operations are sent together, the first ones of their lane. Audits I2.
    pub(crate) fn start(&mut self, turn: &mut Turn, operations: &[OperationId]) {
        let Some(lane) = operations
            .first()
            .and_then(|id| self.entries.get(id))
            .map(|entry| entry.lane)
        else {
            return;
        };
        let in_order = self.lanes.head(lane) == operations.first().copied()
            && self.lanes.start(lane, operations.len());
        turn.check(Invariant::I2, in_order);
        for id in operations {
            if let Some(entry) = self.entries.get_mut(id) {
                entry.stage = Stage::UnderWay;
                entry.attempts += 1;
                entry.last_attempt = Some(turn.now);
            }
        }
    }

    /// A look is sent for it. It may be active already, because of the write that led to the look.
    pub(crate) fn start_look(&mut self, turn: &mut Turn, id: OperationId) {
        self.looks.remove(&id);
        self.old_looks.remove(&id);
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        if self.lanes.head(entry.lane) == Some(id) {
            self.start(turn, &[id]);
        } else {
            entry.stage = Stage::UnderWay;
        }
    }

    /// They were started, and wait for the acknowledgement of their intents.
    pub(crate) fn journal(&mut self, operations: &[OperationId]) {
        for id in operations {
            self.place(*id, Stage::Journalling);
        }
    }

    /// Its intent is acknowledged, so it is sent. `false` if it was left to the next owner meanwhile.
    pub(crate) fn journalled(&mut self, id: OperationId) -> bool {
        let waits = self.is(id, &Stage::Journalling);
        if waits {
            self.place(id, Stage::UnderWay);
        }
        waits
    }

    /// It waits for the end of a job.
    pub(crate) fn in_job(&mut self, id: OperationId, job: JobId) {
        self.place(id, Stage::InJob(job));
    }

    /// It goes back to the front of its lane and is ready at once.
    pub(crate) fn put_back(&mut self, id: OperationId) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.stage = Stage::Queued;
            self.lanes.put_back(entry.lane, id);
            self.dirty.push_back(entry.lane);
        }
    }

    /// A fused request with it was refused: from now on it is sent alone.
    pub(crate) fn goes_alone(&mut self, id: OperationId) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.unfused = true;
        }
    }

    /// Whether the second may be fused with the first: it is queued in the same partition, and the first may be fused.
    pub(crate) fn may_fuse(&self, first: OperationId, second: OperationId) -> bool {
        let (Some(first), Some(second)) = (self.entries.get(&first), self.entries.get(&second))
        else {
            return false;
        };
        !first.unfused && second.stage == Stage::Queued && first.partition == second.partition
    }

    /// It failed while others succeeded. Returns how often that has happened.
    pub(crate) fn failed_alone(&mut self, id: OperationId) -> u32 {
        self.entries.get_mut(&id).map_or(0, |entry| {
            entry.sick += 1;
            entry.sick
        })
    }

    /// How often it failed while others succeeded.
    pub(crate) fn sick(&self, id: OperationId) -> u32 {
        self.entries.get(&id).map_or(0, |entry| entry.sick)
    }

    // === the end ===

    /// An operation ends, wherever it waits. Returns it.
    pub(crate) fn end(&mut self, id: OperationId) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        self.old -= usize::from(entry.traffic == Traffic::Backfill);
        if let Stage::ReadyWrite(group) = &entry.stage {
            self.groups.remove(group, id);
        }
        if entry.stage == Stage::ReadyTrack {
            self.queue_mut(entry.traffic).remove(&entry.partition, id);
        }
        self.lanes.remove(entry.lane, id);
        self.dirty.push_back(entry.lane);
        Some(entry)
    }

    /// No operation of the partition is left.
    pub(crate) fn drop_partition(&mut self, partition: &TopicPartition) {
        self.kept_back.remove(partition);
    }

    // === internal ===

    fn is(&self, id: OperationId, stage: &Stage) -> bool {
        self.entries
            .get(&id)
            .is_some_and(|entry| entry.stage == *stage)
    }

    fn place(&mut self, id: OperationId, stage: Stage) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.stage = stage;
        }
    }

    fn requeue_from(&mut self, id: OperationId, stage: &Stage) -> bool {
        let Some(entry) = self
            .entries
            .get_mut(&id)
            .filter(|entry| entry.stage == *stage)
        else {
            return false;
        };
        entry.stage = Stage::Queued;
        self.dirty.push_back(entry.lane);
        true
    }

    /// After a merge: every operation learns its lane, and only the first may be ready.
    fn adopt(&mut self, lane: LaneId) {
        let all: SmallVec<[OperationId; 8]> = self.in_lane(lane).collect();
        for id in all {
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.lane = lane;
                if entry.stage == Stage::ReadyTrack {
                    entry.stage = Stage::Queued;
                }
            }
        }
        self.dirty.push_back(lane);
        self.hurry_all(lane);
    }
}
