//! Bulk jobs: submitted, waited for, and counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ingest_model::body::Body;
use ingest_model::call::{BulkItem, Call, CallResult, ItemFate, JobReport};
use ingest_model::outcome::Outcome;
use serde_json::{Map, Value};

use super::ask::{Heard, Stop};
use super::state::{Probe, TITLE};
use crate::clock::Clock;
use crate::config::settings::profile::ProbedJob;

/// Seconds between the reads of a job; the last one again and again.
const PAUSES: [u64; 5] = [1, 1, 2, 3, 5];
/// How long a job is waited for.
const PATIENCE: Duration = Duration::from_secs(180);
/// How often results that a complete job does not have yet are waited for.
const LATE: u32 = 3;
/// How many of the jobs are remembered for a later run.
const REMEMBERED: usize = 2;

/// What became of a submission.
pub(super) enum Submitted {
    /// A job, and the server's time.
    Job(Arc<str>, Option<i64>),
    Refused {
        status: u16,
        /// Because of the references.
        references: bool,
        words: String,
    },
}

/// A job that ended.
pub(super) struct Done {
    pub(super) report: JobReport,
    /// The answer about its batches.
    pub(super) heard: Heard,
}

/// A body of these fields.
pub(super) fn body(fields: Value) -> Body {
    let fields: Map<String, Value> = match fields {
        Value::Object(fields) => fields,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    };
    Body::within(usize::MAX, &fields).unwrap_or_default()
}

// === impl Probe ===

impl Probe {
    /// An object to be made for the customer, with that part of its external id.
    pub(super) fn item(&self, part: &str, data: Option<Value>) -> BulkItem {
        let external_id = format!("{}-{part}", self.run);
        let mut fields = serde_json::json!({ "title": TITLE, "externalId": external_id });
        if let (Some(fields), Some(data)) = (fields.as_object_mut(), data) {
            fields.insert("data".to_owned(), data);
        }
        BulkItem {
            customer: self.made.customer.clone(),
            ..BulkItem::new(part.to_owned(), body(fields))
        }
    }

    /// Creates of these objects in one request.
    pub(super) fn creates(&self, items: Vec<BulkItem>) -> Call {
        Call::CreateKObjects {
            klass: self.klass.clone(),
            items,
            with_refs: self.with_references,
        }
    }

    /// Submits a bulk request.
    pub(super) async fn submit(&mut self, call: &Call, about: &str) -> Result<Submitted, Stop> {
        let (result, heard) = self.ask.call(call, about).await?;
        let CallResult::Submitted(outcome) = result else {
            return Err(unexpected(&heard));
        };
        match outcome {
            Outcome::Pending(ticket) => {
                self.made.open.push(Arc::clone(&ticket.id));
                Ok(Submitted::Job(ticket.id, ticket.created_ms))
            }
            Outcome::Split(hint) => Ok(Submitted::Refused {
                status: heard.status,
                references: hint.refs_refused,
                words: hint.detail,
            }),
            Outcome::Delivered(())
            | Outcome::Retry(_)
            | Outcome::Ambiguous
            | Outcome::Reject(_)
            | Outcome::Hold(_) => Err(unexpected(&heard)),
        }
    }

    /// Waits until a job has ended and, where items have references, so many have results.
    pub(super) async fn until_done(&mut self, job: &Arc<str>, items: usize) -> Result<Done, Stop> {
        let call = Call::ReadJob {
            job: Arc::clone(job),
        };
        let mut pauses = PAUSES.into_iter().map(Duration::from_secs);
        let (mut waited, mut reads, mut late) = (Duration::ZERO, 0, 0);
        while waited < PATIENCE {
            let pause = pauses.next().unwrap_or(Duration::from_secs(5));
            self.ask.pause(pause).await?;
            waited += pause;
            reads += 1;
            let (result, heard) = self.ask.quietly(&call).await?;
            let CallResult::Job(Outcome::Delivered(report)) = result else {
                if heard.status < 500 {
                    return Err(unexpected(&heard));
                }
                continue;
            };
            if report.unknown {
                let text = format!("the results of job {job} are not there (404)");
                self.close(job);
                return Err(Stop::Failed(text));
            }
            let is_short = self.with_references && report.items.len() < items;
            if !report.complete || (is_short && late < LATE) {
                late += u32::from(report.complete);
                continue;
            }
            self.ended(job);
            let results = in_words(&report);
            self.ask.note(format!(
                "GET /v1/bulk/{job}/batches -> {}, complete at read {reads}: {results}",
                heard.status
            ));
            return Ok(Done { report, heard });
        }
        Err(Stop::Failed(format!(
            "job {job} had not ended after {} s",
            PATIENCE.as_secs()
        )))
    }

    fn close(&mut self, job: &Arc<str>) {
        self.made.open.retain(|open| open != job);
    }

    fn ended(&mut self, job: &Arc<str>) {
        self.close(job);
        if self.jobs.len() < REMEMBERED {
            let now = Clock.unix_ms();
            self.jobs.push(ProbedJob {
                id: job.to_string(),
                ended_ms: now,
                readable_ms: now,
                lost_ms: None,
            });
        }
    }
}

/// An answer that is none of those that are asked about.
pub(super) fn unexpected(heard: &Heard) -> Stop {
    let said = heard
        .error()
        .map_or_else(String::new, |said| format!(" ({said})"));
    let way_out = match heard.status {
        401 | 403 => "; does the key have the role?",
        404 => "; is there such a klass?",
        _ => "",
    };
    Stop::Failed(format!("the API answered {}{said}{way_out}", heard.status))
}

/// How many items ended how.
fn in_words(report: &JobReport) -> String {
    if report.items.is_empty() {
        return match report.failures {
            Some(failures) => format!("no results, {failures} failed"),
            None => "no results".to_owned(),
        };
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for item in &report.items {
        let fate = match &item.fate {
            ItemFate::Stored(_) => "stored".to_owned(),
            ItemFate::Duplicate => "refused as a duplicate".to_owned(),
            ItemFate::Conflict => "refused for a conflict".to_owned(),
            ItemFate::Gone => "refused because something is gone".to_owned(),
            ItemFate::Limited(said) => format!("limited ({said})"),
            ItemFate::Transient(said) | ItemFate::Permanent(said) => format!("refused ({said})"),
        };
        *counts.entry(fate).or_default() += 1;
    }
    let counts = counts
        .into_iter()
        .map(|(fate, count)| format!("{count} {fate}"));
    counts.collect::<Vec<_>>().join(", ")
}
