//! `explain`: reads records and shows what would be sent, without sending anything.
//!
//! It uses the worker's own [`Pipeline`] for records and the client's own encoder for requests, so it shows exactly what
//! is sent. It assumes that nothing is known yet: objects are created, and the id of a customer that has to be found
//! first is shown as `{"$customer": {"externalId": "u1"}}`.

pub(in crate::cli) mod input;
mod request;

use std::fs::File;
use std::io::{self, BufRead, BufReader};

use anyhow::Context as _;
use ingest_mapping::event::CustomerHints;
use ingest_mapping::route::{self, EventSummary, Pipeline};
use ingest_model::outcome::{DroppedField, Rejected, SkipReason, Verdict};
use ingest_model::record::Topic;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use self::input::{Item, Lines};
use super::args::ExplainArgs;
use super::exit::{CommandError, CommandExit};
use super::output::Output;
use crate::clock::Clock;
use crate::config::Settings;

/// One line of output.
#[derive(Debug, Serialize)]
struct Explained {
    line: u64,
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
    /// Optional fields that are left out because their values are bad.
    dropped: Vec<ShownDrop>,
}

/// An optional field that is left out.
#[derive(Debug, Serialize)]
struct ShownDrop {
    route: String,
    field: String,
    why: String,
}

/// What a record says.
#[derive(Debug, Serialize)]
struct ShownEvent {
    name: String,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    id: Option<String>,
    time: Option<String>,
    /// What the source itself counts its states by.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// The id of the thing that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    /// Whether it is part of a snapshot, which makes it backfill.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    snapshot: bool,
    /// Whom the envelope names.
    #[serde(skip_serializing_if = "Map::is_empty")]
    customer: Map<String, Value>,
}

/// Explains every line of the input.
///
/// # Errors
///
/// When the configuration cannot be used, the topic is not known, or the input cannot be read.
pub fn run(args: &ExplainArgs, out: &mut Output<'_>) -> Result<CommandExit, CommandError> {
    let settings = args.config.load()?;
    let topic = topic(args.topic.as_deref(), args.records, &settings)?;
    let reader: Box<dyn BufRead> = match &args.file {
        None => Box::new(io::stdin().lock()),
        Some(path) => {
            let file =
                File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
            Box::new(BufReader::new(file))
        }
    };
    let now = match args.at {
        Some(at) => at,
        None => Timestamp::from_millisecond(Clock.unix_ms()).unwrap_or_default(),
    };
    explain(&settings, topic.as_ref(), args.records, now, reader, out)?;
    Ok(CommandExit::Good)
}

fn explain(
    settings: &Settings,
    topic: Option<&Topic>,
    records: bool,
    now: Timestamp,
    reader: impl BufRead,
    out: &mut Output<'_>,
) -> Result<(), CommandError> {
    let now_ms = Some(now.as_millisecond());
    for line in Lines::new(reader) {
        let line = line.context("cannot read the input")?;
        let item = if records {
            input::record(&line, topic, now_ms)
        } else {
            input::value(&line, topic, now_ms)
        };
        let explained = match item {
            Item::Record(record) => {
                let of_topic =
                    |t: &&crate::config::TopicSettings| t.topic == record.position.partition.topic;
                match settings.kafka.topics.iter().find(of_topic) {
                    Some(found) => {
                        for event in found.pipeline.explain_each(&record, now) {
                            write(&one(line.number, &found.pipeline, event, now), out)?;
                        }
                        continue;
                    }
                    None => {
                        let name = &record.position.partition.topic;
                        let problem = format!(
                            "the configuration has no topic {name}, so its records are not read; it has {}",
                            configured(settings)
                        );
                        Explained::no_record(line.number, problem)
                    }
                }
            }
            Item::Bad(problem) => Explained::no_record(line.number, problem),
        };
        write(&explained, out)?;
    }
    Ok(())
}

fn write(explained: &Explained, out: &mut Output<'_>) -> Result<(), CommandError> {
    let text = serde_json::to_string(explained).context("cannot write a line")?;
    out.line(&text)?;
    Ok(())
}

