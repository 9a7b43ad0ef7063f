//! Objects are deleted while states of them are parked for a customer: those are not written any more.

use crate::machine::Machine;
use crate::objects::coalesce;
use crate::work::{Entry, LaneId, Wait};
use ingest_model::batch::OperationId;
use ingest_model::operation::{CustomerKey, Operation};
use ingest_model::outcome::SkipReason;

impl Machine {
    /// Nobody has these keys so far: states that wait for that customer, and are followed by a deletion, end.
    pub(in crate::machine) fn drop_parked_for(&mut self, customer: &CustomerKey) {
        for waiting in self.customers.waiting_for(customer).to_vec() {
            if let Some(lane) = self.work.get(waiting).map(Entry::lane) {
                self.drop_parked(lane);
            }
        }
    }

    /// States that are parked end as stale if a deletion of their object follows. Once the customer came, the object would be made
    /// only to be deleted, and the deletion would wait as long. Should that be refused in the end, its dead letter says so.
    pub(super) fn drop_parked(&mut self, lane: LaneId) {
        let Some((deletion, before)) = self.work.last_of_lane(lane, Operation::deletes) else {
            return;
        };
        let is_replaced = |(id, state): (OperationId, &Entry)| {
            let same = state.partition == deletion.partition;
            let replaced = self.is_nobodys(id, state)
                && coalesce::is_replaced(&state.operation, &deletion.operation, same);
            replaced.then_some(id)
        };
        let replaced: Vec<_> = before.into_iter().filter_map(is_replaced).collect();
        for id in replaced {
            self.let_go(id);
            self.finish_skipped(id, SkipReason::Stale);
        }
    }

    /// Whether a write waits for a customer whom nobody has found. Then neither this process nor an earlier owner of the partition
    /// has sent it: a job that is under way somewhere would make the object after its deletion.
    fn is_nobodys(&self, id: OperationId, entry: &Entry) -> bool {
        let history = self.objects.histories.of(id);
        let customer = entry.operation.customer();
        matches!(entry.wait(), Wait::Customer | Wait::Turn | Wait::Pause)
            && customer.is_some_and(|customer| self.customers.is_missing(customer.first()))
            && !history.begun
            && history.last_write.is_none()
    }
}
