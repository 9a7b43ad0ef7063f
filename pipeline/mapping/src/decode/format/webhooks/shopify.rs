//! The webhooks of Shopify.
//!
//! The value is the resource and says nothing of the event: topic, ids and time are in headers (`X-Shopify-Topic`), which the
//! relay has to keep, as headers of the record or in a wrapper (see `relay`). `{"topic": …, "payload": {…}}` is read, too. The
//! event's content is the resource, whatever was around it.
//!
//! | | from |
//! |---|---|
//! | name | the topic: `orders/create` |
//! | id | topic and `X-Shopify-Event-Id`, which several deliveries of one event share; otherwise topic and `X-Shopify-Webhook-Id`; otherwise topic, id and `updated_at` |
//! | time | `happened_at`, `updated_at`, `X-Shopify-Triggered-At`, `created_at`, `processed_at`, the record's |
//! | version | the time; of two states of an order or a fulfillment in one second, the one that is further on |
//! | subject | the id of the resource with all its digits: that in `admin_graphql_api_id`, because programs that read numbers as floating point spoil `id` |
//! | customer | by topic: the table `WHO`. `user_id` is staff |
//!
//! *Events*, Shopify's newer mechanism, say `topic` and `action` in the value; their name is `Product/update`. Without access
//! to what the subscription asks for, they have `errors` and no `data`: such a record is rejected, so that somebody sees it.

use std::borrow::Cow;

use jiff::Timestamp;

use super::super::super::envelope::{Content, Decoded, Found, Limits, reference_time};
use super::super::super::fields::Fields;
use super::super::super::time;
use super::super::reads::{Glance, Reads};
use super::hints::{at, first_id, first_key, first_time_at, in_space, place, text, versioned};
use super::relay::{self, Headers, Webhook, event, named};
use crate::event::{CustomerHints, KeyKind, More, Notes};
use crate::value::{Map, Value};
use ingest_model::outcome::Rejection;
use ingest_model::record::Record;

/// The [`Event::source`] of these webhooks.
const SOURCE: &str = "shopify";

/// What is said of a record that has no name.
const UNNAMED: &str = "no topic: there is neither a header `X-Shopify-Topic` nor a wrapper with one; have the relay keep the headers, or say `event: {name: …}` in the mapping";

/// How these records are read.
pub(in crate::decode::format) const READS: Reads = Reads {
    names_customers: true,
    content,
    null_is_tombstone: true,
    glance,
    event: |content, record, said| event(content, record, said, UNNAMED),
};

/// Requests of the law: they may not be passed over in silence.
const DUTIES: &[&str] = &["customers/data_request", "customers/redact", "shop/redact"];

/// The topic, in the headers of webhooks and of Events.
const TOPIC_HEADERS: &[&str] = &["x-shopify-topic", "shopify-topic"];
/// Fields of wrappers, and of Events, which say themselves what they are.
const AROUND: &[&str] = &["detail-type", "headers", "topic", "action"];
/// What several deliveries of one event have in common.
const EVENT_ID_HEADERS: &[&str] = &["x-shopify-event-id", "shopify-event-id"];
/// The id of one delivery.
const WEBHOOK_ID_HEADERS: &[&str] = &["x-shopify-webhook-id", "shopify-webhook-id"];
/// When the event was noticed.
const TRIGGERED_HEADERS: &[&str] = &["x-shopify-triggered-at", "shopify-triggered-at"];

/// Who the customer is, by what the topic is about.
struct Who {
    about: &'static [&'static str],
    /// Where the id is: as a number, and as a global id.
    id: (&'static str, &'static str),
    emails: &'static [&'static str],
    phones: &'static [&'static str],
}

const WHO: &[Who] = &[
    Who {
        about: &["orders", "draft_orders", "checkouts"],
        id: ("customer.id", "customer.admin_graphql_api_id"),
        emails: &["customer.email", "email", "contact_email"],
        phones: &["customer.phone", "phone"],
    },
    Who {
        about: &["customers"],
        id: ("id", "admin_graphql_api_id"),
        emails: &["email"],
        phones: &["phone"],
    },
    Who {
        about: &["customers/data_request", "customers/redact"],
        id: ("customer.id", "customer.admin_graphql_api_id"),
        emails: &["customer.email"],
        phones: &["customer.phone"],
    },
    Who {
        about: &["customers/merge"],
        id: ("", "admin_graphql_api_customer_kept_id"),
        emails: &[],
        phones: &[],
    },
    Who {
        about: &["customers_email_marketing_consent"],
        id: ("customer_id", ""),
        emails: &["email_address"],
        phones: &[],
    },
    Who {
        about: &["customers_marketing_consent"],
        id: ("id", ""),
        emails: &[],
        phones: &["phone"],
    },
    Who {
        about: &["fulfillments"],
        id: ("", ""),
        emails: &["email"],
        phones: &[],
    },
    Who {
        about: &["subscription_contracts", "customer_payment_methods"],
        id: ("customer_id", "admin_graphql_api_customer_id"),
        emails: &[],
        phones: &[],
    },
];

