//! CloudEvents, binary and structured.

use super::super::super::{Decoder, Format, Limits};
use super::{attribute, decode, record, refusal};
use crate::event::{BadTime, Event};
use crate::value::{Value, json};
use ingest_model::outcome::Rejection;
use ingest_model::record::Record;

type Headers<'h> = Vec<(&'h str, Option<&'h [u8]>)>;

fn headers<'h>(more: &[(&'h str, Option<&'h str>)]) -> Headers<'h> {
    let sound = [
        ("ce_specversion", Some("1.0")),
        ("ce_type", Some("shop.order.placed")),
        ("ce_source", Some("/shop/eu")),
        ("ce_id", Some("o-1-placed")),
        ("ce_time", Some("2026-01-02T03:00:00Z")),
        ("content-type", Some("application/json; charset=utf-8")),
    ];
    let all = sound.iter().chain(more);
    all.map(|(name, value)| (*name, value.map(str::as_bytes)))
        .collect()
}

fn binary(value: &str, more: &[(&str, Option<&str>)]) -> Record {
    record(value, &headers(more))
}

fn structured(more: Value<'_>) -> Record {
    let mut event = json!({
        "specversion": "1.0", "type": "shop.order.placed", "source": "/shop/eu", "id": "o-1-placed",
        "time": "2026-01-02T03:00:00Z", "datacontenttype": "application/json; charset=utf-8",
    });
    let (Value::Object(event), Value::Object(more)) = (&mut event, more) else {
        panic!("objects")
    };
    for (name, value) in more {
        event.insert(name.into_owned(), value.into_owned());
    }
    record(Value::Object(event.clone()).to_string(), &[])
}

fn refused(record: &Record) -> (Rejection, String) {
    refusal(Format::CloudEvents, record)
}

