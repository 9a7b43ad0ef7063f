//! Connect's JSON beside its schema, in the formats that are not Debezium's.

use super::super::super::{Decoded, Format};
use super::{decode, record, refusal};
use crate::value::{Value, json};
use ingest_model::outcome::{Rejection, SkipReason};

/// The row of an order as Connect's JDBC source writes it.
fn beside(payload: &Value<'static>) -> Value<'static> {
    json!({
        "schema": {"type": "struct", "optional": false, "name": "orders", "fields": [
            {"type": "string", "optional": false, "field": "type"},
            {"type": "bytes", "optional": true, "field": "total", "name": "org.apache.kafka.connect.data.Decimal", "parameters": {"scale": "2"}},
            {"type": "int32", "optional": true, "field": "day", "name": "org.apache.kafka.connect.data.Date"},
        ]},
        "payload": payload.clone(),
    })
}

fn bare(kind: &str, payload: &Value<'static>) -> Value<'static> {
    json!({"schema": {"type": kind, "optional": true}, "payload": payload.clone()})
}

#[test]
fn a_row_is_what_its_schema_says() {
    let row = json!({"type": "order", "id": 7, "total": "B88=", "day": 20_455});
    let value = record(beside(&row).to_string(), &[]);
    let event = decode(Format::Json, &value).unwrap();
    assert_eq!(
        (event.name.as_str(), event.id.as_deref()),
        ("order", Some("7"))
    );
    let wanted = json!({"type": "order", "id": 7, "total": "19.99", "day": "2026-01-02"});
    assert_eq!(event.payload, wanted);
    // without a schema its values stay as they are
    let untyped = json!({"schema": null, "payload": row.clone()});
    let value = record(untyped.to_string(), &[]);
    assert_eq!(decode(Format::Json, &value).unwrap().payload, row);
}

#[test]
fn what_is_in_it_is_read_in_every_format() {
    let order = json!({"type": "order placed", "id": "e-1", "data": {"total": 1}});
    let track =
        json!({"type": "track", "event": "Order Completed", "userId": "u-1", "properties": {}});
    let stripe = json!({"id": "evt_1", "object": "event", "type": "invoice.paid", "data": {"object": {"id": "in_1"}}});
    let cloud =
        json!({"specversion": "1.0", "type": "paid", "source": "/shop", "id": "1", "data": {}});
    for (format, inner, name) in [
        (Format::Generic, &order, "order placed"),
        (Format::Segment, &track, "Order Completed"),
        (Format::Stripe, &stripe, "invoice.paid"),
        (Format::CloudEvents, &cloud, "paid"),
    ] {
        let plain = record(inner.to_string(), &[]);
        let plain = decode(format, &plain).unwrap();
        // a connector that knows no schema writes a text
        let text = Value::from(inner.to_string());
        for value in [
            bare("struct", inner),
            bare("string", &text),
            json!({"schema": null, "payload": inner.clone()}),
        ] {
            let value = record(value.to_string(), &[]);
            let event = decode(format, &value).unwrap();
            assert_eq!(event.name, name, "{format}");
            assert_eq!(event, plain, "{format}");
            if format != Format::Generic {
                let auto = decode(Format::Auto, &value).unwrap();
                assert_eq!((auto.source, auto), (format.as_str(), plain.clone()));
            }
        }
    }
}

#[test]
fn a_payload_of_nothing_is_a_tombstone() {
    for format in Format::KNOWN {
        let value = record(bare("struct", &Value::Null).to_string(), &[]);
        assert_eq!(
            decode(*format, &value),
            Err(Decoded::Skip(SkipReason::Tombstone)),
            "{format}"
        );
    }
}

#[test]
fn an_object_of_ones_own_with_a_payload_is_left_alone() {
    for own in [
        json!({"type": "x", "schema": {"type": "struct"}, "payload": {"a": 1}}),
        json!({"name": "x", "schema": null, "payload": {"a": 1}}),
    ] {
        let value = record(own.to_string(), &[]);
        assert_eq!(decode(Format::Json, &value).unwrap().payload, own);
    }
    // the type of another kind of schema: no name is found beside it
    let own = json!({"schema": {"type": "object"}, "payload": {"type": "x"}});
    let value = record(own.to_string(), &[]);
    assert_eq!(refusal(Format::Json, &value).0, Rejection::InvalidEnvelope);
}

#[test]
fn what_is_wrong_in_it_is_said() {
    for (format, value, reason, why) in [
        (
            Format::Json,
            beside(&json!({"type": "x", "total": "?"})),
            Rejection::InvalidEnvelope,
            "`total` is not the bytes of a decimal",
        ),
        (
            Format::Json,
            bare("string", &json!("{")),
            Rejection::InvalidJson,
            "`payload` is a text whose content",
        ),
        (
            Format::Json,
            bare("int64", &json!(5)),
            Rejection::FormatMismatch,
            "not a JSON object",
        ),
        (
            Format::Generic,
            beside(&json!({"type": "x"})),
            Rejection::FormatMismatch,
            "format json reads objects without an envelope",
        ),
        (
            Format::Auto,
            beside(&json!({"type": "x"})),
            Rejection::FormatMismatch,
            "`json` reads any object",
        ),
    ] {
        let value = record(value.to_string(), &[]);
        let (found, detail) = refusal(format, &value);
        assert_eq!(found, reason, "{detail}");
        assert!(detail.contains(why), "{detail}");
    }
}
