//! Answers to reads of a job: its state, and the fate of each item (`docs/kustomer-api.md`, section 9).

use std::sync::Arc;

use ingest_model::call::{ItemFate, ItemResult, JobReport};
use ingest_model::outcome::{Outcome, RetryCause};
use serde_json::Value;

use super::document::Document;
use super::document::{Resource, time_ms};
use super::errors::clean;
use super::errors::says_missing;
use super::reply::HttpReply;
use super::weigh::{Effect, Weighed, weigh};

/// The progress that a job or batch reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Not done, or not known to be.
    Running,
    /// Done.
    Complete,
    /// Ended without being done. No such state is documented, but an unknown one must not keep lanes waiting forever.
    Failed,
}

/// `GET /v1/bulk/{id}/batches`.
pub(super) fn batches(reply: &HttpReply) -> Outcome<JobReport> {
    report(reply, |document| {
        let batches = document.many(&["batches"])?;
        // There are more pages than this one: even if everything here is complete, the job need not be.
        let next_page = document
            .root()
            .get("links")
            .and_then(|links| links.get("next"));
        let last_page = next_page.is_none_or(|next| !next.is_string());
        Some(report_of_batches(&batches, last_page))
    })
}

/// `GET /v1/bulk/{id}`.
pub(super) fn state(reply: &HttpReply) -> Outcome<JobReport> {
    report(reply, |document| document.one()?.map(report_of_job))
}

fn report(
    reply: &HttpReply,
    read: impl FnOnce(&Document) -> Option<JobReport>,
) -> Outcome<JobReport> {
    match weigh(Effect::Read, reply) {
        Weighed::Accepted => Document::read(reply)
            .and_then(|document| read(&document))
            .map_or(Outcome::Retry(RetryCause::Garbled), Outcome::Delivered),
        Weighed::Settled(outcome) => outcome,
        // A job whose id is refused is treated like one that is not found: its items have to be verified.
        Weighed::NotFound(_) | Weighed::Refused(_) | Weighed::TooLarge(_) => {
            Outcome::Delivered(JobReport {
                unknown: true,
                ..JobReport::default()
            })
        }
        Weighed::Conflict(_) => Outcome::Retry(RetryCause::Conflict),
    }
}

