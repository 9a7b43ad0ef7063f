//! Envelopes of one's own.

use super::super::super::Format;
use super::{attribute, decode, record, refusal};
use crate::value::{Value, json};
use ingest_model::outcome::Rejection;

#[test]
fn the_envelope_is_found_by_its_usual_names() {
    for value in [
        json!({"type": "order placed", "id": "e-1", "time": "2026-01-02T03:00:00Z", "data": {"total": 1}, "tenant": "eu"}),
        json!({"eventType": "order placed", "eventId": "e-1", "occurredAt": 1_767_322_800_000_i64, "payload": {"total": 1}, "tenant": "eu"}),
        json!({"event_type": "order placed", "event_id": "e-1", "created_at": "2026-01-02 03:00:00 UTC", "body": "{\"total\":1}", "tenant": "eu", "data": null}),
        json!({"type": 3, "event": "order placed", "eventId": "e-1", "ts": 1_767_322_800, "time": "2026-01-02T03:00:00Z", "data": {"total": 1}, "tenant": "eu"}),
        json!({"type": " ", "event": "order placed", "message_id": "e-1", "timestamp": 1_767_322_800, "data": {"total": 1}, "tenant": "eu"}),
    ] {
        let record = record(value.to_string(), &[]);
        let event = decode(Format::Generic, &record).unwrap();
        assert_eq!(event.name, "order placed", "{value}");
        assert_eq!(event.id.as_deref(), Some("e-1"), "{value}");
        assert_eq!(
            event.version().as_deref(),
            Some("2026-01-02T03:00:00Z"),
            "{value}"
        );
        assert_eq!(event.payload, json!({"total": 1}), "{value}");
        assert_eq!(attribute(&event, "tenant").as_deref(), Some("eu"));
        assert_eq!(event.customer, crate::event::CustomerHints::default());
    }
}

#[test]
fn a_sequence_is_the_version_and_a_subject_the_thing() {
    let value = json!({"type": "x", "sequence": 17, "subject": 9_007_199_254_740_993_i64, "data": "{not json", "version": "1.2"});
    let record = record(value.to_string(), &[]);
    let event = decode(Format::Generic, &record).unwrap();
    assert_eq!(event.version().as_deref(), Some("17"));
    let subject = event.more.as_ref().unwrap().subject.as_deref();
    assert_eq!(subject, Some("9007199254740993"));
    assert_eq!(event.payload, json!("{not json"));
    assert_eq!(event.id, None);
}

#[test]
fn what_is_no_envelope_is_rejected() {
    for (value, reason, why) in [
        (
            json!({"type": "x", "total": 1}),
            Rejection::FormatMismatch,
            "format json reads objects without an envelope",
        ),
        (
            json!({"type": "x", "data": null}),
            Rejection::FormatMismatch,
            "none of `data`",
        ),
        (json!({"data": {}}), Rejection::InvalidEnvelope, "no name"),
        (
            json!({"type": {}, "data": {}}),
            Rejection::InvalidEnvelope,
            "no name",
        ),
        (json!([{}]), Rejection::FormatMismatch, "not a JSON object"),
    ] {
        let record = record(Value::to_string(&value), &[]);
        let (found, detail) = refusal(Format::Generic, &record);
        assert_eq!(found, reason, "{detail}");
        assert!(detail.contains(why), "{detail}");
    }
}
