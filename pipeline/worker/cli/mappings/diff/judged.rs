//! What one configuration makes of a record.

use ingest_mapping::mapping::WhyUnsent;
use ingest_mapping::testing::shown;
use ingest_model::operation::{Operation, Planned};
use ingest_model::outcome::Verdict;
use ingest_model::record::Record;
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::config::{Settings, TopicSettings};
use crate::observe::words::plural;

/// What one configuration makes of a record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judged {
    /// `emit`, `skip no_route`, `reject missing_customer`, `not read`.
    pub(super) verdict: String,
    pub(super) operations: Vec<Made>,
    /// How many more there would be if their event was not too old for them.
    pub(super) too_old: u64,
    /// When the event happened.
    pub(super) time: Option<Timestamp>,
}

/// An operation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Made {
    pub(super) route: String,
    /// `kobject order`, `track`, `identify`.
    pub(super) what: String,
    pub(super) content: Value,
    /// By which the worker knows a repeat.
    pub(super) key: Uuid,
    pub(super) cost: Cost,
}

/// How much of a request an operation takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cost {
    /// One of its own.
    Request,
    /// A place in a bulk request.
    Item,
    /// Nothing: it travels with another operation.
    Nothing,
}

pub(super) fn judge(settings: &Settings, record: &Record, now: Timestamp) -> Judged {
    let of_topic = |one: &&TopicSettings| one.topic == record.position.partition.topic;
    let Some(found) = settings.kafka.topics.iter().find(of_topic) else {
        return Judged {
            verdict: "not read".to_owned(),
            operations: Vec::new(),
            too_old: 0,
            time: None,
        };
    };
    let (summary, verdict) = found.pipeline.explain(record, now);
    let label = match &verdict {
        Verdict::Emit(_) => "emit".to_owned(),
        Verdict::Batch(batch) => match &batch.rejected {
            None => "emit".to_owned(),
            Some(rejected) => format!(
                "emit without {}, reject {}",
                plural(batch.refused.len(), "event"),
                rejected.reason.as_str()
            ),
        },
        Verdict::Skip(reason) => format!("skip {}", reason.as_str()),
        Verdict::Reject(rejected) => format!("reject {}", rejected.reason.as_str()),
    };
    let planned = verdict.planned();
    let has_track = planned
        .iter()
        .any(|one| matches!(one.operation, Operation::Track(_)));
    let operations = planned.iter().map(|one| made(one, has_track)).collect();
    let unsent = summary.iter().flat_map(|summary| &summary.unsent);
    let too_old = unsent.map(|one| match one.why {
        WhyUnsent::TooOld(_) | WhyUnsent::Late(..) => one.operations,
        WhyUnsent::NoItems => 0,
    });
    let written = || Timestamp::from_millisecond(record.timestamp_ms?).ok();
    Judged {
        verdict: label,
        operations,
        too_old: u64::try_from(too_old.sum::<usize>()).unwrap_or(u64::MAX),
        time: summary
            .as_ref()
            .and_then(|summary| summary.time)
            .or_else(written),
    }
}

fn made(planned: &Planned, has_track: bool) -> Made {
    let kind = planned.operation.kind();
    let mut content = shown(&planned.operation);
    // The key stands beside the content.
    if let Some(Value::Object(meta)) = content.get_mut("meta") {
        meta.shift_remove("eventKey");
    }
    let (what, cost) = match &planned.operation {
        Operation::Identify(_) if has_track => (kind.to_owned(), Cost::Nothing),
        Operation::Identify(_) | Operation::Track(_) => (kind.to_owned(), Cost::Request),
        Operation::KObject(object) if object.deletes => {
            (format!("{kind} {}", object.klass), Cost::Request)
        }
        Operation::KObject(object) if object.party.is_some() => (kind.to_owned(), Cost::Item),
        Operation::KObject(object) => (format!("{kind} {}", object.klass), Cost::Item),
    };
    Made {
        route: planned.route.to_string(),
        what,
        content,
        key: planned.event_key,
        cost,
    }
}
