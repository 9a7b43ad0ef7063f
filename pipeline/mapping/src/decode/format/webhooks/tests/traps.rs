//! What every format has to bear.

use super::*;
use ingest_model::outcome::SkipReason;

fn with(format: Format, change: impl FnOnce(&mut crate::value::Map<'static>)) -> Record {
    let (mut value, headers) = good(format);
    if let Value::Object(fields) = &mut value {
        change(fields);
    }
    record(value.to_string().as_bytes(), &headers)
}

fn reason(format: Format, record: &Record) -> Rejection {
    match decoded(format, record) {
        Err(Decoded::Reject(rejected)) => rejected.reason,
        other => panic!("{format}: not rejected: {other:?}"),
    }
}

#[test]
fn good_events_are_events() {
    for format in ALL {
        let (value, headers) = good(*format);
        let event = event(*format, &value, &headers);
        assert_eq!(event.source, format.as_str());
        assert!(
            event.id.is_some() && said_version(&event).is_some() && subject(&event).is_some(),
            "{format}: {event:?}"
        );
        assert!(
            event
                .time
                .is_some_and(|time| time.as_millisecond() != NOW_MS),
            "{format}"
        );
    }
}

#[test]
fn what_is_no_json_object_is_rejected_by_cause() {
    for format in ALL {
        let (_, headers) = good(*format);
        let nothing = Record {
            value: None,
            ..record(b"", &headers)
        };
        assert_eq!(
            decoded(*format, &nothing),
            Err(Decoded::Skip(SkipReason::Tombstone))
        );
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(1024 * 1024));
        for (value, wanted) in [
            ("", Rejection::InvalidJson),
            ("null", Rejection::InvalidJson),
            ("{\"id\":17,", Rejection::InvalidJson),
            ("{\"id\":1e400}", Rejection::InvalidJson),
            ("{\"id\":NaN}", Rejection::InvalidJson),
            ("webhook_id=17", Rejection::InvalidJson),
            ("[{\"id\":17}]", Rejection::FormatMismatch),
            ("17", Rejection::FormatMismatch),
            (&deep, Rejection::TooDeep),
            (&large, Rejection::TooLarge),
        ] {
            let start: String = value.chars().take(20).collect();
            assert_eq!(
                reason(*format, &record(value.as_bytes(), &headers)),
                wanted,
                "{format} {start}"
            );
        }
        assert_eq!(
            reason(*format, &record(b"{\"id\":\"\xff\"}", &headers)),
            Rejection::InvalidUtf8
        );
    }
}

#[test]
fn deep_and_heavy_bodies_within_a_text_are_rejected_too() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let heavy = format!("[{}0]", "{},".repeat(200_000));
    for (body, wanted) in [(deep, Rejection::TooDeep), (heavy, Rejection::TooLarge)] {
        let text = Value::from(format!("{{\"a\":{body}}}"));
        let wrapped = json!({"headers": {"x-shopify-topic": "orders/create"}, "body": text});
        let record = record(wrapped.to_string().as_bytes(), &[]);
        assert_eq!(reason(Format::Shopify, &record), wanted);
    }
}

#[test]
fn a_name_may_be_anything_that_can_be_read() {
    let long = "x".repeat(200);
    for name in ["Bought a 🫖", &*long, "a/b.c$d e"] {
        let (value, _) = good(Format::Shopify);
        assert_eq!(
            event(Format::Shopify, &value, &[("x-shopify-topic", name)]).name,
            name
        );
        let name_value = Value::from(name.to_owned());
        for (format, field) in [
            (Format::Stripe, "type"),
            (Format::Easypost, "description"),
            (Format::Aftership, "event"),
            (Format::Bigcommerce, "scope"),
            (Format::Commercetools, "type"),
        ] {
            let record = with(format, |fields| fields.insert(field, name_value.clone()));
            assert_eq!(decoded(format, &record).unwrap().name, name, "{format}");
        }
    }
    for (format, field) in [
        (Format::Stripe, "type"),
        (Format::Easypost, "description"),
        (Format::Aftership, "event"),
        (Format::Bigcommerce, "scope"),
        (Format::Commercetools, "type"),
    ] {
        for bad in [json!(null), json!(" "), json!({"a": 1}), json!([])] {
            let record = with(format, |fields| fields.insert(field, bad.clone()));
            assert_eq!(
                reason(format, &record),
                Rejection::InvalidEnvelope,
                "{format} {bad}"
            );
        }
    }
}

