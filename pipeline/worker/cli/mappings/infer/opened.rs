//! The records of a sample in JSON, whatever encoding they come in.

use std::collections::BTreeSet;

use ingest_encoding::{Encoding, Opened};
use ingest_model::record::{Record, Topic};
use ingest_registry::{AskedOnce, Failure};
use jiff::Timestamp;
use serde_json::Value;

use super::args::InferArgs;
use crate::cli::exit::CommandError;
use crate::cli::records::lines::Item;
use crate::cli::records::sample::Sample;
use crate::cli::records::topic::{Last, TopicRecords};
use crate::config::Settings;
use crate::observe::words::plural;

/// The most records that are looked at.
const MOST: usize = 100_000;
/// The most bytes of them.
const MOST_BYTES: usize = 256 << 20;
/// The name of the topic of lines that name none.
pub(super) const SAMPLE: &str = "sample";
/// The fields of a line that is a whole record, and those that nothing but a record has.
const OF_RECORDS: &[&str] = &[
    "topic",
    "partition",
    "offset",
    "key",
    "keyBase64",
    "headers",
    "value",
    "valueBase64",
    "timestamp",
];
const ONLY_OF_RECORDS: &[&str] = &["partition", "offset", "headers", "valueBase64"];

/// What the sample has.
pub(super) struct Read {
    pub(super) records: Vec<Record>,
    /// Lines without a record, and records that are not in the topic's encoding.
    pub(super) unusable: usize,
}

/// Reads the sample.
///
/// # Errors
/// It cannot be read, or nothing of it can be used.
pub(super) fn records(args: &InferArgs, now: Timestamp) -> Result<Read, CommandError> {
    let settings = args.config.as_deref().map(crate::config::load);
    let settings = settings.transpose()?;
    let mut sample = match (&args.topic, &settings) {
        (Some(topic), Some(settings)) if args.file.is_none() => {
            let last = args.last.unwrap_or(Last::Records(1_000));
            let (records, _) = TopicRecords::open(settings, &Topic::new(topic), last)?;
            Sample::of_topic(records)
        }
        (Some(_), None) if args.file.is_none() => {
            return Err(CommandError::Usage(
                "--topic reads from Kafka and needs --config, for the brokers; the topic need not be one of its topics".to_owned(),
            ));
        }
        (topic, _) => {
            let topic = Topic::new(topic.as_deref().unwrap_or(SAMPLE));
            let written = Some(now.as_millisecond());
            Sample::of_lines(args.file.as_deref(), Some(topic), args.records, written)?
        }
    };
    // Its secrets are missed where a record needs a schema.
    let (registry, mut unreadable) = match settings.as_ref().map(Settings::schemas) {
        Some(Ok(registry)) => (registry, None),
        Some(Err(error)) => (AskedOnce::nobody(), Some(error)),
        None => (AskedOnce::nobody(), None),
    };
    let (mut records, mut unusable, mut bytes) = (Vec::new(), 0, 0);
    let mut first = None;
    while records.len() < MOST
        && bytes < MOST_BYTES
        && let Some(sampled) = sample.read()?
    {
        let opened = match sampled.item {
            Item::Record(record) => {
                let opened = opened(&record, settings.as_ref(), &registry);
                opened.map_err(|failure| {
                    let cause = unreadable
                        .take()
                        .map_or_else(|| failure.into(), anyhow::Error::from);
                    cause.context("schema_registry")
                })?
            }
            Item::Bad(problem) => Err(problem),
        };
        match opened {
            Ok(record) => {
                bytes += record.value.as_ref().map_or(0, |value| value.len());
                records.push(record);
            }
            Err(problem) => {
                unusable += 1;
                first.get_or_insert((sampled.line, problem));
            }
        }
    }
    if records.is_empty() {
        let item = if sample.is_from_kafka() {
            "record"
        } else {
            "line"
        };
        let why = first.map_or_else(String::new, |(number, problem)| {
            format!(
                " ({} unusable; {item} {number}: {problem})",
                plural(unusable, item)
            )
        });
        return Err(CommandError::Usage(format!(
            "the sample has no record that can be used{why}"
        )));
    }
    if !args.records && !sample.is_from_kafka() && records.iter().all(is_whole_record) {
        return Err(CommandError::Usage(
            "each line is a whole record of Kafka, and not just its value: say so with --records"
                .to_owned(),
        ));
    }
    Ok(Read { records, unusable })
}

/// A record in JSON, or why it is none: by the encoding of its topic, or else as values usually are.
fn opened(
    record: &Record,
    settings: Option<&Settings>,
    registry: &AskedOnce,
) -> Result<Result<Record, String>, Failure> {
    let topic = &record.position.partition.topic;
    let topics = settings.map_or(&[][..], |settings| &settings.kafka.topics);
    let named = topics.iter().find(|one| one.topic == *topic);
    let usual = Encoding::default();
    let encoding = named.map_or(&usual, |one| &one.encoding);
    Ok(match registry.open(encoding, record)? {
        Opened::Record(opened) => Ok(opened.into_owned()),
        Opened::Rejected(rejected) if named.is_none() => {
            let way_out = if settings.is_some() {
                "name the topic with its `encoding` in the configuration, and here with --topic"
            } else {
                "give it with --config, and --topic"
            };
            Err(format!(
                "{}; the topic's `encoding` in a configuration says how its values are read: {way_out}",
                rejected.detail
            ))
        }
        Opened::Rejected(rejected) => Err(rejected.detail),
        Opened::Needs(_) => Err("its schema is not known".to_owned()),
    })
}

/// Whether the value of a record is itself a record with all that Kafka says of it.
fn is_whole_record(record: &Record) -> bool {
    let value = record.value.as_deref().unwrap_or_default();
    let Ok(Value::Object(fields)) = serde_json::from_slice(value) else {
        return false;
    };
    let names: BTreeSet<&str> = fields.keys().map(String::as_str).collect();
    let has_value = names.contains("value") || names.contains("valueBase64");
    has_value
        && names.iter().all(|name| OF_RECORDS.contains(name))
        && ONLY_OF_RECORDS.iter().any(|name| names.contains(name))
}
