//! Records of each format, and the events that they give.

mod auto;
mod cloudevents;
mod connect;
mod debezium;
mod generic;
mod rows;

use bytes::Bytes;

use super::super::{Decoded, Decoder, Format, Limits};
use crate::event::Event;
use ingest_model::outcome::{Rejected, Rejection, SkipReason};
use ingest_model::record::{Header, Offset, Position, Record, TopicPartition};

/// The record's own time: 2026-01-02T03:04:05Z.
const WRITTEN_MS: i64 = 1_767_323_045_000;

fn record(value: impl Into<Vec<u8>>, headers: &[(&str, Option<&[u8]>)]) -> Record {
    let header = |(name, value): &(&str, Option<&[u8]>)| Header {
        name: (*name).to_owned(),
        value: value.map(Bytes::copy_from_slice),
    };
    Record {
        position: Position {
            partition: TopicPartition::new("shop.public.orders", 3),
            offset: Offset(7),
        },
        key: None,
        value: Some(Bytes::from(value.into())),
        headers: headers.iter().map(header).collect(),
        timestamp_ms: Some(WRITTEN_MS),
    }
}

fn decode(format: Format, record: &Record) -> Result<Event<'_>, Decoded> {
    Decoder::new(format, Limits::default()).decode(record)
}

fn rejected(format: Format, record: &Record) -> Rejected {
    match decode(format, record) {
        Err(Decoded::Reject(rejected)) => rejected,
        other => panic!("not rejected: {other:?}"),
    }
}

/// The reason and the detail.
fn refusal(format: Format, record: &Record) -> (Rejection, String) {
    let Rejected { reason, detail, .. } = rejected(format, record);
    (reason, detail)
}

fn attribute(event: &Event<'_>, name: &str) -> Option<String> {
    let value = event.more.as_ref()?.attributes.get(name)?;
    Some(
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned),
    )
}

/// Whatever a format says of the values that no JSON object is, it says that and never panics; and what it sees at a glance
/// is what it decodes.
#[test]
fn what_every_format_survives() {
    let deep = format!(
        "{{\"type\":\"x\",\"data\":{}1{}}}",
        "[".repeat(200),
        "]".repeat(200)
    );
    let long = "é\u{1f69a}".repeat(200);
    let long = format!(
        "{{\"type\":\"{long}\",\"id\":1,\"data\":{{\"\":0,\"a b\":1,\"$x.y\":2,\"7\":3}}}}"
    );
    let values: [&[u8]; 12] = [
        b"",
        b"null",
        b"{",
        b"{\"type\":\"\xff\"}",
        b"{\"type\":1e400}",
        b"[{}]",
        b"\"\"",
        b"{}",
        b"{\"type\":null,\"id\":18446744073709551616}",
        b"{\"schema\":null,\"payload\":null}",
        deep.as_bytes(),
        long.as_bytes(),
    ];
    for format in Format::KNOWN {
        let decoder = Decoder::new(*format, Limits::default());
        for value in values {
            for headers in [
                &[][..],
                &[("a", None), ("a", Some(&b"\xff"[..])), ("", Some(b""))],
                &[
                    ("content-type", None),
                    ("ce_type", None),
                    ("CE_", Some(b"x")),
                ],
                &[("id", Some(b"\xff")), ("x-y", Some(b"")), ("x-y", None)],
            ] {
                let record = record(value, headers);
                let decoded = decoder.decode(&record);
                if let (Some(seen), Ok(event)) = (decoder.glance(&record, None), &decoded) {
                    assert_eq!(seen.name, event.name, "{format}");
                    assert_eq!(seen.kind, event.kind, "{format}");
                }
            }
        }
        let nothing = Record {
            value: None,
            ..record("", &[])
        };
        let tombstone = Err(Decoded::Skip(SkipReason::Tombstone));
        assert_eq!(decoder.decode(&nothing), tombstone, "{format}");
    }
}
