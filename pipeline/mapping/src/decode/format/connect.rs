//! Connect's JSON beside its schema, `{"schema": …, "payload": …}`, as its converter writes it with `schemas.enable=true`.
//!
//! Every format reads what is in it, with decimals, dates and times as the schema says. A payload that is a text has JSON, as
//! connectors write it that know no schema of their own; one that is null is a tombstone. Rows of Debezium have their own reader.
//!
//! Only what is certain is taken for it: exactly these two fields, with a schema of Connect's types or none. Any other object with a
//! `payload` is the producer's own.

use super::super::envelope::{Decoded, Limits};
use super::super::json;
use super::debezium;
use crate::value::{Map, Value};
use ingest_model::outcome::SkipReason;
use ingest_model::record::Record;

/// Connect's types.
const TYPES: &[&str] = &[
    "struct", "map", "array", "string", "bytes", "boolean", "int8", "int16", "int32", "int64",
    "float", "double",
];
/// The two fields.
const SCHEMA: &str = "schema";
const PAYLOAD: &str = "payload";

/// The value of a record as JSON, without Connect's envelope.
///
/// # Errors
/// As [`json::value`]; [`Decoded::Skip`] for a tombstone; [`Decoded::Reject`] if a value is not what its schema says.
pub(in crate::decode) fn value(record: &Record, limits: Limits) -> Result<Value<'_>, Decoded> {
    match json::value(record, limits)? {
        Value::Object(fields) if is_beside_its_schema(&fields) => payload(fields),
        value @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_)) => Ok(value),
    }
}

fn is_beside_its_schema(fields: &Map<'_>) -> bool {
    let is_schema = |schema: &Value<'_>| {
        let kind = schema.get("type").and_then(Value::as_str);
        schema.is_null() || kind.is_some_and(|kind| TYPES.contains(&kind))
    };
    fields.len() == 2 && fields.contains_key(PAYLOAD) && fields.get(SCHEMA).is_some_and(is_schema)
}

fn payload(mut both: Map<'_>) -> Result<Value<'_>, Decoded> {
    let schema = both.remove(SCHEMA);
    match both.remove(PAYLOAD).unwrap_or_default() {
        Value::Null => Err(Decoded::Skip(SkipReason::Tombstone)),
        Value::String(text) => json::parse_text_within(text, "`payload` is a text"),
        row @ Value::Object(_) => debezium::converted(row, schema.as_ref()),
        value @ (Value::Bool(_) | Value::Number(_) | Value::Array(_)) => Ok(value),
    }
}
