//! Collected payloads of other formats than Segment's, where `INGEST_SAMPLES` says where they are. None of them is kept here.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "the helpers of tests fail like tests"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "the place of the samples is no configuration of the worker"
)]

use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use serde_json::Value;

use ingest_mapping::decode::{Decoded, Decoder, Format, Limits};
use ingest_model::record::{Header, Offset, Position, Record, TopicPartition};

/// The record's own time: 2026-01-02T03:04:05Z.
const WRITTEN_MS: i64 = 1_767_323_045_000;

fn record(value: Vec<u8>) -> Record {
    Record {
        position: Position {
            partition: TopicPartition::new("shop.public.orders", 3),
            offset: Offset(7),
        },
        key: None,
        value: Some(Bytes::from(value)),
        headers: Vec::new(),
        timestamp_ms: Some(WRITTEN_MS),
    }
}

/// The files of a folder, by name.
fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
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
        return record(bytes);
    }
    let all: Value = serde_json::from_slice(&bytes).expect("JSON");
    let text = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(Bytes::from(text.clone())),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Some(Bytes::from(value.to_string()))
        }
    };
    let mut made = record(Vec::new());
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
        match Decoder::new(format, Limits::default()).decode(&record) {
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

#[test]
fn collected_rows() {
    // keys and requests, which are collected as well, pass for rows of the topic's table without a position
    check(
        Format::Debezium,
        "debezium",
        &[
            "docs-mongodb-1-c.json: orders.c ",
            "docs-mongodb-3-key.json: orders.u ",
            "docs-mongodb-5-customers-u.json: customers.u 15589655080000000001",
            "docs-mysql-1-key.json: orders.u ",
            "docs-mysql-3-c.json: orders.c ",
            "docs-mysql-5-key.json: orders.u ",
            "docs-mysql-7-customers-u.json: customers.u 3000000000000000004840000000",
            "docs-mysql-9-customers-t.json: customers.t 3000000000000000004840000000",
            "docs-pg-logical-message-1-m.json: test-prefix.m 26997904",
            "docs-postgresql-1-c.json: orders.c ",
            "docs-postgresql-3-key.json: orders.u ",
            "docs-postgresql-5-customers-u.json: customers.u 24023128",
            "docs-postgresql-7-customers-t.json: customers.t 46523128",
            "docs-sqlserver-1-key.json: orders.u ",
            "docs-sqlserver-3-key.json: orders.u ",
            "docs-sqlserver-5-key.json: orders.u ",
            "docs-sqlserver-7-customers-u.json: customers.u 1097752427207066300000000109775242720706580000000002",
            "docs-timezone-1-customers-c.json: customers.r 24023128",
            "docs-tutorial-create-2-customers-r.json: customers.r 3000000000000000001540000000",
            "docs-tutorial-delete-2-customers-d.json: customers.d 3000000000000000007250000000",
            "docs-tutorial-restart-1-customers-c.record.json: customers.c 3000000000000000010460000000",
            "docs-tutorial-update-2-customers-u.json: customers.u 3000000000000000003640000000",
            "examples-engine-customers-u.json: customers.u 3000000000000000010410000000",
            "examples-server-products-r.json: products.r ",
            "outbox-cancel-order-line-request.json: orders.u ",
            "outbox-create-order-request.json: orders.u ",
            "outbox-raw-table-row.record.json: outboxevent.c 24064704",
            "outbox-routed-order-expanded.record.json: order 2026-01-02T03:04:05Z",
        ],
    );
}
