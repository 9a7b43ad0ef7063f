//! Partitions, their records, and how records end.

pub(crate) mod receipts;
