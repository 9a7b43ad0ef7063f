//! The events of Stripe.
//!
//! | | from |
//! |---|---|
//! | name | `type`: `invoice.paid` |
//! | id | `id` |
//! | time | `created` |
//! | version | the time. It has whole seconds, and Stripe sends several events of one thing in the same second, in any order. In such a second a creation comes first and a deletion last, and invoices, payments and charges go by their `status` |
//! | subject | `data.object.id`; of an event that only refers to its thing, `related_object.id` |
//! | customer | `data.object.customer`, which may be an id or an object; of `customer.*`, the object itself. E-mail and phone of the payer |
//!
//! `customer.subscription.deleted` is a cancellation: the subscription is over, not gone. Amounts are in the smallest unit of the
//! currency; that is up to the mapping. Events of version 2 (`v2.core.event`) refer to their thing and do not show it.

use super::super::super::envelope::{Content, Decoded, Found, Limits, reference_time};
use super::super::reads::{Glance, Reads};
use super::hints::{at, first_id, first_key, first_time_at, in_space, place, text, versioned};
use super::relay::{self, Webhook, event};
use crate::event::{CustomerHints, KeyKind, More, Notes};
use crate::identity;
use crate::value::{Map, Value};
use ingest_model::record::Record;

const SOURCE: &str = "stripe";

/// What is said of a record that has no name.
const UNNAMED: &str = "no name: `type` is missing or not a text";

/// How these records are read.
pub(in crate::decode::format) const READS: Reads = Reads {
    names_customers: true,
    content,
    null_is_tombstone: true,
    glance,
    event: |content, record, said| event(content, record, said, UNNAMED),
};

/// The fields that the name is made of, and those that say that there is a wrapper.
const SEEN: &[&str] = &["object", "type", "detail-type", "headers"];

/// What `object` says of events of the first version and of the second.
const OBJECTS: &[&str] = &["event", "v2.core.event"];

/// Where the e-mail address of the payer is, in the objects that have one.
const EMAILS: &[&str] = &[
    "data.object.customer.email",
    "data.object.customer_details.email",
    "data.object.customer_email",
    "data.object.billing_details.email",
    "data.object.receipt_email",
];
const PHONES: &[&str] = &[
    "data.object.customer.phone",
    "data.object.customer_details.phone",
    "data.object.customer_phone",
    "data.object.billing_details.phone",
];

/// The states of things that go through them in one direction.
const STATES: &[(&str, &[&str])] = &[
    (
        "invoice",
        &["draft", "open", "uncollectible", "paid", "void"],
    ),
    ("charge", &["pending", "failed", "succeeded"]),
    (
        "refund",
        &[
            "pending",
            "requires_action",
            "failed",
            "canceled",
            "succeeded",
        ],
    ),
    ("checkout.session", &["open", "expired", "complete"]),
    (
        "dispute",
        &[
            "warning_needs_response",
            "warning_under_review",
            "warning_closed",
            "needs_response",
            "under_review",
            "lost",
            "won",
        ],
    ),
];

/// The name, if there is no wrapper.
fn glance<'t>(_: &'t Record, text: &'t str, named_by: Option<&'t str>) -> Option<Glance<'t>> {
    relay::glance(text, SEEN, named_by, "type", |fields| {
        let object = fields.text("object").ok().flatten();
        object.is_some_and(|object| OBJECTS.contains(&&*object))
    })
}

fn content(record: &Record, limits: Limits) -> Result<Content<'_>, Decoded> {
    let Webhook { body, .. } = Webhook::read(record, limits)?;
    let object = body.get("object").and_then(Value::as_str);
    match object {
        Some(object) if OBJECTS.contains(&object) => {}
        Some(_) => {
            return Err(Decoded::mismatch(
                "`object` is not `event`: a thing of Stripe's, but no event; have the relay write the whole event",
            ));
        }
        None => {
            return Err(Decoded::mismatch(
                "`object` is missing: not an event of Stripe",
            ));
        }
    }
    let name = text(&body, "type");
    let reference = reference_time(record);
    let mut notes = Notes::default();
    let time = first_time_at(&body, &["created"], reference, &mut notes);
    let kind = name.clone().unwrap_or_default();
    let subject = first_id(&body, &["data.object.id", "related_object.id"]);
    let place = place_of(&kind, &body);
    let found = Found {
        source: SOURCE,
        deleted: kind.ends_with(".deleted") && kind != "customer.subscription.deleted",
        name,
        id: body.get("id").and_then(identity::id_text),
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

fn customer(body: &Map<'_>, notes: &mut Notes) -> CustomerHints {
    let is_customer = at(body, "data.object.object").and_then(Value::as_str) == Some("customer");
    let id = if is_customer {
        "data.object.id"
    } else {
        "data.object.customer"
    };
    let external_id = at(body, id).and_then(|id_or_object| match id_or_object {
        Value::Object(customer) => in_space(
            SOURCE,
            "data.object.customer.id",
            customer.get("id")?,
            notes,
        ),
        sent @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)) => in_space(SOURCE, id, sent, notes),
    });
    let (emails, phones): (&[&'static str], &[&'static str]) = if is_customer {
        (&["data.object.email"], &["data.object.phone"])
    } else {
        (EMAILS, PHONES)
    };
    CustomerHints {
        id: None,
        external_id,
        email: first_key(body, emails, KeyKind::Email, notes),
        phone: first_key(body, phones, KeyKind::Phone, notes),
        anonymous_id: None,
    }
}

/// How far on a state is among those of the same second.
fn place_of(name: &str, body: &Map<'_>) -> usize {
    if name.ends_with(".created") {
        return 0;
    }
    if name.ends_with(".deleted") {
        return 999;
    }
    let of = |path| at(body, path).and_then(Value::as_str);
    let states = of("data.object.object")
        .and_then(|object| STATES.iter().find(|(known, _)| *known == object));
    let state = states.map_or(0, |(_, order)| place(of("data.object.status"), order));
    let refunded = at(body, "data.object.refunded") == Some(&Value::Bool(true));
    1 + state * 2 + usize::from(refunded)
}
