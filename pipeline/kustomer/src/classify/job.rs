//! Answers to reads of a job: its state, and the fate of each item (`docs/kustomer-api.md`, section 9).

use std::borrow::Cow;
use std::sync::Arc;

use ingest_model::call::{ItemFate, ItemResult, JobReport};
use ingest_model::outcome::{Outcome, RetryCause};
use serde::de::{MapAccess, SeqAccess};

use super::answer::pick::{Object, Pick, Text, TextOr, fields, next};
use super::answer::{Accepted, Answer, Resource, Subject, time_ms};
use super::errors::clean;
use super::errors::says_missing;
use super::reply::HttpReply;
use super::weigh::{Effect, Weighed, weigh};

fields! {
    /// What a job or a batch says of itself.
    struct Run<'a> {
        "status" => status: Text<'a>,
        "completed" => completed: Option<bool>,
        "completedAt" => completed_at: Text<'a>,
        "failureCount" => failure_count: Option<u64>,
        "failures" => failures: Option<u64>,
        "failed" => failed: Option<u64>,
        "errors" => errors: Length,
        "results" => results: Results,
        "batches" => batches: Batches,
    }
}

/// The batches of a job: in a list, or only their number.
#[derive(Debug, Default)]
enum Batches {
    List(Batched),
    Counted(Counted),
    #[default]
    Odd,
}

fields! {
    struct Counted {
        "complete" => complete: Option<u64>,
        "total" => total: Option<u64>,
    }
}

/// What the batches in a list say together.
#[derive(Debug, Default)]
struct Batched {
    report: JobReport,
    /// Whether none of them is running; `None` without any.
    ended: Option<bool>,
}

/// How many entries a list has.
#[derive(Debug, Default)]
struct Length(usize);

/// The results in a list.
#[derive(Debug, Default)]
struct Results(Vec<ItemResult>);

fields! {
    /// An entry of such a list.
    struct Entry<'a> {
        "_clientRef" => client_ref: Text<'a>,
        "clientRef" => older_ref: Text<'a>,
        "status" => status: Text<'a>,
        "error" => error: Fault<'a>,
        "errors" => errors: Fault<'a>,
        "message" => message: Fault<'a>,
        "objectId" => object_id: Text<'a>,
        "id" => id: Text<'a>,
    }
}

/// The error of an item, or the first of a list; nothing for `null` and an empty list. Few items have one, so it is kept
/// elsewhere.
#[derive(Debug)]
struct Fault<'a>(Option<Box<Said<'a>>>);

/// What an error says: a text, or fields of an object.
type Said<'a> = TextOr<'a, Parts<'a>>;

fields! {
    struct Parts<'a> {
        "code" => code: Text<'a>,
        "title" => title: Text<'a>,
        "message" => message: Text<'a>,
        "detail" => detail: Text<'a>,
        "status" => status: Status,
    }
}

/// A status: a whole number, or one as text.
#[derive(Debug, Default)]
struct Status(Option<u64>);

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

type Job<'a> = Resource<'a, Run<'a>>;

/// `GET /v1/bulk/{id}/batches`.
pub(super) fn batches(reply: &HttpReply) -> Outcome<JobReport> {
    report(reply, |answer: Answer<Job<'_>, Batched>| {
        let batches = match answer.subject {
            Subject::Many(batches) => batches,
            Subject::One(job) => match job.innermost().batches? {
                Batches::List(batches) => batches,
                Batches::Counted(_) | Batches::Odd => return None,
            },
            Subject::Nothing | Subject::Odd => return None,
        };
        Some(JobReport {
            // There may be more pages than this one: even if everything here is complete, the job need not be.
            complete: !answer.more && batches.ended.unwrap_or(false),
            ..batches.report
        })
    })
}

/// `GET /v1/bulk/{id}`.
pub(super) fn state(reply: &HttpReply) -> Outcome<JobReport> {
    report(reply, |answer: Answer<Job<'_>>| {
        let job = answer.one()??;
        Some(report_of_job(&job.attributes()))
    })
}

