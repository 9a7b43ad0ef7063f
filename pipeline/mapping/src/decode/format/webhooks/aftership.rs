//! The webhooks of AfterShip: tracking, returns, warranties.
//!
//! | | from |
//! |---|---|
//! | name | `event`: `tracking_update`, `return.approved` |
//! | id | `event_id`, in older versions none: then the tracking's id and `updated_at`; of returns and warranties `id` |
//! | time | `msg.updated_at`, `ts`, `created_at` |
//! | version | the time; of two states of a parcel in one second, the one that is further on |
//! | subject | `msg.tracking_number`; of returns and warranties the id of the thing in `data` |
//! | customer | the first of `msg.customers`, if its `role` is `buyer` or missing. `msg.emails` and `msg.smses` are only who gets AfterShip's notices, which may be the shop's own staff |
//!
//! A tracking's state is `msg.tag`; each webhook repeats the whole history.

use super::super::super::envelope::{Content, Decoded, Found, Limits, reference_time};
use super::super::reads::{Glance, Reads};
use super::hints::{
    at, first_id, first_key, first_time_at, id_at, in_space, place, text, versioned,
};
use super::relay::{self, Webhook, event};
use crate::event::{CustomerHints, KeyKind, More, Notes};
use crate::identity;
use crate::value::{Map, Value};
use ingest_model::record::Record;

/// What is said of a record that has no name.
const UNNAMED: &str = "no name: `event` is missing or not a text";

/// How these records are read.
pub(in crate::decode::format) const READS: Reads = Reads {
    names_customers: true,
    content,
    null_is_tombstone: true,
    glance,
    event: |content, record, said| event(content, record, said, UNNAMED),
};

/// The fields that the name is made of, and those that say that there is a wrapper.
const SEEN: &[&str] = &["event", "msg", "data", "detail-type", "headers"];

/// States of a parcel, as they follow each other.
const TAGS: &[&str] = &[
    "Pending",
    "InfoReceived",
    "InTransit",
    "OutForDelivery",
    "AttemptFail",
    "AvailableForPickup",
    "Exception",
    "Expired",
    "Delivered",
];

/// The name, if there is no wrapper.
fn glance<'t>(_: &'t Record, text: &'t str, named_by: Option<&'t str>) -> Option<Glance<'t>> {
    relay::glance(text, SEEN, named_by, "event", |fields| {
        let is_object = |field| fields.raw(field).is_some_and(|raw| raw.starts_with('{'));
        is_object("msg") || is_object("data")
    })
}

fn content(record: &Record, limits: Limits) -> Result<Content<'_>, Decoded> {
    let Webhook { body, .. } = Webhook::read(record, limits)?;
    let is_object = |field| body.get(field).and_then(Value::as_object).is_some();
    if !(is_object("msg") || is_object("data")) {
        return Err(Decoded::mismatch(
            "neither `msg` nor `data` is an object: not a webhook of AfterShip",
        ));
    }
    let name = text(&body, "event");
    let reference = reference_time(record);
    let mut notes = Notes::default();
    let times = ["msg.updated_at", "ts", "created_at"];
    let time = first_time_at(&body, &times, reference, &mut notes);
    let place = place(at(&body, "msg.tag").and_then(Value::as_str), TAGS);
    let subject = subject(&body);
    let found = Found {
        source: "aftership",
        name,
        id: id(&body),
        time,
        customer: customer(&body, &mut notes),
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

fn id(body: &Map<'_>) -> Option<String> {
    first_id(body, &["event_id", "id"]).or_else(|| {
        let (tracking, updated) = (id_at(body, "msg.id")?, id_at(body, "msg.updated_at")?);
        Some(format!("{tracking}:{updated}"))
    })
}

/// The tracking number, or the id of the thing that is the only one in `data`.
fn subject(body: &Map<'_>) -> Option<String> {
    let thing = || {
        let data = body.get("data")?.as_object()?;
        let inner = data
            .values()
            .find_map(|thing| identity::id_text(thing.get("id")?));
        data.get("id").and_then(identity::id_text).or(inner)
    };
    first_id(body, &["msg.tracking_number", "msg.id"]).or_else(thing)
}

fn customer(body: &Map<'_>, notes: &mut Notes) -> CustomerHints {
    let role = at(body, "msg.customers.0.role").and_then(Value::as_str);
    // Who has neither a role nor an id of the shop may be anybody who gets notices.
    let known = at(body, "msg.customers.0.id").is_some_and(|id| !id.is_null());
    let is_buyer = role.map_or(known, |role| role.eq_ignore_ascii_case("buyer"));
    let buyer = if is_buyer {
        at(body, "msg.customers.0")
    } else {
        None
    };
    let Some(Value::Object(_)) = buyer else {
        return CustomerHints::default();
    };
    let id = at(body, "msg.customers.0.id");
    CustomerHints {
        id: None,
        external_id: id.and_then(|id| in_space("aftership", "msg.customers.0.id", id, notes)),
        email: first_key(body, &["msg.customers.0.email"], KeyKind::Email, notes),
        phone: first_key(
            body,
            &["msg.customers.0.phone_number"],
            KeyKind::Phone,
            notes,
        ),
        anonymous_id: None,
    }
}