/// Without the attributes, which each test reads by itself.
fn shown(event: &Event<'_>) -> Value<'static> {
    json!({
        "name": event.name, "id": event.id, "time": event.time.map(|time| time.to_string()), "content": event.payload.clone(),
        "version": event.version(), "subject": event.more.as_ref().and_then(|more| more.subject.clone()),
    })
}

#[test]
fn both_modes_give_the_same_event() {
    let extensions = [
        ("ce_subject", Some("o-1")),
        ("ce_sequence", Some("42")),
        ("ce_partitionkey", Some("c-7")),
    ];
    let in_headers = binary(r#"{"total":27.5,"id":9007199254740993}"#, &extensions);
    let in_value = structured(json!({
        "subject": "o-1", "sequence": "42", "partitionkey": "c-7", "data": {"total": 27.5, "id": 9_007_199_254_740_993_i64}, "empty": null,
    }));
    let [one, other] =
        [&in_headers, &in_value].map(|record| decode(Format::CloudEvents, record).unwrap());
    assert_eq!(one, other);
    let wanted = json!({
        "name": "shop.order.placed", "id": "/shop/eu o-1-placed", "time": "2026-01-02T03:00:00Z",
        "content": {"total": 27.5, "id": 9_007_199_254_740_993_i64}, "version": "42", "subject": "o-1",
    });
    assert_eq!(shown(&one), wanted);
    assert_eq!(attribute(&one, "partitionkey").as_deref(), Some("c-7"));
    assert_eq!(attribute(&one, "id").as_deref(), Some("o-1-placed"));
    assert_eq!(attribute(&other, "empty"), None);
}

#[test]
fn the_content_type_decides_over_headers_that_say_the_same() {
    let value = structured(json!({"type": "inner", "data": {"a": 1}}))
        .value
        .unwrap();
    for kind in [
        "application/cloudevents+json",
        "Application/CloudEvents; charset=utf-8",
        " application/cloudevents",
    ] {
        let mut all = headers(&[]);
        all.push(("content-type", Some(kind.as_bytes())));
        let record = record(value.to_vec(), &all);
        assert_eq!(
            decode(Format::CloudEvents, &record).unwrap().name,
            "inner",
            "{kind}"
        );
    }
    for (kind, why) in [
        (
            "application/cloudevents+avro",
            "an encoding of CloudEvents that is not read",
        ),
        (
            "application/cloudevents+protobuf",
            "an encoding of CloudEvents that is not read",
        ),
        ("application/cloudevents-batch+json", "it is a batch"),
    ] {
        let record = record(value.to_vec(), &[("Content-Type", Some(kind.as_bytes()))]);
        let (reason, detail) = refused(&record);
        assert_eq!(reason, Rejection::FormatMismatch);
        assert!(detail.contains(why), "{detail}");
    }
}

#[test]
fn headers_as_relays_write_them_are_read() {
    // the prefix of HTTP, capitals, a repeated name, a null
    let record = record(
        "{}",
        &[
            ("CE-SpecVersion", Some(b"0.3")),
            ("ce-type", Some(b"old")),
            ("ce-type", Some(b"new")),
            ("ce-source", Some(b"s")),
            ("ce-id", Some(b"1")),
            ("ce-subject", Some(b"gone")),
            ("ce-subject", None),
        ],
    );
    let event = decode(Format::CloudEvents, &record).unwrap();
    assert_eq!(
        (event.name.as_str(), event.id.as_deref()),
        ("new", Some("s 1"))
    );
    assert_eq!(event.more.as_ref().unwrap().subject, None);
    // without a time of its own it has the record's, and is compared by it
    assert_eq!(event.version().as_deref(), Some("2026-01-02T03:04:05Z"));
}

#[test]
fn an_event_without_data_is_no_tombstone() {
    for value in [None, Some(""), Some(" null ")] {
        let mut record = binary(
            value.unwrap_or_default(),
            &[("ce_dataref", Some("https://x.example/1"))],
        );
        if value.is_none() {
            record.value = None;
        }
        let event = decode(Format::CloudEvents, &record).unwrap();
        assert_eq!(event.payload, Value::Null, "{value:?}");
        assert_eq!(
            attribute(&event, "dataref").as_deref(),
            Some("https://x.example/1")
        );
        assert_eq!(
            Decoder::new(Format::CloudEvents, Limits::default()).glance(&record, None),
            None
        );
    }
    let record = structured(json!({"data": null}));
    assert_eq!(
        decode(Format::CloudEvents, &record).unwrap().payload,
        Value::Null
    );
}

#[test]
fn data_is_read_as_its_content_type_says() {
    for (more, wanted) in [
        (json!({"data_base64": "eyJhIjoxfQ=="}), json!({"a": 1})),
        (
            json!({"datacontenttype": "text/plain", "data_base64": "aGVsbG8="}),
            json!("hello"),
        ),
        (
            json!({"datacontenttype": "text/xml", "data": "<a/>"}),
            json!("<a/>"),
        ),
        (
            json!({"datacontenttype": null, "data": "just a text"}),
            json!("just a text"),
        ),
        (
            json!({"datacontenttype": "application/vnd.shop+json", "data": [1]}),
            json!([1]),
        ),
        (
            json!({"specversion": "0.3", "datacontentencoding": "Base64", "data": "eyJhIjoxfQ=="}),
            json!({"a": 1}),
        ),
        (
            json!({"data": {"a": 1}, "data_base64": null}),
            json!({"a": 1}),
        ),
    ] {
        let record = structured(more.clone());
        assert_eq!(
            decode(Format::CloudEvents, &record).unwrap().payload,
            wanted,
            "{more}"
        );
    }
    for (more, reason, why) in [
        (
            json!({"data_base64": "?"}),
            Rejection::InvalidEnvelope,
            "`data_base64` is not a text of base64",
        ),
        (
            json!({"data_base64": 7}),
            Rejection::InvalidEnvelope,
            "`data_base64` is not a text of base64",
        ),
        (
            json!({"data_base64": "eyJhIjo="}),
            Rejection::InvalidJson,
            "ends in the middle",
        ),
        (
            json!({"data_base64": "/w==", "datacontenttype": "text/plain"}),
            Rejection::InvalidUtf8,
            "not UTF-8 from byte 0",
        ),
        (
            json!({"data_base64": "AQ==", "datacontenttype": "application/avro"}),
            Rejection::FormatMismatch,
            "neither JSON nor text",
        ),
        (
            json!({"data": 1, "data_base64": "AQ=="}),
            Rejection::InvalidEnvelope,
            "only one may be",
        ),
    ] {
        let (found, detail) = refused(&structured(more));
        assert_eq!(found, reason, "{detail}");
        assert!(detail.contains(why), "{detail}");
    }
    let text = binary("so it is", &[("content-type", Some("text/plain"))]);
    assert_eq!(
        decode(Format::CloudEvents, &text).unwrap().payload,
        json!("so it is")
    );
    let (reason, _) = refused(&binary(
        "\u{1}x",
        &[("content-type", Some("application/protobuf"))],
    ));
    assert_eq!(reason, Rejection::FormatMismatch);
    let (reason, _) = refused(&binary("{\"a\":", &[]));
    assert_eq!(reason, Rejection::InvalidJson);
}

#[test]
fn what_is_missing_is_named() {
    for (name, header) in [
        ("specversion", "ce_specversion"),
        ("type", "ce_type"),
        ("source", "ce_source"),
        ("id", "ce_id"),
    ] {
        for value in [None, Some(""), Some(" \u{200b}")] {
            let (reason, detail) = refused(&binary("{}", &[(header, value)]));
            assert_eq!(reason, Rejection::InvalidEnvelope);
            assert_eq!(
                detail,
                format!("the header `{header}` is missing, null or empty")
            );
        }
        if name != "specversion" {
            let (_, detail) = refused(&structured(json!({name: ["x"]})));
            assert_eq!(detail, format!("`{name}` is missing, empty or not a text"));
        }
    }
    let (reason, detail) = refused(&structured(json!({"specversion": "0.2"})));
    assert_eq!(reason, Rejection::InvalidEnvelope);
    assert!(detail.contains("none of 1.0, 0.3"), "{detail}");
    let (reason, detail) = refused(&record("{\"type\":\"x\"}", &[]));
    assert_eq!(reason, Rejection::FormatMismatch);
    assert!(detail.contains("not a CloudEvent"), "{detail}");
    let (reason, detail) = refused(&record("[{}]", &[]));
    assert_eq!(reason, Rejection::FormatMismatch);
    assert!(detail.contains("a batch of events"), "{detail}");
    let broken = record("{}", &[("ce_id", Some(b"\xff"))]);
    assert_eq!(
        refused(&broken),
        (
            Rejection::InvalidEnvelope,
            "the header `ce_id` is not UTF-8 from byte 0".to_owned()
        )
    );
}

#[test]
fn a_bad_time_is_noted_and_the_records_own_used() {
    for (time, why) in [
        ("yesterday", BadTime::Unreadable),
        ("0001-01-01T00:00:00Z", BadTime::Implausible),
    ] {
        let record = binary("{}", &[("ce_time", Some(time))]);
        let event = decode(Format::CloudEvents, &record).unwrap();
        assert_eq!(event.notes.bad_time(), Some(("time", why)));
        assert_eq!(event.time, "2026-01-02T03:04:05Z".parse().ok());
    }
    // ids that are none make no repeats
    let record = binary("{}", &[("ce_id", Some("undefined"))]);
    assert_eq!(decode(Format::CloudEvents, &record).unwrap().id, None);
}

#[test]
fn a_glance_sees_the_name() {
    let decoder = Decoder::new(Format::CloudEvents, Limits::default());
    for (record, wanted) in [
        (binary("{}", &[]), Some("shop.order.placed")),
        (structured(json!({"data": {}})), Some("shop.order.placed")),
        (structured(json!({"specversion": "7"})), None),
        (structured(json!({"id": ""})), None),
        (binary("{", &[]), None),
        (binary("{}", &[("ce_id", None)]), None),
    ] {
        let seen = decoder.glance(&record, None);
        assert_eq!(seen.as_ref().map(|seen| &*seen.name), wanted, "{record:?}");
        assert_eq!(
            decoder.glance(&record, Some("type")),
            None,
            "a field of the data"
        );
    }
}