#[test]
fn ids_keep_all_their_digits() {
    let big = [json!(9_007_199_254_740_993_i64), json!("9007199254740993")];
    for id in big {
        let shopify = with(Format::Shopify, |fields| fields.insert("id", id.clone()));
        assert_eq!(
            subject(&decoded(Format::Shopify, &shopify).unwrap()),
            Some("9007199254740993")
        );
        let woo = with(Format::Woocommerce, |fields| {
            fields.insert("id", id.clone());
        });
        assert_eq!(
            subject(&decoded(Format::Woocommerce, &woo).unwrap()),
            Some("9007199254740993")
        );
    }
    let huge = record(
        b"{\"id\":123456789012345678901234567890}",
        &[("x-shopify-topic", "orders/create")],
    );
    assert_eq!(
        subject(&decoded(Format::Shopify, &huge).unwrap()),
        Some("123456789012345678901234567890")
    );
}

#[test]
fn times_are_read_in_every_form_and_passed_over_if_they_cannot_be_true() {
    let times = [
        (json!("2026-05-06 07:08:09"), "2026-05-06T07:08:09Z"),
        (
            json!("2026-05-06T07:08:09.123456789Z"),
            "2026-05-06T07:08:09.123456789Z",
        ),
        (json!(1_778_000_000), "2026-05-05T16:53:20Z"),
        (json!(1_778_000_000_123_i64), "2026-05-05T16:53:20.123Z"),
        (
            json!(1_778_000_000_123_456_i64),
            "2026-05-05T16:53:20.123456Z",
        ),
        (json!("0001-01-01T00:00:00Z"), "2026-05-17T06:40:00Z"),
        (json!("2099-01-01T00:00:00Z"), "2026-05-17T06:40:00Z"),
        (json!({"a": 1}), "2026-05-17T06:40:00Z"),
    ];
    for (format, field) in [
        (Format::Shopify, "updated_at"),
        (Format::Stripe, "created"),
        (Format::Easypost, "created_at"),
        (Format::Aftership, "ts"),
        (Format::Woocommerce, "date_modified_gmt"),
        (Format::Bigcommerce, "created_at"),
        (Format::Commercetools, "createdAt"),
    ] {
        for (sent, wanted) in &times {
            let record = with(format, |fields| fields.insert(field, sent.clone()));
            let event = decoded(format, &record).unwrap();
            assert_eq!(time(&event), *wanted, "{format} {sent}");
        }
    }
}

/// A finer time than whole seconds is itself the order.
#[test]
fn the_place_of_a_state_counts_only_within_whole_seconds() {
    let version = |at: &str, status: &str| {
        let (at, status) = (Value::from(at.to_owned()), Value::from(status.to_owned()));
        let body = json!({"object": "Event", "description": "tracker.updated", "result": {"updated_at": at, "status": status}});
        version(&event(Format::Easypost, &body, &[]))
    };
    assert!(
        version("2026-05-06T07:08:09.001Z", "delivered")
            < version("2026-05-06T07:08:09.002Z", "in_transit")
    );
    assert!(
        version("2026-05-06T07:08:09Z", "delivered")
            < version("2026-05-06T07:08:10Z", "in_transit")
    );
}

#[test]
fn fields_of_any_type_are_borne() {
    let odd = [
        json!(null),
        json!([]),
        json!({}),
        json!("x"),
        json!(1.5),
        json!(true),
        json!([[{"a": []}]]),
    ];
    let names = [
        "id",
        "customer",
        "customer_id",
        "email",
        "phone",
        "billing",
        "data",
        "msg",
        "result",
        "headers",
        "body",
        "payload",
        "topic",
        "action",
        "detail",
        "detail-type",
        "errors",
        "resource",
        "hash",
        "order",
        "admin_graphql_api_id",
        "query_variables",
        "order_edit",
        "related_object",
    ];
    for format in ALL {
        for name in names {
            for value in &odd {
                let record = with(*format, |fields| fields.insert(name, value.clone()));
                // an event or a rejection, never a panic
                drop(decoded(*format, &record));
            }
        }
    }
}

/// A glance has to see what decoding finds, or nothing.
#[test]
fn a_glance_sees_the_name_that_decoding_finds() {
    for format in ALL {
        let decoder = Decoder::new(*format, Limits::default());
        let (value, headers) = good(*format);
        let bare = record(value.to_string().as_bytes(), &headers);
        let seen = decoder
            .glance(&bare, None)
            .map(|seen| seen.name.into_owned());
        assert_eq!(
            seen,
            Some(decoded(*format, &bare).unwrap().name),
            "{format}"
        );
        for value in [
            json!({"detail-type": "x", "detail": value}),
            json!({"headers": {"x-shopify-topic": "a/b"}, "body": value}),
            json!({"topic": "c/d", "payload": value}),
            json!({"type": "track", "event": "x"}),
        ] {
            let record = record(value.to_string().as_bytes(), &headers);
            if let Some(glance) = decoder.glance(&record, None) {
                let event = decoded(*format, &record).unwrap();
                assert_eq!(glance.name, event.name, "{format} {value}");
            }
        }
    }
    let law = record(b"{}", &[("x-shopify-topic", "customers/redact")]);
    let shopify = Decoder::new(Format::Shopify, Limits::default());
    assert_eq!(shopify.glance(&law, None), None, "these may not be skipped");
}
