//! The notifications of commercetools in their own form, and in that of CloudEvents: there the notification is the `data`, and in
//! binary mode the value itself. The attributes around it are `$event.attributes`.
//!
//! | | from |
//! |---|---|
//! | name | of a `Message` its `type`: `OrderCreated`. Of others the kind and the resource: `ResourceUpdated/order` |
//! | id | `id` of a message; otherwise resource and version |
//! | time | `createdAt`, `modifiedAt`, `lastModifiedAt` |
//! | version | `sequenceNumber`, which grows with each message of a resource; otherwise `version` |
//! | subject | `resource.id` |
//! | customer | the customer in the resource that the message shows (`order.customerId`, `customer.id`), or the resource itself. E-mail from the same place |
//!
//! A message that is too large comes without its content (`payloadNotIncluded`): nothing can be written from it, so it is
//! rejected, and somebody sees it.

use super::super::super::envelope::{Content, Decoded, Found, Limits, reference_time};
use super::super::cloudevents;
use super::super::reads::{Glance, Reads};
use super::hints::{at, first_key, first_time_at, id_at, in_space};
use super::relay::{self, Webhook, event};
use crate::event::{CustomerHints, KeyKind, More, Notes, Versioned};
use crate::value::{Map, Value};
use ingest_model::outcome::Rejection;
use ingest_model::record::Record;

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

/// What is said of an event around nothing.
const NO_DATA: &str =
    "the CloudEvent has no object as `data`, which the notification of commercetools should be";

const SOURCE: &str = "commercetools";

/// The fields that the name is made of, and those that need a closer look.
const SEEN: &[&str] = &[
    "notificationType",
    "type",
    "payloadNotIncluded",
    "detail-type",
    "headers",
];

/// Where the e-mail address of the customer is.
const EMAILS: &[&str] = &["order.customerEmail", "customer.email", "email"];

/// The name of a message, if there is no wrapper.
fn glance<'t>(_: &'t Record, text: &'t str, named_by: Option<&'t str>) -> Option<Glance<'t>> {
    relay::glance(text, SEEN, named_by, "type", |fields| {
        let kind = fields.text("notificationType").ok().flatten();
        kind.as_deref() == Some("Message") && fields.raw("payloadNotIncluded").is_none()
    })
}

fn content(record: &Record, limits: Limits) -> Result<Content<'_>, Decoded> {
    if record.value.is_none() && cloudevents::is_around(record) {
        return Err(Decoded::invalid(NO_DATA));
    }
    let Webhook { body, .. } = Webhook::read(record, limits)?;
    let (body, attributes) = notification(body, record)?;
    let id = |path| id_at(&body, path);
    let Some(notification) = id("notificationType") else {
        return Err(Decoded::mismatch(
            "`notificationType` is missing: neither a notification of commercetools nor a CloudEvent that has one as its data",
        ));
    };
    if body
        .get("payloadNotIncluded")
        .is_some_and(|why| !why.is_null())
    {
        return Err(Decoded::reject(
            Rejection::InvalidEnvelope,
            "`payloadNotIncluded`: the message was too large and says nothing; have the relay fetch it",
        ));
    }
    let name = match (notification.as_str(), id("resource.typeId")) {
        ("Message" | "Event", _) => id("type"),
        (_, Some(resource)) => Some(format!("{notification}/{resource}")),
        (_, None) => Some(notification.clone()),
    };
    let reference = reference_time(record);
    let mut notes = Notes::default();
    let times = ["createdAt", "modifiedAt", "lastModifiedAt"];
    let time = first_time_at(&body, &times, reference, &mut notes);
    let version = id("sequenceNumber").or_else(|| id("version"));
    let subject = id("resource.id");
    let made = || {
        let (subject, version) = (subject.as_deref()?, version.as_deref()?);
        Some(format!("{notification}:{subject}:{version}"))
    };
    let customer = customer(&body, &mut notes);
    let found = Found {
        source: SOURCE,
        deleted: notification == "ResourceDeleted",
        name,
        id: id("id").or_else(made),
        time,
        customer,
        notes,
        ..Found::default()
    };
    let more = More {
        version: version.map_or(Versioned::Unknown, Versioned::By),
        subject,
        attributes,
        ..More::default()
    };
    Ok(relay::content(body, found, more))
}

/// The notification, and the attributes of the event around it, if it is in one.
fn notification<'t>(mut body: Map<'t>, record: &'t Record) -> Result<(Map<'t>, Map<'t>), Decoded> {
    if !body.contains_key("specversion") {
        return Ok((body, cloudevents::around(record)?));
    }
    match body.remove("data") {
        Some(Value::Object(data)) => Ok((data, body)),
        Some(
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_),
        )
        | None => Err(Decoded::invalid(NO_DATA)),
    }
}

fn customer(body: &Map<'_>, notes: &mut Notes) -> CustomerHints {
    let is_customer = at(body, "resource.typeId").and_then(Value::as_str) == Some("customer");
    let own = if is_customer {
        Some("resource.id")
    } else {
        None
    };
    let places = ["order.customerId", "customer.id"].into_iter().chain(own);
    let mut found = places.filter_map(|path| Some((path, at(body, path)?)));
    CustomerHints {
        id: None,
        external_id: found
            .next()
            .and_then(|(path, id)| in_space(SOURCE, path, id, notes)),
        email: first_key(
            body,
            if is_customer {
                EMAILS
            } else {
                EMAILS.get(..2).unwrap_or_default()
            },
            KeyKind::Email,
            notes,
        ),
        phone: None,
        anonymous_id: None,
    }
}
