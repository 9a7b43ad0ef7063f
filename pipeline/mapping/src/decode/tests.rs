use crate::value::json;
use bytes::Bytes;

use super::*;
use crate::event::{BadTime, CustomerHints, Notes};
use crate::value::Value;
use ingest_model::outcome::{Rejection, SkipReason};
use ingest_model::record::{Header, Offset, Position, TopicPartition};

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

fn decode(format: Format, value: &[u8]) -> Result<Event<'static>, Decoded> {
    let record = record(Some(value));
    let decoded = Decoder::new(format, Limits::default()).decode(&record);
    decoded.map(|event| Event {
        source: event.source,
        kind: event.kind,
        name: event.name,
        id: event.id,
        time: event.time,
        customer: event.customer,
        payload: event.payload.into_owned(),
        deleted: event.deleted,
        more: None,
        notes: event.notes,
    })
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

fn segment(message: &Value<'_>) -> Event<'static> {
    decode(Format::Segment, message.to_string().as_bytes()).unwrap()
}

#[test]
fn a_time_that_is_passed_over_is_noted() {
    for (message, noted) in [
        (json!({"timestamp": "2026-01-02T03:00:00Z"}), None),
        (json!({"timestamp": "Fri, 02 Jan 2026 03:00:00 GMT"}), None),
        (json!({"timestamp": "2026-01-02 03:00:00 UTC"}), None),
        (
            json!({"timestamp": null, "sentAt": "2026-01-02 03:00:00 +0000"}),
            None,
        ),
        (
            json!({"timestamp": " ", "sentAt": "2026-01-02T03:00:00"}),
            None,
        ),
        (
            json!({"timestamp": "02.01.2026", "sentAt": "2026-01-02T03:00:00Z"}),
            Some(("timestamp", BadTime::Unreadable)),
        ),
        (
            json!({"originalTimestamp": "9999-01-01T00:00:00Z", "sentAt": 1_767_322_800}),
            Some(("originalTimestamp", BadTime::Implausible)),
        ),
    ] {
        let mut message = message;
        if let Value::Object(fields) = &mut message {
            fields.insert("type", json!("identify"));
        }
        let event = segment(&message);
        assert_eq!(event.time, "2026-01-02T03:00:00Z".parse().ok(), "{message}");
        assert_eq!(event.notes.bad_time(), noted, "{message}");
    }
    let event = decode(Format::Json, br#"{"type":"x","time":"noon"}"#).unwrap();
    assert_eq!(event.time, "2026-01-02T03:04:05Z".parse().ok());
    assert_eq!(
        event.notes.lines(),
        ["time: passed over, it cannot be read as a time"]
    );
    for (time, lines) in [
        ("2026-01-02 03:00:00", 1),
        ("2026-01-02", 1),
        ("2026-01-02T03:00:00+00:00", 0),
        ("1767322800", 0),
    ] {
        let value = json!({"type": "x", "time": time}).to_string();
        let event = decode(Format::Json, value.as_bytes()).unwrap();
        let noted = ["time: names no zone, it is read as UTC"];
        assert_eq!(event.notes.lines(), noted.get(..lines).unwrap(), "{time}");
        assert!(event.notes.is_empty(), "it is not counted");
    }
    let said = Envelope {
        deleted: None,
        time: Some(json!(true)),
        ..Envelope::default()
    };
    let decoder = Decoder::new(Format::Json, Limits::default());
    // the expression decides, so a bad time in the format's own field is not noted
    let payload = json!({"type": "x", "time": "noon"});
    let event = decoder.event(payload.into(), &record(None), &said).unwrap();
    let unreadable = Some(("event.time", BadTime::Unreadable));
    assert_eq!(event.notes.bad_time(), unreadable);
}

#[test]
fn half_a_character_costs_nothing_but_itself() {
    let value =
        br#"{"type":"track","event":"x \udc4d","properties":{"\ud83dk":["\ud83d\ude00\ud83d"]}}"#;
    let event = decode(Format::Segment, value).unwrap();
    assert_eq!(event.name, "x \u{fffd}");
    assert_eq!(
        event.payload["properties"]["\u{fffd}k"][0].as_str(),
        Some("\u{1f600}\u{fffd}")
    );
    let inner = r#"{"type":"x","text":"\ud83d"}"#;
    let value = serde_json::to_vec(&json!(inner)).unwrap();
    let event = decode(Format::Json, &value).unwrap();
    assert_eq!(event.payload["text"].as_str(), Some("\u{fffd}"));
}

#[test]
fn ids_of_occurrences_that_are_none_make_no_repeats() {
    for id in [
        json!("undefined"),
        json!("{{messageId}}"),
        json!(0),
        json!("00000000-0000-0000-0000-000000000000"),
    ] {
        let event = segment(&json!({"type": "identify", "messageId": id}));
        assert_eq!(event.id, None, "{id}");
    }
}

#[test]
fn names_are_what_people_see() {
    let event = segment(&json!({"type": "track", "event": "Cart\u{a0}Viewed\u{200b}"}));
    assert_eq!(event.name, "Cart Viewed");
    for message in [
        json!({"type": "None"}),
        json!({"type": "\u{200b}", "name": "None"}),
    ] {
        let event = decode(Format::Json, message.to_string().as_bytes()).unwrap();
        assert_eq!(event.name, "None", "a name is no id");
    }
    let value = json!({"type": "track", "event": "\u{200b} "}).to_string();
    assert_eq!(
        reason(Format::Segment, value.as_bytes()),
        Rejection::InvalidEnvelope
    );
}

#[test]
fn the_customer_is_found_where_libraries_put_it() {
    let hints = |message: Value<'_>| segment(&message).customer;
    let of = |external_id: Option<&str>, email: Option<&str>| CustomerHints {
        external_id: external_id.map(str::to_owned),
        email: email.map(str::to_owned),
        ..CustomerHints::default()
    };
    for (message, wanted) in [
        (
            json!({"type": "identify", "traits": {"id": 7}}),
            of(Some("7"), None),
        ),
        (
            json!({"type": "identify", "traits": {"id": 7, "userId": "c-8"}}),
            of(Some("c-8"), None),
        ),
        (
            json!({"type": "identify", "userId": "c-9", "traits": {"id": 7}}),
            of(Some("c-9"), None),
        ),
        (
            json!({"type": "identify", "userId": "${id}", "traits": {"id": 7}}),
            of(Some("7"), None),
        ),
        (
            json!({"type": "track", "event": "x", "context": {"traits": {"id": "c-7", "email": "nora@shop.example"}}}),
            of(Some("c-7"), Some("nora@shop.example")),
        ),
        (
            json!({"type": "track", "event": "x", "traits": [], "context": {"traits": []}, "properties": {"email": "NORA@shop.example"}}),
            of(None, Some("nora@shop.example")),
        ),
        // the traits of a group identify nobody
        (
            json!({"type": "group", "traits": {"id": "g-1", "email": "office@shop.example"}, "context": {"traits": {"id": "c-7"}}}),
            of(Some("c-7"), None),
        ),
    ] {
        assert_eq!(hints(message.clone()), wanted, "{message}");
    }
}

#[test]
fn a_key_that_is_none_is_noted_and_the_next_one_used() {
    let event = segment(&json!({
        "type": "identify", "userId": "undefined", "user_id": "c-7",
        "traits": {"email": "zoë@shop.example", "phone": "030 123456"},
        "context": {"traits": {"email": "zoe@shop.example"}, "externalId": [{"type": "kustomerId", "id": "c-7"}]},
    }));
    assert_eq!(event.customer.external_id.as_deref(), Some("c-7"));
    assert_eq!(event.customer.email.as_deref(), Some("zoe@shop.example"));
    assert_eq!((event.customer.phone, event.customer.id), (None, None));
    assert_eq!(
        event.notes.lines(),
        [
            "userId: left out, it names nobody",
            "traits.email: left out, it is not an e-mail address that Kustomer is sure to accept",
            "traits.phone: left out, it is not a phone number with a country code",
            "context.externalId: left out, a Kustomer id has 24 hexadecimal digits",
        ]
    );
    let event = segment(&json!({"type": "identify", "userId": "", "traits": {"email": null}}));
    assert_eq!(
        event.notes,
        Notes::default(),
        "what says nothing is no news"
    );
}

#[test]
fn traits_have_one_spelling_and_one_place() {
    let message = json!({
        "type": "identify",
        "traits": {"first_name": "Nora", "Phone": "", "tier": "gold", "address": {"ZIP": "20095", "City": "Hamburg", "floor": 3}, "e-mail": []},
        "context": {"traits": {"firstName": "N.", "LASTNAME": "Berg", "phone": "+4940123456", "DOB": "1990-05-06", "email": "nora@shop.example", "tier": "blue"}},
    });
    assert_eq!(
        Value::Object(segment::traits(&message)),
        json!({
            "firstName": "Nora", "lastName": "Berg", "phone": "+4940123456", "tier": "gold", "birthday": "1990-05-06",
            "address": {"postalCode": "20095", "city": "Hamburg", "floor": 3}, "email": "nora@shop.example",
        })
    );
    // if a trait is given twice, the one spelled as in the specification counts
    let message = json!({"traits": {"last_name": "Holm", "lastName": "Berg"}});
    let traits = segment::traits(&message);
    assert_eq!(traits.get("lastName"), Some(&json!("Berg")));
    for message in [json!(null), json!({}), json!({"traits": [], "context": 5})] {
        assert!(segment::traits(&message).is_empty(), "{message}");
    }
    let message = json!({"type": "Group", "traits": {"name": "Berg Ltd"}, "context": {"traits": {"name": "Nora"}}});
    let traits = segment::traits(&message);
    assert_eq!(traits.get("name"), Some(&json!("Nora")));
}

#[test]
fn a_message_full_of_traits_is_not_copied_whole() {
    let many: Vec<u8> = vec![0; 20_000];
    let message = json!({
        "type": "identify",
        "traits": {"company": many, "first_name": "Nora"},
        "context": {"traits": {"company": "Berg Ltd", "visits": vec![1; 9_000], "more": vec![1; 9_000]}},
    });
    let traits = segment::traits(&message);
    assert_eq!(traits.get("firstName"), Some(&json!("Nora")));
    let company = Some(&json!("Berg Ltd"));
    assert_eq!(traits.get("company"), company, "the list has no room");
    assert!(traits.contains_key("visits") && !traits.contains_key("more"));
}

#[test]
fn kustomers_own_ids_of_a_visit_are_found_in_every_spelling() {
    for name in [
        "kustomerSessionId",
        "kustomer_session_id",
        "kustomer-session-id",
        "KustomerSessionID",
        "Kustomer Session Id",
    ] {
        for part in ["properties", "context"] {
            let message = match part {
                "context" => json!({"context": {"sessionId": 17, name: "s-1"}}),
                _ => json!({"context": {"sessionId": 17}, part: {name: "s-1"}}),
            };
            assert_eq!(
                segment::session(&message).as_deref(),
                Some("s-1"),
                "{message}"
            );
            let message = json!({ part: { name.replace("Session", "Tracking").replace("session", "tracking"): "t-1" } });
            assert_eq!(
                segment::tracking_id(&message).as_deref(),
                Some("t-1"),
                "{message}"
            );
        }
    }
    assert_eq!(
        segment::session(&json!({"kustomer_session_id": "s-2"})).as_deref(),
        Some("s-2")
    );
    assert_eq!(
        segment::session(&json!({"context": {"sessionId": 17}})).as_deref(),
        Some("17")
    );
    let empty =
        json!({"context": {"sessionId": 17}, "properties": {"kustomerSessionId": "undefined"}});
    assert_eq!(segment::session(&empty).as_deref(), Some("17"));
    assert_eq!(
        segment::tracking_id(&json!({"context": {"sessionId": 17}})),
        None
    );
}

#[test]
fn integrations_may_keep_a_message_away() {
    for (integrations, wanted) in [
        (json!({"All": true, "Kustomer": false}), false),
        (json!({"All": false}), false),
        (json!({"All": false, "Kafka": true}), false),
        (json!({"all": false, "KAFKA": {"topic": "x"}}), false),
        (json!({"All": false, "Kafka": true, "Kustomer": true}), true),
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
    let error = "protobuf".parse::<Format>().unwrap_err();
    let known: Vec<&str> = Format::KNOWN.iter().map(|f| f.as_str()).collect();
    let known = known.join(", ");
    assert_eq!(
        error.to_string(),
        format!("unknown format \"protobuf\"; known: {known}")
    );
    assert!(known.starts_with("json, segment"), "{known}");
}
