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

use super::super::super::envelope::{Content, Decoded, Found, Limits, reference_time};
use super::super::reads::{Glance, Reads};
use super::hints::{at, first_id, first_time_at, place, text, versioned};
use super::relay::{self, Webhook, event};
use crate::event::{CustomerHints, More, Notes};
use crate::identity;
use crate::value::Value;
use ingest_model::record::Record;

/// What is said of a record that has no name.
const UNNAMED: &str = "no name: `description` is missing or not a text";

/// How these records are read.
pub(in crate::decode::format) const READS: Reads = Reads {
    names_customers: false,
    content,
    null_is_tombstone: true,
    glance,
    event: |content, record, said| event(content, record, said, UNNAMED),
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
fn glance<'t>(_: &'t Record, text: &'t str, named_by: Option<&'t str>) -> Option<Glance<'t>> {
    relay::glance(text, SEEN, named_by, "description", |fields| {
        fields.text("object").ok().flatten().as_deref() == Some("Event")
    })
}

fn content(record: &Record, limits: Limits) -> Result<Content<'_>, Decoded> {
    let Webhook { body, .. } = Webhook::read(record, limits)?;
    if body.get("object").and_then(Value::as_str) != Some("Event") {
        return Err(Decoded::mismatch(
            "`object` is not `Event`: not an event of EasyPost",
        ));
    }
    let name = text(&body, "description");
    let reference = reference_time(record);
    let mut notes = Notes::default();
    let times = ["result.updated_at", "created_at", "updated_at"];
    let time = first_time_at(&body, &times, reference, &mut notes);
    let subject = first_id(&body, &["result.tracking_code", "result.id"]);
    let place = place(at(&body, "result.status").and_then(Value::as_str), STATES);
    let found = Found {
        source: "easypost",
        deleted: name.as_deref().unwrap_or_default().ends_with(".deleted"),
        name,
        id: body.get("id").and_then(identity::id_text),
        time,
        customer: CustomerHints::default(),
        notes,
        ..Found::default()
    };
    let more = More {
        version: versioned(time.or(reference), place),
        subject,
        ..More::default()
    };
    Ok(relay::content(body, found, more))
}
