//! Webhooks that others collected, and which are no part of the project: each is the event that it should be.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of tests fail like tests"
)]

use std::fs;
use std::path::{Path, PathBuf};

use ingest_mapping::decode::{Decoded, Decoder, Format, Limits};
use ingest_mapping::event::Event;
use ingest_model::outcome::Rejection;
use ingest_model::record::{Header, Offset, Position, Record, TopicPartition};
use serde_json::Value;

/// The files of a folder of samples; nothing where there are none.
#[expect(
    clippy::disallowed_methods,
    reason = "the place of the samples is no configuration of the worker"
)]
#[expect(
    clippy::print_stderr,
    reason = "a test that cannot run says so where people look"
)]
fn samples(folder: &str) -> Vec<(PathBuf, Value)> {
    let Ok(root) = std::env::var("INGEST_SAMPLES") else {
        eprintln!("NOT RUN: the samples of {folder}, because INGEST_SAMPLES is not set");
        return Vec::new();
    };
    let folder = Path::new(&root).join(folder);
    let entries = fs::read_dir(&folder).unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|found| found == "json"));
    let read = files.map(|path| {
        let value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        (path, value)
    });
    let found: Vec<_> = read.collect();
    assert!(!found.is_empty(), "no samples in {}", folder.display());
    found
}

fn record(value: &Value, topic: Option<&str>) -> Record {
    let header = topic.map(|topic| Header {
        name: "x-shopify-topic".into(),
        value: Some(topic.to_owned().into()),
    });
    Record {
        position: Position {
            partition: TopicPartition::new("hooks", 0),
            offset: Offset(1),
        },
        key: None,
        value: Some(value.to_string().into()),
        headers: header.into_iter().collect(),
        timestamp_ms: Some(1_790_000_000_000),
    }
}

fn decode(format: Format, record: &Record) -> Event<'_> {
    match Decoder::new(format, Limits::default()).decode(record) {
        Ok(event) => event,
        Err(why) => panic!("no event: {why:?}"),
    }
}

#[test]
fn every_sample_of_shopify_decodes() {
    for (path, value) in samples("shopify") {
        // the collection has `{topic, api_version, payload}`; without a topic, the file is named after it
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let sent = value.get("topic").and_then(Value::as_str);
        let guessed = format!("{}/update", stem.split('-').nth(1).unwrap());
        let topic = sent.unwrap_or(&guessed);
        let body = value.get("payload").unwrap();
        let relayed = record(body, Some(topic));
        let event = decode(Format::Shopify, &relayed);
        assert_eq!(event.name, topic, "{stem}");
        assert_eq!(event.payload, body.clone().into(), "{stem}");
        // the anonymous ones have words instead of times
        let is_real = stem.starts_with("doc");
        assert!(!is_real || event.notes.bad_time().is_none(), "{stem}");
        if sent.is_some() {
            let wrapped = record(&value, None);
            let again = decode(Format::Shopify, &wrapped);
            assert_eq!(
                (again.name, again.customer),
                (event.name, event.customer),
                "{stem}"
            );
        }
    }
}

#[test]
fn every_sample_of_stripe_decodes() {
    for (path, value) in samples("stripe") {
        let record = record(&value, None);
        let event = decode(Format::Stripe, &record);
        let file = path.display();
        assert!(event.id.is_some() && event.notes.is_empty(), "{file}");
        let named = value
            .pointer("/data/object/customer")
            .and_then(Value::as_str);
        assert!(
            named.is_none() || event.customer.external_id.is_some(),
            "{file}"
        );
    }
}

#[test]
fn every_sample_of_carriers_decodes() {
    for (path, value) in samples("easypost") {
        let record = record(&value, None);
        // the answer of another endpoint: no event
        if path.ends_with("refunds-retrieve.json") {
            let decoded = Decoder::new(Format::Easypost, Limits::default()).decode(&record);
            let Err(Decoded::Reject(rejected)) = decoded else {
                panic!("an event: {decoded:?}");
            };
            assert_eq!(rejected.reason, Rejection::FormatMismatch);
            continue;
        }
        let event = decode(Format::Easypost, &record);
        assert!(
            event.id.is_some() && event.time.is_some(),
            "{}",
            path.display()
        );
    }
    for (path, value) in samples("aftership") {
        let record = record(&value, None);
        let event = decode(Format::Aftership, &record);
        assert!(
            event.id.is_some() && event.time.is_some(),
            "{}",
            path.display()
        );
    }
}
