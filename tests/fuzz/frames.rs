//! What has to hold for any value in any encoding. `targets/framing.rs` calls it with what it makes up, and a test of the
//! encodings with the inputs that are kept in `corpus/framing`.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use ingest_encoding::{
    Compression, Encoding, Found, Opened, Schema, SchemaId, SchemaType, Schemas, Source,
};
use ingest_model::record::{Header, Offset, Position, Record, TopicPartition};
use serde_json::Value;

/// What independent serializers wrote, with their schemas.
const FIXTURES: &str = include_str!("../../pipeline/encoding/tests/fixtures/fixtures.json");
/// The most bytes of JSON that a value becomes.
const LIMIT: usize = 1024 * 1024;

/// A way to read values: an encoding, and what a registry would say.
struct Way {
    encoding: Encoding,
    registry: One,
}

/// One schema for every id, or none.
struct One(Option<Arc<Schema>>);

impl Schemas for One {
    fn find(&self, _: SchemaId) -> Found {
        match &self.0 {
            Some(schema) => Found::Known(Arc::clone(schema)),
            None => Found::NotYet,
        }
    }
}

static WAYS: LazyLock<Vec<Way>> = LazyLock::new(|| {
    let fixtures: Vec<Value> = serde_json::from_str(FIXTURES).unwrap_or_default();
    assert!(!fixtures.is_empty(), "the fixtures");
    let mut ways = Vec::new();
    let plain = Way {
        encoding: Encoding::default(),
        registry: One(None),
    };
    ways.push(plain);
    for case in &fixtures {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let source = text(&case["schema"]);
        let of = |pair: &Value| Source {
            name: text(&pair[0]),
            text: text(&pair[1]),
        };
        let references = case["references"].as_array().into_iter().flatten();
        let references: Vec<Source> = references.map(of).collect();
        let (bare, single) = (case["bare"] == true, case["single"] == true);
        let named = [Source {
            name: "fuzz".to_owned(),
            text: source.clone(),
        }];
        let kind = SchemaType::of_registry(&text(&case["type"]));
        let encoding = match (kind, bare, single) {
            (Some(SchemaType::Avro), true, _) => Encoding::avro(&source).ok(),
            (Some(SchemaType::Protobuf), true, _) => {
                Encoding::protobuf(&source, &references, &text(&case["message"])).ok()
            }
            (Some(SchemaType::Avro), _, true) => Encoding::single_object(&named).ok(),
            _ => Some(Encoding::registry().with_keys(true)),
        };
        let schema = kind.and_then(|kind| Schema::compile(kind, &source, &references).ok());
        let Some(encoding) = encoding else {
            panic!("{}: no encoding", case["name"]);
        };
        ways.push(Way {
            encoding: encoding.compressed(Compression::Auto),
            registry: One(schema.map(Arc::new)),
        });
    }
    ways
});

/// Takes the first byte off, which says how the rest is read: by one of the fixtures' schemas, with the id in front or in a
/// header, or as the text of a schema.
pub(crate) fn framing(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else {
        return;
    };
    let kinds = [SchemaType::Avro, SchemaType::Json, SchemaType::Protobuf];
    if let Some(kind) = kinds.get(usize::from(255 - first)) {
        if let Ok(text) = std::str::from_utf8(rest)
            && let Err(fault) = Schema::compile(*kind, text, &[])
        {
            assert!(!fault.to_string().is_empty(), "a fault without words");
        }
        return;
    }
    let in_header = *first >= 128;
    let Some(way) = WAYS.get(usize::from(*first % 128) % WAYS.len()) else {
        return;
    };
    let record = record(rest, in_header);
    let (again, opened) = (
        way.encoding.open(&record, &way.registry),
        way.encoding.open(&record, &way.registry),
    );
    assert_eq!(format!("{again:?}"), format!("{opened:?}"), "twice");
    match opened {
        Opened::Record(opened) => {
            let json = opened.value.as_deref().unwrap_or_default();
            // A text that the producer wrote is for the decoders to read.
            let schema = way.registry.0.as_deref();
            let written = schema.is_none_or(|schema| schema.kind() == SchemaType::Json);
            let same = written || opened.value == record.value;
            assert!(
                same || serde_json::from_slice::<serde::de::IgnoredAny>(json).is_ok(),
                "no JSON: {json:?}"
            );
            assert!(same || json.len() <= LIMIT, "{} bytes", json.len());
        }
        Opened::Needs(_) => assert!(way.registry.0.is_none(), "a schema that is known"),
        Opened::Rejected(rejected) => assert!(!rejected.detail.is_empty(), "{rejected:?}"),
    }
}

/// With the header, the first byte is the length of the id of the schema, which follows.
fn record(rest: &[u8], in_header: bool) -> Record {
    let parts = rest.split_first().filter(|_| in_header);
    let parts = parts.and_then(|(length, rest)| rest.split_at_checked(usize::from(*length)));
    let (id, value) = match parts {
        Some((id, value)) => (Some(id), value),
        None => (None, rest),
    };
    let header = |id: &[u8]| Header {
        name: "__value_schema_id".to_owned(),
        value: Some(Bytes::copy_from_slice(id)),
    };
    Record {
        position: Position {
            partition: TopicPartition::new("shop.orders", 0),
            offset: Offset(7),
        },
        key: Some(Bytes::copy_from_slice(value)),
        value: Some(Bytes::copy_from_slice(value)),
        headers: id.map(header).into_iter().collect(),
        timestamp_ms: None,
    }
}
