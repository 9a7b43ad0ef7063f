//! What is asked with two objects: external ids, revisions, times, references, and how answers about jobs look.

use std::sync::Arc;

use ingest_model::call::{BulkItem, Call, CallResult, ItemFate, ItemResult, Written};
use ingest_model::operation::ExternalId;
use ingest_model::outcome::Outcome;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::provision::probe::ask::{Heard, Stop};
use crate::cli::provision::probe::jobs::{Submitted, body, unexpected};
use crate::cli::provision::probe::question::{Question, Verdict};
use crate::cli::provision::probe::state::{Probe, TITLE};
use crate::config::settings::profile::{Duplicates, ItemReferences, OldRevisions};

/// Long before anything was made here.
const CREATED_AT: &str = "2020-01-02T03:04:05.000Z";
/// The references of the two items.
const SECOND: &str = "second";
const OTHER: &str = "other";

/// What a second create of an external id did; `None`: something else.
type Repeated = Option<Duplicates>;

/// The first object.
struct First {
    id: Arc<str>,
    rev: Option<i64>,
}

/// Asks all of them.
pub(in crate::cli::provision::probe) async fn ask(probe: &mut Probe) -> Result<(), Stop> {
    let first = make(probe).await?;
    created_at(probe).await?;
    let singly = old_revision(probe, &first).await?;
    let (revision_evidence, repeated) = (probe.ask.take_evidence(), second(probe, &first).await?);
    let mut evidence = probe.ask.take_evidence();
    let in_job = second_in_job(probe, &first).await?;
    evidence.extend(probe.ask.take_evidence());
    settle_duplicates(probe, repeated, in_job, evidence);
    let in_job = match first.rev {
        Some(rev) if probe.with_references => old_revision_in_job(probe, &first, rev).await?,
        Some(_) | None => None,
    };
    let mut evidence = revision_evidence;
    evidence.extend(probe.ask.take_evidence());
    settle_revisions(probe, singly, in_job, evidence);
    Ok(())
}

async fn make(probe: &mut Probe) -> Result<First, Stop> {
    let fields = json!({
        "title": TITLE, "externalId": external_id(probe), "customer": probe.made.customer.as_deref(), "createdAt": CREATED_AT,
    });
    let about = format!(
        "{{externalId: {}, createdAt: {CREATED_AT}}}",
        external_id(probe)
    );
    let (written, heard) = create(probe, fields, &about).await?;
    let Some(Written::Stored { id: Some(id), rev }) = written else {
        return Err(unexpected(&heard));
    };
    probe.made.objects += 1;
    Ok(First { id, rev })
}

fn external_id(probe: &Probe) -> String {
    format!("{}-first", probe.run)
}

async fn create(
    probe: &mut Probe,
    fields: Value,
    about: &str,
) -> Result<(Option<Written>, Heard), Stop> {
    let call = Call::CreateKObject {
        klass: probe.klass.clone(),
        body: body(fields),
    };
    let (result, heard) = probe.ask.call(&call, about).await?;
    let written = match result {
        CallResult::Written(Outcome::Delivered(written)) => Some(written),
        CallResult::Written(_) => None,
        CallResult::Tracked(_)
        | CallResult::Searched(_)
        | CallResult::Customer(_)
        | CallResult::Submitted(_)
        | CallResult::KObject(_)
        | CallResult::Job(_)
        | CallResult::Probed(_)
        | CallResult::Lost => return Err(unexpected(&heard)),
    };
    Ok((written, heard))
}

