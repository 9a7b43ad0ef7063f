//! What is picked of an answer is what a tree of all its values shows, however odd its shape.

use std::sync::Arc;

use ingest_model::call::{
    Call, CallResult, ItemFate, ItemResult, JobReport, ObjectState, SearchFound, Written,
};
use ingest_model::operation::{CustomerKey, Version};
use ingest_model::outcome::{Outcome, RetryCause};
use serde_json::{Map, Value};

use super::super::errors::clean;
use super::super::job::{fate_of_words, names_an_attribute};

/// What the body of an accepted answer means for a call other than a bulk request.
pub(super) fn meaning(call: &Call, body: &[u8]) -> CallResult {
    let tree: Option<Value> = serde_json::from_slice(body).ok();
    let tree = tree.as_ref();
    let one = tree.and_then(one);
    match call {
        Call::Identify { .. } | Call::Track { .. } => {
            let customer = one
                .flatten()
                .and_then(|identity| related(identity, "customer"));
            CallResult::Tracked(Outcome::Delivered(customer))
        }
        Call::SearchCustomers { keys } => {
            let hits = tree.and_then(|tree| subject(tree).as_array());
            CallResult::Searched(or_garbled(hits.map(|hits| matched(keys, hits))))
        }
        Call::GetCustomer { .. } => CallResult::Customer(or_garbled(match one {
            Some(None) => Some(None),
            Some(Some(customer)) => id(customer).map(|id| Some(id.into())),
            None => None,
        })),
        Call::CreateKObject { .. } | Call::UpdateKObject { .. } => {
            let object = one.flatten();
            CallResult::Written(Outcome::Delivered(Written::Stored {
                id: object.and_then(id),
                rev: object.and_then(rev),
            }))
        }
        Call::DeleteKObject { .. } => CallResult::Written(Outcome::Delivered(Written::Gone)),
        Call::FindCustomer { .. } | Call::GetKObject { .. } => {
            CallResult::KObject(or_garbled(match one {
                Some(None) => Some(None),
                Some(Some(object)) => state(object).map(Some),
                None => None,
            }))
        }
        Call::ReadJob { .. } => CallResult::Job(or_garbled(tree.and_then(batches))),
        Call::ReadJobState { .. } => CallResult::Job(or_garbled(one.flatten().map(job))),
        Call::Probe => CallResult::Probed(Outcome::Delivered(())),
        Call::CreateCustomers { .. }
        | Call::CreateKObjects { .. }
        | Call::UpdateKObjects { .. } => panic!("bulk requests are read otherwise"),
    }
}

pub(super) fn is_errors(tree: &Value) -> bool {
    let errors = tree.get("errors").and_then(Value::as_array);
    errors.is_some_and(|e| !e.is_empty()) && tree.get("data").is_none_or(Value::is_null)
}

fn or_garbled<T>(read: Option<T>) -> Outcome<T> {
    read.map_or(Outcome::Retry(RetryCause::Garbled), Outcome::Delivered)
}

// === documents and resources ===

fn subject(tree: &Value) -> &Value {
    tree.get("data").unwrap_or(tree)
}

fn one(tree: &Value) -> Option<Option<&Value>> {
    let about = subject(tree);
    let first = match about.as_array() {
        Some(list) => list.first(),
        None => Some(about).filter(|it| !it.is_null()),
    };
    match first {
        None => Some(None),
        Some(resource) => resource.is_object().then_some(Some(resource)),
    }
}

fn filled(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str).filter(|t| !t.is_empty())
}

fn id(of: &Value) -> Option<Arc<str>> {
    filled(of.get("id")).map(Arc::from)
}

fn attribute<'v>(of: &'v Value, name: &str) -> Option<&'v Value> {
    let attributes = of.get("attributes");
    attributes
        .and_then(|a| a.get(name))
        .or_else(|| of.get(name))
}

fn related(of: &Value, name: &str) -> Option<Arc<str>> {
    let linked = of.pointer(&format!("/relationships/{name}/data/id"));
    let named = attribute(of, name).and_then(Value::as_str);
    let text = linked.and_then(Value::as_str).or(named);
    text.filter(|t| !t.is_empty()).map(Arc::from)
}

