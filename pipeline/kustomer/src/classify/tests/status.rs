//! Every status for every call.

use std::time::Duration;

use ingest_model::call::{Call, Limits};
use ingest_model::outcome::{HoldCause, RetryCause};
use serde_json::{Value, json};

use super::super::{HttpReply, Unanswered, classify, unanswered};
use super::{calls, create_many, in_short, raw, reply};

/// The statuses named in the policy, and neighbours of each group.
const STATUSES: &[u16] = &[
    100, 200, 201, 202, 204, 299, 300, 301, 302, 304, 307, 308, 399, 400, 401, 402, 403, 404, 405,
    406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 417, 418, 421, 422, 423, 425, 426, 428, 429,
    431, 451, 499, 500, 501, 502, 503, 504, 507, 599, 600, 999,
];

fn table(body: &Value) -> String {
    let mut table = String::new();
    for (name, call) in calls() {
        // Adjacent statuses with the same meaning share a line.
        let mut lines: Vec<(String, Vec<String>)> = Vec::new();
        for status in STATUSES {
            let meaning = in_short(&classify(&call, &reply(*status, body)));
            match lines.iter_mut().find(|(known, _)| *known == meaning) {
                Some((_, statuses)) => statuses.push(status.to_string()),
                None => lines.push((meaning, vec![status.to_string()])),
            }
        }
        table.push_str(&format!("{name}\n"));
        for (meaning, statuses) in lines {
            table.push_str(&format!("  {meaning:24}{}\n", statuses.join(" ")));
        }
    }
    table
}

#[test]
fn every_status_of_every_call_without_a_body() {
    insta::assert_snapshot!(table(&Value::Null));
}

#[test]
fn every_status_of_every_call_with_json_api_errors() {
    let field = json!({"parameter": "loyalty"});
    let error = json!({"status": 400, "source": field, "code": "badparam", "title": "no"});
    insta::assert_snapshot!(table(&json!({ "errors": [error] })));
}

#[test]
fn every_status_of_every_call_with_the_newer_errors() {
    let error = json!({"code": "bad_request", "message": "Invalid.", "meta": {}});
    insta::assert_snapshot!(table(&json!({ "errors": [error] })));
}

#[test]
fn reads_are_never_ambiguous_and_writes_never_called_undone() {
    let safe = [408, 421, 425, 429, 501];
    for (name, call) in calls() {
        let reads = matches!(
            &call,
            Call::SearchCustomers { .. }
                | Call::GetCustomer { .. }
                | Call::GetKObject { .. }
                | Call::ReadJob { .. }
                | Call::ReadJobState { .. }
                | Call::Probe
        );
        for status in 100..1_000 {
            let meaning = in_short(&classify(&call, &raw(status, b"<html>")));
            assert!(!(reads && meaning == "ambiguous"), "{name} {status}");
            let undone = meaning.starts_with("retry:") && meaning != "retry:conflict";
            assert!(
                reads || !undone || safe.contains(&status),
                "{name} {status} {meaning}"
            );
            let done = meaning.starts_with("delivered") || meaning == "pending";
            let answers = [404, 409, 410, 412, 423];
            let lost_job = matches!(call, Call::ReadJob { .. } | Call::ReadJobState { .. });
            let known = (200..300).contains(&status) || answers.contains(&status) || lost_job;
            assert!(!done || known, "{name} {status} {meaning}");
        }
    }
}

#[test]
fn a_limit_is_the_organisations_unless_something_is_left() {
    for (remaining, cause) in [
        (None, RetryCause::OrgQuota),
        (Some(0), RetryCause::OrgQuota),
        (Some(412), RetryCause::ObjectQuota),
    ] {
        let limits = Limits {
            remaining,
            ..Limits::default()
        };
        let reply = HttpReply {
            limits,
            ..raw(429, b"")
        };
        for (name, call) in calls() {
            let meaning = in_short(&classify(&call, &reply));
            assert_eq!(meaning, format!("retry:{}", cause.as_str()), "{name}");
        }
    }
}

#[test]
fn a_503_that_names_a_time_turned_the_write_away() {
    let limits = Limits {
        retry_after: Some(Duration::from_secs(5)),
        ..Limits::default()
    };
    let turned_away = HttpReply {
        limits,
        ..raw(503, b"")
    };
    assert_eq!(
        in_short(&classify(&create_many(2), &turned_away)),
        "retry:server_error"
    );
    assert_eq!(
        in_short(&classify(&create_many(2), &raw(503, b""))),
        "ambiguous"
    );
}

#[test]
fn silence_is_undone_before_sending_and_ambiguous_for_writes_after() {
    for (name, call) in calls() {
        let before = in_short(&unanswered(&call, Unanswered::NotSent).result);
        assert_eq!(before, "retry:network", "{name}");
        let after = in_short(&unanswered(&call, Unanswered::Lost).result);
        let writes = matches!(
            name,
            "identify"
                | "track"
                | "customers"
                | "creates"
                | "updates"
                | "create"
                | "update"
                | "delete"
        );
        assert_eq!(
            after,
            if writes { "ambiguous" } else { "retry:network" },
            "{name}"
        );
    }
}

#[test]
fn the_account_and_the_address_are_never_the_records_fault() {
    for (status, cause) in [
        (401, HoldCause::BadToken),
        (402, HoldCause::Billing),
        (403, HoldCause::MissingRole),
        (405, HoldCause::Unhealthy),
        (302, HoldCause::Unhealthy),
    ] {
        for (name, call) in calls() {
            let meaning = in_short(&classify(&call, &raw(status, b"<html>")));
            assert_eq!(meaning, format!("hold:{}", cause.as_str()), "{name}");
        }
    }
}
