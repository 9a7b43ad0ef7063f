//! Records as a shop writes them: Segment messages of each kind that matters.
//!
//! Nothing is random: a record is made from its number alone, so that two runs measure the same work.

use bytes::Bytes;
use ingest_model::record::{Offset, Position, Record, TopicPartition};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The topic of all records.
pub(crate) const TOPIC: &str = "shop.events";
/// The shipped mapping that all records go through.
pub(crate) const MAPPING: &str = include_str!("../schemas/mappings/segment.yaml");

/// A kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A product view: the mapping skips it.
    Browse,
    /// A product view that is folded into its session.
    View,
    /// A coupon: a tracking event.
    Coupon,
    /// A customer's traits.
    Identify,
    /// An order with this many lines: an object.
    Order(usize),
    /// The refund of the order of the same number: an update of its object.
    Refund,
}

/// The `number`-th message of this kind, of customer `customer`, at this time.
pub(crate) fn message(kind: Kind, number: u64, customer: u64, time_ms: i64) -> Bytes {
    let time = Timestamp::from_millisecond(time_ms).unwrap_or_default();
    let mut message = Map::new();
    let (kind_name, more) = match kind {
        Kind::Browse => (
            "track",
            json!({"event": "Product Passed", "properties": line(number)}),
        ),
        Kind::View => (
            "track",
            json!({
                "event": "Product Viewed",
                "context": {"sessionId": 1_764_000_000 + customer},
                "properties": line(number),
            }),
        ),
        Kind::Coupon => (
            "track",
            json!({"event": "Coupon Applied", "properties": {
                "cart_id": format!("cart-{customer}"),
                "coupon_id": "SPRING",
                "discount": 5.5,
                "order_id": format!("A-{number}"),
            }}),
        ),
        Kind::Identify => (
            "identify",
            json!({"traits": {
                "name": format!("Customer {customer}"),
                "email": format!("customer{customer}@example.com"),
                "plan": "club",
                "address": {"city": "Exampleton", "country": "NL"},
            }}),
        ),
        Kind::Order(lines) => (
            "track",
            json!({"event": "Order Completed", "properties": {
                "order_id": format!("A-{number}"),
                "total": 129.5,
                "shipping": 4.9,
                "tax": 20.7,
                "currency": "EUR",
                "products": (0..).map(line).take(lines).collect::<Vec<_>>(),
            }}),
        ),
        Kind::Refund => (
            "track",
            json!({"event": "Order Refunded", "properties": {
                "order_id": format!("A-{number}"),
                "total": 64.5,
                "currency": "EUR",
                "products": [line(number)],
            }}),
        ),
    };
    message.insert("type".to_owned(), Value::from(kind_name));
    let id = if kind == Kind::Refund {
        format!("refund-{number}")
    } else {
        format!("m-{number}")
    };
    message.insert("messageId".to_owned(), Value::from(id));
    message.insert("userId".to_owned(), Value::from(format!("u-{customer}")));
    message.insert("timestamp".to_owned(), Value::from(time.to_string()));
    if let Value::Object(more) = more {
        message.extend(more);
    }
    Bytes::from(Value::Object(message).to_string())
}

fn line(number: u64) -> Value {
    json!({
        "product_id": format!("p-{number}"),
        "sku": format!("SKU-{number}"),
        "name": "Cast-iron teapot, 1.2 l",
        "category": "Tea",
        "price": 64.5,
        "quantity": 1 + number % 3,
        "url": "https://shop.example/teapots/cast-iron",
    })
}

/// The record with this value at this place, keyed by the customer.
pub(crate) fn record(
    partition: i32,
    offset: i64,
    customer: u64,
    value: Bytes,
    time_ms: i64,
) -> Record {
    Record {
        position: Position {
            partition: TopicPartition::new(TOPIC, partition),
            offset: Offset(offset),
        },
        key: Some(Bytes::from(format!("u-{customer}"))),
        value: Some(value),
        headers: Vec::new(),
        timestamp_ms: Some(time_ms),
    }
}