fn report_of_batches(batches: &[Resource<'_>], last_page: bool) -> JobReport {
    let mut report = JobReport {
        complete: last_page && !batches.is_empty(),
        ..JobReport::default()
    };
    for batch in batches {
        let progress = progress(*batch);
        report.complete &= progress != Progress::Running;
        report.completed_ms = report
            .completed_ms
            .max(time_ms(batch.attribute("completedAt")));
        if let Some(failures) = failures(*batch, progress) {
            report.failures = Some(report.failures.unwrap_or(0).saturating_add(failures));
        }
        let results = batch.attribute("results").and_then(Value::as_array);
        for entry in results.map(Vec::as_slice).unwrap_or_default() {
            report.items.extend(item_result(entry));
        }
    }
    report
}

fn report_of_job(job: Resource<'_>) -> JobReport {
    let progress = progress(job);
    let part = |name: &str| {
        job.attribute("batches")
            .and_then(|b| b.get(name))
            .and_then(Value::as_u64)
    };
    let all_batches = match (part("complete"), part("total")) {
        (Some(complete), Some(total)) => complete >= total,
        (Some(_) | None, Some(_) | None) => true,
    };
    JobReport {
        complete: progress != Progress::Running && all_batches,
        failures: failures(job, progress),
        completed_ms: time_ms(job.attribute("completedAt")),
        ..JobReport::default()
    }
}

fn progress(of: Resource<'_>) -> Progress {
    let status = of.text("status").map(str::to_ascii_lowercase);
    match status.as_deref() {
        Some("complete" | "completed" | "done" | "finished") => Progress::Complete,
        Some("failed" | "error" | "errored" | "cancelled" | "canceled" | "expired") => {
            Progress::Failed
        }
        Some(_) => Progress::Running,
        None if of.attribute("completed").and_then(Value::as_bool) == Some(true) => {
            Progress::Complete
        }
        None if of.text("completedAt").is_some() => Progress::Complete,
        None => Progress::Running,
    }
}

/// The number of failed items; at least one if a failure is reported.
fn failures(of: Resource<'_>, progress: Progress) -> Option<u64> {
    let counted = ["failureCount", "failures", "failed"]
        .iter()
        .find_map(|name| of.attribute(name).and_then(Value::as_u64));
    let listed = of
        .attribute("errors")
        .and_then(Value::as_array)
        .and_then(|errors| u64::try_from(errors.len()).ok())
        .filter(|count| *count > 0);
    let known = match (counted, listed) {
        (Some(counted), Some(listed)) => Some(counted.max(listed)),
        (counted, listed) => counted.or(listed),
    };
    match progress {
        Progress::Failed => Some(known.unwrap_or(1).max(1)),
        Progress::Running | Progress::Complete => known,
    }
}

/// An entry without a reference names no item, and an unknown status says nothing: neither is a result.
fn item_result(entry: &Value) -> Option<ItemResult> {
    let text = |name: &str| {
        entry
            .get(name)
            .and_then(Value::as_str)
            .filter(|t| !t.is_empty())
    };
    let reference = text("_clientRef").or_else(|| text("clientRef"))?.to_owned();
    let status = text("status").map(str::to_ascii_lowercase);
    let error = ["error", "errors", "message"]
        .iter()
        .find_map(|name| entry.get(*name));
    let error = error.filter(|e| !e.is_null() && e.as_array().is_none_or(|list| !list.is_empty()));
    let id = text("objectId").or_else(|| text("id"));
    let fate = match status.as_deref() {
        Some("created" | "updated" | "success" | "succeeded" | "ok") => {
            ItemFate::Stored(id.map(Arc::from))
        }
        Some("error" | "failed" | "failure") => fate_of_error(error),
        Some(_) | None if error.is_some() => fate_of_error(error),
        Some(_) | None => return None,
    };
    Some(ItemResult { reference, fate })
}

/// What the error of an item means. It is documented as plain text; an object is judged by its status, then by its words.
fn fate_of_error(error: Option<&Value>) -> ItemFate {
    let Some(error) = error else {
        return ItemFate::Permanent("no error text".to_owned());
    };
    let error = error
        .as_array()
        .and_then(|list| list.first())
        .unwrap_or(error);
    let part = |name: &str| error.get(name).and_then(Value::as_str);
    let words = match error.as_str() {
        Some(text) => text.to_owned(),
        None => {
            let parts = ["code", "title", "message", "detail"].map(part);
            parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
        }
    };
    let number = error.get("status").and_then(Value::as_u64);
    let status = number.or_else(|| part("status")?.parse().ok());
    match status {
        Some(404) if !names_an_attribute(&words.to_lowercase()) => ItemFate::Gone,
        Some(429) => ItemFate::Limited(clean(&words)),
        Some(500..=599) => ItemFate::Transient(clean(&words)),
        Some(_) | None => fate_of_words(&words),
    }
}

/// What the words of an item's error mean; the first rule that matches decides.
///
/// Only "duplicate detected" is documented. An error wrongly taken for temporary is retried until the attempts run out;
/// one wrongly taken for permanent becomes a dead letter. So in doubt an error is temporary.
fn fate_of_words(words: &str) -> ItemFate {
    let text = words.to_lowercase();
    let has = |phrases: &[&str]| phrases.iter().any(|phrase| text.contains(phrase));
    let about_format = has(&[
        "must be",
        "should be",
        "character",
        "length",
        "bytes",
        "maxitems",
        "invalid",
    ]);
    if has(&[
        "duplicate",
        "already exist",
        "already in use",
        "already taken",
        "already used",
    ]) || has(&["not unique", "must be unique"])
    {
        return ItemFate::Duplicate;
    }
    if has(&["conflict", "optimistic", "stale"]) || (speaks_of_revision(&text) && !about_format) {
        return ItemFate::Conflict;
    }
    if says_missing(&text) && !names_an_attribute(&text) {
        return ItemFate::Gone;
    }
    let limited = has(&[
        "too many",
        "rate limit",
        "ratelimit",
        "rate-limit",
        "rate_limit",
        "throttl",
    ]) || (has(&["limit", "quota", "per minute"]) && !about_format);
    if limited {
        return ItemFate::Limited(clean(words));
    }
    let passing = has(&[
        "timeout",
        "timed out",
        "time out",
        "internal",
        "unavailable",
        "try again",
    ]) || has(&["temporar", "server error", "econn", "socket", "retry"]);
    if passing {
        return ItemFate::Transient(clean(words));
    }
    ItemFate::Permanent(clean(words))
}

fn speaks_of_revision(text: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric())
        .any(|w| matches!(w, "rev" | "revision" | "version"))
}

/// A missing klass, attribute, or target of an attribute: the mapping is at fault, and the object is not missing.
fn names_an_attribute(text: &str) -> bool {
    [
        "attribute",
        "propert",
        "custom.",
        "custom/",
        "klass",
        "metadata",
    ]
    .iter()
    .any(|word| text.contains(word))
}
