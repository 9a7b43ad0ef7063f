//! The events of EasyPost.
//!
//! | | from |
//! |---|---|
//! | name | `description`: `tracker.updated` |
//! | id | `id` |
//! | time | `result.updated_at` of a tracker, otherwise `created_at` |
//! | version | the time; of two states of a parcel in one second, the one that is further on |
//! | subject | `result.tracking_code`, otherwise `result.id` |
//! | customer | nobody: EasyPost knows a parcel and no person. `user_id` is the shop's account |
//!
//! Each event repeats the whole history of the parcel, and shows in `previous_attributes` what was different before.

use super::super::super::envelope::{Content, Decoded, Envelope, Found, finish, reference_time};
use super::super::super::fields::Fields;
use super::super::{Glance, Reads, whole};
use super::hints::{at, first_time_at, place, version};
use super::relay::{Webhook, mismatch, named};
use crate::event::{CustomerHints, Event, Notes};
use crate::identity;
use crate::value::Value;
use ingest_model::outcome::Rejection;
use ingest_model::record::Record;

/// How these records are read.
pub(in crate::decode::format) const READS: Reads = Reads {
    names_customers: false,
    content: whole,
    glance,
    event,
};

/// The fields that the name is made of, and those that say that there is a wrapper.
const SEEN: &[&str] = &["object", "description", "detail-type", "headers"];

/// States of a parcel, as they follow each other.
const STATES: &[&str] = &[
    "unknown",
    "pre_transit",
    "in_transit",
    "out_for_delivery",
    "available_for_pickup",
    "failure",
    "return_to_sender",
    "delivered",
    "error",
    "cancelled",
];

/// The name, if there is no wrapper.
fn glance<'t>(text: &'t str, named_by: Option<&'t str>) -> Option<Glance<'t>> {
    let fields = Fields::read(text, SEEN, named_by)?;
    if !is_bare(&fields) {
        return None;
    }
    named(&fields, named_by.unwrap_or("description"))
}

/// Whether these are the fields of an event without a wrapper.
fn is_bare(fields: &Fields<'_>) -> bool {
    let bare = fields.raw("detail-type").is_none() && fields.raw("headers").is_none();
    bare && fields.text("object").ok().flatten().as_deref() == Some("Event")
}

/// The event.
fn event<'t>(
    content: Content<'t>,
    record: &Record,
    said: &Envelope<'_>,
) -> Result<Event<'t>, Decoded> {
    let Webhook { body, .. } = Webhook::unwrapped(content.value, record)?;
    if body.get("object").and_then(Value::as_str) != Some("Event") {
        return Err(mismatch(
            "`object` is not `Event`: not an event of EasyPost",
        ));
    }
    let name = body
        .get("description")
        .and_then(Value::as_str)
        .map(identity::cleaned);
    let name = name
        .filter(|name| !name.is_empty())
        .map(std::borrow::Cow::into_owned);
    if name.is_none() && said.name.is_none() {
        let detail = "no name: `description` is missing or not a text";
        return Err(Decoded::reject(Rejection::InvalidEnvelope, detail));
    }
    let mut notes = Notes::default();
    let times = ["result.updated_at", "created_at", "updated_at"];
    let time = match said.time {
        Some(_) => None,
        None => first_time_at(&body, &times, reference_time(record), &mut notes),
    };
    let subject = ["result.tracking_code", "result.id"];
    let subject = subject
        .iter()
        .find_map(|path| identity::id_text(at(&body, path)?));
    let place = place(at(&body, "result.status").and_then(Value::as_str), STATES);
    let found = Found {
        source: "easypost",
        kind: None,
        name,
        id: body.get("id").and_then(identity::id_text),
        time,
        customer: CustomerHints::default(),
        notes,
    };
    let event = finish(found, Value::Object(body), record, said)?;
    Ok(Event {
        deleted: event.name.ends_with(".deleted"),
        version: event.time.map(|time| version(time, place)),
        subject,
        ..event
    })
}
