//! What a record's operations cost while they are unsettled.
//!
//! These are estimates of the memory that the process really uses, which is what the configured budget is about.

use serde_json::{Map, Value};

use ingest_model::operation::{Operation, Planned};

/// What an operation costs besides its body.
const OPERATION_OVERHEAD: u64 = 700;
/// What an entry of a JSON object costs besides its strings.
const ENTRY: u64 = 120;
/// What a JSON value costs in a list.
const VALUE: u64 = 40;

/// The bytes that operations occupy, about.
pub(in crate::machine) fn operations_bytes(planned: &[Planned]) -> u64 {
    planned
        .iter()
        .map(|plan| {
            let body = match &plan.operation {
                Operation::Identify(identify) => map_bytes(&identify.fields),
                Operation::Track(track) => map_bytes(&track.meta),
                Operation::KObject(object) => map_bytes(&object.body),
            };
            body + OPERATION_OVERHEAD
        })
        .sum()
}

fn map_bytes(map: &Map<String, Value>) -> u64 {
    map.iter()
        .map(|(name, value)| ENTRY + length(name) + value_bytes(value))
        .sum()
}

fn value_bytes(value: &Value) -> u64 {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => length(text),
        Value::Array(values) => values.iter().map(|value| VALUE + value_bytes(value)).sum(),
        Value::Object(map) => map_bytes(map),
    }
}

fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}