/// States of the payment of an order, as they follow each other.
const PAYMENT: &[&str] = &[
    "pending",
    "authorized",
    "partially_paid",
    "paid",
    "partially_refunded",
    "refunded",
    "voided",
];
/// How much of an order is sent.
const SENT: &[&str] = &["partial", "fulfilled"];
/// States of a fulfillment.
const FULFILLMENT: &[&str] = &[
    "pending",
    "open",
    "success",
    "cancelled",
    "error",
    "failure",
];
/// States of a parcel.
const PARCEL: &[&str] = &[
    "label_printed",
    "label_purchased",
    "confirmed",
    "ready_for_pickup",
    "in_transit",
    "out_for_delivery",
    "attempted_delivery",
    "failure",
    "delivered",
];

/// The topic in the headers of a record, if nothing in its value could say something else.
fn glance<'t>(record: &'t Record, text: &'t str, named_by: Option<&'t str>) -> Option<Glance<'t>> {
    let fields = Fields::read(text, AROUND, named_by)?;
    if AROUND.iter().any(|field| fields.raw(field).is_some()) {
        return None;
    }
    let headers = Headers::of(record);
    let topic = headers.text(TOPIC_HEADERS.first()?)?;
    if DUTIES.iter().any(|duty| duty.eq_ignore_ascii_case(&topic)) || !topic.contains('/') {
        return None;
    }
    match named_by {
        Some(field) => named(&fields, field),
        None => Some(Glance::of(topic)),
    }
}

fn content(record: &Record, limits: Limits) -> Result<Content<'_>, Decoded> {
    let mut webhook = Webhook::read(record, limits)?;
    let mut topic = first_header(&webhook.headers, TOPIC_HEADERS);
    let mut action = webhook.headers.text("shopify-action");
    if let (Some(named), true) = (text(&webhook.body, "topic"), is_wrapper(&webhook.body)) {
        topic = Some(named);
        let payload = webhook.body.remove("payload").unwrap_or_default();
        webhook.body = Webhook::unwrapped(payload, record)?.body;
    }
    let is_events =
        text(&webhook.body, "topic").is_some() && text(&webhook.body, "action").is_some();
    if is_events {
        topic = text(&webhook.body, "topic");
        action = text(&webhook.body, "action");
        refuse_denied(&webhook.body)?;
    }
    let name = match (topic, action) {
        (Some(topic), Some(action)) if !topic.contains('/') => Some(format!("{topic}/{action}")),
        (topic, _) => topic,
    };
    let topic = name.as_deref().unwrap_or_default().to_ascii_lowercase();
    let Webhook { body, headers } = webhook;
    let mut notes = Notes::default();
    let reference = reference_time(record);
    let time = time_of(&body, &headers, reference, &mut notes);
    let subject = subject(&body, is_events);
    let place = place_of(&topic, &body);
    let found = Found {
        source: SOURCE,
        id: id(&topic, &headers, subject.as_deref(), &body),
        // What the law wants gone is listed in the body.
        deleted: topic.ends_with("/delete") || topic.ends_with("/redact"),
        name,
        time,
        customer: customer(&topic, &body, &mut notes),
        notes,
        ..Found::default()
    };
    let more = More {
        version: versioned(time.or(reference), place),
        subject,
        must_be_seen: DUTIES.contains(&&*topic),
        ..More::default()
    };
    Ok(relay::content(body, found, more))
}

/// Whether a topic and the resource stand side by side.
fn is_wrapper(body: &Map<'_>) -> bool {
    matches!(
        body.get("payload"),
        Some(Value::Object(_) | Value::String(_))
    )
}

fn first_header(headers: &Headers<'_, '_>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| headers.text(name))
}

