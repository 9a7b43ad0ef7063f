//! The obligations to settle records, by the operation that carries them.

use smallvec::SmallVec;

use crate::seam::port::RecordId;
use ingest_model::batch::OperationId;
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
