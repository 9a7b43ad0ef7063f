//! The format `generic`: an envelope of one's own, `{type, id, time, data}`.
//!
//! The content is `data` alone; the other fields are `$event.attributes`. The name, the id and the time each have several usual
//! fields, of which the first that says something counts. A `data` that is a text of JSON, as outbox tables write it, is
//! read. `sequence` is the version, `subject` the id of the thing. Nothing is taken for the customer: routes name one.

use super::super::envelope::{
    Content, Decoded, Found, Limits, first_time, found, reference_time, says_something,
};
use super::super::fields::Fields;
use super::super::json;
use super::connect;
use super::{Glance, Reads};
use crate::event::{More, Notes, Versioned};
use crate::identity;
use crate::value::{Map, Value};
use ingest_model::outcome::Rejection;
use ingest_model::record::Record;

pub(super) const READS: Reads = Reads {
    names_customers: false,
    content,
    null_is_tombstone: true,
    glance,
    event: found,
};

/// Usual fields for the name of an event.
const NAMES: &[&str] = &["type", "eventType", "event_type", "event", "name"];
/// Usual fields for its id.
const IDS: &[&str] = &["id", "eventId", "event_id", "messageId", "message_id"];
/// Usual fields for its time, the most trusted first.
const TIMES: &[&str] = &[
    "time",
    "timestamp",
    "occurredAt",
    "occurred_at",
    "createdAt",
    "created_at",
];
/// Usual fields for the content.
const DATA: &[&str] = &["data", "payload", "body"];

fn content(record: &Record, limits: Limits) -> Result<Content<'_>, Decoded> {
    let Value::Object(mut envelope) = connect::value(record, limits)? else {
        return Err(Decoded::mismatch("the value is not a JSON object"));
    };
    let data = DATA.iter().find_map(|name| {
        let there = envelope.get(name).is_some_and(says_something);
        there.then(|| envelope.remove(name)).flatten()
    });
    let Some(data) = data else {
        return Err(Decoded::mismatch(
            "none of `data`, `payload`, `body` has the content of the event; format json reads objects without an envelope",
        ));
    };
    // As at a glance: a number is no name.
    let text = |name: &&str| {
        let text = identity::cleaned(envelope.get(name)?.as_str()?);
        (!text.is_empty()).then(|| text.into_owned())
    };
    let Some(name) = NAMES.iter().find_map(text) else {
        return Err(Decoded::reject(
            Rejection::InvalidEnvelope,
            "no name: none of `type`, `eventType`, `event_type`, `event`, `name` is a text",
        ));
    };
    let mut notes = Notes::default();
    let time = first_time(&envelope, TIMES, reference_time(record), &mut notes);
    let id = |name: &&str| identity::id_text(envelope.get(name)?);
    let found = Found {
        source: "generic",
        name: Some(name),
        id: IDS.iter().find_map(id),
        time,
        more: Some(Box::new(More {
            version: counted(&envelope),
            subject: envelope.get("subject").and_then(identity::id_text),
            attributes: envelope,
            ..More::default()
        })),
        notes,
        ..Found::default()
    };
    Ok(Content {
        value: json::unescaped(data),
        found: Some(Box::new(found)),
        read_by: None,
    })
}

/// The version that a `sequence` says.
pub(super) fn counted(envelope: &Map<'_>) -> Versioned {
    let sequence = envelope.get("sequence").and_then(identity::plain_text);
    sequence.map_or(Versioned::ByTime, Versioned::By)
}

/// The name alone.
fn glance<'t>(_record: &'t Record, text: &'t str, named_by: Option<&'t str>) -> Option<Glance<'t>> {
    if named_by.is_some() {
        return None;
    }
    let name = Fields::read(text, NAMES, None)?.first_name(NAMES).ok()??;
    Some(Glance::of(name))
}
