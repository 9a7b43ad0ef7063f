//! The format `json`: any JSON object.

use std::borrow::Cow;

use super::super::envelope::{
    Content, Decoded, Envelope, Found, finish, first_time, reference_time,
};
use super::super::fields::Fields;
use super::{Glance, Reads, whole};
use crate::event::{Event, Notes};
use crate::identity;
use crate::value::Value;
use ingest_model::outcome::Rejection;
use ingest_model::record::Record;

/// Usual fields for the name of an event, the most telling first.
const NAMES: &[&str] = &["type", "name", "event"];
/// Usual fields for the time of an event, the most trusted first.
const TIMES: &[&str] = &["time", "timestamp", "created_at"];

pub(super) const READS: Reads = Reads {
    names_customers: false,
    content: whole,
    null_is_tombstone: true,
    glance,
    event,
};

/// The event of a plain object. Unless the mapping says otherwise, the name comes from `type|name|event`, the id from `id`
/// and the time from `time|timestamp|created_at`. Nothing in a plain object is taken for the customer: routes name one.
fn event<'t>(
    content: Content<'t>,
    record: &Record,
    said: &Envelope<'_>,
) -> Result<Event<'t>, Decoded> {
    let payload = content.value;
    let Value::Object(object) = &payload else {
        return Err(Decoded::reject(
            Rejection::FormatMismatch,
            "the value is not a JSON object",
        ));
    };
    let mut notes = Notes::default();
    let time = match said.time {
        Some(_) => None,
        None => first_time(object, TIMES, reference_time(record), &mut notes),
    };
    let found = Found {
        source: "json",
        kind: None,
        name: NAMES
            .iter()
            .filter_map(|key| object.get(key)?.as_str())
            .map(identity::cleaned)
            .find(|name| !name.is_empty())
            .map(Cow::into_owned),
        id: object.get("id").and_then(identity::id_text),
        time,
        notes,
        ..Found::default()
    };
    finish(found, payload, record, said)
}

/// The name alone.
fn glance<'t>(_record: &'t Record, text: &'t str, named_by: Option<&'t str>) -> Option<Glance<'t>> {
    let fields = Fields::read(text, NAMES, named_by)?;
    let name = match named_by {
        Some(field) => fields.first_name(&[field]),
        None => fields.first_name(NAMES),
    };
    Some(Glance::of(name.ok()??))
}
