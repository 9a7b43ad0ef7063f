//! Collected payloads, where `INGEST_SAMPLES` says where they are: each is the event that it should be, and the shipped mappings make of
//! it what was found right by reading. None of them is kept here; without samples the tests say that they did not run.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the helpers of tests fail like tests"
)]

mod decoded;
mod mapped;
#[path = "../../../../tests/support/examples.rs"]
mod support;
mod webhooks;

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::Value;

use ingest_mapping::decode::{Decoded, Decoder, Format, Limits};
use ingest_model::record::{Header, Record, TopicPartition};

/// The files of a folder of samples, by name; nothing where there are none.
#[expect(
    clippy::disallowed_methods,
    reason = "the place of the samples is no configuration of the worker"
)]
#[expect(
    clippy::print_stderr,
    reason = "a test that cannot run says so where people look"
)]
fn files(folder: &str, extension: &str) -> Vec<(String, Vec<u8>)> {
    let Ok(root) = std::env::var("INGEST_SAMPLES") else {
        eprintln!("NOT RUN: the samples of {folder}, because INGEST_SAMPLES is not set");
        return Vec::new();
    };
    let found = support::files(&PathBuf::from(root).join(folder), extension);
    let read = found.iter().map(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        (name.into_owned(), fs::read(path).unwrap())
    });
    read.collect()
}

fn record(value: Vec<u8>, headers: Vec<Header>) -> Record {
    let mut made = support::record(value, &[]);
    made.position.partition = TopicPartition::new("shop.public.orders", 3);
    made.headers = headers;
    made
}

fn bytes(value: &Value) -> Option<Bytes> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(Bytes::from(text.clone())),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Some(Bytes::from(value.to_string()))
        }
    }
}

/// The records in a file: its value, or each of a list; with key, headers and topic where its name says so, and with the topic of
/// a webhook of Shopify.
fn records(format: Format, name: &str, content: Vec<u8>) -> Vec<Record> {
    if name.ends_with(".record.json") {
        let all: Value = serde_json::from_slice(&content).unwrap();
        let headers = all["headers"].as_object().cloned().unwrap_or_default();
        let headers = headers.into_iter().map(|(name, value)| Header {
            value: bytes(&value),
            name,
        });
        let mut made = record(Vec::new(), headers.collect());
        made.value = bytes(&all["value"]);
        made.key = bytes(&all["key"]);
        if let Some(topic) = all["topic"].as_str() {
            made.position.partition = TopicPartition::new(topic, 0);
        }
        return vec![made];
    }
    match (format, serde_json::from_slice::<Value>(&content)) {
        // a file has a message or a list of messages
        (Format::Segment, Ok(Value::Array(all))) => {
            let all = all
                .iter()
                .map(|one| record(one.to_string().into_bytes(), Vec::new()));
            all.collect()
        }
        (Format::Shopify, Ok(all)) => {
            let body = all.get("payload").unwrap();
            vec![record(
                body.to_string().into_bytes(),
                vec![topic_of(name, &all)],
            )]
        }
        _ => vec![record(content, Vec::new())],
    }
}

/// What the files that are named after a thing are about, if it is not that it was updated.
const TOPICS: &[(&str, &str)] = &[
    ("orders", "orders/updated"),
    ("refunds", "refunds/create"),
    ("order_transactions", "order_transactions/create"),
    ("fulfillment_events", "fulfillment_events/create"),
    (
        "subscription_billing_attempts",
        "subscription_billing_attempts/failure",
    ),
];

/// The collection has `{topic, api_version, payload}`; without a topic, the file is named after it.
fn topic_of(name: &str, all: &Value) -> Header {
    let sent = all.get("topic").and_then(Value::as_str);
    let name = support::stem(Path::new(name));
    let thing = name.split('-').nth(1).unwrap();
    let known = TOPICS.iter().find(|(of, _)| *of == thing);
    let guessed = || {
        known.map_or_else(
            || format!("{thing}/update"),
            |(_, topic)| (*topic).to_owned(),
        )
    };
    let topic = sent.map_or_else(guessed, str::to_owned);
    Header {
        name: "x-shopify-topic".into(),
        value: Some(topic.into()),
    }
}
