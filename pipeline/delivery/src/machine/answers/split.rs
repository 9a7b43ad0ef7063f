//! Requests that are refused as a whole because of one item: the item is found, everything else goes on.
//!
//! If the error names the item, it is sent alone, and the others together. If not, a search narrows the suspects down: one part
//! is tried while the rest waits. If the part is refused, it holds a guilty item; nothing is known of the rest, which goes back
//! to the pool and shares requests with others. If the part is accepted, it is done, and the rest is suspected without being
//! sent again as a whole. In the end one item is left alone and is refused with its own error. Of two guilty items one is
//! found; the other is back in the pool, and is found when its next request is refused.

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
            // Alone it gets its own answer, which also distinguishes a bad item from a customer that is gone.
            operations.retain(|id| *id != guilty);
            self.force(group.clone(), operations, Vec::new());
            self.force(group, vec![guilty], Vec::new());
        } else if hint.too_large {
            // No item is guilty: each half may be small enough.
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

    /// These operations are sent together, next. If they are accepted, the guilty one is in `rest`.
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

    /// A request that was not examined: what has to stay together does, the others may be grouped anew.
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
