//! Values as independent serializers write them (`tests/fixtures/make.py`), and values that nobody should write (`harm`).

mod harm;
mod messages;
mod tree;

use std::borrow::Cow;
use std::io::Write as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ingest_model::outcome::Rejection;
use ingest_model::record::{Header, Offset, Position, Record, TopicPartition};
use serde_json::{Value, json};

use super::*;

const FIXTURES: &str = include_str!("../../tests/fixtures/fixtures.json");

struct One(Found);

impl Schemas for One {
    fn find(&self, _: SchemaId) -> Found {
        self.0.clone()
    }
}

fn record(value: &[u8], headers: &[(&str, &[u8])]) -> Record {
    let header = |(name, value): &(&str, &[u8])| Header {
        name: (*name).to_owned(),
        value: Some(Bytes::copy_from_slice(value)),
    };
    Record {
        position: Position {
            partition: TopicPartition::new("orders", 0),
            offset: Offset(7),
        },
        key: None,
        value: Some(Bytes::copy_from_slice(value)),
        headers: headers.iter().map(header).collect(),
        timestamp_ms: Some(1),
    }
}

fn opened(encoding: &Encoding, record: &Record, schemas: &dyn Schemas) -> Record {
    match encoding.open(record, schemas) {
        Opened::Record(record) => record.into_owned(),
        other @ (Opened::Needs(_) | Opened::Rejected(_)) => panic!("{other:?}"),
    }
}

fn json_of(record: &Record) -> Value {
    serde_json::from_slice(record.value.as_deref().expect("a value")).expect("JSON")
}

fn rejected(encoding: &Encoding, record: &Record, schemas: &dyn Schemas) -> (Rejection, String) {
    match encoding.open(record, schemas) {
        Opened::Rejected(rejected) => (rejected.reason, rejected.detail),
        other @ (Opened::Needs(_) | Opened::Record(_)) => panic!("{other:?}"),
    }
}

fn known(kind: SchemaType, text: &str) -> One {
    let schema = Schema::compile(kind, text, &[]).expect("a schema");
    One(Found::Known(Arc::new(schema)))
}

fn bytes(text: &Value) -> Vec<u8> {
    STANDARD
        .decode(text.as_str().expect("base64"))
        .expect("base64")
}

#[test]
fn what_others_write_is_read() {
    let cases: Vec<Value> = serde_json::from_str(FIXTURES).expect("fixtures");
    assert!(cases.len() > 15, "{}", cases.len());
    for case in cases {
        let name = case["name"].as_str().expect("a name");
        let kind = SchemaType::of_registry(case["type"].as_str().expect("a type")).expect("a type");
        let references = case["references"].as_array().cloned().unwrap_or_default();
        let references: Vec<Source> = references
            .iter()
            .map(|one| Source {
                name: one[0].as_str().expect("a name").to_owned(),
                text: one[1].as_str().expect("a text").to_owned(),
            })
            .collect();
        let text = case["schema"].as_str().expect("a schema");
        let value = bytes(&case["value"]);
        let headers = case["headers"].as_array().cloned().unwrap_or_default();
        let headers: Vec<(String, Vec<u8>)> = headers
            .iter()
            .map(|one| (one[0].as_str().expect("a name").to_owned(), bytes(&one[1])))
            .collect();
        let headers: Vec<(&str, &[u8])> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice()))
            .collect();
        let record = record(&value, &headers);
        let schema = Schema::compile(kind, text, &references);
        let schema = schema.unwrap_or_else(|error| panic!("{name}: {error}"));
        let schemas = One(Found::Known(Arc::new(schema)));
        let source = Source {
            name: "a.avsc".to_owned(),
            text: text.to_owned(),
        };
        let encoding = match (kind, &case["bare"], &case["single"]) {
            (SchemaType::Avro, Value::Bool(true), _) => Encoding::avro(text).expect("a schema"),
            (SchemaType::Protobuf, Value::Bool(true), _) => {
                let message = case["message"].as_str().expect("a name");
                Encoding::protobuf(text, &references, message).expect("a schema")
            }
            (_, _, Value::Bool(true)) => Encoding::single_object(&[source]).expect("a schema"),
            _ => Encoding::registry(),
        };
        let found = match encoding.open(&record, &schemas) {
            Opened::Record(record) => record,
            other @ (Opened::Needs(_) | Opened::Rejected(_)) => panic!("{name}: {other:?}"),
        };
        assert_eq!(json_of(&found), case["expect"], "{name}");
        assert!(found.header("__value_schema_id").is_none(), "{name}");
    }
}

