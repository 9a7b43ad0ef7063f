//! Collected payloads, where `INGEST_SAMPLES` says where they are. None of them is kept here.

use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use serde_json::Value;

use super::super::super::{Decoded, Format};
use super::{decode, record};
use ingest_model::record::{Header, Record, TopicPartition};

/// The files of a folder, by name.
fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the place of the samples is no configuration of the worker"
    )]
    let Ok(root) = std::env::var("INGEST_SAMPLES") else {
        return Vec::new();
    };
    let entries = fs::read_dir(PathBuf::from(root).join(folder)).expect("a folder of samples");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|found| found == "json"))
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy();
            (name.into_owned(), fs::read(&path).expect("a file"))
        })
        .collect();
    files.sort();
    files
}

/// The record in a file: the value alone, or with key, headers and topic where the name says so.
fn collected(name: &str, bytes: Vec<u8>) -> Record {
    if !name.ends_with(".record.json") {
        return record(bytes, &[]);
    }
    let all: Value = serde_json::from_slice(&bytes).expect("JSON");
    let text = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(Bytes::from(text.clone())),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Some(Bytes::from(value.to_string()))
        }
    };
    let mut made = record("", &[]);
    made.value = text(&all["value"]);
    made.key = text(&all["key"]);
    if let Some(topic) = all["topic"].as_str() {
        made.position.partition = TopicPartition::new(topic, 0);
    }
    let headers = all["headers"].as_object().cloned().unwrap_or_default();
    made.headers = headers
        .into_iter()
        .map(|(name, value)| Header {
            value: text(&value),
            name,
        })
        .collect();
    made
}

/// What the samples of a folder give: the name of the event, or why there is none.
fn outcomes(format: Format, folder: &str) -> Vec<String> {
    let outcome = |(file, bytes): (String, Vec<u8>)| {
        let record = collected(&file, bytes);
        match decode(format, &record) {
            Ok(event) => format!(
                "{file}: {} {}",
                event.name,
                event.version().unwrap_or_default()
            ),
            Err(Decoded::Skip(reason)) => format!("{file}: skip {}", reason.as_str()),
            Err(Decoded::Reject(rejected)) => {
                format!("{file}: {} ({})", rejected.reason.as_str(), rejected.detail)
            }
        }
    };
    files(folder).into_iter().map(outcome).collect()
}

/// Fails if a sample gives something else. Without samples it says nothing.
fn check(format: Format, folder: &str, wanted: &[&str]) {
    let found = outcomes(format, folder);
    if !found.is_empty() {
        assert_eq!(found, wanted);
    }
}

#[test]
fn collected_cloud_events() {
    let batch = "format_mismatch (the value is a list, a batch of events: a record is one event)";
    let thrift = "format_mismatch (the content type of the data is neither JSON nor text: only those are read)";
    check(
        Format::CloudEvents,
        "cloudevents",
        &[
            "debezium-structured-1.json: io.debezium.connector.postgresql.DataChangeEvent 2020-01-13T13:55:39.738Z",
            "kafka-binary-mode.record.json: com.example.someevent 2018-04-05T03:56:24Z",
            &format!("spec-json-format-1.json: {thrift}"),
            "spec-json-format-3.json: com.example.someevent 2018-04-05T17:31:00Z",
            "spec-json-format-5.json: com.example.someevent 2018-04-05T17:31:00Z",
            &format!("spec-json-format-7.json: {batch}"),
        ],
    );
}
