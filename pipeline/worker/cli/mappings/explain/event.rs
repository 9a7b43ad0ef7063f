//! What the event of a record says of itself.

use ingest_mapping::event::CustomerHints;
use ingest_mapping::route::EventSummary;
use ingest_model::record::Record;
use serde::Serialize;
use serde_json::{Map, Value};

/// What a record says.
#[derive(Debug, Serialize)]
pub(super) struct ShownEvent {
    pub(super) name: String,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    pub(super) id: Option<String>,
    time: Option<String>,
    /// What the source itself counts its states by.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// The id of the thing that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    /// Whether it is part of a snapshot, which makes it backfill.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    snapshot: bool,
    /// Whom the envelope names.
    #[serde(skip_serializing_if = "Map::is_empty")]
    customer: Map<String, Value>,
}

// === impl ShownEvent ===

impl ShownEvent {
    /// What a message says at its top that is skipped before it is read any further.
    pub(super) fn unread(record: &Record) -> Option<Self> {
        let message: Value = serde_json::from_slice(record.value.as_deref()?).ok()?;
        let text = |field: &str| message.get(field)?.as_str().map(str::to_owned);
        let name = ["event", "name", "type"].into_iter().find_map(text)?;
        Some(Self {
            name,
            kind: None,
            id: text("messageId"),
            time: text("timestamp"),
            version: None,
            subject: None,
            snapshot: false,
            customer: Map::new(),
        })
    }
}

impl From<EventSummary> for ShownEvent {
    fn from(summary: EventSummary) -> Self {
        Self {
            name: summary.name,
            kind: summary.kind,
            id: summary.id,
            time: summary.time.map(|time| time.to_string()),
            version: summary.version,
            subject: summary.subject,
            snapshot: summary.snapshot,
            customer: hints(summary.customer),
        }
    }
}

fn hints(hints: CustomerHints) -> Map<String, Value> {
    let CustomerHints {
        id,
        external_id,
        email,
        phone,
        anonymous_id,
    } = hints;
    [
        ("id", id),
        ("externalId", external_id),
        ("email", email),
        ("phone", phone),
        ("anonymousId", anonymous_id),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?))))
    .collect()
}