#[test]
fn a_schema_that_is_not_known_is_asked_for() {
    let framed = record(b"\0\0\0\x01\x02x", &[]);
    let found = Encoding::registry().open(&framed, &One(Found::NotYet));
    assert!(
        matches!(found, Opened::Needs(SchemaId::Number(258))),
        "{found:?}"
    );
    let gone = One(Found::Unusable(Arc::from("the registry has none")));
    let (reason, detail) = rejected(&Encoding::registry(), &framed, &gone);
    assert_eq!(reason, Rejection::UnknownSchema);
    assert_eq!(detail, "the value: its schema 258: the registry has none");
    let guid: [u8; 17] = [
        1, 0xa, 0xb, 0xc, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
    ];
    let headed = record(b"x", &[("__value_schema_id", &guid)]);
    let found = Encoding::auto(&[])
        .expect("none")
        .open(&headed, &One(Found::NotYet));
    let Opened::Needs(id) = found else {
        panic!("{found:?}")
    };
    assert_eq!(id.to_string(), "0a0b0c04-0506-0708-090a-0b0c0d0e0f10");
}

#[test]
fn json_is_not_touched() {
    let plain = record(b"{\"a\":1}", &[("content-type", b"application/json")]);
    for encoding in [Encoding::default(), Encoding::auto(&[]).expect("none")] {
        let found = encoding.open(&plain, &NoSchemas);
        assert!(
            matches!(found, Opened::Record(Cow::Borrowed(_))),
            "{found:?}"
        );
    }
    let (reason, detail) = rejected(&Encoding::registry(), &plain, &NoSchemas);
    assert_eq!(reason, Rejection::InvalidEncoding);
    assert!(detail.contains("encoding: auto"), "{detail}");
    for (value, wanted) in [
        (&b"\0\0\0\0\x01\x02"[..], "encoding: registry"),
        (b"\xc3\x01abcdefgh\x02", "encoding: avro-single-object"),
    ] {
        let encoded = record(value, &[]);
        let (reason, detail) = rejected(&Encoding::default(), &encoded, &NoSchemas);
        assert_eq!(reason, Rejection::InvalidEncoding);
        assert!(detail.contains(wanted), "{detail}");
    }
    let gone = Record {
        value: None,
        ..plain
    };
    let found = Encoding::registry().open(&gone, &NoSchemas);
    assert!(
        matches!(found, Opened::Record(Cow::Borrowed(_))),
        "{found:?}"
    );
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).expect("written");
    encoder.finish().expect("written")
}

#[test]
fn what_the_producer_compressed_is_expanded() {
    let content = br#"{"type":"x"}"#;
    let zstd = zstd::stream::encode_all(content.as_slice(), 3).expect("written");
    for (value, compression) in [
        (gzip(content), Compression::Auto),
        (zstd.clone(), Compression::Auto),
        (gzip(content), Compression::Gzip),
        (zstd, Compression::Zstd),
    ] {
        let encoding = Encoding::default().compressed(compression);
        let found = opened(&encoding, &record(&value, &[]), &NoSchemas);
        assert_eq!(json_of(&found), json!({"type": "x"}));
    }
    let (reason, detail) = rejected(
        &Encoding::default().compressed(Compression::Gzip),
        &record(content, &[]),
        &NoSchemas,
    );
    assert_eq!(reason, Rejection::InvalidEncoding);
    assert!(detail.contains("not gzip"), "{detail}");
    let cut = gzip(content);
    let cut = record(&cut[..cut.len() - 5], &[]);
    assert_eq!(
        rejected(&Encoding::default(), &cut, &NoSchemas).0,
        Rejection::InvalidEncoding
    );
}

#[test]
fn an_expansion_has_a_limit_that_is_named() {
    let zeros = vec![b' '; 64 << 20];
    let zstd = zstd::stream::encode_all(zeros.as_slice(), 3).expect("written");
    for (bomb, name) in [(gzip(&zeros), "gzip"), (zstd, "zstd")] {
        assert!(bomb.len() < 1 << 20);
        let (reason, detail) = rejected(&Encoding::default(), &record(&bomb, &[]), &NoSchemas);
        assert_eq!(reason, Rejection::TooLarge);
        let wanted =
            format!("the value: expanded by {name} it has more than the limit of 1048576 bytes");
        assert_eq!(detail, wanted);
    }
}

