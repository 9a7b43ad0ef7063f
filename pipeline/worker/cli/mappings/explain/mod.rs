//! `explain`: reads records and shows what would be sent, without sending anything.
//!
//! It uses the worker's own [`Pipeline`] for records and the client's own encoder for requests, so it shows exactly what
//! is sent. It assumes that nothing is known yet: objects are created, and the id of a customer that has to be found
//! first is shown as `{"$customer": {"externalId": "u1"}}`.

mod args;
mod event;
mod request;
mod same_id;
mod text;
mod trace;
mod unsent;

use std::mem::take;

use anyhow::{Context as _, anyhow};
use ingest_encoding::Opened;
use ingest_mapping::mapping::fold;
use ingest_mapping::route::{self, Pipeline};
use ingest_model::operation::Planned;
use ingest_model::outcome::{DroppedField, Rejected, SkipReason, Verdict};
use ingest_model::record::{Record, TopicPartition};
use ingest_registry::AskedOnce;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

pub use self::args::{ExplainArgs, RecordPosition};
use self::event::ShownEvent;
use self::same_id::{Mark, SameIds, is_aged, marks};
use self::trace::shown_trace;
use self::unsent::{NotSent, not_sent_of, skip_detail, without};
use crate::cli::exit::{CommandError, CommandExit};
use crate::cli::output::Output;
use crate::cli::records;
use crate::cli::records::lines::Item;
use crate::cli::records::sample::{Sample, Sampled};
use crate::cli::records::topic::TopicRecords;
use crate::clock::Clock;
use crate::config::Settings;
use crate::config::settings::suppressed::{SuppressedError, SuppressedList};
use crate::observe::words::plural;

/// One line of output.
#[derive(Debug, Serialize)]
struct Explained {
    line: u64,
    /// Where in Kafka it is, if it was read from there.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<String>,
    /// The event's number, from 0, if the record is a batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<u32>,
    event: Option<ShownEvent>,
    verdict: &'static str,
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<String>,
    /// What the record says but could not be used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    operations: Vec<Value>,
    /// Operations of the route that are not sent.
    #[serde(rename = "notSent", skip_serializing_if = "Vec::is_empty")]
    not_sent: Vec<NotSent>,
    /// Optional fields that are left out because their values are bad.
    dropped: Vec<ShownDrop>,
    /// Where each value comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<Value>,
    /// By which it may be taken for a repeat.
    #[serde(skip)]
    marks: Vec<Mark>,
}

/// An optional field that is left out.
#[derive(Debug, Serialize)]
struct ShownDrop {
    route: String,
    field: String,
    why: String,
}

/// Which records are explained, and how.
#[derive(Debug, Default)]
struct Asked {
    key: Option<String>,
    /// The folded name.
    event: Option<String>,
    trace: bool,
    /// For people.
    text: bool,
}

/// Explains every record of the input.
///
/// # Errors
///
/// When the configuration cannot be used, the topic is not known, the input cannot be read, or it has no such record.
pub fn run(args: &ExplainArgs, out: &mut Output<'_>) -> Result<CommandExit, CommandError> {
    let settings = args.config.load()?;
    let now = args.at.or_now();
    let sample = match &args.position {
        // Whenever they are judged, they are written now: a time that is later than its record would be passed over.
        None => Sample::open(&args.sample, &settings, Some(Clock.unix_ms()))?,
        Some(RecordPosition(position)) => {
            let topic = &position.partition.topic;
            records::topic(Some(topic.as_str()), false, &settings)?;
            Sample::of_topic(TopicRecords::at(&settings, position)?)
        }
    };
    let asked = Asked {
        key: args.key.clone(),
        event: args.event.as_deref().map(fold),
        trace: args.trace,
        text: args.text,
    };
    let beside = explain(&settings, sample, now, &asked, out)?;
    if !beside.is_empty() {
        out.flush()?;
        let mut error = Output::stderr();
        for line in beside {
            error.line(&line)?;
        }
    }
    Ok(CommandExit::Good)
}

/// The list of suppressed people. It may be only where the worker runs; then nobody is on it here.
fn suppressed(settings: &Settings) -> Result<SuppressedList, CommandError> {
    let Some(file) = &settings.suppressed else {
        return Ok(SuppressedList::default());
    };
    match file.read() {
        Ok(list) => Ok(list),
        Err(error @ SuppressedError::Unreadable { .. }) => {
            let told = format!("privacy.suppressed: {error}; what follows is for nobody on it");
            Output::stderr().line(&told)?;
            Ok(SuppressedList::default())
        }
        Err(error @ SuppressedError::Wrong { .. }) => Err(anyhow::Error::new(error)
            .context("privacy.suppressed")
            .into()),
    }
}

