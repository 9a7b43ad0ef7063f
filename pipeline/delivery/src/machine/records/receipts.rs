//! What is noted for the receipts topic: what each operation cost, and what became of it. Where nobody wants receipts, nothing is.

use std::sync::Arc;

use crate::jobs::JobItems;
use crate::machine::Machine;
use crate::objects::history::History;
use crate::partitions::Receipt;
use crate::seam::settled::OperationEnd;
use crate::sending::SentKind;
use crate::work::Entry;
use ingest_model::batch::OperationId;
use ingest_model::operation::Operation;
use ingest_model::outcome::SkipReason;

impl Machine {
    /// A request leaves: the operations that it is for share what it costs. What finds or makes customers is for nobody alone, and is
    /// not shared out.
    pub(in crate::machine) fn tell_cost(&mut self, what: &SentKind) {
        if self.partitions.trails().is_none() {
            return;
        }
        match what {
            SentKind::Tracking(operations) => self.partitions.cost(operations.iter()),
            SentKind::Write(batch) => {
                self.partitions.cost(batch.operations.iter());
                if let Some(trails) = self.partitions.trails() {
                    trails.written(&batch.operations, batch.group.verb);
                }
            }
            SentKind::Verify(operation) => self.partitions.cost(std::iter::once(operation)),
            SentKind::ReadJob { job, .. } => {
                let items = self.jobs.get(*job).map(|job| &job.items);
                if let Some(JobItems::Objects { operations, .. }) = items {
                    self.partitions.cost(operations.iter());
                }
            }
            SentKind::Search(_)
            | SentKind::ResolveIdentify(_)
            | SentKind::ReadCustomer { .. }
            | SentKind::ReadOwner(_)
            | SentKind::CreateCustomers { .. }
            | SentKind::Probe => {}
        }
    }

    /// A job carries these operations.
    pub(in crate::machine) fn tell_job(&mut self, operations: &[OperationId], job: &Arc<str>) {
        if let Some(trails) = self.partitions.trails() {
            trails.in_job(operations, job);
        }
    }

    /// The answer names the object that an operation has written, or the customer whom an event is about.
    pub(in crate::machine) fn tell_object(&mut self, id: OperationId, object: Option<&Arc<str>>) {
        if let (Some(trails), Some(object)) = (self.partitions.trails(), object) {
            trails.object(id, object);
        }
    }

    /// See there.
    pub(in crate::machine) fn tell_customer(&mut self, id: OperationId, who: Option<&Arc<str>>) {
        if let (Some(trails), Some(who)) = (self.partitions.trails(), who) {
            trails.customer(id, who);
        }
    }

    /// What a receipt tells of an operation that has got no place.
    pub(in crate::machine) fn told(
        &mut self,
        (route, operation): (&Arc<str>, &Operation),
    ) -> Option<Box<OperationEnd>> {
        self.partitions.trails()?;
        Some(Box::new(OperationEnd::of(route, operation)))
    }

    /// What a receipt tells of an operation that ends.
    pub(in crate::machine) fn told_of(
        &mut self,
        entry: &Entry,
        history: &History,
    ) -> Option<Box<OperationEnd>> {
        let mut told = self.told((&entry.route, &entry.operation))?;
        told.object_id.clone_from(&history.object_id);
        told.customer_id.clone_from(&history.customer_id);
        told.attempts = entry.attempts;
        told.sent = entry.last_attempt;
        Some(told)
    }

    /// An operation has nothing left to do when it comes.
    pub(in crate::machine) fn skip_unplaced(
        &mut self,
        receipt: Receipt,
        reason: SkipReason,
        of: (&Arc<str>, &Operation),
    ) {
        let told = self.told(of);
        self.partitions
            .skip_unplaced(&mut self.turn, receipt, reason, told);
    }
}
