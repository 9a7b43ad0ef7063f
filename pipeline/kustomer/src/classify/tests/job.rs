//! Jobs: their state, and the fate of their items.

use std::sync::Arc;

use ingest_model::call::{Call, CallResult, ItemFate, JobReport};
use ingest_model::outcome::{Outcome, RetryCause};
use serde_json::{Value, json};

use super::super::classify;
use super::{in_short, raw, reply};

fn job(call_is_batches: bool, body: &Value) -> JobReport {
    let job: Arc<str> = "j1".into();
    let call = if call_is_batches {
        Call::ReadJob { job }
    } else {
        Call::ReadJobState { job }
    };
    let result = classify(&call, &reply(200, body));
    let CallResult::Job(Outcome::Delivered(report)) = result else {
        panic!("{result:?}");
    };
    report
}

#[test]
fn batches_are_read_in_both_envelopes() {
    let attributes = json!({"status": "complete", "objectIds": ["o1"], "successCount": 1, "failureCount": 1,
        "completedAt": "2026-01-01T00:00:05Z", "errors": [],
        "results": [{"_clientRef": "r0", "objectId": "o1", "status": "created"},
            {"_clientRef": "r1", "status": "error", "error": "duplicate detected"}]});
    let enveloped = json!({"data": [{"type": "bulk_batch", "id": "b1", "attributes": attributes}]});
    let flat = json!([attributes]);
    let named = json!({ "batches": [attributes] });
    for body in [enveloped, flat, named] {
        let report = job(true, &body);
        assert!(report.complete && !report.unknown);
        assert_eq!(report.failures, Some(1));
        assert_eq!(report.completed_ms, Some(1_767_225_605_000));
        let fates: Vec<_> = report
            .items
            .iter()
            .map(|i| (i.reference.as_str(), &i.fate))
            .collect();
        let stored = ItemFate::Stored(Some("o1".into()));
        assert_eq!(fates, [("r0", &stored), ("r1", &ItemFate::Duplicate)]);
    }
}

#[test]
fn a_job_is_complete_when_every_batch_is() {
    let batches = |states: &[&str]| {
        let list: Vec<Value> = states
            .iter()
            .map(|s| json!({"attributes": {"status": s}}))
            .collect();
        json!({ "data": list })
    };
    for (states, complete) in [
        (&[][..], false),
        (&["queued"], false),
        (&["scheduled", "complete"], false),
        (&["complete", "Complete"], true),
        (&["brand-new-state"], false),
    ] {
        let report = job(true, &batches(states));
        assert_eq!(
            (report.complete, report.failures),
            (complete, None),
            "{states:?}"
        );
    }
    assert_eq!(job(true, &batches(&["failed"])).failures, Some(1));
    let mut paged = batches(&["complete"]);
    paged["links"] = json!({"next": "/v1/bulk/j1/batches?page=2"});
    assert!(!job(true, &paged).complete);
    paged["links"] = json!({"next": null});
    assert!(job(true, &paged).complete);
}

#[test]
fn a_jobs_own_state_is_read_in_both_envelopes() {
    let attributes = json!({"status": "complete", "completed": true, "completedAt": "2026-01-01T00:00:05Z",
        "batches": {"complete": 2, "total": 2}});
    for body in [
        json!({"data": {"id": "j1", "attributes": attributes}}),
        attributes,
    ] {
        let report = job(false, &body);
        assert!(report.complete, "{body}");
        assert_eq!(report.completed_ms, Some(1_767_225_605_000));
        assert_eq!(report.failures, None);
    }
    for body in [
        json!({"status": "running"}),
        json!({"status": "complete", "batches": {"complete": 1, "total": 2}}),
        json!({"completed": false}),
    ] {
        assert!(!job(false, &body).complete, "{body}");
    }
    assert!(job(false, &json!({"completed": true})).complete);
    assert_eq!(
        job(false, &json!({"status": "complete", "failureCount": 3})).failures,
        Some(3)
    );
}