/// Writes what is asked for. What comes back is for standard error, where it is in nobody's way.
fn explain(
    settings: &Settings,
    mut sample: Sample,
    now: Timestamp,
    asked: &Asked,
    out: &mut Output<'_>,
) -> Result<Vec<String>, CommandError> {
    let registry = settings.schemas().context("schema_registry")?;
    let suppressed = suppressed(settings)?;
    let (mut read, mut shown) = (0_u64, 0_u64);
    let mut same_ids = SameIds::default();
    let from_kafka = sample.is_from_kafka();
    while let Some(Sampled { line, item }) = sample.read()? {
        read += 1;
        let all = match item {
            Item::Record(record) => {
                let key = record.key.as_deref();
                let wanted = asked.key.as_ref().map(String::as_bytes);
                if wanted.is_some_and(|wanted| key != Some(wanted)) {
                    continue;
                }
                let mut all = explained(
                    settings,
                    (&registry, &suppressed),
                    line,
                    &record,
                    now,
                    asked.trace,
                );
                if from_kafka {
                    let at = &record.position;
                    let TopicPartition { topic, partition } = &at.partition;
                    let position = format!("{topic}/{}/{}", partition.0, at.offset.0);
                    for one in &mut all {
                        one.position = Some(position.clone());
                    }
                }
                all
            }
            Item::Bad(_) if asked.key.is_some() => continue,
            Item::Bad(problem) => vec![Explained::no_record(line, problem)],
        };
        for one in all {
            if let Some(wanted) = &asked.event {
                let name = one.event.as_ref().map(|event| fold(&event.name));
                if name.as_ref() != Some(wanted) {
                    continue;
                }
            }
            shown += 1;
            if let Some(event) = &one.event {
                same_ids.add(event, &one.marks, &one.place());
            }
            if asked.text {
                let whole = serde_json::to_value(&one).context("cannot write a line")?;
                for line in text::lines(&whole) {
                    out.line(&line)?;
                }
            } else {
                let text = serde_json::to_string(&one).context("cannot write a line")?;
                out.line(&text)?;
            }
        }
    }
    if read == 0 {
        let told = "the sample has no record".to_owned();
        return Err(CommandError::Usage(told));
    }
    let is_search = asked.key.is_some() || asked.event.is_some();
    if shown == 0 && is_search {
        return Err(CommandError::Failed(anyhow!(
            "none of {} is such a record: names are compared without case, spaces, `_` and `-`, keys exactly",
            plural(usize::try_from(read).unwrap_or(usize::MAX), "record")
        )));
    }
    let told = same_ids.lines();
    if !asked.text {
        return Ok(told);
    }
    for line in told {
        out.line(&line)?;
    }
    Ok(Vec::new())
}

/// What becomes of a record, or of each event of one that is a batch.
fn explained(
    settings: &Settings,
    (registry, suppressed): (&AskedOnce, &SuppressedList),
    line: u64,
    record: &Record,
    now: Timestamp,
    with_trace: bool,
) -> Vec<Explained> {
    let topic = &record.position.partition.topic;
    let Some(found) = settings.kafka.topics.iter().find(|one| one.topic == *topic) else {
        let problem = format!(
            "the configuration has no topic {topic}, so its records are not read; it has {}",
            records::configured(settings)
        );
        return vec![Explained::no_record(line, problem)];
    };
    match registry.open(&found.encoding, record) {
        Ok(Opened::Record(opened)) => {
            let events = found.pipeline.explain_each(&opened, now);
            // An old sample is not compared by what is left of it.
            let in_time = events.iter().any(is_aged).then_some(Timestamp::UNIX_EPOCH);
            let in_time = in_time.map(|epoch| found.pipeline.explain_each(&opened, epoch));
            let all_marks: Vec<Vec<Mark>> = in_time
                .as_ref()
                .unwrap_or(&events)
                .iter()
                .map(|event| marks(event, suppressed))
                .collect();
            events
                .into_iter()
                .zip(all_marks)
                .map(|(event, marks)| Explained {
                    marks,
                    ..one(
                        line,
                        &found.pipeline,
                        without(suppressed, event),
                        now,
                        with_trace,
                    )
                })
                .collect()
        }
        Ok(Opened::Rejected(rejected)) => vec![Explained::rejected(line, rejected)],
        Ok(Opened::Needs(_)) => vec![Explained::no_record(line, String::new())],
        Err(failure) => {
            let problem = format!("{failure}; the worker waits until it answers");
            vec![Explained::no_record(line, problem)]
        }
    }
}

