//! Requests that are refused as a whole for the sake of one item: the item is found, everything else goes on.
//!
//! Where the error names the item it goes alone, and the others go together. Where it does not, a search narrows down what is
//! under suspicion: one part is tried while the rest waits. A part that is refused holds a guilty item, so nothing is known of
//! the rest, which goes back to the pool and travels with others; a part that is accepted is done, and the rest is under
//! suspicion without being sent again as a whole. In the end an item stands alone and is refused with an error of its own.
//! Of two guilty items one is found; the other one is back in the pool and is found when its next request is refused.

use std::time::Instant;

use crate::machine::Machine;
use crate::objects::quarantine::Way;
use crate::seam::fact::Fact;
use ingest_model::batch::Batch;
use ingest_model::batch::GroupKey;
use ingest_model::batch::OperationId;
use ingest_model::outcome::SplitHint;

impl Machine {
    /// A request was refused as a whole.
    pub(in crate::machine) fn split(&mut self, now: Instant, batch: Batch, hint: &SplitHint) {
        self.journal_refused(&batch.operations);
        if hint.refs_refused {
            if self.objects.name_no_more() {
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
        self.work.clear(&rest);
        if let [alone] = operations.as_slice() {
            self.refuse_object(now, *alone, Way::Alone, hint.detail.clone());
            return;
        }
        if !hint.too_large && self.is_quarantined_for(now, &group.klass, &operations, &hint.detail)
        {
            self.work.disband(&operations);
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
            self.accuse(&group, operations);
        }
    }

    /// Another part of a refused request was accepted: the guilty item is one of these.
    pub(in crate::machine) fn accuse(&mut self, group: &GroupKey, rest: Vec<OperationId>) {
        if self.is_quarantined(&group.klass) {
            self.work.disband(&rest);
        } else {
            self.work.search(group.clone(), rest);
        }
    }

    /// These operations go out together, next. `rest` holds the guilty one if they are accepted.
    pub(in crate::machine) fn force(
        &mut self,
        group: GroupKey,
        operations: Vec<OperationId>,
        rest: Vec<OperationId>,
    ) {
        if self.is_quarantined(&group.klass) {
            self.work.disband(&operations);
            self.work.disband(&rest);
        } else {
            self.work.force(group, operations, rest);
        }
    }

    /// A request that was not looked at: what belongs together stays together, the rest may travel with others.
    pub(in crate::machine) fn put_batch_back(&mut self, batch: Batch) {
        self.journal_refused(&batch.operations);
        if batch.forced {
            self.force(batch.group, batch.operations, batch.rest);
            return;
        }
        for id in batch.operations {
            self.put_back(id);
        }
    }
}
