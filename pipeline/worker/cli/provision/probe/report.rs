//! What `probe` prints: beforehand what would be done, afterwards what was found out.

use serde_json::{Value, json};

use super::args::ProbeArgs;
use super::ask::FOR_DELETING;
use super::clean::Cleaned;
use super::question::{Question, Settled};
use super::questions::limit::BEYOND;
use super::state::Probe;
use crate::observe::words::plural;

/// How a run ended.
pub(super) struct Ended {
    pub(super) cleaned: Cleaned,
    pub(super) interrupted: bool,
    /// The file that was written, and whether it has answers.
    pub(super) written: Option<(String, bool)>,
    /// It could not be written.
    pub(super) unwritten: bool,
}

/// A group of questions: the requests that it usually takes, and what it makes.
const GROUPS: [(&[Question], u32, &str); 6] = [
    (
        &[
            Question::Duplicates,
            Question::Revisions,
            Question::ItemReferences,
            Question::JobAnswers,
            Question::CreatedAt,
        ],
        20,
        "up to 4 objects",
    ),
    (
        &[Question::BulkSize],
        6,
        "up to 40 objects, with up to 500 kB in all in each request",
    ),
    (&[Question::CreatesInJobs], 8, "200 objects"),
    (
        &[Question::MetaTypes],
        5,
        "up to 4 events, which nobody can delete",
    ),
    (&[Question::ResultsKept], 4, "nothing"),
    (&[Question::LimitAnswer], 0, "nothing"),
];
/// To make the customer, to read the key, and to delete.
const AROUND: u32 = 20;

/// What would be asked, and what that makes.
pub(super) fn plan(
    args: &ProbeArgs,
    (host, klass): (&str, &str),
    (limit, pace): (u32, u32),
) -> Vec<String> {
    let mut lines = vec![format!("probe of {host}, with objects of klass {klass}")];
    let named = |question: &Question| args.only.is_empty() || args.only.contains(question);
    let mut usual = 0;
    for (questions, requests, makes) in GROUPS {
        for question in questions.iter().filter(|one| named(one)) {
            let consent = if args.allows(*question) {
                String::new()
            } else {
                format!(" (needs {})", question.consent())
            };
            lines.push(format!(
                "  {}: {}{consent}",
                question.as_str(),
                question.in_words()
            ));
        }
        let asked = questions.iter().any(|question| args.asks(*question));
        let would = questions.iter().any(named);
        if would && makes != "nothing" {
            lines.push(format!("    makes {makes}"));
        }
        usual += if asked || (would && !args.intervenes()) {
            requests
        } else {
            0
        };
    }
    lines.push(format!(
        "about {} requests, at most {} (--requests; {FOR_DELETING} of them only to delete), at most {pace} a minute",
        usual + AROUND,
        args.requests,
    ));
    if args.asks(Question::LimitAnswer) {
        lines.push(format!(
            "and up to {} requests within a minute, after which everything that uses the API waits",
            limit + BEYOND
        ));
    }
    lines.push(if args.keep {
        "what is made stays (--keep)".to_owned()
    } else {
        "what is made is deleted at the end, and after Ctrl-C".to_owned()
    });
    lines
}

/// What was found out, for people.
pub(super) fn text(probe: &Probe, ended: &Ended) -> Vec<String> {
    let mut lines = Vec::new();
    for one in &probe.settled {
        lines.push(format!(
            "{}: {}",
            one.question.as_str(),
            one.question.in_words()
        ));
        lines.push(format!("  {}: {}", one.verdict.as_str(), one.answer));
        lines.extend(one.evidence.iter().map(|line| format!("    {line}")));
    }
    lines.extend(remains(probe, &ended.cleaned));
    if ended.interrupted {
        lines.push("interrupted: what was not asked by then is not settled".to_owned());
    }
    lines.push(format!("{} in all", plural(probe.ask.spent(), "request")));
    match &ended.written {
        Some((file, false)) => lines.push(format!(
            "written: {file}, which has no answers, only jobs for a later run (--earlier {file})"
        )),
        Some((file, true)) => lines.push(format!(
            "written: {file}; the worker uses it with kustomer.profile: {{ file: {file}, of: {} }}",
            probe.host
        )),
        // the error says why
        None if ended.unwritten => {}
        None => lines
            .push("nothing that the worker can use was found out: no file is written".to_owned()),
    }
    lines
}

/// What was deleted, and what stays.
pub(super) fn remains(probe: &Probe, cleaned: &Cleaned) -> Vec<String> {
    let mut lines = Vec::new();
    if cleaned.objects + cleaned.customers > 0 {
        let (objects, customers) = (
            plural(cleaned.objects, "object"),
            plural(cleaned.customers, "customer"),
        );
        lines.push(format!("deleted: {objects}, {customers}"));
    }
    if probe.made.events > 0 {
        let events = plural(probe.made.events, "event");
        lines.push(format!(
            "stays: {events} named Ingest-Probe, which nobody can delete"
        ));
    }
    lines.extend(cleaned.left.iter().map(|left| format!("stays: {left}")));
    if !cleaned.left.is_empty() {
        lines.push(format!(
            "to delete what stays: kustomer-ingest probe … --yes-create-and-delete --remove {}",
            probe.run
        ));
    }
    lines
}

/// What was found out, for programs.
pub(super) fn document(probe: &Probe, ended: &Ended) -> Value {
    let question = |one: &Settled| {
        json!({
            "name": one.question.as_str(),
            "question": one.question.in_words(),
            "verdict": one.verdict.as_str(),
            "answer": one.answer,
            "evidence": one.evidence,
        })
    };
    let answers = probe.answers.in_words().into_iter();
    let answers = answers.map(|(name, answer)| (name.to_owned(), Value::from(answer)));
    json!({
        "organisation": probe.host,
        "klass": probe.klass.to_string(),
        "customer": probe.run,
        "questions": probe.settled.iter().map(question).collect::<Vec<_>>(),
        "answers": Value::Object(answers.collect()),
        "requests": probe.ask.spent(),
        "made": { "objects": probe.made.objects, "events": probe.made.events },
        "deleted": { "objects": ended.cleaned.objects, "customers": ended.cleaned.customers },
        "left": ended.cleaned.left,
        "interrupted": ended.interrupted,
        "profile": ended.written.as_ref().map(|(file, _)| file),
    })
}