fn one(
    line: u64,
    pipeline: &Pipeline,
    (event, suppressed): (route::Explained, Vec<Planned>),
    now: Timestamp,
    with_trace: bool,
) -> Explained {
    let route::Explained {
        member,
        record,
        mut summary,
        verdict,
    } = event;
    let notes = summary.as_ref().map(|summary| summary.notes.lines());
    let (dropped, unsent) = summary
        .as_mut()
        .map(|summary| (take(&mut summary.dropped), take(&mut summary.unsent)))
        .unwrap_or_default();
    let planned = verdict.planned();
    let traced = (with_trace || !suppressed.is_empty())
        .then(|| pipeline.trace(&record))
        .flatten();
    let not_sent = not_sent_of(
        pipeline.mapping(),
        &unsent,
        &suppressed,
        traced.as_ref(),
        now,
    );
    let traced = traced.filter(|_| with_trace);
    let unread = || match &verdict {
        Verdict::Skip(SkipReason::NotForKustomer) => ShownEvent::unread(&record),
        Verdict::Skip(_) | Verdict::Emit(_) | Verdict::Batch(_) | Verdict::Reject(_) => None,
    };
    let explained = Explained {
        line,
        position: None,
        marks: Vec::new(),
        trace: traced.map(|traced| shown_trace(&traced, planned, &dropped, &not_sent)),
        member,
        event: summary.map(ShownEvent::from).or_else(unread),
        verdict: "emit",
        reason: None,
        detail: None,
        route: None,
        notes: notes.unwrap_or_default(),
        operations: Vec::new(),
        not_sent,
        dropped: dropped.into_iter().map(ShownDrop::from).collect(),
    };
    match verdict {
        Verdict::Emit(_) | Verdict::Batch(_) => {
            let operations = verdict
                .planned()
                .iter()
                .enumerate()
                .map(|(i, planned)| request::shown(planned, i + 1));
            Explained {
                operations: operations.collect(),
                ..explained
            }
        }
        Verdict::Skip(reason) => {
            let by = if reason == SkipReason::Dropped {
                pipeline.dropped_by(&record)
            } else {
                None
            };
            let (route, why) = by.unzip();
            Explained {
                verdict: "skip",
                reason: Some(reason.as_str()),
                detail: skip_detail(reason, now).or(why),
                route,
                ..explained
            }
        }
        Verdict::Reject(rejected) => Explained {
            member: explained.member,
            trace: explained.trace,
            event: explained.event,
            notes: explained.notes,
            dropped: explained.dropped,
            ..Explained::rejected(line, rejected)
        },
    }
}

// === impl Explained ===

impl Explained {
    /// A record that becomes a dead letter.
    fn rejected(line: u64, rejected: Rejected) -> Self {
        Self {
            verdict: "reject",
            reason: Some(rejected.reason.as_str()),
            route: rejected.route.map(|name| name.to_string()),
            ..Self::no_record(line, rejected.detail)
        }
    }

    /// Where it is in the sample, for people.
    fn place(&self) -> String {
        let line = || format!("line {}", self.line);
        let at = self.position.clone().unwrap_or_else(line);
        match self.member {
            Some(member) => format!("{at}, event {member}"),
            None => at,
        }
    }

    /// A line without a record that the worker would read.
    fn no_record(line: u64, problem: String) -> Self {
        Self {
            line,
            position: None,
            marks: Vec::new(),
            trace: None,
            member: None,
            event: None,
            verdict: "none",
            reason: None,
            detail: Some(problem),
            route: None,
            notes: Vec::new(),
            operations: Vec::new(),
            not_sent: Vec::new(),
            dropped: Vec::new(),
        }
    }
}

// === impl ShownDrop ===

impl From<DroppedField> for ShownDrop {
    fn from(dropped: DroppedField) -> Self {
        Self {
            route: dropped.route.to_string(),
            field: dropped.field.to_string(),
            why: dropped.detail,
        }
    }
}

#[cfg(test)]
mod questions;
#[cfg(test)]
mod tests;
