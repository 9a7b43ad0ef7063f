//! What opening one value takes of memory, counted by the allocator: a few times its size, however it is made.

use bytes::Bytes;
use ingest_encoding::{Encoding, NoSchemas, Opened};
use ingest_model::outcome::Rejection;
use ingest_model::record::{Offset, Position, Record, TopicPartition};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// The most that one value may take besides itself: sixteen times the largest.
const MOST: usize = 16 << 20;
/// As large as a value may be.
const LARGEST: usize = 1 << 20;

const SCHEMA: &str = r#"
syntax = "proto3";
message Tiny { optional int32 a = 1; }
message Value {
  repeated Tiny tiny = 1; repeated int32 numbers = 2; map<string, string> names = 3; map<int32, Tiny> counts = 4; Tiny one = 5;
  oneof either { Tiny left = 6; Tiny right = 7; } Value inner = 8; repeated string texts = 9; map<int32, string> filled = 10;
}
"#;

fn repeated(piece: &[u8]) -> Vec<u8> {
    piece.repeat(LARGEST / piece.len())
}

#[test]
fn a_value_of_tiny_fields_takes_little() {
    let encoding = Encoding::protobuf(SCHEMA, &[], "Value").expect("a schema");
    let within = |content: &[u8]| {
        let length = u32::try_from(content.len()).expect("small");
        let [a, b, c] = [0, 7, 14].map(|by| u8::try_from(length >> by & 0x7f).expect("a byte"));
        [&[0x42, a | 0x80, b | 0x80, c], content].concat()
    };
    let tiny = repeated(&[0x0a, 0]);
    let fewer = [0x0a, 0].repeat(LARGEST / 2 - 10);
    let packed = [&[0x12, 0xfb, 0xff, 0x3f][..], &vec![1; LARGEST - 5]].concat();
    let mut keys = Vec::new();
    let mut number = 0_u32;
    while keys.len() + 8 <= LARGEST {
        let [a, b, c] = [0, 7, 14].map(|by| u8::try_from(number >> by & 0x7f).expect("a byte"));
        keys.extend([0x22, 4, 0x08, a | 0x80, b | 0x80, c]);
        number += 1;
    }
    for (name, value) in [
        ("empty messages", tiny),
        ("small messages", repeated(&[0x0a, 2, 0x08, 1])),
        ("packed numbers", packed),
        ("numbers one by one", repeated(&[0x10, 1])),
        ("entries of one key", repeated(&[0x1a, 0])),
        ("entries of many keys", keys),
        ("one field again and again", repeated(&[0x2a, 2, 0x08, 1])),
        ("a choice that changes", repeated(&[0x32, 0, 0x3a, 0])),
        ("messages in a message", within(&within(&fewer))),
        ("empty texts", repeated(&[0x4a, 0])),
        ("unknown fields", repeated(&[0xa0, 0x06, 0])),
    ] {
        assert!(value.len() <= LARGEST, "{name}: {}", value.len());
        let record = Record {
            position: Position {
                partition: TopicPartition::new("orders", 0),
                offset: Offset(0),
            },
            key: None,
            value: Some(Bytes::from(value)),
            headers: Vec::new(),
            timestamp_ms: None,
        };
        ALLOCATOR.reset_peak_usage();
        let before = ALLOCATOR.current_usage();
        let opened = encoding.open(&record, &NoSchemas);
        let took = ALLOCATOR.peak_usage().saturating_sub(before);
        match opened {
            Opened::Record(_) => {}
            Opened::Rejected(rejected) if rejected.reason == Rejection::TooLarge => {}
            other @ (Opened::Needs(_) | Opened::Rejected(_)) => panic!("{name}: {other:?}"),
        }
        assert!(took <= MOST, "{name}: {} KiB", took / 1024);
    }
}
