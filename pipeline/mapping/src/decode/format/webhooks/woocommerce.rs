//! The webhooks of WooCommerce.
//!
//! The value is the resource; the topic is in the header `X-WC-Webhook-Topic`, which the relay has to keep (see `relay`).
//!
//! | | from |
//! |---|---|
//! | name | the topic: `order.updated` |
//! | id | `X-WC-Webhook-Delivery-ID`, otherwise topic, id and `date_modified_gmt` |
//! | time | `date_modified_gmt`, `date_created_gmt`: UTC. `date_modified` is the shop's own clock without its zone and is not read |
//! | version | the time; of two states of an order in one second, the one that is further on |
//! | subject | `id` |
//! | customer | of orders `customer_id` (0 is a guest) and the e-mail and phone in `billing`; of customers the resource itself |
//!
//! `*.deleted` has nothing but the id.

use super::super::super::envelope::{Content, Decoded, Found, Limits, reference_time};
use super::super::super::fields::Fields;
use super::super::reads::{Glance, Reads};
use super::hints::{at, first_key, first_time_at, in_space, place, versioned};
use super::relay::{self, Headers, Webhook, event, is_wrapped, named};
use crate::event::{CustomerHints, KeyKind, More, Notes, Versioned};
use crate::identity;
use crate::value::{Map, Value};
use ingest_model::record::Record;

/// What is said of a record that has no name.
const UNNAMED: &str = "no topic: there is neither a header `X-WC-Webhook-Topic` nor a wrapper with one; have the relay keep the headers, or say `event: {name: …}` in the mapping";

/// How these records are read.
pub(in crate::decode::format) const READS: Reads = Reads {
    names_customers: true,
    content,
    null_is_tombstone: true,
    glance,
    event: |content, record, said| event(content, record, said, UNNAMED),
};

const SOURCE: &str = "woocommerce";

/// The header that says what happened.
const TOPIC: &str = "x-wc-webhook-topic";

/// States of an order, as they follow each other.
const STATES: &[&str] = &[
    "auto-draft",
    "checkout-draft",
    "pending",
    "on-hold",
    "processing",
    "failed",
    "completed",
    "cancelled",
    "refunded",
    "trash",
];

/// The topic in the headers of a record, if there is no wrapper.
fn glance<'t>(record: &'t Record, text: &'t str, named_by: Option<&'t str>) -> Option<Glance<'t>> {
    let fields = Fields::read(text, relay::AROUND, named_by)?;
    if is_wrapped(&fields) {
        return None;
    }
    match named_by {
        Some(field) => named(&fields, field),
        None => Some(Glance::of(Headers::of(record).text(TOPIC)?)),
    }
}

fn content(record: &Record, limits: Limits) -> Result<Content<'_>, Decoded> {
    let Webhook { body, headers } = Webhook::read(record, limits)?;
    let name = headers.text(TOPIC);
    let topic = name.as_deref().unwrap_or_default().to_ascii_lowercase();
    let reference = reference_time(record);
    let mut notes = Notes::default();
    let times = ["date_modified_gmt", "date_created_gmt"];
    let time = first_time_at(&body, &times, reference, &mut notes);
    let subject = body.get("id").and_then(identity::id_text);
    let made = || {
        let modified = body
            .get("date_modified_gmt")
            .and_then(identity::plain_text)?;
        Some(format!("{topic}:{}:{modified}", subject.as_deref()?))
    };
    // The delivery is counted by webhook and second, so two orders may have one.
    let delivered = headers.text("x-wc-webhook-delivery-id");
    let delivered = delivered.map(|delivery| match &subject {
        Some(subject) => format!("{topic}:{subject}:{delivery}"),
        None => format!("{topic}:{delivery}"),
    });
    let id = delivered.or_else(made);
    let place = place(body.get("status").and_then(Value::as_str), STATES);
    // A deletion has only the id. The time at which it came is of another clock than those of the order.
    let version = match time {
        None if topic.ends_with(".deleted") => Versioned::Unknown,
        _ => versioned(time.or(reference), place),
    };
    let customer = customer(&topic, &body, &mut notes);
    let found = Found {
        source: SOURCE,
        deleted: topic.ends_with(".deleted"),
        name,
        id,
        time,
        customer,
        notes,
        ..Found::default()
    };
    let more = More {
        version,
        subject,
        ..More::default()
    };
    Ok(relay::content(body, found, more))
}

fn customer(topic: &str, body: &Map<'_>, notes: &mut Notes) -> CustomerHints {
    type Paths = &'static [&'static str];
    let (id, emails, phones): (_, Paths, Paths) = match topic.split('.').next() {
        Some("customer") => ("id", &["email", "billing.email"], &["billing.phone"]),
        // custom topics (`action.…`) and subscriptions have the fields of an order
        Some("order" | "subscription") => ("customer_id", &["billing.email"], &["billing.phone"]),
        _ => return CustomerHints::default(),
    };
    // a guest is no mistake of the producer, so it is not noted
    let known = at(body, id).filter(|id| identity::id_text(id).is_some());
    CustomerHints {
        id: None,
        external_id: known.and_then(|value| in_space(SOURCE, id, value, notes)),
        email: first_key(body, emails, KeyKind::Email, notes),
        phone: first_key(body, phones, KeyKind::Phone, notes),
        anonymous_id: None,
    }
}
