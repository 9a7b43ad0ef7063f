//! `auto`: each record in the format that it shows, and nothing else.

use serde_json::{Value, json};

use super::super::Format;
use crate::decode::{Decoded, Decoder, Limits};
use ingest_model::outcome::{Rejection, SkipReason};
use ingest_model::record::{Header, Offset, Position, Record, TopicPartition};

fn record(value: Option<&Value>, headers: &[(&str, &str)]) -> Record {
    let header = |(name, value): &(&str, &str)| Header {
        name: (*name).to_owned(),
        value: Some((*value).to_owned().into()),
    };
    Record {
        position: Position {
            partition: TopicPartition::new("mixed", 0),
            offset: Offset(0),
        },
        key: None,
        value: value.map(|value| value.to_string().into()),
        headers: headers.iter().map(header).collect(),
        timestamp_ms: Some(1_790_000_000_000),
    }
}

/// A value, headers, and the format and name that they show.
type Case = (
    Option<Value>,
    &'static [(&'static str, &'static str)],
    Format,
    &'static str,
);

fn order() -> Value {
    json!({ "id": 1, "admin_graphql_api_id": "gid://shopify/Order/1", "updated_at": "2026-01-02T03:04:05Z" })
}

#[test]
fn a_record_is_read_in_the_format_that_it_shows() {
    let stripe = json!({ "id": "evt_1", "object": "event", "type": "invoice.paid", "created": 1_772_600_000,
        "livemode": true, "data": { "object": { "id": "in_1", "object": "invoice" } } });
    let binary: &'static [(&str, &str)] = &[
        ("ce_specversion", "1.0"),
        ("ce_type", "OrderPaid"),
        ("ce-source", "/shop"),
        ("ce_id", "1"),
    ];
    let cases: Vec<Case> = vec![
        (None, binary, Format::CloudEvents, "OrderPaid"),
        (
            Some(json!({ "type": "track" })),
            binary,
            Format::CloudEvents,
            "OrderPaid",
        ),
        (
            Some(
                json!({ "specversion": "1.0", "type": "OrderPaid", "source": "/shop", "id": "1", "data": {} }),
            ),
            &[(
                "content-type",
                "Application/CloudEvents+json; charset=utf-8",
            )],
            Format::CloudEvents,
            "OrderPaid",
        ),
        (
            Some(
                json!({ "specversion": "1.0", "type": "track", "source": "/shop", "id": "1", "data": {} }),
            ),
            &[],
            Format::CloudEvents,
            "track",
        ),
        (
            Some(json!({ "type": "track", "event": "Order Completed", "userId": "u" })),
            &[],
            Format::Segment,
            "Order Completed",
        ),
        // no library has seen them
        (
            Some(
                json!({ "type": "track", "event": "Order Completed", "properties": { "order_id": "o" } }),
            ),
            &[],
            Format::Segment,
            "Order Completed",
        ),
        (
            Some(json!({ "type": "group", "groupId": "g", "traits": { "name": "Acme" } })),
            &[],
            Format::Segment,
            "group",
        ),
        (Some(stripe.clone()), &[], Format::Stripe, "invoice.paid"),
        (
            Some(json!({ "headers": {}, "body": stripe })),
            &[],
            Format::Stripe,
            "invoice.paid",
        ),
        (
            Some(order()),
            &[("X-Shopify-Topic", "orders/paid")],
            Format::Shopify,
            "orders/paid",
        ),
        (
            Some(
                json!({ "detail-type": "shopifyWebhook", "detail": { "payload": order(), "metadata": { "X-Shopify-Topic": "orders/paid" } } }),
            ),
            &[],
            Format::Shopify,
            "orders/paid",
        ),
        (
            Some(
                json!({ "headers": { "x-wc-webhook-topic": "order.updated" }, "body": { "id": 1 } }),
            ),
            &[],
            Format::Woocommerce,
            "order.updated",
        ),
        (
            Some(
                json!({ "op": "c", "before": null, "after": { "id": 1 }, "source": { "table": "orders" } }),
            ),
            &[],
            Format::Debezium,
            "orders.c",
        ),
        (
            Some(
                json!({ "schema": {}, "payload": { "op": "d", "before": { "id": 1 }, "after": null, "source": { "table": "orders" } } }),
            ),
            &[],
            Format::Debezium,
            "orders.d",
        ),
        (
            Some(
                json!({ "id": "evt_1", "object": "Event", "description": "tracker.updated", "result": { "id": "trk_1", "object": "Tracker" } }),
            ),
            &[],
            Format::Easypost,
            "tracker.updated",
        ),
        (
            Some(
                json!({ "event": "tracking_update", "event_id": "1", "msg": { "tracking_number": "1" } }),
            ),
            &[],
            Format::Aftership,
            "tracking_update",
        ),
        (
            Some(
                json!({ "scope": "store/order/created", "producer": "stores/1", "data": { "id": 1 }, "hash": "h", "created_at": 1_772_600_000 }),
            ),
            &[],
            Format::Bigcommerce,
            "store/order/created",
        ),
        (
            Some(
                json!({ "notificationType": "Message", "id": "m", "type": "OrderCreated", "resource": { "typeId": "order", "id": "o" } }),
            ),
            &[],
            Format::Commercetools,
            "OrderCreated",
        ),
    ];
    let auto = Decoder::new(Format::Auto, Limits::default());
    for (value, headers, format, name) in cases {
        let record = record(value.as_ref(), headers);
        let found = auto.decode(&record);
        let event = found.unwrap_or_else(|why| panic!("{value:?}: {why:?}"));
        assert_eq!(
            (event.source, event.name.as_str()),
            (format.as_str(), name),
            "{value:?}"
        );
        // the event is that of the format
        let pinned = Decoder::new(format, Limits::default());
        assert_eq!(pinned.decode(&record).unwrap(), event);
        // a text of JSON is read once more
        if let Some(value) = &value {
            let text = self::record(Some(&Value::from(value.to_string())), headers);
            if headers.is_empty() {
                assert_eq!(
                    auto.decode(&text).unwrap().source,
                    format.as_str(),
                    "{value}"
                );
            }
        }
    }
}

