//! Samples whose records are batches: where their events stand.

use std::sync::Arc;

use ingest_mapping::decode::{Decoder, Format, Limits};
use ingest_mapping::mapping::Mapping;
use ingest_mapping::route::Pipeline;
use ingest_model::outcome::{SkipReason, Verdict};
use ingest_model::record::Record;
use jiff::Timestamp;
use serde_json::Value;

use super::format::{ENVELOPES, NAMES, TRIED};
use crate::cli::mappings::drafts::personal::words;

/// Fields that have the events of a batch.
const LISTS: &[&str] = &["events", "batch", "messages", "records", "notifications"];
/// Fields that may as well have the parts of one event, such as the lines of an order.
const LISTS_OR_PARTS: &[&str] = &["entries", "data", "payload", "items"];
/// Objects that what a record says is in.
const WRAPPERS: &[&str] = &["payload", "data", "body", "message", "detail", "content"];
/// The header that a batch gives each of its events.
const MEMBER: &str = "ingest.member";

/// The expression for the events of a record, if three of four records are batches: lists of events, or objects that are no
/// events and have a list of them. What is broken does not hide the rest.
pub(super) fn each(records: &[Record]) -> Option<String> {
    let step = (records.len() / TRIED).max(1);
    let decoder = Decoder::new(Format::Json, Limits::default());
    let tried = records.iter().step_by(step).take(TRIED);
    let parsed: Vec<Value> = tried
        .filter_map(|record| serde_json::from_str(&decoder.value(record).ok()?.to_string()).ok())
        .collect();
    if most(&parsed, |value| Some(value)) {
        return Some(".".to_owned());
    }
    let alone = |names: &'static [&str]| names.iter().map(|name| vec![*name]);
    let within = WRAPPERS
        .iter()
        .flat_map(|outer| LISTS.iter().map(|name| vec![*outer, *name]));
    let all = alone(LISTS).chain(alone(LISTS_OR_PARTS)).chain(within);
    let keys = { all }.find(|keys| {
        let parts = matches!(&keys[..], [only] if LISTS_OR_PARTS.contains(only));
        most(&parsed, |value| {
            let list = keys.iter().try_fold(value, |value, key| value.get(*key));
            list.filter(|_| !(is_event(value) || parts && envelope_says(value)))
        })
    })?;
    Some(keys.iter().map(|key| format!(".{key}")).collect())
}

/// Whether three of four of these are batches by what stands there: lists of events, up to half of them empty.
fn most(parsed: &[Value], list: impl for<'v> Fn(&'v Value) -> Option<&'v Value>) -> bool {
    let lists: Vec<&Value> = parsed.iter().filter_map(list).collect();
    let empty = lists
        .iter()
        .filter(|list| list.as_array().is_some_and(Vec::is_empty))
        .count();
    let full = lists.iter().filter(|list| is_list(list)).count();
    full > 0 && full >= empty && (full + empty) * 4 >= parsed.len() * 3
}

/// Whether this is a list of events. Up to half of them may be broken.
fn is_list(value: &Value) -> bool {
    let events = |items: &Vec<Value>| items.iter().filter(|item| is_event(item)).count();
    value.as_array().is_some_and(|items| {
        let events = events(items);
        events > 0 && events * 2 >= items.len()
    })
}

/// Whether this has a field that names an event.
fn is_event(value: &Value) -> bool {
    let Value::Object(fields) = value else {
        return false;
    };
    fields.iter().any(|(key, value)| {
        let says = value.as_str().is_some_and(|text| !text.trim().is_empty());
        says && NAMES.contains(&&*words(key).concat())
    })
}

/// Whether an object within this names an event.
fn envelope_says(value: &Value) -> bool {
    let mut fields = value.as_object().into_iter().flatten();
    fields.any(|(key, inner)| ENVELOPES.contains(&&*words(key).concat()) && is_event(inner))
}

/// The events of these records, each as a record of its own.
///
/// # Errors
/// The expression cannot be compiled.
pub(super) fn members(
    records: &[Record],
    each: &str,
    format: Format,
) -> anyhow::Result<Vec<Record>> {
    let text = format!("event: {{ each: {each} }}\nroutes: []\n");
    let mapping = Mapping::compile(&text, "batches").map_err(|errors| {
        let first = errors.first().map(ToString::to_string);
        anyhow::anyhow!(first.unwrap_or_default())
    })?;
    let pipeline = Pipeline::new(format, Limits::default(), Arc::new(mapping))?;
    let all = records
        .iter()
        .flat_map(|record| pipeline.explain_each(record, Timestamp::UNIX_EPOCH));
    let alone = |mut record: Record| {
        record.headers.retain(|header| header.name != MEMBER);
        record
    };
    // an empty batch is no event
    let full = all.filter(|one| one.verdict != Verdict::Skip(SkipReason::NoItems));
    Ok(full.map(|one| alone(one.record)).collect())
}
