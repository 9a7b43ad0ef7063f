//! What is urgent and what is not: operations of live records and of backfill wait apart.
//!
//! A lane keeps its order, so whatever a live operation waits for in its lane is as urgent as that.

use std::collections::BTreeSet;

use ingest_model::batch::OperationId;
use ingest_model::record::Traffic;
use smallvec::SmallVec;

use super::stage::Stage;
use super::tracks::TrackQueue;
use super::{LaneId, Work};

/// Operations that have become urgent.
type Hurried = SmallVec<[OperationId; 4]>;

impl Work {
    /// A live operation comes into a lane: what is before it is urgent, too. Returns which operations were not.
    pub(crate) fn hurry(&mut self, lane: LaneId) -> Hurried {
        let slow = |id: &OperationId| self.traffic(*id) == Traffic::Backfill;
        // What is before an urgent one is urgent already.
        let waiting = self.lanes.waiting(lane).rev().take_while(slow);
        let active = self.lanes.active(lane).into_iter().filter(slow);
        let slow: Hurried = waiting.chain(active).collect();
        self.hurry_these(&slow);
        slow
    }

    /// The same after two lanes were merged, for what is before their last live operation.
    pub(super) fn hurry_all(&mut self, lane: LaneId) {
        let live = |id: &OperationId| self.traffic(*id) == Traffic::Live;
        let before = self.lanes.waiting(lane).rev();
        let slow: Hurried = before
            .skip_while(|id| !live(id))
            .filter(|id| !live(id))
            .collect();
        self.hurry_these(&slow);
    }

    /// How urgent an operation is.
    pub(crate) fn traffic(&self, id: OperationId) -> Traffic {
        self.entries
            .get(&id)
            .map_or(Traffic::Live, |entry| entry.traffic)
    }

    /// Whether any operation is backfill.
    pub(crate) fn has_backfill(&self) -> bool {
        self.old > 0
    }

    /// How many requests of backfill could be sent if there were permits.
    pub(crate) fn old_requests(&self) -> usize {
        self.old_tracks.len() + self.old_looks.len() + self.groups.full(Traffic::Backfill, |_| true)
    }

    fn hurry_these(&mut self, slow: &[OperationId]) {
        for id in slow {
            let Some(entry) = self.entries.get_mut(id) else {
                continue;
            };
            self.old -= usize::from(entry.traffic == Traffic::Backfill);
            entry.traffic = Traffic::Live;
            match &entry.stage {
                Stage::ReadyTrack => {
                    self.old_tracks.remove(&entry.partition, *id);
                    entry.stage = Stage::Queued;
                    self.dirty.push_back(entry.lane);
                }
                Stage::ReadyWrite(group) => self.groups.hurry(group, *id),
                Stage::ReadyLook => {
                    self.old_looks.remove(id);
                    self.looks.insert(*id);
                }
                Stage::Queued
                | Stage::Paused
                | Stage::WaitCustomer
                | Stage::KeptBack
                | Stage::ReadyForced
                | Stage::Suspect
                | Stage::Parked(_)
                | Stage::AwaitAnswers(_)
                | Stage::Gathering(_)
                | Stage::WaitInherited
                | Stage::Journalling
                | Stage::UnderWay
                | Stage::InJob(_) => {}
            }
        }
    }

    pub(super) fn looks(&self, traffic: Traffic) -> &BTreeSet<OperationId> {
        match traffic {
            Traffic::Live => &self.looks,
            Traffic::Backfill => &self.old_looks,
        }
    }

    pub(super) fn looks_mut(&mut self, traffic: Traffic) -> &mut BTreeSet<OperationId> {
        match traffic {
            Traffic::Live => &mut self.looks,
            Traffic::Backfill => &mut self.old_looks,
        }
    }

    pub(super) fn queue(&self, traffic: Traffic) -> &TrackQueue {
        match traffic {
            Traffic::Live => &self.tracks,
            Traffic::Backfill => &self.old_tracks,
        }
    }

    pub(super) fn queue_mut(&mut self, traffic: Traffic) -> &mut TrackQueue {
        match traffic {
            Traffic::Live => &mut self.tracks,
            Traffic::Backfill => &mut self.old_tracks,
        }
    }
}
