//! What a record's operations cost while they are unsettled.
//!
//! These are estimates of the memory that the process really uses, which is what the configured budget is about. A test compares
//! them with what an allocator counts.

use ingest_model::operation::Planned;
use ingest_model::weight::planned_bytes;

/// What an operation costs besides its body and the texts of its keys: its state, and its place in its lane.
const OPERATION_OVERHEAD: usize = 850;

/// The bytes that operations occupy, about.
pub(in crate::machine) fn operations_bytes(planned: &[Planned]) -> u64 {
    let bytes: usize = planned
        .iter()
        .map(|plan| planned_bytes(plan) + OPERATION_OVERHEAD)
        .sum();
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
