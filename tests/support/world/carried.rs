//! When a request first carried each record.

use std::time::Duration;

use ingest_model::body::Body;
use ingest_model::call::Call;
use ingest_model::operation::Operation;
use ingest_model::outcome::Verdict;
use serde_json::Value;

use super::World;

impl World {
    /// Notes what a request carries, if that is wanted.
    pub(super) fn note_carried(&mut self, call: &Call) {
        let now = self.elapsed();
        let Some(carried) = self.carried.as_mut() else {
            return;
        };
        for mark in marks_of_call(call) {
            carried.entry(mark).or_insert(now);
        }
    }

    /// How long a record that came in at that time waited for the request that carries it; `None` while none does.
    pub(crate) fn waited(&self, mark: &str, arrived: Duration) -> Option<Duration> {
        let sent = self.carried.as_ref()?.get(mark)?;
        Some(sent.saturating_sub(arrived))
    }
}

/// By what the request that carries a record is known: the event's key, the object's version, the customer's name.
pub(crate) fn mark(verdict: &Verdict) -> Option<String> {
    let Verdict::Emit(planned) = verdict else {
        return None;
    };
    let operation = &planned.first()?.operation;
    match operation {
        Operation::Track(event) => Some(event.occurrence().event_key.to_string()),
        Operation::Identify(identify) => text(&identify.fields.parse(), "name"),
        Operation::KObject(object) => object_mark(&object.body),
    }
}

fn marks_of_call(call: &Call) -> Vec<String> {
    match call {
        Call::Identify { identity } => text(&identity.parse(), "name").into_iter().collect(),
        Call::Track { identity, event } => {
            let event = event.parse();
            let key = event.get("meta").and_then(|meta| text_of(meta, "eventKey"));
            let name = text(&identity.parse(), "name");
            key.into_iter().chain(name).collect()
        }
        Call::CreateKObjects { items, .. } | Call::UpdateKObjects { items, .. } => items
            .iter()
            .filter_map(|item| object_mark(&item.body))
            .collect(),
        Call::CreateKObject { body, .. } | Call::UpdateKObject { body, .. } => {
            object_mark(body).into_iter().collect()
        }
        Call::SearchCustomers { .. }
        | Call::GetCustomer { .. }
        | Call::CreateCustomers { .. }
        | Call::DeleteKObject { .. }
        | Call::FindCustomer { .. }
        | Call::GetKObject { .. }
        | Call::ReadJob { .. }
        | Call::ReadJobState { .. }
        | Call::Probe => Vec::new(),
    }
}

pub(super) fn object_mark(body: &Body) -> Option<String> {
    let body = body.parse();
    let version = text_of(body.get("custom")?, "ingestVersionStr")?;
    Some(format!("{}@{version}", text(&body, "externalId")?))
}

fn text(fields: &serde_json::Map<String, Value>, name: &str) -> Option<String> {
    fields.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn text_of(value: &Value, name: &str) -> Option<String> {
    value.get(name).and_then(Value::as_str).map(str::to_owned)
}
