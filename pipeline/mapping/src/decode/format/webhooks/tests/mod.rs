//! What the vendors' webhooks become, and the traps that real topics have.

mod parcels;
mod shopify;
mod shops;
mod stripe;
mod traps;

use bytes::Bytes;

use super::super::super::{Decoded, Decoder, Limits};
use super::super::Format;
use crate::event::{Event, More, Versioned};
use crate::value::{Value, json};
use ingest_model::outcome::{Rejected, Rejection};
use ingest_model::record::{Header, Offset, Position, Record, TopicPartition};

/// A day in May 2026, at which all records of these tests reach Kafka.
const NOW_MS: i64 = 1_779_000_000_000;

fn record(value: &[u8], headers: &[(&str, &str)]) -> Record {
    Record {
        position: Position {
            partition: TopicPartition::new("hooks", 0),
            offset: Offset(1),
        },
        key: None,
        value: Some(Bytes::copy_from_slice(value)),
        headers: headers
            .iter()
            .map(|(name, value)| Header {
                name: (*name).to_owned(),
                value: Some(Bytes::copy_from_slice(value.as_bytes())),
            })
            .collect(),
        timestamp_ms: Some(NOW_MS),
    }
}

fn decoded(format: Format, record: &Record) -> Result<Event<'_>, Decoded> {
    Decoder::new(format, Limits::default()).decode(record)
}

/// An event that has nothing of its record.
fn owned(event: Event<'_>) -> Event<'static> {
    let more = event.more.map(|more| More {
        version: more.version,
        subject: more.subject,
        must_be_seen: more.must_be_seen,
        ..More::default()
    });
    Event {
        source: event.source,
        kind: event.kind,
        name: event.name,
        id: event.id,
        time: event.time,
        customer: event.customer,
        payload: event.payload.into_owned(),
        deleted: event.deleted,
        more: more.map(Box::new),
        notes: event.notes,
    }
}

fn subject<'e>(event: &'e Event<'_>) -> Option<&'e str> {
    event.more.as_ref()?.subject.as_deref()
}

fn must_be_seen(event: &Event<'_>) -> bool {
    event.more.as_ref().is_some_and(|more| more.must_be_seen)
}

fn said_version<'e>(event: &'e Event<'_>) -> Option<&'e str> {
    match &event.more.as_ref()?.version {
        Versioned::By(version) => Some(version),
        Versioned::ByTime | Versioned::Unknown => None,
    }
}

fn event(format: Format, value: &Value<'_>, headers: &[(&str, &str)]) -> Event<'static> {
    match decoded(format, &record(value.to_string().as_bytes(), headers)) {
        Ok(event) => owned(event),
        Err(why) => panic!("no event: {why:?}"),
    }
}

fn rejected(format: Format, value: &Value<'_>, headers: &[(&str, &str)]) -> Rejected {
    match decoded(format, &record(value.to_string().as_bytes(), headers)) {
        Err(Decoded::Reject(rejected)) => rejected,
        other => panic!("not rejected: {other:?}"),
    }
}

fn time(event: &Event<'_>) -> String {
    event.time.map(|time| time.to_string()).unwrap_or_default()
}

/// The version as the time that it is.
fn version(event: &Event<'_>) -> jiff::Timestamp {
    said_version(event).unwrap().parse().unwrap()
}

/// All formats of this folder.
const ALL: &[Format] = &[
    Format::Shopify,
    Format::Stripe,
    Format::Easypost,
    Format::Aftership,
    Format::Woocommerce,
    Format::Bigcommerce,
    Format::Commercetools,
];

/// A good event of each format, with the headers that it needs.
fn good(format: Format) -> (Value<'static>, Vec<(&'static str, &'static str)>) {
    match format.as_str() {
        "shopify" => (
            json!({"id": 17, "updated_at": "2026-05-06T07:08:09Z"}),
            vec![
                ("X-Shopify-Topic", "orders/create"),
                ("X-Shopify-Event-Id", "e-1"),
            ],
        ),
        "stripe" => (
            json!({"id": "evt_1", "object": "event", "type": "invoice.paid", "created": 1_778_000_000,
                "data": {"object": {"id": "in_1", "object": "invoice", "status": "paid"}}}),
            vec![],
        ),
        "easypost" => (
            json!({"id": "evt_1", "object": "Event", "description": "tracker.updated",
                "created_at": "2026-05-06T07:08:09Z", "result": {"tracking_code": "T1", "status": "delivered"}}),
            vec![],
        ),
        "aftership" => (
            json!({"event": "tracking_update", "event_id": "e-1", "ts": 1_778_000_000, "msg": {"tracking_number": "T1"}}),
            vec![],
        ),
        "woocommerce" => (
            json!({"id": 17, "date_modified_gmt": "2026-05-06T07:08:09"}),
            vec![
                ("x-wc-webhook-topic", "order.updated"),
                ("x-wc-webhook-delivery-id", "d-1"),
            ],
        ),
        "bigcommerce" => (
            json!({"scope": "store/order/statusUpdated", "data": {"type": "order", "id": 17}, "hash": "h", "created_at": 1_778_000_000}),
            vec![],
        ),
        "commercetools" => (
            json!({"notificationType": "Message", "type": "OrderCreated", "id": "m-1", "sequenceNumber": 1,
                "resource": {"typeId": "order", "id": "o-1"}, "createdAt": "2026-05-06T07:08:09.123Z"}),
            vec![],
        ),
        other => panic!("{other} is no webhook"),
    }
}