#[test]
fn what_no_setting_reads_is_named_with_the_way_out() {
    let glue = [&[3, 5][..], &[7; 16], b"data"].concat();
    let plain_glue = [&[3, 0][..], &[7; 16]].concat();
    for (value, name) in [
        (&glue[..], "AWS Glue"),
        (&plain_glue, "AWS Glue"),
        (b"Obj\x01\x04", "container file"),
    ] {
        for encoding in [
            Encoding::default(),
            Encoding::registry(),
            Encoding::auto(&[]).unwrap(),
            Encoding::single_object(&[]).unwrap(),
        ] {
            let (reason, detail) = rejected(&encoding, &record(value, &[]), &NoSchemas);
            assert_eq!(reason, Rejection::InvalidEncoding, "{detail}");
            assert!(
                detail.contains(name) && detail.contains("`encoding: avro`"),
                "{detail}"
            );
        }
    }
    // a text may begin like that
    let text = record(b"Object", &[]);
    assert_eq!(opened(&Encoding::default(), &text, &NoSchemas), text);
}

#[test]
fn a_frame_within_a_compressed_value_is_read() {
    let schemas = known(SchemaType::Avro, "\"long\"");
    let value = gzip(b"\0\0\0\0\x01\x0e");
    let found = opened(&Encoding::registry(), &record(&value, &[]), &schemas);
    assert_eq!(json_of(&found), json!(7));
}

#[test]
fn a_fault_says_where() {
    let schema = r#"{"type":"record","name":"A","fields":[{"name":"b","type":
        {"type":"record","name":"B","fields":[{"name":"c","type":"boolean"}]}}]}"#;
    let schemas = known(SchemaType::Avro, schema);
    let framed = record(b"\0\0\0\0\x05\x02", &[]);
    let (_, detail) = rejected(&Encoding::registry(), &framed, &schemas);
    assert_eq!(
        detail,
        "the value: by its schema 5, `b.c`: a boolean is neither 0 nor 1"
    );
}

#[test]
fn keys_have_ids_too() {
    let schemas = known(SchemaType::Avro, "\"string\"");
    let mut one = record(b"\0\0\0\0\x01\x02a", &[]);
    for (key, wanted) in [
        (&b"\0\0\0\0\x01\x04id"[..], &b"id"[..]),
        (b"plain", b"plain"),
    ] {
        one.key = Some(Bytes::copy_from_slice(key));
        let encoding = Encoding::registry().with_keys(true);
        let found = opened(&encoding, &one, &schemas);
        assert_eq!(found.key.as_deref(), Some(wanted));
        let found = opened(&Encoding::registry(), &one, &schemas);
        assert_eq!(found.key.as_deref(), Some(key), "left as it is");
    }
}

#[test]
fn the_content_type_says_json_afterwards() {
    let schemas = known(SchemaType::Avro, "\"long\"");
    let binary = record(
        b"\0\0\0\0\x01\x0e",
        &[("Content-Type", b"application/avro")],
    );
    let found = opened(&Encoding::registry(), &binary, &schemas);
    assert_eq!(
        found.header("Content-Type").map(AsRef::as_ref),
        Some(&b"application/json"[..])
    );
}

#[test]
fn faults_of_schemas_are_named() {
    for (kind, text, wanted) in [
        (SchemaType::Avro, "{", "it is not JSON"),
        (
            SchemaType::Avro,
            r#"{"type":"record","name":"A"}"#,
            "`fields`",
        ),
        (
            SchemaType::Avro,
            r#""Money""#,
            "the type Money is not defined",
        ),
        (SchemaType::Avro, "[]", "no branch"),
        (SchemaType::Protobuf, "message {", "not a .proto file"),
        (
            SchemaType::Protobuf,
            "syntax = \"proto3\"; import \"gone.proto\";",
            "gone.proto",
        ),
        (SchemaType::Protobuf, "syntax = \"proto3\";", "no message"),
    ] {
        let found = Schema::compile(kind, text, &[]).expect_err(text);
        assert!(found.0.contains(wanted), "{text}: {found}");
    }
    let other = Encoding::protobuf("syntax = \"proto3\"; message A {}", &[], "B");
    let other = other.expect_err("no such message");
    assert_eq!(other.0, "it has no message B; it has A");
}

#[test]
fn the_fingerprints_of_the_specification() {
    // from the test cases of Avro itself
    for (schema, wanted) in [
        ("\"null\"", 7_195_948_357_588_979_594_u64),
        ("\"boolean\"", 11_476_012_395_585_140_580),
        ("\"int\"", 8_247_732_601_305_521_295),
    ] {
        let value = [&[0xc3, 0x01][..], &wanted.to_le_bytes()].concat();
        let source = Source {
            name: "a".to_owned(),
            text: schema.to_owned(),
        };
        let encoding = Encoding::single_object(&[source]).expect("a schema");
        let (reason, detail) = match encoding.open(&record(&value, &[]), &NoSchemas) {
            Opened::Rejected(rejected) => (rejected.reason, rejected.detail),
            Opened::Record(_) | Opened::Needs(_) => continue,
        };
        assert_ne!(reason, Rejection::UnknownSchema, "{schema}: {detail}");
    }
}