fn report<'a, A: Accepted<'a>>(
    reply: &'a HttpReply,
    read: impl FnOnce(A) -> Option<JobReport>,
) -> Outcome<JobReport> {
    match weigh(Effect::Read, reply) {
        Weighed::Accepted(answer) => answer
            .and_then(read)
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

fn report_of_job(job: &Run<'_>) -> JobReport {
    let progress = progress(job);
    let all_batches = match &job.batches {
        Some(Batches::Counted(Counted {
            complete: Some(Some(complete)),
            total: Some(Some(total)),
        })) => complete >= total,
        Some(Batches::Counted(_) | Batches::List(_) | Batches::Odd) | None => true,
    };
    JobReport {
        complete: progress != Progress::Running && all_batches,
        failures: failures(job, progress),
        completed_ms: completed_ms(job),
        ..JobReport::default()
    }
}

fn completed_ms(of: &Run<'_>) -> Option<i64> {
    time_ms(of.completed_at.as_ref()?.as_deref())
}

fn progress(of: &Run<'_>) -> Progress {
    match of.status.as_ref().and_then(Option::as_deref) {
        Some(status) if is_any(status, &["complete", "completed", "done", "finished"]) => {
            Progress::Complete
        }
        Some(status)
            if is_any(status, &["failed", "error", "errored", "expired"])
                || is_any(status, &["cancelled", "canceled"]) =>
        {
            Progress::Failed
        }
        Some(_) => Progress::Running,
        None if of.completed == Some(Some(true)) => Progress::Complete,
        None if matches!(of.completed_at, Some(Some(_))) => Progress::Complete,
        None => Progress::Running,
    }
}

/// Whether it is one of these words, in capitals or not.
fn is_any(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// The number of failed items; at least one if a failure is reported.
fn failures(of: &Run<'_>, progress: Progress) -> Option<u64> {
    let counted = [of.failure_count, of.failures, of.failed]
        .into_iter()
        .find_map(Option::flatten);
    let listed = of
        .errors
        .as_ref()
        .and_then(|errors| u64::try_from(errors.0).ok())
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
fn item_result(entry: Entry<'_>) -> Option<ItemResult> {
    let reference = filled(entry.client_ref).or_else(|| filled(entry.older_ref))?;
    let status = filled(entry.status);
    let error = entry.error.or(entry.errors).or(entry.message);
    let error = error.and_then(|Fault(said)| said);
    let fate = match status.as_deref() {
        Some(word) if is_any(word, &["created", "updated", "success", "succeeded", "ok"]) => {
            let id = filled(entry.object_id).or_else(|| filled(entry.id));
            ItemFate::Stored(id.map(Arc::from))
        }
        Some(word) if is_any(word, &["error", "failed", "failure"]) => fate_of_error(error),
        Some(_) | None if error.is_some() => fate_of_error(error),
        Some(_) | None => return None,
    };
    Some(ItemResult {
        reference: reference.into_owned(),
        fate,
    })
}

/// A text that is there and not empty.
fn filled<'a>(text: Option<Text<'a>>) -> Text<'a> {
    text.flatten().filter(|text| !text.is_empty())
}

/// What the error of an item means. It is documented as plain text; an object is judged by its status, then by its words.
fn fate_of_error(error: Option<Box<Said<'_>>>) -> ItemFate {
    let Some(error) = error else {
        return ItemFate::Permanent("no error text".to_owned());
    };
    let Said {
        text,
        object: parts,
    } = *error;
    let words = text.unwrap_or_else(|| {
        let parts = [parts.code, parts.title, parts.message, parts.detail];
        let parts: Vec<Cow<'_, str>> = parts.into_iter().flatten().flatten().collect();
        Cow::Owned(parts.join(" "))
    });
    match parts.status.and_then(|Status(status)| status) {
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
pub(super) fn fate_of_words(words: &str) -> ItemFate {
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
pub(super) fn names_an_attribute(text: &str) -> bool {
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
// === reading ===

impl<'a> Pick<'a> for Batches {
    fn list<A: SeqAccess<'a>>(list: A) -> Result<Self, A::Error> {
        Batched::list(list).map(Self::List)
    }

    fn object<A: MapAccess<'a>>(object: A) -> Result<Self, A::Error> {
        let Object(counted) = Object::object(object)?;
        Ok(counted.map_or(Self::Odd, Self::Counted))
    }
}

impl<'a> Pick<'a> for Batched {
    fn list<A: SeqAccess<'a>>(mut list: A) -> Result<Self, A::Error> {
        let mut batches = Self::default();
        while let Some(Object(batch)) = next::<Object<Job<'a>>, A>(&mut list)? {
            if let Some(batch) = batch {
                batches.add(batch.attributes());
            }
        }
        Ok(batches)
    }
}

impl Batched {
    fn add(&mut self, batch: Run<'_>) {
        let (report, progress) = (&mut self.report, progress(&batch));
        self.ended = Some(self.ended.unwrap_or(true) && progress != Progress::Running);
        report.completed_ms = report.completed_ms.max(completed_ms(&batch));
        if let Some(failures) = failures(&batch, progress) {
            report.failures = Some(report.failures.unwrap_or(0).saturating_add(failures));
        }
        report.items.extend(batch.results.unwrap_or_default().0);
    }
}

impl<'a> Pick<'a> for Length {
    fn list<A: SeqAccess<'a>>(list: A) -> Result<Self, A::Error> {
        Vec::<()>::list(list).map(|entries| Self(entries.len()))
    }
}

impl<'a> Pick<'a> for Results {
    fn list<A: SeqAccess<'a>>(mut list: A) -> Result<Self, A::Error> {
        let mut results = Vec::new();
        while let Some(Object(entry)) = next(&mut list)? {
            results.extend(entry.and_then(item_result));
        }
        Ok(Self(results))
    }
}

impl Default for Fault<'_> {
    fn default() -> Self {
        Self(Some(Box::default()))
    }
}

impl<'a> Pick<'a> for Fault<'a> {
    fn null() -> Self {
        Self(None)
    }

    fn text(value: Cow<'a, str>) -> Self {
        Self(Some(Box::new(Said::text(value))))
    }

    fn list<A: SeqAccess<'a>>(mut list: A) -> Result<Self, A::Error> {
        let first = next::<Said<'a>, A>(&mut list)?;
        <()>::list(list)?;
        Ok(Self(first.map(Box::new)))
    }

    fn object<A: MapAccess<'a>>(object: A) -> Result<Self, A::Error> {
        Ok(Self(Some(Box::new(Said::object(object)?))))
    }
}

impl<'a> Pick<'a> for Status {
    fn whole(value: u64) -> Self {
        Self(Some(value))
    }

    fn text(value: Cow<'a, str>) -> Self {
        Self(value.parse().ok())
    }
}
