//! Operations that wait for the end of a planned pause.

use ingest_model::batch::OperationId;

use super::stage::Stage;
use super::{Entry, Work};

impl Work {
    /// The first operations of their lanes that match and would be sent soon, or wait for their customers: nothing of them is
    /// under way.
    pub(crate) fn not_begun(&self, matches: impl Fn(&Entry) -> bool) -> Vec<OperationId> {
        self.matching(|id, entry| {
            let waits = match entry.stage {
                Stage::WaitCustomer
                | Stage::ReadyTrack
                | Stage::KeptBack
                | Stage::ReadyWrite(_)
                | Stage::ReadyLook => true,
                Stage::Queued
                | Stage::Paused
                | Stage::ReadyForced
                | Stage::Suspect
                | Stage::Parked(_)
                | Stage::AwaitAnswers(_)
                | Stage::Gathering(_)
                | Stage::WaitInherited
                | Stage::Journalling
                | Stage::UnderWay
                | Stage::InJob(_) => false,
            };
            waits && matches(entry) && self.lanes.head(entry.lane) == Some(id)
        })
    }

    /// It stays at the front of its lane until its pause is over.
    pub(crate) fn pause(&mut self, id: OperationId) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let (traffic, partition) = (entry.traffic, entry.partition.clone());
        match std::mem::replace(&mut entry.stage, Stage::Paused) {
            Stage::ReadyTrack => self.queue_mut(traffic).remove(&partition, id),
            Stage::ReadyWrite(group) => {
                self.groups.remove(&group, id);
            }
            Stage::ReadyLook => {
                self.looks_mut(traffic).remove(&id);
            }
            Stage::KeptBack => {
                if let Some(waiting) = self.kept_back.get_mut(&partition) {
                    waiting.retain(|one| *one != id);
                }
            }
            Stage::Queued
            | Stage::Paused
            | Stage::WaitCustomer
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

    /// Operations whose pause is over go on.
    pub(crate) fn resume(&mut self, is_paused: impl Fn(&Entry) -> bool) {
        let over = |entry: &Entry| entry.stage == Stage::Paused && !is_paused(entry);
        for id in self.matching(|_, entry| over(entry)) {
            self.requeue_from(id, &Stage::Paused);
        }
    }
}