/// The object is read again.
async fn created_at(probe: &mut Probe) -> Result<(), Stop> {
    let call = Call::GetKObject {
        klass: probe.klass.clone(),
        external_id: ExternalId(external_id(probe).into()),
    };
    let (_, heard) = probe.ask.call(&call, "").await?;
    let shown = heard.body.pointer("/data/attributes/createdAt");
    let shown = shown.or_else(|| heard.body.get("createdAt"));
    let shown = shown.and_then(Value::as_str).map(str::to_owned);
    let instant = |text: &str| text.parse::<Timestamp>().ok();
    let evidence = probe.ask.take_evidence();
    let look = "where its card stands on the timeline no answer says: look at it in Kustomer after a run with --keep";
    let (verdict, answer) = match shown {
        Some(text) if instant(&text) == instant(CREATED_AT) => {
            (Verdict::Yes, format!("it is shown with {text}; {look}"))
        }
        Some(text) => (Verdict::No, format!("it is shown with {text}; {look}")),
        None => (
            Verdict::NotSettled,
            "the object is not shown with it".to_owned(),
        ),
    };
    probe.settle(Question::CreatedAt, verdict, answer, evidence);
    Ok(())
}

/// The object is updated with its revision, and once more with the same one: whether that was refused, if it was told.
async fn old_revision(probe: &mut Probe, first: &First) -> Result<Option<bool>, Stop> {
    let Some(rev) = first.rev else {
        probe
            .ask
            .note("the answer to a create shows no rev".to_owned());
        return Ok(None);
    };
    probe.ask.note(format!("a new object has rev {rev}"));
    let shown = update(probe, first, rev).await?;
    let Some(after) = shown.ok().flatten() else {
        return Ok(None);
    };
    if after - rev == 1 && (0..=1).contains(&rev) {
        probe.answers.first_revision = Some(rev);
        let counted = format!("a new object has rev {rev}, its first update makes it {after}");
        probe.evidence.insert("first_revision", vec![counted]);
    } else {
        probe.ask.note(format!(
            "a write makes rev {rev} to {after}, which the worker does not count on: it learns by itself"
        ));
    }
    Ok(match update(probe, first, rev).await? {
        Ok(_) => Some(false),
        Err(409) => Some(true),
        Err(_) => None,
    })
}

/// The revision after the update, if it is shown, or the status of a refusal.
async fn update(
    probe: &mut Probe,
    first: &First,
    rev: i64,
) -> Result<Result<Option<i64>, u16>, Stop> {
    let call = Call::UpdateKObject {
        klass: probe.klass.clone(),
        id: Arc::clone(&first.id),
        body: body(json!({ "title": TITLE, "rev": rev })),
    };
    let (result, heard) = probe.ask.call(&call, &format!("{{rev: {rev}}}")).await?;
    Ok(match result {
        CallResult::Written(Outcome::Delivered(Written::Stored { rev, .. })) => Ok(rev),
        CallResult::Written(_)
        | CallResult::Tracked(_)
        | CallResult::Searched(_)
        | CallResult::Customer(_)
        | CallResult::Submitted(_)
        | CallResult::KObject(_)
        | CallResult::Job(_)
        | CallResult::Probed(_)
        | CallResult::Lost => Err(heard.status),
    })
}

async fn second(probe: &mut Probe, first: &First) -> Result<Repeated, Stop> {
    let fields = json!({ "title": TITLE, "externalId": external_id(probe), "customer": probe.made.customer.as_deref() });
    let about = format!("{{externalId: {}}} again", external_id(probe));
    let (written, _) = create(probe, fields, &about).await?;
    Ok(match written {
        Some(Written::Duplicate) => Some(Duplicates::Refused),
        Some(Written::Stored { id: Some(id), .. }) => Some(again(probe, first, &id)),
        Some(Written::Stored { id: None, .. } | Written::Gone) | None => None,
    })
}

fn again(probe: &mut Probe, first: &First, id: &Arc<str>) -> Duplicates {
    if *id == first.id {
        return Duplicates::Updated;
    }
    probe.made.objects += 1;
    Duplicates::Allowed
}

