//! Folds of small events: they wait for more of their session, and take them in wherever they wait.

use std::time::Instant;

use super::Work;
use super::stage::Stage;
use crate::common::turn::Turn;
use ingest_model::batch::{ITEM_OVERHEAD, OperationId};
use ingest_model::digest::{Fold, Session};
use ingest_model::operation::{KObject, Operation, Version};

impl Work {
    /// What a digest adds; `None` if it is none.
    pub(crate) fn fold_of(&self, id: OperationId) -> Option<&Fold> {
        self.get(id)?.operation.fold()
    }

    /// It waits for more events, until that time.
    pub(crate) fn gather(&mut self, id: OperationId, until: Instant) {
        self.place(id, Stage::Gathering(until));
        self.gathering.insert((until, id));
    }

    /// Folds that have waited long enough go on; all of them if there is no room for more.
    pub(crate) fn gathered(&mut self, turn: &Turn, all: bool) {
        while let Some((at, id)) = self.gathering.first().copied() {
            if at > turn.now && !all {
                break;
            }
            self.gathering.pop_first();
            self.requeue_from(id, &Stage::Gathering(at));
        }
    }

    /// When the next fold has waited long enough.
    pub(crate) fn next_gathered(&self) -> Option<Instant> {
        self.gathering.first().map(|(at, _)| *at)
    }

    /// Adds later events to a waiting fold, which stays where it is; `base` is what its object has, if that is known. `false` if
    /// it is no fold of that partition.
    pub(crate) fn fold_in(
        &mut self,
        id: OperationId,
        later: &Fold,
        base: Option<&Session>,
    ) -> bool {
        let Some(fold) = self.fold_mut(id) else {
            return false;
        };
        let added = fold.extend(later);
        let bytes = fold.body_bytes(base);
        self.resize(id, bytes);
        added
    }

    /// What the object of a fold has is known, or that it is to be made: drops the events that it has, and gives the others
    /// their version. `false` if none is left.
    pub(crate) fn base_on(&mut self, id: OperationId, base: Option<&Session>) -> bool {
        let Some(fold) = self.fold_mut(id) else {
            return true;
        };
        if base.is_some_and(|base| !fold.retain_new(base)) {
            return false;
        }
        let events = u64::try_from(fold.events.len()).unwrap_or(u64::MAX);
        let count = base.map_or(0, Session::count).saturating_add(events);
        let bytes = fold.body_bytes(base);
        self.resize(id, bytes);
        if let Some(object) = self.object_mut(id) {
            object.version = Some(Version::new(&count.to_string()));
        }
        true
    }

    /// A fold leaves: makes its body and version. Returns what its object is to have; `None` if it is no fold.
    pub(crate) fn word(&mut self, id: OperationId, base: Option<&Session>) -> Option<Session> {
        let object = self.object_mut(id)?;
        let fold = object.fold.as_deref()?;
        let session = match base {
            Some(base) => base.with(fold),
            None => Session::default().with(fold),
        };
        object.body = session.body(&object.external_id.0, &fold.frame);
        object.version = Some(session.version());
        Some(session)
    }

    fn object_mut(&mut self, id: OperationId) -> Option<&mut KObject> {
        match &mut self.entries.get_mut(&id)?.operation {
            Operation::KObject(object) => Some(object),
            Operation::Identify(_) | Operation::Track(_) => None,
        }
    }

    fn fold_mut(&mut self, id: OperationId) -> Option<&mut Fold> {
        self.object_mut(id)?.fold.as_deref_mut()
    }

    /// The item of a fold has at most a body of that many bytes.
    fn resize(&mut self, id: OperationId, body: usize) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        entry.bytes = body + ITEM_OVERHEAD;
        if let Stage::ReadyWrite(group) = &entry.stage {
            self.groups.resize(group, id, entry.bytes);
        }
    }
}
