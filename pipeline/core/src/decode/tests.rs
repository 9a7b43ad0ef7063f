use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::record::{Header, Offset, Position, TopicPartition};

fn record(value: Option<&[u8]>) -> Record {
    Record {
        position: Position {
            partition: TopicPartition::new("shop.events", 3),
            offset: Offset(7),
        },
        key: None,
        value: value.map(Bytes::copy_from_slice),
        headers: vec![
            Header {
                name: "a".into(),
                value: None,
            },
            Header {
                name: "a".into(),
                value: Some(Bytes::from_static(b"\xff")),
            },
        ],
        timestamp_ms: Some(1_767_323_045_000),
    }
}

fn decode(format: Format, value: &[u8]) -> Result<Event, Decoded> {
    Decoder::new(format, Limits::default()).decode(&record(Some(value)))
}

fn reason(format: Format, value: &[u8]) -> Rejection {
    match decode(format, value) {
        Err(Decoded::Reject(rejected)) => rejected.reason,
        other => panic!("not rejected: {other:?}"),
    }
}

#[test]
fn a_tombstone_is_skipped() {
    let decoder = Decoder::new(Format::Segment, Limits::default());
    assert_eq!(
        decoder.decode(&record(None)),
        Err(Decoded::Skip(SkipReason::Tombstone))
    );
}

#[test]
fn bytes_that_are_no_json_are_rejected_by_cause() {
    for (value, wanted) in [
        (&b""[..], Rejection::InvalidJson),
        (b"  \n", Rejection::InvalidJson),
        (b"null", Rejection::InvalidJson),
        (b"\"null\"", Rejection::InvalidJson),
        (b"{\"type\":\"track\"", Rejection::InvalidJson),
        (b"{\"type\":NaN}", Rejection::InvalidJson),
        (b"{\"type\":1e400}", Rejection::InvalidJson),
        (b"{\"type\":\"\xff\"}", Rejection::InvalidUtf8),
        (b"17", Rejection::FormatMismatch),
        (b"[]", Rejection::FormatMismatch),
        (b"\"plain text\"", Rejection::InvalidJson),
    ] {
        for format in Format::KNOWN {
            assert_eq!(
                reason(*format, value),
                wanted,
                "{format} {}",
                String::from_utf8_lossy(value)
            );
        }
    }
    let deep = "[".repeat(200) + &"]".repeat(200);
    assert_eq!(reason(Format::Json, deep.as_bytes()), Rejection::TooDeep);
    let large = format!("\"{}\"", "x".repeat(1024 * 1024));
    assert_eq!(reason(Format::Json, large.as_bytes()), Rejection::TooLarge);
}

#[test]
fn a_value_of_one_megabyte_is_read() {
    let value = format!("{{\"type\":\"x\",\"text\":\"{}\"}}", "y".repeat(1_000_000));
    assert_eq!(decode(Format::Json, value.as_bytes()).unwrap().name, "x");
}

#[test]
fn a_byte_order_mark_and_json_within_a_text_are_undone() {
    let value = b"\xef\xbb\xbf{\"type\":\"x\",\"id\":9007199254740993}";
    assert_eq!(
        decode(Format::Json, value).unwrap().id.as_deref(),
        Some("9007199254740993")
    );
    let value = serde_json::to_vec(&json!(r#"{"type":"x"}"#)).unwrap();
    assert_eq!(decode(Format::Json, &value).unwrap().name, "x");
}

#[test]
fn the_names_of_a_segment_message_follow_its_kind() {
    for (message, wanted) in [
        (
            json!({"type": "track", "event": " Order Completed "}),
            "Order Completed",
        ),
        (json!({"action": "Track", "event": "x"}), "x"),
        (
            json!({"type": "page", "name": "Home", "category": "c"}),
            "Home",
        ),
        (json!({"type": "page", "category": "c"}), "c"),
        (json!({"type": "page"}), "page"),
        (json!({"type": "screen", "event": "Cart"}), "Cart"),
        (json!({"type": "identify", "event": "x"}), "identify"),
        (json!({"type": "alias"}), "alias"),
    ] {
        let event = decode(Format::Segment, message.to_string().as_bytes()).unwrap();
        assert_eq!(event.name, wanted, "{message}");
    }
    for message in [
        json!({}),
        json!({"type": 1}),
        json!({"type": "delete"}),
        json!({"event": "x"}),
    ] {
        assert_eq!(
            reason(Format::Segment, message.to_string().as_bytes()),
            Rejection::FormatMismatch,
            "{message}"
        );
    }
    for message in [
        json!({"type": "track"}),
        json!({"type": "track", "event": 5}),
        json!({"type": "track", "event": " "}),
    ] {
        assert_eq!(
            reason(Format::Segment, message.to_string().as_bytes()),
            Rejection::InvalidEnvelope,
            "{message}"
        );
    }
}

#[test]
fn a_segment_message_tells_who_and_when() {
    let message = json!({
        "type": "track", "event": "x", "messageId": "m-1", "userId": 42, "anonymousId": "a-1",
        "timestamp": "0001-01-01T00:00:00Z", "originalTimestamp": "2026-01-02 03:00:00",
        "context": {"traits": {"email": "Ann@Example.com", "phone": "+49 30 123456"},
                    "externalId": [{"type": "x", "id": "y"}, {"type": "kustomerId", "id": "5F75C63CD5C0384AD82A17AE"}]},
        "properties": {"email": "other@example.com", "recipient": "third@example.com"},
    });
    let event = decode(Format::Segment, message.to_string().as_bytes()).unwrap();
    assert_eq!(event.id.as_deref(), Some("m-1"));
    assert_eq!(event.time, "2026-01-02T03:00:00Z".parse().ok());
    assert_eq!(
        event.customer,
        CustomerHints {
            id: Some("5f75c63cd5c0384ad82a17ae".into()),
            external_id: Some("42".into()),
            email: Some("ann@example.com".into()),
            phone: Some("+4930123456".into()),
            anonymous_id: Some("a-1".into()),
        }
    );
}

#[test]
fn without_a_time_the_record_gives_one() {
    let event = decode(
        Format::Segment,
        br#"{"type":"track","event":"x","timestamp":"soon"}"#,
    )
    .unwrap();
    assert_eq!(event.time, "2026-01-02T03:04:05Z".parse().ok());
}

#[test]
fn integrations_may_keep_a_message_away() {
    for (integrations, wanted) in [
        (json!({"All": true, "Kustomer": false}), false),
        (json!({"All": false}), false),
        (json!({"All": false, "Kustomer": true}), true),
        (json!({"All": false, "kustomer": {"x": 1}}), true),
        (json!({"Salesforce": false}), true),
        (json!("odd"), true),
    ] {
        let message = json!({"type": "track", "event": "x", "integrations": integrations});
        let decoded = decode(Format::Segment, message.to_string().as_bytes());
        assert_eq!(decoded.is_ok(), wanted, "{message}");
        if !wanted {
            assert_eq!(decoded, Err(Decoded::Skip(SkipReason::NotForKustomer)));
        }
    }
}

#[test]
fn only_known_formats_are_accepted() {
    assert_eq!("segment".parse(), Ok(Format::Segment));
    let error = "debezium".parse::<Format>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown format \"debezium\"; known: json, segment"
    );
}
