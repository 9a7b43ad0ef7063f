//! Lanes: the queue of one entity, whose operations are sent one after the other.
//!
//! The entity of `identify` and `track` is the customer, that of `kobject` the object. Lanes know nothing of time or requests:
//! they say which operation is first, and the machine decides when it goes. Two lanes that turn out to be one customer's are
//! merged in the order of arrival; everything that was active in either is waited for.

use smallvec::SmallVec;

use super::queue::Queue;
use ingest_model::batch::OperationId;
use ingest_model::lookup::Lookup;
use ingest_model::operation::CustomerKey;
use uuid::Uuid;

/// Identifies a lane within this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LaneId(u64);

/// Whose lane it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum LaneKey {
    /// A customer, by one of its keys.
    Customer(CustomerKey),
    /// An object, by the hash that stands for it.
    Object(Uuid),
}

#[derive(Debug, Default)]
struct Lane {
    keys: SmallVec<[LaneKey; 2]>,
    queue: Queue,
    active: SmallVec<[OperationId; 2]>,
}

/// All lanes that have operations.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: Lookup<LaneId, Lane>,
    index: Lookup<LaneKey, LaneId>,
    next: u64,
}

impl Lanes {
    /// The lane of these keys, created if there is none. If the keys belonged to different lanes, they are merged: then `true`,
    /// and their operations have to learn their lane.
    pub(super) fn lane_of(&mut self, keys: &[LaneKey]) -> (LaneId, bool) {
        let mut found: Option<LaneId> = None;
        let mut merged = false;
        for key in keys {
            let Some(other) = self.index.get(key).copied() else {
                continue;
            };
            match found {
                Some(lane) if lane != other => {
                    self.merge(lane, other);
                    merged = true;
                }
                Some(_) | None => found = Some(found.unwrap_or(other)),
            }
        }
        let id = found.unwrap_or_else(|| {
            self.next += 1;
            LaneId(self.next)
        });
        let lane = self.lanes.entry(id).or_default();
        for key in keys {
            if self.index.insert(key.clone(), id) != Some(id) {
                lane.keys.push(key.clone());
            }
        }
        (id, merged)
    }

    /// The lane of this key, if it has operations.
    pub(super) fn find(&self, key: &LaneKey) -> Option<LaneId> {
        self.index.get(key).copied()
    }

    /// Learns that two keys mean one customer. If two lanes were merged, returns the lane, whose head may have changed.
    pub(super) fn join(&mut self, one: &LaneKey, other: &LaneKey) -> Option<LaneId> {
        match (self.index.get(one).copied(), self.index.get(other).copied()) {
            (Some(a), Some(b)) if a != b => {
                self.merge(a, b);
                Some(a)
            }
            (Some(_), Some(_)) | (None, None) => None,
            (Some(lane), None) => {
                self.add_key(lane, other);
                None
            }
            (None, Some(lane)) => {
                self.add_key(lane, one);
                None
            }
        }
    }

