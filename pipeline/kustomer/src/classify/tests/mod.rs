//! Calls and answers for the tests of this module.

mod body;
mod job;
mod parties;
mod shapes;
mod status;
mod tree;

use bytes::Bytes;
use ingest_model::body::Body;
use ingest_model::call::{BulkItem, Call, CallResult, Limits, Written};
use ingest_model::operation::{CustomerKey, ExternalId, Klass};
use ingest_model::outcome::Outcome;
use serde_json::Value;

use super::{HttpReply, ReplyBody};

fn klass() -> Klass {
    Klass("order".into())
}

fn items(count: usize) -> Vec<BulkItem> {
    let item = |n: usize| BulkItem {
        reference: format!("r{n}"),
        body: Body::default(),
        customer: None,
        id: None,
        rev: None,
        imported_at: None,
        company: None,
    };
    (0..count).map(item).collect()
}

fn create_many(count: usize) -> Call {
    Call::CreateKObjects {
        klass: klass(),
        items: items(count),
        with_refs: true,
    }
}

/// One call of every kind, with its name.
fn calls() -> Vec<(&'static str, Call)> {
    let map = Body::default();
    vec![
        (
            "identify",
            Call::Identify {
                identity: map.clone(),
            },
        ),
        (
            "track",
            Call::Track {
                identity: map.clone(),
                event: map.clone(),
            },
        ),
        ("search", search(&["u1", "u2"])),
        (
            "customer",
            Call::GetCustomer {
                key: CustomerKey::ExternalId("u1".into()),
            },
        ),
        (
            "customers",
            Call::CreateCustomers {
                items: items(2),
                with_refs: true,
            },
        ),
        ("creates", create_many(2)),
        (
            "updates",
            Call::UpdateKObjects {
                klass: klass(),
                items: items(2),
                with_refs: false,
            },
        ),
        (
            "create",
            Call::CreateKObject {
                klass: klass(),
                body: map.clone(),
            },
        ),
        (
            "update",
            Call::UpdateKObject {
                klass: klass(),
                id: "o1".into(),
                body: map,
            },
        ),
        (
            "delete",
            Call::DeleteKObject {
                klass: klass(),
                id: "o1".into(),
            },
        ),
        ("kobject", get_object()),
        ("batches", Call::ReadJob { job: "j1".into() }),
        ("state", Call::ReadJobState { job: "j1".into() }),
        ("probe", Call::Probe),
    ]
}

fn get_object() -> Call {
    Call::GetKObject {
        klass: klass(),
        external_id: ExternalId("e1".into()),
    }
}

fn search(external_ids: &[&str]) -> Call {
    let keys = external_ids
        .iter()
        .map(|id| CustomerKey::ExternalId((*id).into()))
        .collect();
    Call::SearchCustomers { keys }
}

fn reply(status: u16, body: &Value) -> HttpReply {
    let bytes = if body.is_null() {
        Bytes::new()
    } else {
        Bytes::from(body.to_string())
    };
    raw(status, &bytes)
}

fn raw(status: u16, body: &[u8]) -> HttpReply {
    HttpReply {
        status,
        limits: Limits::default(),
        location: None,
        body: ReplyBody::Whole(Bytes::copy_from_slice(body)),
    }
}

fn short<T>(outcome: &Outcome<T>, delivered: impl Fn(&T) -> String) -> String {
    match outcome {
        Outcome::Delivered(value) => format!("delivered{}", delivered(value)),
        Outcome::Pending(_) => "pending".to_owned(),
        Outcome::Retry(cause) => format!("retry:{}", cause.as_str()),
        Outcome::Ambiguous => "ambiguous".to_owned(),
        Outcome::Reject(_) => "reject".to_owned(),
        Outcome::Split(_) => "split".to_owned(),
        Outcome::Hold(cause) => format!("hold:{}", cause.as_str()),
    }
}

fn in_short(result: &CallResult) -> String {
    let option = |found: bool| if found { ":some" } else { ":none" }.to_owned();
    match result {
        CallResult::Tracked(o) => short(o, |id| option(id.is_some())),
        CallResult::Customer(o) => short(o, |found| option(found.is_some())),
        CallResult::Searched(o) => short(o, |found| format!(":{}", found.customers.len())),
        CallResult::Submitted(o) | CallResult::Probed(o) => short(o, |()| String::new()),
        CallResult::Lost => "lost".to_owned(),
        CallResult::Written(o) => short(o, |written| {
            match written {
                Written::Stored { .. } => "",
                Written::Duplicate => ":duplicate",
                Written::Gone => ":gone",
            }
            .to_owned()
        }),
        CallResult::KObject(o) => short(o, |found| option(found.is_some())),
        CallResult::Job(o) => short(o, |job| {
            if job.unknown { ":unknown" } else { "" }.to_owned()
        }),
    }
}
