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

use super::super::super::envelope::{Content, Decoded, Envelope, Found, finish, reference_time};
use super::super::{Reads, whole};
use super::hints::{at, first_key, first_time_at, in_space, place, version};
use super::relay::Webhook;
use crate::event::{CustomerHints, Event, KeyKind, Notes};
use crate::identity;
use crate::value::{Map, Value};
use ingest_model::outcome::Rejection;
use ingest_model::record::Record;

/// How these records are read. A glance at the text shows no topic, so all of them are decoded.
pub(in crate::decode::format) const READS: Reads = Reads {
    names_customers: true,
    content: whole,
    glance: |_, _| None,
    event,
};

const SOURCE: &str = "woocommerce";

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

/// The event.
fn event<'t>(
    content: Content<'t>,
    record: &Record,
    said: &Envelope<'_>,
) -> Result<Event<'t>, Decoded> {
    let Webhook { body, headers } = Webhook::unwrapped(content.value, record)?;
    let name = headers.text("x-wc-webhook-topic");
    if name.is_none() && said.name.is_none() {
        return Err(Decoded::reject(
            Rejection::InvalidEnvelope,
            "no topic: there is neither a header `X-WC-Webhook-Topic` nor a wrapper with one; have the relay keep the headers, \
             or say `event: {name: …}` in the mapping",
        ));
    }
    let topic = name.as_deref().unwrap_or_default().to_ascii_lowercase();
    let mut notes = Notes::default();
    let times = ["date_modified_gmt", "date_created_gmt"];
    let time = match said.time {
        Some(_) => None,
        None => first_time_at(&body, &times, reference_time(record), &mut notes),
    };
    let subject = body.get("id").and_then(identity::id_text);
    let made = || {
        let modified = body
            .get("date_modified_gmt")
            .and_then(identity::plain_text)?;
        Some(format!("{topic}:{}:{modified}", subject.as_deref()?))
    };
    let id = headers.text("x-wc-webhook-delivery-id").or_else(made);
    let place = place(body.get("status").and_then(Value::as_str), STATES);
    let customer = customer(&topic, &body, &mut notes);
    let found = Found {
        source: SOURCE,
        kind: None,
        name,
        id,
        time,
        customer,
        notes,
    };
    let event = finish(found, Value::Object(body), record, said)?;
    Ok(Event {
        deleted: topic.ends_with(".deleted"),
        version: event.time.map(|time| version(time, place)),
        subject,
        ..event
    })
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
