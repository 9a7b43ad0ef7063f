//! Schemas of Avro that others wrote, where `INGEST_SAMPLES` says where they are: each can be used. They have properties of other programs'
//! (`arg.properties`), which say nothing about values.

#![expect(clippy::expect_used, reason = "the helpers of tests fail like tests")]

use std::fs;
use std::path::Path;

use bytes::Bytes;
use ingest_encoding::{Encoding, NoSchemas, Opened};
use ingest_model::outcome::Rejection;
use ingest_model::record::{Offset, Position, Record, TopicPartition};

#[expect(
    clippy::disallowed_methods,
    reason = "the place of the samples is no configuration of the worker"
)]
#[expect(
    clippy::print_stderr,
    reason = "a test that cannot run says so where people look"
)]
fn schemas() -> Vec<(String, String)> {
    let Ok(root) = std::env::var("INGEST_SAMPLES") else {
        eprintln!("NOT RUN: the samples of avro-schemas, because INGEST_SAMPLES is not set");
        return Vec::new();
    };
    let entries = fs::read_dir(Path::new(&root).join("avro-schemas")).expect("a folder of samples");
    let files = entries.map(|entry| entry.expect("an entry").path());
    let files = files.filter(|path| path.extension().is_some_and(|found| found == "avsc"));
    let found: Vec<_> = files
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a schema");
            (path.display().to_string(), text)
        })
        .collect();
    assert!(!found.is_empty(), "there are no samples");
    found
}

#[test]
fn collected_schemas_can_be_used() {
    for (file, text) in schemas() {
        let encoding = Encoding::avro(&text);
        let encoding = encoding.unwrap_or_else(|why| panic!("{file}: {why}"));
        // a value that ends at once is named as such
        let record = Record {
            position: Position {
                partition: TopicPartition::new("orders", 0),
                offset: Offset(0),
            },
            key: None,
            value: Some(Bytes::new()),
            headers: Vec::new(),
            timestamp_ms: None,
        };
        match encoding.open(&record, &NoSchemas) {
            Opened::Rejected(rejected) => {
                assert_eq!(rejected.reason, Rejection::InvalidEncoding, "{file}");
            }
            other @ (Opened::Record(_) | Opened::Needs(_)) => panic!("{file}: {other:?}"),
        }
    }
}
