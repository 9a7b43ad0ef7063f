//! Operations that wait for a time.

use std::time::Instant;

use ingest_model::batch::OperationId;

use super::Work;
use super::stage::Stage;
use crate::common::turn::Turn;

impl Work {
    /// It goes back to the front of its lane, and waits there until that time.
    pub(crate) fn park(&mut self, id: OperationId, until: Instant) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.stage = Stage::Parked(until);
            self.lanes.put_back(entry.lane, id);
            self.timers.insert((until, id));
        }
    }

    /// It goes back to the front of its lane, and is looked at again at that time: others are asking what it needs to know.
    pub(crate) fn await_answers(&mut self, id: OperationId, until: Instant) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.stage = Stage::AwaitAnswers(until);
            self.lanes.put_back(entry.lane, id);
            self.timers.insert((until, id));
        }
    }

    /// Operations whose time has come go on.
    pub(crate) fn unpark(&mut self, turn: &Turn) {
        while let Some((at, id)) = self.timers.first().copied() {
            if at > turn.now {
                break;
            }
            self.timers.pop_first();
            self.requeue_from(id, &Stage::Parked(at));
            self.requeue_from(id, &Stage::AwaitAnswers(at));
        }
    }

    /// The next time at which a parked operation may go on.
    pub(crate) fn next_time(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }
}