/// The same in a bulk request, beside another object: what became of it. What references and answers look like is settled on the way.
async fn second_in_job(probe: &mut Probe, first: &First) -> Result<Repeated, Stop> {
    let mut second = probe.item("first", None);
    SECOND.clone_into(&mut second.reference);
    let items = vec![second, probe.item(OTHER, None)];
    let about = "2 items, one with the same externalId";
    let mut submitted = probe.submit(&probe.creates(items.clone()), about).await?;
    if let Submitted::Refused {
        references: true, ..
    } = submitted
    {
        probe.with_references = false;
        submitted = probe
            .submit(&probe.creates(items), "the same without _clientRef")
            .await?;
    }
    let job = match submitted {
        Submitted::Job(job, _) => job,
        Submitted::Refused { status, words, .. } => {
            return Err(Stop::Failed(format!("the API answered {status}: {words}")));
        }
    };
    let before = probe.ask.take_evidence();
    let done = probe.until_done(&job, 2).await?;
    let evidence: Vec<String> = before
        .into_iter()
        .chain(probe.ask.take_evidence())
        .collect();
    settle_references(probe, &done.report.items, evidence.clone());
    let state = Call::ReadJobState { job };
    let (_, state) = probe.ask.quietly(&state).await?;
    settle_job_answers(probe, &state, &done.heard);
    evidence.into_iter().for_each(|line| probe.ask.note(line));
    let fate = |reference: &str| {
        let mut items = done.report.items.iter();
        items
            .find(|item| item.reference == reference)
            .map(|item| item.fate.clone())
    };
    if let Some(ItemFate::Stored(_)) = fate(OTHER) {
        probe.made.objects += 1;
    }
    let repeated = match fate(SECOND) {
        Some(ItemFate::Duplicate | ItemFate::Conflict) => Some(Duplicates::Refused),
        Some(ItemFate::Stored(Some(id))) => Some(again(probe, first, &id)),
        Some(
            ItemFate::Stored(None)
            | ItemFate::Gone
            | ItemFate::Limited(_)
            | ItemFate::Transient(_)
            | ItemFate::Permanent(_),
        ) => None,
        // Without results, only how many have failed is known.
        None => (done.report.failures == Some(1)).then_some(Duplicates::Refused),
    };
    Ok(repeated)
}

fn settle_references(probe: &mut Probe, items: &[ItemResult], evidence: Vec<String>) {
    let (verdict, answer, told) = if !probe.with_references {
        let text = "a request with them is refused as a whole, and results name no item";
        (Verdict::No, text, Some(ItemReferences::Refused))
    } else if items.len() == 2 {
        let text = "results name each item by its reference";
        (Verdict::Yes, text, Some(ItemReferences::Accepted))
    } else {
        let text = "the request was accepted, but results do not name both items";
        (Verdict::NotSettled, text, None)
    };
    probe.answers.item_references = told;
    probe.evidence.insert("item_references", evidence.clone());
    probe.settle(
        Question::ItemReferences,
        verdict,
        answer.to_owned(),
        evidence,
    );
}

fn settle_job_answers(probe: &mut Probe, state: &Heard, batches: &Heard) {
    let is_wrapped = |heard: &Heard| heard.body.get("data").is_some();
    let shape = |name: &str, heard: &Heard| {
        let inner = heard.body.get("data").unwrap_or(&heard.body);
        let inner = inner.get(0).unwrap_or(inner);
        let names = |value: &Value| {
            let names = value
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, _)| name.as_str());
            names.collect::<Vec<_>>().join(", ")
        };
        let attributes = inner
            .get("attributes")
            .map(|one| format!(", attributes {{{}}}", names(one)));
        format!(
            "GET /v1/bulk/…{name} -> {}: {}{{{}}}{}",
            heard.status,
            if is_wrapped(heard) { "data " } else { "" },
            names(inner),
            attributes.unwrap_or_default(),
        )
    };
    let evidence = vec![shape("", state), shape("/batches", batches)];
    let (verdict, answer) = match (is_wrapped(state), is_wrapped(batches)) {
        (true, true) => (Verdict::Yes, "both do, as every other resource"),
        (false, false) => (Verdict::No, "both are flat"),
        (true, false) => (Verdict::No, "the job does, its batches are flat"),
        (false, true) => (Verdict::No, "the batches do, the job is flat"),
    };
    let answer = format!("{answer}; the worker reads either");
    probe.settle(Question::JobAnswers, verdict, answer, evidence);
}

