//! What a test of a record would have to expect now: for tests that are written by a program.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::shown;
use crate::decode::{Format, Limits};
use crate::mapping::Mapping;
use crate::route::Pipeline;
use ingest_model::operation::Planned;
use ingest_model::outcome::Verdict;
use ingest_model::record::Record;

/// How many routes of a batch its summary names.
const MOST_ROUTES: usize = 3;

/// What a test would have to say beside its event.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// `expect`.
    pub expect: Value,
    /// `dropped`.
    pub dropped: Vec<String>,
    /// `rejected`: the numbers of the events of a batch that are rejected.
    pub rejected: Vec<u32>,
    /// What becomes of the record, in words: `order-placed`, `skip no_route`.
    pub summary: String,
}

/// What the test of a record would have to expect, with the format for a file that names none.
#[must_use]
pub fn expectation(mapping: &Mapping, format: Format, record: &Record) -> Expectation {
    let format = mapping.format().unwrap_or(format);
    let (summary, verdict) = Pipeline::explain_with(
        mapping,
        format,
        Limits::default(),
        record,
        Timestamp::UNIX_EPOCH,
    );
    let dropped = summary.map(|summary| summary.dropped).unwrap_or_default();
    let mut dropped: Vec<String> = dropped.iter().map(|one| one.field.to_string()).collect();
    dropped.sort();
    dropped.dedup();
    let operations = |planned: &[Planned]| {
        let all = planned.iter().map(|one| said(shown(&one.operation)));
        Value::Array(all.collect())
    };
    let mut rejected = Vec::new();
    let (expect, summary) = match &verdict {
        Verdict::Emit(planned) => {
            let routes = planned.first().map(|one| one.route.to_string());
            (operations(planned), routes.unwrap_or_default())
        }
        Verdict::Batch(batch) => {
            rejected.clone_from(&batch.refused);
            let mut routes: Vec<&str> = Vec::new();
            for one in &batch.planned {
                if !routes.contains(&&*one.route) {
                    routes.push(&one.route);
                }
            }
            if routes.len() > MOST_ROUTES {
                routes.truncate(MOST_ROUTES);
                routes.push("…");
            }
            let refused = batch
                .rejected
                .as_ref()
                .map(|first| format!("{} rejected, {}", rejected.len(), first.reason.as_str()));
            let said = routes.into_iter().map(str::to_owned).chain(refused);
            (
                operations(&batch.planned),
                format!("batch: {}", said.collect::<Vec<_>>().join(", ")),
            )
        }
        Verdict::Skip(reason) => {
            let reason = reason.as_str();
            (json!({ "skip": reason }), format!("skip {reason}"))
        }
        Verdict::Reject(rejected) => {
            let reason = rejected.reason.as_str();
            (json!({ "reject": reason }), format!("reject {reason}"))
        }
    };
    Expectation {
        expect,
        dropped,
        rejected,
        summary,
    }
}

/// An operation without what is null, and without keys that follow from the event's id and the route.
fn said(shown: Value) -> Value {
    let Value::Object(fields) = shown else {
        return shown;
    };
    let mut said: Map<String, Value> = fields
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .collect();
    if let Some(Value::Object(meta)) = said.get_mut("meta") {
        meta.shift_remove("eventKey");
        if meta.is_empty() {
            said.shift_remove("meta");
        }
    }
    Value::Object(said)
}
