//! The obligations to settle records, by the operation that carries them; and what is noted of operations for those who want it in
//! writing, on the receipts topic.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::seam::fact::Settlement;
use crate::seam::port::RecordId;
use crate::seam::settled::{OperationEnd, Units};
use ingest_model::batch::{OperationId, Verb};
use ingest_model::lookup::Lookup;
use ingest_model::record::Record;
use ingest_model::repeat::ChangeKey;
use ingest_model::state_log::OperationRef;

/// The obligation to settle one operation of one record. Not `Clone`: it ends where its record is settled or abandoned.
#[derive(Debug)]
#[must_use = "a receipt that is dropped leaves its record unsettled for ever"]
pub(crate) struct Receipt {
    pub(in crate::partitions) record: RecordId,
    /// Its place among the operations of the record.
    ordinal: u16,
    /// What the operation changes: the same for every repetition of it.
    pub(in crate::partitions) change: ChangeKey,
    ended: bool,
}

impl Receipt {
    pub(in crate::partitions) fn new(record: RecordId, ordinal: u16, change: ChangeKey) -> Self {
        Self {
            record,
            ordinal,
            change,
            ended: false,
        }
    }

    /// Its place among the operations of the record.
    pub(in crate::partitions) fn ordinal(&self) -> u16 {
        self.ordinal
    }

    /// Ends a receipt; nothing else does. Returns its record.
    pub(in crate::partitions) fn end(mut self) -> RecordId {
        self.ended = true;
        self.record
    }

    /// The operation, as the state topic names it.
    pub(in crate::partitions) fn operation(&self, record: &Record) -> OperationRef {
        OperationRef {
            offset: record.position.offset,
            ordinal: self.ordinal,
            mark: self.change.mark(),
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        debug_assert!(
            self.ended || std::thread::panicking(),
            "a receipt of {:?} was lost",
            self.record
        );
    }
}

/// All receipts that operations carry.
#[derive(Debug, Default)]
pub(in crate::partitions) struct Receipts {
    of: Lookup<OperationId, SmallVec<[Receipt; 1]>>,
}

impl Receipts {
    /// Attaches a receipt to an operation, in addition to those it has.
    pub(in crate::partitions) fn attach(&mut self, operation: OperationId, receipt: Receipt) {
        self.of.entry(operation).or_default().push(receipt);
    }

    /// Takes the receipts of an operation that ends.
    pub(in crate::partitions) fn detach(
        &mut self,
        operation: OperationId,
    ) -> SmallVec<[Receipt; 1]> {
        self.of.remove(&operation).unwrap_or_default()
    }

    /// The receipts of an operation.
    pub(in crate::partitions) fn of(&self, operation: OperationId) -> &[Receipt] {
        self.of.get(&operation).map_or(&[], SmallVec::as_slice)
    }
}

/// What operations that have not ended leave behind for the receipts topic.
#[derive(Debug, Default)]
pub(crate) struct Trails {
    of: Lookup<OperationId, Trail>,
}

/// What was noted of one of them.
#[derive(Debug, Default)]
struct Trail {
    units: Units,
    verb: Option<Verb>,
    job: Option<Arc<str>>,
    object: Option<Arc<str>>,
    customer: Option<Arc<str>>,
}

// === impl Trails ===

impl Trails {
    /// A request that is for these operations is sent. One that was left to the next owner meanwhile has no receipt, and no trail.
    pub(in crate::partitions) fn cost<'i>(
        &mut self,
        operations: impl ExactSizeIterator<Item = &'i OperationId>,
        receipts: &Receipts,
    ) {
        let share = Units::shared(operations.len());
        for id in operations.filter(|id| !receipts.of(**id).is_empty()) {
            self.of.entry(*id).or_default().units += share;
        }
    }

    /// It is a write.
    pub(crate) fn written(&mut self, operations: &[OperationId], verb: Verb) {
        for id in operations {
            if let Some(trail) = self.of.get_mut(id) {
                trail.verb = Some(verb);
                trail.job = None;
            }
        }
    }

    /// A job carries them.
    pub(crate) fn in_job(&mut self, operations: &[OperationId], job: &Arc<str>) {
        for id in operations {
            if let Some(trail) = self.of.get_mut(id) {
                trail.job = Some(Arc::clone(job));
            }
        }
    }

    /// The Kustomer id of what it wrote.
    pub(crate) fn object(&mut self, id: OperationId, object: &Arc<str>) {
        if let Some(trail) = self.of.get_mut(&id) {
            trail.object = Some(Arc::clone(object));
        }
    }

    /// The Kustomer id of whom it is about.
    pub(crate) fn customer(&mut self, id: OperationId, customer: &Arc<str>) {
        if let Some(trail) = self.of.get_mut(&id) {
            trail.customer = Some(Arc::clone(customer));
        }
    }

    /// It ends, or is left to the next owner.
    pub(in crate::partitions) fn forget(&mut self, id: OperationId) {
        self.of.remove(&id);
    }

    /// It ends, and what is told of it becomes complete.
    pub(in crate::partitions) fn end(
        &mut self,
        id: OperationId,
        mut told: Box<OperationEnd>,
        end: Settlement,
        carried: usize,
    ) -> Arc<OperationEnd> {
        let trail = self.of.remove(&id).unwrap_or_default();
        told.end = end;
        told.units = trail.units;
        told.carried = u32::try_from(carried).unwrap_or(u32::MAX);
        told.verb = trail.verb;
        told.job = trail.job;
        told.object_id = trail.object.or(told.object_id);
        told.customer_id = trail.customer.or(told.customer_id);
        Arc::from(told)
    }
}

impl Drop for Receipts {
    /// The whole machine is dropped: what is open is left to the next reader.
    fn drop(&mut self) {
        for operation in self.of.keys_where(|_, _| true) {
            for receipt in self.detach(operation) {
                receipt.end();
            }
        }
    }
}
