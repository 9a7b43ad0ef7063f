//! What opening one value takes of memory, and what a schema takes that is kept, counted by the allocator.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use ingest_encoding::{Encoding, NoSchemas, Opened, Schema, SchemaType};
use ingest_model::outcome::Rejection;
use ingest_model::record::{Offset, Position, Record, TopicPartition};
use peak_alloc::PeakAlloc;

/// The tests, one at a time: they count the same memory.
static COUNTING: Mutex<()> = Mutex::new(());

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
    let _alone = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
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

/// The cache of schemas is bounded by what they say that they weigh: never less than they take.
#[test]
fn schemas_weigh_what_they_take() {
    let _alone = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let fields = |line: &dyn Fn(usize) -> String, count: usize, between: &str| {
        let lines: Vec<String> = (1..=count).map(line).collect();
        lines.join(between)
    };
    let avro = |count, line: &dyn Fn(usize) -> String| {
        let fields = fields(line, count, ",");
        format!(r#"{{"type":"record","name":"A","fields":[{fields}]}}"#)
    };
    let proto = |count, line: &dyn Fn(usize) -> String| {
        let fields = fields(line, count, " ");
        format!(r#"syntax = "proto3"; message A {{ {fields} }}"#)
    };
    let int = |n| format!(r#"{{"name":"f{n}","type":"int"}}"#);
    let record =
        |n| format!(r#"{{"name":"f{n}","type":{{"type":"record","name":"R{n}","fields":[]}}}}"#);
    let choice = |n| format!(r#"{{"name":"f{n}","type":["null","string","int"]}}"#);
    let symbols = |n| {
        format!(r#"{{"name":"f{n}","type":{{"type":"enum","name":"E{n}","symbols":["A","B"]}}}}"#)
    };
    let plain = |n| format!("int32 f{n} = {n};");
    let inner = |n| format!("message M{n} {{}} M{n} f{n} = {n};");
    let maps = |n| format!("map<int32,int32> f{n} = {n};");
    let optional = |n| format!("optional int32 f{n} = {n};");
    let enums = |n| format!("enum E{n} {{ Z{n} = 0; }} E{n} f{n} = {n};");
    let long = |n| {
        let name = "n".repeat(400);
        format!(
            "message M{name}{n} {{ enum E{name}{n} {{ Z{name}{n} = 0; }} }} M{name}{n} f{name}{n} = {n};"
        )
    };
    let well_known = "import \"google/protobuf/timestamp.proto\"; import \"google/protobuf/struct.proto\"; import \"google/protobuf/any.proto\"; import \"google/type/date.proto\"; import \"confluent/meta.proto\";";
    for (name, kind, text) in [
        ("a number", SchemaType::Avro, r#""int""#.to_owned()),
        ("few fields", SchemaType::Avro, avro(10, &int)),
        ("fields", SchemaType::Avro, avro(5_000, &int)),
        ("records", SchemaType::Avro, avro(5_000, &record)),
        ("unions", SchemaType::Avro, avro(5_000, &choice)),
        ("enums", SchemaType::Avro, avro(5_000, &symbols)),
        ("few fields", SchemaType::Protobuf, proto(10, &plain)),
        ("fields", SchemaType::Protobuf, proto(5_000, &plain)),
        ("messages", SchemaType::Protobuf, proto(5_000, &inner)),
        ("maps", SchemaType::Protobuf, proto(5_000, &maps)),
        (
            "optional fields",
            SchemaType::Protobuf,
            proto(5_000, &optional),
        ),
        ("enums", SchemaType::Protobuf, proto(5_000, &enums)),
        (
            "known types",
            SchemaType::Protobuf,
            format!("{} {well_known}", proto(10, &plain)),
        ),
        ("long names", SchemaType::Protobuf, proto(500, &long)),
        ("JSON", SchemaType::Json, "{}".repeat(10_000)),
    ] {
        let measured = || {
            let before = ALLOCATOR.current_usage();
            let schema = Schema::compile(kind, &text, &[]).expect(name);
            let takes = ALLOCATOR.current_usage().saturating_sub(before);
            (takes, schema.weight())
        };
        // what runs the tests allocates, too, now and then
        let least = (0..3).map(|_| measured()).min();
        let (takes, weight) = least.unwrap_or_default();
        // what the cache adds for each entry
        let (weighs, bytes) = (weight + 256, text.len());
        assert!(
            takes <= weighs,
            "{name} in {kind:?}: {bytes} bytes of text take {takes}, said to be {weighs}"
        );
    }
}
