//! Which records requests and jobs are about, and whether they are open still: for whoever follows records through the worker.
//! The machine itself never asks.

use ingest_model::batch::OperationId;
use ingest_model::operation::CustomerKey;
use ingest_model::record::{Epoch, Position};

use crate::machine::Machine;
use crate::seam::port::RequestId;
use crate::sending::SentKind;

impl Machine {
    /// Shows the position of each record that a request in flight is about: those that it carries something of, or those that wait
    /// for the customer that it asks about. A record comes once for each of its operations.
    pub fn records_of(&self, request: RequestId, mut show: impl FnMut(&Position)) {
        let mut of = |id: OperationId| {
            let records = self.partitions.records_of(id);
            records.for_each(|(_, state)| show(&state.record().position));
        };
        let mut waiting = |customer: &CustomerKey| {
            let waiting = self.customers.waiting_for(customer).iter();
            waiting.copied().for_each(&mut of);
        };
        match self.sending.what(request) {
            Some(SentKind::Tracking(operations)) => operations.iter().copied().for_each(of),
            Some(SentKind::Write(batch)) => batch.operations.iter().copied().for_each(of),
            Some(SentKind::Verify(operation)) => of(*operation),
            Some(SentKind::Search(customers)) => customers.iter().for_each(waiting),
            Some(SentKind::CreateCustomers { keys, .. }) => keys.values().for_each(waiting),
            Some(
                SentKind::ResolveIdentify(customer)
                | SentKind::ReadOwner(customer)
                | SentKind::ReadCustomer { customer },
            ) => waiting(customer),
            Some(SentKind::ReadJob { .. } | SentKind::Probe) | None => {}
        }
    }

    /// Whether a record that was read in the present life of its partition is not settled.
    #[must_use]
    pub fn is_open(&self, position: &Position, epoch: Epoch) -> bool {
        self.partitions.is_open(position, epoch)
    }

    /// Whether a job with that id in Kustomer has not ended.
    #[must_use]
    pub fn has_job(&self, remote: &str) -> bool {
        self.jobs.has_remote(remote)
    }
}