#[test]
fn a_job_that_cannot_be_asked_for_is_unknown() {
    for status in [400, 404, 410] {
        for call in [
            Call::ReadJob { job: "j".into() },
            Call::ReadJobState { job: "j".into() },
        ] {
            assert_eq!(
                in_short(&classify(&call, &raw(status, b""))),
                "delivered:unknown"
            );
        }
    }
    let garbled = classify(&Call::ReadJob { job: "j".into() }, &raw(200, b"{}"));
    assert_eq!(
        garbled,
        CallResult::Job(Outcome::Retry(RetryCause::Garbled))
    );
}

fn fate(entry: Value) -> Option<ItemFate> {
    let mut entry = entry;
    entry["_clientRef"] = json!("r0");
    let report = job(true, &json!([{"status": "complete", "results": [entry]}]));
    report.items.into_iter().next().map(|item| item.fate)
}

#[test]
fn the_words_of_an_items_error_say_what_to_do() {
    let limited = |text: &str| ItemFate::Limited(text.to_owned());
    let transient = |text: &str| ItemFate::Transient(text.to_owned());
    let permanent = |text: &str| ItemFate::Permanent(text.to_owned());
    for (text, expected) in [
        ("duplicate detected", ItemFate::Duplicate),
        ("Duplicate externalId", ItemFate::Duplicate),
        (
            "An object with this external ID already exists",
            ItemFate::Duplicate,
        ),
        ("rev conflict", ItemFate::Conflict),
        ("Stale revision", ItemFate::Conflict),
        ("optimistic lock failed", ItemFate::Conflict),
        ("version mismatch", ItemFate::Conflict),
        ("Not Found", ItemFate::Gone),
        ("kobject does not exist", ItemFate::Gone),
        ("rate limit exceeded", limited("rate limit exceeded")),
        ("Too Many Requests", limited("Too Many Requests")),
        (
            "limit of 120 per minute reached",
            limited("limit of 120 per minute reached"),
        ),
        ("Internal error", transient("Internal error")),
        ("request timed out", transient("request timed out")),
        ("Service Unavailable", transient("Service Unavailable")),
        (
            "exceeds the limit of 1024 characters",
            permanent("exceeds the limit of 1024 characters"),
        ),
        ("rev must be a number", permanent("rev must be a number")),
        (
            "attribute loyaltyStr does not exist",
            permanent("attribute loyaltyStr does not exist"),
        ),
        ("title is required", permanent("title is required")),
        (
            "bad value for ann@shop.example",
            permanent("bad value for <e-mail>"),
        ),
    ] {
        assert_eq!(
            fate(json!({"status": "error", "error": text})),
            Some(expected),
            "{text}"
        );
    }
}

#[test]
fn an_items_error_may_be_an_object_or_missing() {
    for (error, expected) in [
        (json!({"status": 404, "title": "Customer"}), ItemFate::Gone),
        (
            json!({"status": "429", "title": "wait"}),
            ItemFate::Limited("wait".into()),
        ),
        (
            json!({"status": 500, "code": "oops"}),
            ItemFate::Transient("oops".into()),
        ),
        (
            json!({"code": "conflict", "message": "rev"}),
            ItemFate::Conflict,
        ),
        (
            json!([{"title": "title is required"}]),
            ItemFate::Permanent("title is required".into()),
        ),
        (Value::Null, ItemFate::Permanent("no error text".into())),
    ] {
        let found = fate(json!({"status": "error", "error": error}));
        assert_eq!(found, Some(expected), "{error}");
    }
    let stored = ItemFate::Stored(None);
    assert_eq!(fate(json!({"status": "updated"})), Some(stored));
    assert_eq!(fate(json!({"status": "queued"})), None);
    assert_eq!(fate(json!({})), None);
    let nameless = json!([{"status": "complete", "results": [{"status": "created"}]}]);
    assert!(job(true, &nameless).items.is_empty());
}
