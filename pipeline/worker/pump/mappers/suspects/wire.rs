//! A record on its way to the child: one JSON object per line, bytes as base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ingest_model::record::{Header, Offset, Position, Record, TopicPartition};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Line {
    topic: String,
    partition: i32,
    offset: i64,
    timestamp: Option<i64>,
    key: Option<String>,
    value: Option<String>,
    headers: Vec<(String, Option<String>)>,
}

/// A record as a line, including the line break.
pub(super) fn line_of(record: &Record) -> serde_json::Result<Vec<u8>> {
    let encoded = |bytes: &Option<Bytes>| bytes.as_ref().map(|bytes| STANDARD.encode(bytes));
    let line = Line {
        topic: record.position.partition.topic.as_str().to_owned(),
        partition: record.position.partition.partition.0,
        offset: record.position.offset.0,
        timestamp: record.timestamp_ms,
        key: encoded(&record.key),
        value: encoded(&record.value),
        headers: record
            .headers
            .iter()
            .map(|header| (header.name.clone(), encoded(&header.value)))
            .collect(),
    };
    let mut text = serde_json::to_vec(&line)?;
    text.push(b'\n');
    Ok(text)
}

/// The record in a line.
pub(super) fn record_of(line: &str) -> anyhow::Result<Record> {
    let line: Line = serde_json::from_str(line)?;
    let decoded = |text: Option<String>| {
        text.map(|text| STANDARD.decode(text).map(Bytes::from))
            .transpose()
    };
    let mut headers = Vec::with_capacity(line.headers.len());
    for (name, value) in line.headers {
        headers.push(Header {
            name,
            value: decoded(value)?,
        });
    }
    Ok(Record {
        position: Position {
            partition: TopicPartition::new(&line.topic, line.partition),
            offset: Offset(line.offset),
        },
        key: decoded(line.key)?,
        value: decoded(line.value)?,
        headers,
        timestamp_ms: line.timestamp,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_arrives_as_it_left() {
        let record = Record {
            position: Position {
                partition: TopicPartition::new("shop.events", 7),
                offset: Offset(1 << 40),
            },
            key: Some(Bytes::from_static(&[0xff, 0, b'\n'])),
            value: None,
            headers: vec![
                Header {
                    name: "trace".to_owned(),
                    value: Some(Bytes::from_static(b"\x80")),
                },
                Header {
                    name: "empty".to_owned(),
                    value: None,
                },
            ],
            timestamp_ms: Some(-1),
        };
        let line = line_of(&record).expect("a line");
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        let line = std::str::from_utf8(&line).expect("text");
        assert_eq!(record_of(line.trim_end()).expect("a record"), record);
    }
}
