//! What an expression can see.

use std::cell::OnceCell;

use serde_json::{Map, Value};

use super::meter::Meter;
use crate::decode::segment;
use crate::event::{CustomerHints, Event};
use ingest_model::record::Record;

/// What an expression sees of an event: its content, envelope and record. The values are built when first used.
pub struct Scope<'a> {
    /// The content: `.`.
    pub payload: &'a Value,
    event: Option<&'a Event>,
    record: Option<&'a Record>,
    event_value: OnceCell<Value>,
    envelope_value: OnceCell<Value>,
    record_value: OnceCell<Value>,
    /// What the evaluations for this record have used.
    pub(super) meter: Meter,
}

impl std::fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // the content must not be shown
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}

impl<'a> Scope<'a> {
    /// The scope of an event and its record.
    #[must_use]
    pub fn new(event: &'a Event, record: &'a Record) -> Self {
        Self {
            event: Some(event),
            ..Self::of_payload(&event.payload, Some(record))
        }
    }

    /// The scope before there is an event: `$event` is empty.
    #[must_use]
    pub fn of_payload(payload: &'a Value, record: Option<&'a Record>) -> Self {
        Self {
            payload,
            event: None,
            record,
            event_value: OnceCell::new(),
            envelope_value: OnceCell::new(),
            record_value: OnceCell::new(),
            meter: Meter::default(),
        }
    }

    /// `$event`.
    pub(super) fn event(&self) -> &Value {
        self.event_value.get_or_init(|| {
            let Some(event) = self.event else {
                return Value::Object(Map::new());
            };
            let mut map = envelope(event);
            let message = (event.source == segment::SOURCE).then_some(&event.payload);
            let text = |text: Option<String>| text.map_or(Value::Null, Value::from);
            map.insert(
                "session".to_owned(),
                text(message.and_then(segment::session)),
            );
            map.insert(
                "trackingId".to_owned(),
                text(message.and_then(segment::tracking_id)),
            );
            let traits = message.map(segment::traits).unwrap_or_default();
            map.insert("traits".to_owned(), Value::Object(traits));
            Value::Object(map)
        })
    }

    /// `$event`, of which only this field is needed. The fields that are costly to build are left out unless it is one.
    pub(super) fn event_with(&self, field: &str) -> &Value {
        if matches!(field, "session" | "trackingId" | "traits") {
            return self.event();
        }
        self.envelope_value.get_or_init(|| {
            self.event.map_or_else(
                || Value::Object(Map::new()),
                |event| Value::Object(envelope(event)),
            )
        })
    }

    /// `$record`.
    pub(super) fn record(&self) -> &Value {
        self.record_value.get_or_init(|| {
            self.record
                .map_or_else(|| Value::Object(Map::new()), record_value)
        })
    }
}

/// The fields of `$event` that are cheap to build.
fn envelope(event: &Event) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("name".to_owned(), Value::from(event.name.as_str()));
    map.insert(
        "id".to_owned(),
        event.id.as_deref().map_or(Value::Null, Value::from),
    );
    // with all digits of the fraction, because versions are made of it
    map.insert(
        "time".to_owned(),
        event
            .time
            .map_or(Value::Null, |time| Value::from(time.to_string())),
    );
    map.insert("source".to_owned(), Value::from(event.source));
    map.insert("deleted".to_owned(), Value::from(event.deleted));
    map.insert("customer".to_owned(), customer_value(&event.customer));
    let anonymous = event.customer.anonymous_id.as_deref();
    map.insert(
        "anonymousId".to_owned(),
        anonymous.map_or(Value::Null, Value::from),
    );
    map
}

/// The keys of the customer in the envelope; null if there are none.
fn customer_value(hints: &CustomerHints) -> Value {
    let keys = [
        ("id", &hints.id),
        ("externalId", &hints.external_id),
        ("email", &hints.email),
        ("phone", &hints.phone),
    ];
    let known = keys
        .iter()
        .filter_map(|(name, key)| Some(((*name).to_owned(), Value::from(key.as_deref()?))));
    let map: Map<String, Value> = known.collect();
    if map.is_empty() {
        Value::Null
    } else {
        Value::Object(map)
    }
}

fn record_value(record: &Record) -> Value {
    let text = |bytes: &bytes::Bytes| std::str::from_utf8(bytes).map_or(Value::Null, Value::from);
    let mut headers = Map::new();
    for header in &record.headers {
        // if a name is repeated, the last value counts
        headers.insert(
            header.name.clone(),
            header.value.as_ref().map_or(Value::Null, text),
        );
    }
    let mut map = Map::new();
    map.insert(
        "topic".to_owned(),
        Value::from(record.position.partition.topic.as_str()),
    );
    map.insert(
        "partition".to_owned(),
        Value::from(record.position.partition.partition.0),
    );
    map.insert("offset".to_owned(), Value::from(record.position.offset.0));
    map.insert(
        "timestamp".to_owned(),
        record.timestamp_ms.map_or(Value::Null, Value::from),
    );
    map.insert(
        "key".to_owned(),
        record.key.as_ref().map_or(Value::Null, text),
    );
    map.insert("headers".to_owned(), Value::Object(headers));
    Value::Object(map)
}