fn rev(object: &Value) -> Option<i64> {
    let value = attribute(object, "rev")?;
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn state(object: &Value) -> Option<ObjectState> {
    let version = attribute(object, "custom").and_then(|c| c.get("ingestVersionStr"));
    let shown = object.get("attributes").unwrap_or(object);
    Some(ObjectState {
        id: id(object)?,
        rev: rev(object),
        version: version.and_then(Value::as_str).map(Version::new),
        customer: related(object, "customer"),
        shown: shown.as_object().cloned().unwrap_or_else(Map::new),
        company: related(object, "company").filter(|id| id.len() == 24),
    })
}

// === customers ===

fn matched(keys: &[CustomerKey], hits: &[Value]) -> SearchFound {
    let mut found = SearchFound::default();
    for hit in hits.iter().filter(|hit| hit.is_object()) {
        let of_hit = |key: &&CustomerKey| id(hit).is_some() && has(hit, key);
        let fit: Vec<_> = keys.iter().filter(of_hit).cloned().collect();
        found.unmatched += usize::from(fit.is_empty());
        for key in fit {
            if found.customers.iter().all(|(taken, _)| *taken != key) {
                found.customers.extend(id(hit).map(|id| (key, id)));
            }
        }
    }
    found
}

fn has(hit: &Value, key: &CustomerKey) -> bool {
    let (name, list) = match key {
        CustomerKey::Id(wanted) => return id(hit).as_ref() == Some(wanted),
        CustomerKey::ExternalId(_) => ("externalId", "externalIds"),
        CustomerKey::Email(_) => ("email", "emails"),
        CustomerKey::Phone(_) => ("phone", "phones"),
        CustomerKey::Owner(_) => return false,
    };
    let list = attribute(hit, list).and_then(Value::as_array).into_iter();
    let listed = list.flatten().filter_map(|entry| {
        entry
            .as_str()
            .or_else(|| entry.get(name).and_then(Value::as_str))
    });
    let single = attribute(hit, name).and_then(Value::as_str);
    let same = |text: &str| match key {
        CustomerKey::Email(wanted) => text.to_lowercase() == wanted.to_lowercase(),
        CustomerKey::Phone(wanted) => text.replace(' ', "") == wanted.replace(' ', ""),
        CustomerKey::Id(wanted) | CustomerKey::ExternalId(wanted) | CustomerKey::Owner(wanted) => {
            text == wanted.as_ref()
        }
    };
    single.into_iter().chain(listed).any(same)
}

// === jobs ===

fn batches(tree: &Value) -> Option<JobReport> {
    let about = subject(tree);
    let named = || about.get("attributes").unwrap_or(about).get("batches");
    let list = about.as_array().or_else(|| named()?.as_array())?;
    let batches: Vec<&Value> = list.iter().filter(|batch| batch.is_object()).collect();
    let parts: Vec<JobReport> = batches.iter().map(|batch| job(batch)).collect();
    let more = tree.pointer("/links/next").is_some_and(Value::is_string);
    let items = batches.iter().flat_map(|batch| {
        let results = attribute(batch, "results").and_then(Value::as_array);
        results.into_iter().flatten().filter_map(item)
    });
    Some(JobReport {
        complete: !more && !batches.is_empty() && batches.iter().all(|b| ended(b).is_some()),
        items: items.collect(),
        failures: parts
            .iter()
            .filter_map(|part| part.failures)
            .reduce(u64::saturating_add),
        completed_ms: parts.iter().filter_map(|part| part.completed_ms).max(),
        unknown: false,
    })
}

fn job(of: &Value) -> JobReport {
    let number = |name: &str| attribute(of, name).and_then(Value::as_u64);
    let part = |name: &str| attribute(of, "batches")?.get(name)?.as_u64();
    let counted = ["failureCount", "failures", "failed"]
        .into_iter()
        .find_map(number);
    let errors = attribute(of, "errors").and_then(Value::as_array);
    let listed = errors
        .and_then(|list| u64::try_from(list.len()).ok())
        .filter(|count| *count > 0);
    let least = (ended(of) == Some(false)).then_some(1);
    let at = attribute(of, "completedAt").and_then(Value::as_str);
    let time = at.and_then(|at| at.parse::<jiff::Timestamp>().ok());
    JobReport {
        complete: ended(of).is_some()
            && part("complete")
                .zip(part("total"))
                .is_none_or(|(c, t)| c >= t),
        items: Vec::new(),
        failures: counted.max(listed).max(least),
        completed_ms: time.map(jiff::Timestamp::as_millisecond),
        unknown: false,
    }
}

/// Whether it ended well, if it ended.
fn ended(of: &Value) -> Option<bool> {
    let Some(status) = attribute(of, "status").and_then(Value::as_str) else {
        let at = attribute(of, "completedAt").is_some_and(Value::is_string);
        let told = attribute(of, "completed") == Some(&Value::Bool(true));
        return (at || told).then_some(true);
    };
    match status.to_ascii_lowercase().as_str() {
        "complete" | "completed" | "done" | "finished" => Some(true),
        "failed" | "error" | "errored" | "cancelled" | "canceled" | "expired" => Some(false),
        _ => None,
    }
}

fn item(entry: &Value) -> Option<ItemResult> {
    let text = |name: &str| filled(entry.get(name)).map(str::to_owned);
    let reference = text("_clientRef").or_else(|| text("clientRef"))?;
    let errors = ["error", "errors", "message"];
    let error = errors.iter().find_map(|name| entry.get(*name));
    let empty = |e: &Value| e.is_null() || e.as_array().is_some_and(Vec::is_empty);
    let error = error.filter(|error| !empty(error));
    let status = text("status").unwrap_or_default().to_ascii_lowercase();
    let fate = match (status.as_str(), error) {
        ("created" | "updated" | "success" | "succeeded" | "ok", _) => {
            ItemFate::Stored(text("objectId").or_else(|| text("id")).map(Arc::from))
        }
        (_, Some(error)) => fate(error.as_array().map_or(error, |list| &list[0])),
        ("error" | "failed" | "failure", None) => ItemFate::Permanent("no error text".to_owned()),
        (_, None) => return None,
    };
    Some(ItemResult { reference, fate })
}

fn fate(error: &Value) -> ItemFate {
    let part = |name: &str| error.get(name).and_then(Value::as_str);
    let parts = ["code", "title", "message", "detail"]
        .into_iter()
        .filter_map(part);
    let joined = || parts.collect::<Vec<_>>().join(" ");
    let words = error.as_str().map_or_else(joined, str::to_owned);
    let number = error.get("status").and_then(Value::as_u64);
    match number.or_else(|| part("status")?.parse().ok()) {
        Some(404) if !names_an_attribute(&words.to_lowercase()) => ItemFate::Gone,
        Some(429) => ItemFate::Limited(clean(&words)),
        Some(500..=599) => ItemFate::Transient(clean(&words)),
        Some(_) | None => fate_of_words(&words),
    }
}
