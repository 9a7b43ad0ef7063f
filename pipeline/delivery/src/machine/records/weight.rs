//! What a record's operations cost while they are unsettled.
//!
//! These are estimates of the memory that the process really uses, which is what the configured budget is about.

use ingest_model::operation::{Operation, Planned};
use ingest_model::weight::map_bytes;

/// What an operation costs besides its body.
const OPERATION_OVERHEAD: usize = 700;

/// The bytes that operations occupy, about.
pub(in crate::machine) fn operations_bytes(planned: &[Planned]) -> u64 {
    let bytes: usize = planned
        .iter()
        .map(|plan| {
            let body = match &plan.operation {
                Operation::Identify(identify) => map_bytes(&identify.fields.parse()),
                Operation::Track(track) => map_bytes(&track.occurrence().meta),
                Operation::KObject(object) => map_bytes(&object.body.parse()),
            };
            body + OPERATION_OVERHEAD
        })
        .sum();
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