#[test]
fn what_shows_no_format_is_not_guessed() {
    let auto = Decoder::new(Format::Auto, Limits::default());
    for value in [
        json!({ "type": "OrderPaid", "id": "1", "time": "2026-01-02T03:04:05Z", "data": {} }),
        json!({ "id": 1 }),
        json!([{ "type": "track" }]),
        json!(17),
        json!({ "schema": {}, "payload": { "id": 1 } }),
        json!({ "detail-type": "Order", "detail": { "id": 1 } }),
        json!({ "body": { "type": "track" }, "headers": {} }),
        json!({ "object": "event" }),
        json!({ "type": "track", "properties": {} }),
        json!({ "type": "track", "event": "Order Completed" }),
        json!({ "type": "page", "title": "Home" }),
        json!({ "scope": "orders", "producer": "shop" }),
        json!({ "notificationType": "Message", "resource": "o" }),
        json!({ "op": 1, "after": {} }),
    ] {
        let Err(Decoded::Reject(rejected)) = auto.decode(&record(Some(&value), &[])) else {
            panic!("{value}");
        };
        assert_eq!(rejected.reason, Rejection::FormatMismatch, "{value}");
    }
    // the format's own rules hold: Shopify needs its topic
    let Err(Decoded::Reject(rejected)) = auto.decode(&record(Some(&order()), &[])) else {
        panic!("no topic");
    };
    assert_ne!(rejected.reason, Rejection::InvalidJson);
    let tombstone = record(None, &[("source", "x")]);
    assert_eq!(
        auto.decode(&tombstone),
        Err(Decoded::Skip(SkipReason::Tombstone))
    );
    let mut broken = record(Some(&json!(1)), &[]);
    broken.value = Some("{".into());
    let Err(Decoded::Reject(rejected)) = auto.decode(&broken) else {
        panic!("not JSON");
    };
    assert_eq!(rejected.reason, Rejection::InvalidJson);
}
