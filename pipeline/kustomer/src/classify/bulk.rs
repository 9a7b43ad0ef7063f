//! Answers to bulk submissions.
//!
//! The answer echoes everything that was sent, including free-form data of any depth. Only the job's id and time are
//! read; the rest is skipped without being built or looked into, and at any depth.

use std::sync::Arc;

use ingest_model::operation::{Klass, KlassKind};
use ingest_model::outcome::{HoldCause, JobTicket, Outcome, RetryCause, SplitHint};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::answer::{Accepted, time_ms};
use super::errors::ErrorReport;
use super::reply::HttpReply;
use super::weigh::{Effect, Weighed, weigh};

/// What is read of the answer.
struct Submission {
    ticket: Option<JobTicket>,
    may_be_errors: bool,
}

/// The job, with or without an envelope.
#[derive(Deserialize)]
struct Job {
    data: Option<Box<Job>>,
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

/// The job, and the errors beside it.
#[derive(Deserialize)]
struct Whole<'a> {
    data: Option<Box<Job>>,
    id: Option<Value>,
    attributes: Option<Attributes>,
    #[serde(rename = "createdAt")]
    created_at: Option<Value>,
    #[serde(borrow)]
    errors: Option<&'a RawValue>,
}

/// The submission of this many items; `klass` if the path names one.
pub(super) fn submitted(
    items: usize,
    with_refs: bool,
    klass: Option<&Klass>,
    reply: &HttpReply,
) -> Outcome<()> {
    match weigh::<_, Submission>(Effect::Write, reply) {
        // Without the id nobody can ask what became of the items: they may or may not have been written.
        Weighed::Accepted(submission) => submission
            .and_then(|submission| submission.ticket)
            .map_or(Outcome::Ambiguous, Outcome::Pending),
        Weighed::Settled(outcome) => outcome,
        Weighed::NotFound(errors) if errors.names_a_field() => {
            Outcome::Split(split(items, with_refs, &errors))
        }
        Weighed::NotFound(_) => Outcome::Hold(match klass {
            Some(klass) if klass.kind() == KlassKind::Objects => HoldCause::MissingKlass,
            // Nothing about a record makes the paths of customers and companies wrong.
            Some(_) | None => HoldCause::Unhealthy,
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

// === impl Submission ===

impl<'a> Accepted<'a> for Submission {
    fn read(reply: &'a HttpReply) -> Option<Self> {
        let Ok(whole) = serde_json::from_slice::<Whole<'a>>(reply.bytes()) else {
            // A job that can be read whatever is odd about the errors counts.
            let job = serde_json::from_slice::<Job>(reply.bytes()).ok()?;
            return Some(Self {
                ticket: job.ticket(),
                may_be_errors: true,
            });
        };
        let listed = whole.errors.is_some_and(has_entries);
        Some(Self {
            may_be_errors: listed && whole.data.is_none(),
            ticket: whole.job().ticket(),
        })
    }

    fn may_be_errors(&self) -> bool {
        self.may_be_errors
    }
}

/// Whether it is a list with something in it.
fn has_entries(value: &RawValue) -> bool {
    let list = value.get().strip_prefix('[');
    list.is_some_and(|rest| !rest.trim_start().starts_with(']'))
}

// === impl Whole ===

impl Whole<'_> {
    fn job(self) -> Job {
        Job {
            data: self.data,
            id: self.id,
            attributes: self.attributes,
            created_at: self.created_at,
        }
    }
}

// === impl Job ===

impl Job {
    fn ticket(self) -> Option<JobTicket> {
        let job = match self.data {
            Some(inner) => *inner,
            None => self,
        };
        let created = job.attributes.and_then(|a| a.created_at).or(job.created_at);
        let id = job
            .id
            .as_ref()
            .and_then(Value::as_str)
            .filter(|id| !id.is_empty())?;
        Some(JobTicket {
            id: Arc::from(id),
            created_ms: time_ms(created.as_ref().and_then(Value::as_str)),
        })
    }
}
