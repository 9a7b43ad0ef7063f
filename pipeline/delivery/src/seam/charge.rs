//! What records cost while they are unsettled, and the gate that keeps further ones out.

/// The cost of records in memory.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Charge {
    /// Records.
    pub records: u64,
    /// The bytes of their keys, values and headers and of their operations, and a constant for each record.
    pub bytes: u64,
}

/// Whether records may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// They may.
    Open,
    /// Partitions are paused; polling goes on.
    Closed,
}

/// Adds one charge to another.
pub(crate) fn add(to: &mut Charge, charge: Charge) {
    to.records = to.records.saturating_add(charge.records);
    to.bytes = to.bytes.saturating_add(charge.bytes);
}

/// Subtracts one charge from another.
pub(crate) fn subtract(from: &mut Charge, charge: Charge) {
    from.records = from.records.saturating_sub(charge.records);
    from.bytes = from.bytes.saturating_sub(charge.bytes);
}
