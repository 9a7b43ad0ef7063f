//! Requests that are refused as a whole for the sake of one item: the item is found, everything else goes on.
//!
//! Where the error names the item it goes alone, and the others go together. Where it does not, a search narrows down what is
//! under suspicion: one part is tried while the rest waits. A part that is refused holds a guilty item, so nothing is known of
//! the rest, which goes back to the pool and travels with others; a part that is accepted is done, and the rest is under
//! suspicion without being sent again as a whole. In the end an item stands alone and is refused with an error of its own.
//! Of two guilty items one is found; the other one is back in the pool and is found when its next request is refused.

use std::time::Instant;

use super::Machine;
use super::state::{Batch, Stage};
use crate::fact::Fact;
use crate::lane::OperationId;
use crate::outcome::SplitHint;
use crate::pack::GroupKey;
use crate::quarantine::Way;

/// The part of the suspects that is tried. A part that is refused costs one request, one that is accepted two, the look at its
/// job included: then the golden section narrows down faster than halves, above all where luck is bad. A request of a hundred
/// takes 12 requests at most, and one more for each job that is looked at twice; halves would take 15.
const TRIED: (usize, usize) = (5, 8);

/// So few suspects are tried one by one: a single object costs one request, a bulk of two that is accepted its job's read too.
const ONE_BY_ONE: usize = 4;

impl Machine {
    /// A request was refused as a whole.
    pub(super) fn split(&mut self, now: Instant, batch: Batch, hint: &SplitHint) {
        self.journal_refused(&batch.operations);
        if hint.refs_refused {
            if std::mem::take(&mut self.object_refs) {
                self.turn.fact(Fact::RefsOff);
            }
            let Batch {
                group,
                operations,
                rest,
                ..
            } = batch;
            self.force(group, operations, rest);
            return;
        }
        let Batch {
            group,
            mut operations,
            rest,
            ..
        } = batch;
        self.back_to_the_pool(&rest);
        if let [alone] = operations.as_slice() {
            self.refuse_object(now, *alone, Way::Alone, hint.detail.clone());
            return;
        }
        if !hint.too_large && self.is_quarantined_for(now, &group.klass, &operations, &hint.detail)
        {
            self.disband(&operations);
            return;
        }
        if let Some(guilty) = hint.item.and_then(|index| operations.get(index)).copied() {
            // Alone it has an answer of its own, which also tells a bad item from a customer who is gone.
            operations.retain(|id| *id != guilty);
            self.force(group.clone(), operations, Vec::new());
            self.force(group, vec![guilty], Vec::new());
        } else if hint.too_large {
            // No item is guilty: each half may do.
            let second = operations.split_off(operations.len() / 2);
            self.force(group.clone(), operations, Vec::new());
            self.force(group, second, Vec::new());
        } else {
            self.search(&group, operations);
        }
    }

    /// Another part of a refused request was accepted: the guilty item is one of these.
    pub(super) fn accuse(&mut self, group: &GroupKey, rest: Vec<OperationId>) {
        self.search(group, rest);
    }

    /// One of these is guilty: a part of them goes next, the others wait for what comes of it.
    fn search(&mut self, group: &GroupKey, mut suspects: Vec<OperationId>) {
        suspects.retain(|id| self.operations.contains_key(id));
        let tried = match suspects.len() {
            0 => return,
            few if few <= ONE_BY_ONE => 1,
            many => many * TRIED.0 / TRIED.1,
        };
        let rest = suspects.split_off(tried);
        for id in &rest {
            self.line_up(*id, Stage::Suspect);
        }
        self.force(group.clone(), suspects, rest);
    }

    /// These operations go out together, next. `rest` holds the guilty one if they are accepted.
    pub(super) fn force(
        &mut self,
        group: GroupKey,
        mut operations: Vec<OperationId>,
        rest: Vec<OperationId>,
    ) {
        operations.retain(|id| self.line_up(*id, Stage::ReadyForced));
        if operations.is_empty() {
            self.back_to_the_pool(&rest);
            return;
        }
        if self.is_quarantined(&group.klass) {
            self.disband(&operations);
            self.disband(&rest);
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

    /// A request that was not looked at: what belongs together stays together, the rest may travel with others.
    pub(super) fn put_batch_back(&mut self, batch: Batch) {
        self.journal_refused(&batch.operations);
        if batch.forced {
            self.force(batch.group, batch.operations, batch.rest);
            return;
        }
        for id in batch.operations {
            self.put_back(id);
        }
    }

    /// Nothing is known against these: they travel with others again.
    pub(super) fn back_to_the_pool(&mut self, operations: &[OperationId]) {
        for id in operations {
            let waits = self
                .operations
                .get(id)
                .is_some_and(|state| state.stage == Stage::Suspect);
            if waits && self.line_up(*id, Stage::Queued) {
                let lane = self.operations.get(id).map(|state| state.lane);
                self.dirty.extend(lane);
            }
        }
    }

    /// Puts an operation to where it stood in its lane, unless it stands there. `false` if it was left to the next owner.
    pub(super) fn line_up(&mut self, id: OperationId, stage: Stage) -> bool {
        let Some(state) = self.operations.get_mut(&id) else {
            return false;
        };
        if state.stage.is_under_way() {
            self.lanes.put_back(state.lane, id);
        }
        state.stage = stage;
        true
    }

    /// Drops what was left to the next owner from the requests that are to go next.
    pub(super) fn trim_forced(&mut self) {
        if self.forced.is_empty() {
            return;
        }
        let operations = &self.operations;
        let mut orphaned = Vec::new();
        self.forced.retain_mut(|batch| {
            batch.operations.retain(|id| {
                operations
                    .get(id)
                    .is_some_and(|state| state.stage == Stage::ReadyForced)
            });
            if batch.operations.is_empty() {
                orphaned.append(&mut batch.rest);
            }
            !batch.operations.is_empty()
        });
        self.back_to_the_pool(&orphaned);
    }
}
