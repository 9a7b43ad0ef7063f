//! The obligations to settle records, by the operation that carries them.

use smallvec::SmallVec;

use crate::batch::OperationId;
use crate::lookup::Lookup;
use crate::port::RecordId;
use crate::record::Record;
use crate::repeat::ChangeKey;
use crate::state_log::OperationRef;

/// The obligation to settle one operation of one record. Not `Clone`: it ends where its record is settled or let go.
#[derive(Debug)]
#[must_use = "a receipt that is dropped leaves its record unsettled for ever"]
pub(crate) struct Receipt {
    pub(crate) record: RecordId,
    /// Its place among the operations of the record.
    pub(crate) ordinal: u16,
    /// What the operation changes: the same for every repeat of it.
    pub(crate) change: ChangeKey,
}

impl Receipt {
    /// The operation, as the state topic names it.
    pub(crate) fn operation(&self, record: &Record) -> OperationRef {
        OperationRef {
            offset: record.position.offset,
            ordinal: self.ordinal,
            mark: self.change.mark(),
        }
    }
}

/// All receipts that operations carry.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    of: Lookup<OperationId, SmallVec<[Receipt; 1]>>,
}

impl Receipts {
    /// An operation carries a receipt from now on, beside those that it has.
    pub(crate) fn attach(&mut self, operation: OperationId, receipt: Receipt) {
        self.of.entry(operation).or_default().push(receipt);
    }

    /// What an operation carried, now that it ends.
    pub(crate) fn detach(&mut self, operation: OperationId) -> SmallVec<[Receipt; 1]> {
        self.of.remove(&operation).unwrap_or_default()
    }

    /// What an operation carries.
    pub(crate) fn of(&self, operation: OperationId) -> &[Receipt] {
        self.of.get(&operation).map_or(&[], SmallVec::as_slice)
    }
}