    /// Appends an operation to a lane.
    pub(super) fn push(&mut self, lane: LaneId, operation: OperationId) {
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.queue.push(operation);
        }
    }

    /// The operation that may go now: the first, if none is active.
    pub(super) fn head(&self, lane: LaneId) -> Option<OperationId> {
        let lane = self.lanes.get(&lane)?;
        if lane.active.is_empty() {
            lane.queue.first()
        } else {
            None
        }
    }

    /// The second waiting operation.
    pub(super) fn second(&self, lane: LaneId) -> Option<OperationId> {
        self.lanes.get(&lane)?.queue.second()
    }

    /// The last waiting operation.
    pub(super) fn tail(&self, lane: LaneId) -> Option<OperationId> {
        self.lanes.get(&lane)?.queue.last()
    }

    /// Whether an operation of the lane is active.
    pub(super) fn is_active(&self, lane: LaneId) -> bool {
        self.lanes
            .get(&lane)
            .is_some_and(|lane| !lane.active.is_empty())
    }

    /// Whether the lane of this key has an operation, waiting or active.
    pub(super) fn is_busy(&self, key: &LaneKey) -> bool {
        self.index.contains_key(key)
    }

    /// The waiting operations of a lane, first to last.
    pub(super) fn waiting(&self, lane: LaneId) -> impl DoubleEndedIterator<Item = OperationId> {
        self.lanes
            .get(&lane)
            .into_iter()
            .flat_map(|lane| lane.queue.iter())
    }

    /// The active operations of a lane.
    pub(super) fn active(&self, lane: LaneId) -> SmallVec<[OperationId; 2]> {
        self.lanes
            .get(&lane)
            .map(|lane| lane.active.clone())
            .unwrap_or_default()
    }

    /// Makes the first `count` operations active together. `false` if the lane has an active one (I2).
    pub(super) fn start(&mut self, lane: LaneId, count: usize) -> bool {
        let Some(lane) = self.lanes.get_mut(&lane) else {
            return false;
        };
        if !lane.active.is_empty() || lane.queue.len() < count {
            return false;
        }
        for _ in 0..count {
            lane.active.extend(lane.queue.pop());
        }
        true
    }

    /// Puts an active operation back to its place in the queue; one that is there already stays.
    pub(super) fn put_back(&mut self, lane: LaneId, operation: OperationId) {
        let Some(lane) = self.lanes.get_mut(&lane) else {
            return;
        };
        lane.active.retain(|id| *id != operation);
        lane.queue.insert(operation);
    }

    /// Removes an operation, active or waiting. An empty lane disappears.
    pub(super) fn remove(&mut self, id: LaneId, operation: OperationId) {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        if lane.queue.first() == Some(operation) {
            lane.queue.pop();
        } else {
            lane.active.retain(|other| *other != operation);
            lane.queue.remove(operation);
        }
        if lane.queue.is_empty() && lane.active.is_empty() {
            for key in &lane.keys {
                self.index.remove(key);
            }
            self.lanes.remove(&id);
        }
    }

    /// How many lanes have operations.
    pub(super) fn len(&self) -> usize {
        self.lanes.len()
    }

    fn add_key(&mut self, id: LaneId, key: &LaneKey) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.keys.push(key.clone());
            self.index.insert(key.clone(), id);
        }
    }

    fn merge(&mut self, into: LaneId, from: LaneId) {
        let Some(source) = self.lanes.remove(&from) else {
            return;
        };
        let target = self.lanes.entry(into).or_default();
        for key in source.keys {
            self.index.insert(key.clone(), into);
            target.keys.push(key);
        }
        target.active.extend(source.active);
        target.queue = target.queue.iter().chain(source.queue.iter()).collect();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn email(text: &str) -> LaneKey {
        LaneKey::Customer(CustomerKey::Email(Arc::from(text)))
    }

    fn op(n: u64) -> OperationId {
        OperationId(n)
    }

    #[test]
    fn one_at_a_time_in_order() {
        let mut lanes = Lanes::default();
        let (lane, _) = lanes.lane_of(&[email("a")]);
        lanes.push(lane, op(1));
        lanes.push(lane, op(2));
        assert_eq!(lanes.head(lane), Some(op(1)));
        assert!(lanes.start(lane, 1));
        assert_eq!(lanes.head(lane), None, "the second waits");
        assert!(!lanes.start(lane, 1));
        lanes.put_back(lane, op(1));
        assert_eq!(
            lanes.head(lane),
            Some(op(1)),
            "a failed one goes first again"
        );
        assert!(lanes.start(lane, 1));
        lanes.remove(lane, op(1));
        assert_eq!(lanes.head(lane), Some(op(2)));
        lanes.remove(lane, op(2));
        assert!(lanes.len() == 0);
        assert!(!lanes.is_busy(&email("a")));
    }

    #[test]
    fn joined_lanes_keep_the_order_of_arrival_and_wait_for_both() {
        let mut lanes = Lanes::default();
        let (one, _) = lanes.lane_of(&[email("a")]);
        let (two, _) = lanes.lane_of(&[email("b")]);
        lanes.push(one, op(1));
        lanes.push(two, op(2));
        lanes.push(one, op(3));
        lanes.push(two, op(4));
        assert!(lanes.start(one, 1));
        assert!(lanes.start(two, 1));
        let joined = lanes.join(&email("a"), &email("b")).unwrap();
        assert_eq!(lanes.head(joined), None);
        lanes.remove(joined, op(2));
        assert_eq!(lanes.head(joined), None, "the other is still under way");
        lanes.remove(joined, op(1));
        assert_eq!(lanes.waiting(joined).collect::<Vec<_>>(), [op(3), op(4)]);
        assert_eq!(lanes.lane_of(&[email("b")]), (joined, false));
    }

    #[test]
    fn a_new_key_of_a_busy_lane_finds_it() {
        let mut lanes = Lanes::default();
        let (lane, _) = lanes.lane_of(&[email("a")]);
        lanes.push(lane, op(1));
        assert_eq!(lanes.join(&email("a"), &email("b")), None);
        assert_eq!(lanes.lane_of(&[email("b")]), (lane, false));
    }
}
