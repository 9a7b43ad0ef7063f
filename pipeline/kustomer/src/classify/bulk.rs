//! Answers to bulk submissions.
//!
//! The answer echoes everything that was sent, including free-form data of any depth. Only the job's id and time are
//! read; the rest is skipped without being built, and at any depth.

use std::sync::Arc;

use ingest_model::operation::Klass;
use ingest_model::outcome::{HoldCause, JobTicket, Outcome, RetryCause, SplitHint};
use serde::Deserialize;
use serde_json::Value;

use super::document::time_ms;
use super::errors::ErrorReport;
use super::reply::HttpReply;
use super::weigh::{Effect, Weighed, weigh};

/// The answer, with or without an envelope.
#[derive(Deserialize)]
struct Submission {
    data: Option<Box<Submission>>,
    id: Option<Value>,
    attributes: Option<Attributes>,
    #[serde(rename = "createdAt")]
    created_at: Option<Value>,
}

#[derive(Deserialize)]
struct Attributes {
    #[serde(rename = "createdAt")]
    created_at: Option<Value>,
}

/// The submission of this many items; `klass` if the path names one.
pub(super) fn submitted(
    items: usize,
    with_refs: bool,
    klass: Option<&Klass>,
    reply: &HttpReply,
) -> Outcome<()> {
    match weigh(Effect::Write, reply) {
        // Without the id nobody can ask what became of the items: they may or may not have been written.
        Weighed::Accepted => ticket(reply).map_or(Outcome::Ambiguous, Outcome::Pending),
        Weighed::Settled(outcome) => outcome,
        Weighed::NotFound(errors) if errors.names_a_field() => {
            Outcome::Split(split(items, with_refs, &errors))
        }
        Weighed::NotFound(_) => Outcome::Hold(match klass {
            Some(_) => HoldCause::MissingKlass,
            None => HoldCause::Unhealthy,
        }),
        Weighed::Conflict(_) if items <= 1 => Outcome::Retry(RetryCause::Conflict),
        Weighed::Conflict(errors) | Weighed::Refused(errors) => {
            Outcome::Split(split(items, with_refs, &errors))
        }
        Weighed::TooLarge(errors) => Outcome::Split(SplitHint {
            too_large: true,
            ..split(items, with_refs, &errors)
        }),
    }
}

fn split(items: usize, with_refs: bool, errors: &ErrorReport) -> SplitHint {
    let refs_refused = with_refs && errors.refuses_refs();
    // If the reference is refused, every item has the same fault, and no single item is to blame.
    let item = if refs_refused {
        None
    } else {
        errors.guilty_item(items)
    };
    SplitHint {
        item,
        detail: errors.detail(),
        refs_refused,
        too_large: false,
    }
}

fn ticket(reply: &HttpReply) -> Option<JobTicket> {
    let mut job: Submission = serde_json::from_slice(reply.bytes()).ok()?;
    if let Some(inner) = job.data.take() {
        job = *inner;
    }
    let created = job.attributes.and_then(|a| a.created_at).or(job.created_at);
    let id = job
        .id
        .as_ref()
        .and_then(Value::as_str)
        .filter(|id| !id.is_empty())?;
    Some(JobTicket {
        id: Arc::from(id),
        created_ms: time_ms(created.as_ref()),
    })
}