fn settle_duplicates(probe: &mut Probe, singly: Repeated, in_job: Repeated, evidence: Vec<String>) {
    let word = |one: Repeated| one.map_or("not told", Duplicates::as_str);
    let agreed = singly.filter(|_| singly == in_job);
    let (verdict, answer) = match agreed {
        Some(Duplicates::Refused) => (Verdict::Yes, "singly and in a bulk request".to_owned()),
        Some(Duplicates::Allowed) => (
            Verdict::No,
            "there are several objects of the external id then".to_owned(),
        ),
        Some(Duplicates::Updated) => (Verdict::No, "the first one is updated".to_owned()),
        None => {
            let (singly, in_job) = (word(singly), word(in_job));
            (
                Verdict::NotSettled,
                format!("singly {singly}, in a bulk request {in_job}"),
            )
        }
    };
    probe.answers.duplicates = agreed;
    probe.evidence.insert("duplicates", evidence.clone());
    probe.settle(Question::Duplicates, verdict, answer, evidence);
}

async fn old_revision_in_job(
    probe: &mut Probe,
    first: &First,
    rev: i64,
) -> Result<Option<bool>, Stop> {
    let item = BulkItem {
        id: Some(Arc::clone(&first.id)),
        rev: Some(rev),
        imported_at: None,
        ..BulkItem::new(SECOND.to_owned(), body(json!({ "title": TITLE })))
    };
    let call = Call::UpdateKObjects {
        klass: probe.klass.clone(),
        items: vec![item],
        with_refs: true,
    };
    let submitted = probe.submit(&call, &format!("{{rev: {rev}}}")).await?;
    let Submitted::Job(job, _) = submitted else {
        return Ok(None);
    };
    let done = probe.until_done(&job, 1).await?;
    Ok(done.report.items.first().and_then(|item| match &item.fate {
        ItemFate::Conflict => Some(true),
        ItemFate::Stored(_) => Some(false),
        ItemFate::Duplicate
        | ItemFate::Gone
        | ItemFate::Limited(_)
        | ItemFate::Transient(_)
        | ItemFate::Permanent(_) => None,
    }))
}

fn settle_revisions(
    probe: &mut Probe,
    singly: Option<bool>,
    in_job: Option<bool>,
    evidence: Vec<String>,
) {
    let word = |one: Option<bool>| match one {
        Some(true) => "refused",
        Some(false) => "written",
        None => "not told",
    };
    // Without references no job tells about its items, so single updates have to do.
    let agreed =
        singly.filter(|_| singly == in_job || (in_job.is_none() && !probe.with_references));
    let (verdict, answer) = match agreed {
        Some(true) => (Verdict::Yes, "it is a conflict".to_owned()),
        Some(false) => (
            Verdict::No,
            "it is written, whoever wrote in between".to_owned(),
        ),
        None => {
            let (singly, in_job) = (word(singly), word(in_job));
            (
                Verdict::NotSettled,
                format!("singly {singly}, in a bulk request {in_job}"),
            )
        }
    };
    probe.answers.old_revisions = agreed.map(|refused| {
        if refused {
            OldRevisions::Refused
        } else {
            OldRevisions::Written
        }
    });
    probe.evidence.insert("old_revisions", evidence.clone());
    let answer = match probe.answers.first_revision {
        Some(first) => format!("{answer}; revisions begin at {first}"),
        None => answer,
    };
    probe.settle(Question::Revisions, verdict, answer, evidence);
}