/// The names of the configured topics.
pub(in crate::cli) fn configured(settings: &Settings) -> String {
    let topics = settings.kafka.topics.iter();
    let names: Vec<&str> = topics.map(|one| one.topic.as_str()).collect();
    names.join(", ")
}

/// The topic of records that do not name one: the one given, or the only one.
pub(in crate::cli) fn topic(
    named: Option<&str>,
    records: bool,
    settings: &Settings,
) -> Result<Option<Topic>, CommandError> {
    let topics = &settings.kafka.topics;
    match (named, topics.as_slice()) {
        (Some(name), _) => match topics.iter().find(|t| t.topic.as_str() == name) {
            Some(found) => Ok(Some(found.topic.clone())),
            None => Err(CommandError::Usage(format!(
                "the configuration has no topic {name}; it has {}",
                configured(settings)
            ))),
        },
        (None, [only]) => Ok(Some(only.topic.clone())),
        // Records may name their own topic.
        (None, _) if records => Ok(None),
        (None, _) => Err(CommandError::Usage(format!(
            "the configuration has several topics: say which with --topic ({})",
            configured(settings)
        ))),
    }
}

fn one(line: u64, pipeline: &Pipeline, event: route::Explained, now: Timestamp) -> Explained {
    let route::Explained {
        member,
        record,
        mut summary,
        verdict,
    } = event;
    let notes = summary.as_ref().map(|summary| summary.notes.lines());
    let dropped = summary
        .as_mut()
        .map(|summary| std::mem::take(&mut summary.dropped))
        .unwrap_or_default();
    let explained = Explained {
        line,
        member,
        event: summary.map(ShownEvent::from),
        verdict: "emit",
        reason: None,
        detail: None,
        route: None,
        notes: notes.unwrap_or_default(),
        operations: Vec::new(),
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
        Verdict::Reject(Rejected {
            reason,
            detail,
            route,
        }) => Explained {
            verdict: "reject",
            reason: Some(reason.as_str()),
            detail: Some(detail),
            route: route.map(|name| name.to_string()),
            ..explained
        },
    }
}

/// More about a skip, if its reason alone is not clear enough.
fn skip_detail(reason: SkipReason, now: Timestamp) -> Option<String> {
    match reason {
        SkipReason::TooOld => Some(format!(
            "older than the route's maxAge at {now}; --at judges as of another time"
        )),
        SkipReason::NotForKustomer => Some(
            "the message's `integrations` keep it from Kustomer: `Kustomer` decides, and where it is not named, `All`"
                .to_owned(),
        ),
        SkipReason::NoItems => Some("the list of the route's `each` is empty or null".to_owned()),
        SkipReason::Housekeeping => Some(
            "a heartbeat, a bound of a transaction or a change of a schema, which Debezium writes for its own sake"
                .to_owned(),
        ),
        SkipReason::Tombstone
        | SkipReason::NoRoute
        | SkipReason::ConditionFalse
        | SkipReason::Dropped
        | SkipReason::Stale
        | SkipReason::Unchanged
        | SkipReason::Repeat
        | SkipReason::SettledBefore => None,
    }
}

// === impl Explained ===

impl Explained {
    /// A line without a record that the worker would read.
    fn no_record(line: u64, problem: String) -> Self {
        Self {
            line,
            member: None,
            event: None,
            verdict: "none",
            reason: None,
            detail: Some(problem),
            route: None,
            notes: Vec::new(),
            operations: Vec::new(),
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

// === impl ShownEvent ===

impl From<EventSummary> for ShownEvent {
    fn from(summary: EventSummary) -> Self {
        Self {
            name: summary.name,
            kind: summary.kind,
            id: summary.id,
            time: summary.time.map(|time| time.to_string()),
            version: summary.version,
            subject: summary.subject,
            snapshot: summary.snapshot,
            customer: hints(summary.customer),
        }
    }
}

fn hints(hints: CustomerHints) -> Map<String, Value> {
    let CustomerHints {
        id,
        external_id,
        email,
        phone,
        anonymous_id,
    } = hints;
    [
        ("id", id),
        ("externalId", external_id),
        ("email", email),
        ("phone", phone),
        ("anonymousId", anonymous_id),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?))))
    .collect()
}

#[cfg(test)]
mod tests;