/// Rejects an event that has errors and nothing else.
fn refuse_denied(body: &Map<'_>) -> Result<(), Decoded> {
    let has_errors = body
        .get("errors")
        .and_then(Value::as_array)
        .is_some_and(|list| !list.is_empty());
    if has_errors && body.get("data").is_none_or(Value::is_null) {
        return Err(Decoded::reject(
            Rejection::InvalidEnvelope,
            "`data` is null and there are `errors`: Shopify could not read what the subscription asks for; look at the \
             access scopes of the app",
        ));
    }
    Ok(())
}

fn time_of(
    body: &Map<'_>,
    headers: &Headers<'_, '_>,
    reference: Option<Timestamp>,
    notes: &mut Notes,
) -> Option<Timestamp> {
    let own = first_time_at(body, &["happened_at", "updated_at"], reference, notes);
    own.or_else(|| {
        let sent = first_header(headers, TRIGGERED_HEADERS)?;
        let sent = Value::String(Cow::Owned(sent));
        time::noted("X-Shopify-Triggered-At", &sent, reference, notes)
    })
    .or_else(|| first_time_at(body, &["created_at", "processed_at"], reference, notes))
}

fn id(
    topic: &str,
    headers: &Headers<'_, '_>,
    subject: Option<&str>,
    body: &Map<'_>,
) -> Option<String> {
    let sent = first_header(headers, EVENT_ID_HEADERS);
    let sent = sent.or_else(|| first_header(headers, WEBHOOK_ID_HEADERS));
    if let Some(id) = sent {
        return Some(format!("{topic}:{id}"));
    }
    let updated = text(body, "updated_at")?;
    Some(format!("{topic}:{}:{updated}", subject?))
}

/// The id of the resource: the number in the global id, or else `id`, or a `token`.
fn subject(body: &Map<'_>, is_events: bool) -> Option<String> {
    if is_events {
        let variables = body.get("query_variables")?.as_object()?;
        return variables.values().find_map(global_id);
    }
    let own = body.get("admin_graphql_api_id").and_then(global_id);
    let plain = || first_id(body, &["id", "token", "order_edit.order_id"]);
    own.or_else(plain)
}

/// The number in a global id: `gid://shopify/Order/17?key=value`.
fn global_id(value: &Value<'_>) -> Option<String> {
    let path = value.as_str()?.strip_prefix("gid://shopify/")?;
    let (_, id) = path.split_once('/')?;
    let id = id.split('?').next().unwrap_or_default();
    let is_number = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| id.to_owned())
}

fn customer(topic: &str, body: &Map<'_>, notes: &mut Notes) -> CustomerHints {
    let about = topic.split('/').next().unwrap_or_default();
    let exact = WHO.iter().find(|who| who.about.contains(&topic));
    let Some(who) = exact.or_else(|| WHO.iter().find(|who| who.about.contains(&about))) else {
        return CustomerHints::default();
    };
    let (plain, global) = who.id;
    let exact = at(body, global)
        .and_then(global_id)
        .map(|id| Value::String(Cow::Owned(id)));
    let external_id = match (&exact, at(body, plain)) {
        (Some(id), _) => in_space(SOURCE, global, id, notes),
        (None, Some(id)) => in_space(SOURCE, plain, id, notes),
        (None, None) => None,
    };
    let email = first_key(body, who.emails, KeyKind::Email, notes);
    let phone = first_key(body, who.phones, KeyKind::Phone, notes);
    // a parcel may go to somebody else, so its telephone counts only where nothing else names the customer
    let phone = phone.or_else(|| {
        let alone = about == "fulfillments" && email.is_none();
        alone
            .then(|| first_key(body, &["destination.phone"], KeyKind::Phone, notes))
            .flatten()
    });
    CustomerHints {
        id: None,
        external_id,
        email,
        phone,
        anonymous_id: None,
    }
}

/// How far on a state is among those of the same second.
fn place_of(topic: &str, body: &Map<'_>) -> usize {
    let state = |field: &str, order: &[&str]| place(body.get(field).and_then(Value::as_str), order);
    match topic.split('/').next() {
        Some("orders") => {
            let over = body.get("cancelled_at").is_some_and(|at| !at.is_null());
            state("financial_status", PAYMENT) * 6
                + state("fulfillment_status", SENT) * 2
                + usize::from(over)
        }
        Some("fulfillments") => {
            state("status", FULFILLMENT) * 10 + state("shipment_status", PARCEL)
        }
        Some("fulfillment_events") => state("status", PARCEL),
        _ => 0,
    }
}
