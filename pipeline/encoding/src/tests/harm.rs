//! Values and schemas that nobody should write: whatever they are, nothing panics, and everything ends.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use ingest_model::outcome::Rejection;
use proptest::prelude::*;
use serde_json::Value;

use super::{FIXTURES, One, bytes, json_of, record, rejected};
use crate::{Encoding, Found, NoSchemas, Opened, Schema, SchemaType, Source};

#[test]
fn counts_and_depths_that_no_value_has_end() {
    // a list of 2^62 nothings, a list of so many empty records, and a record within itself for ever
    let huge = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0];
    for (schema, value, wanted) in [
        (
            r#"{"type":"array","items":"null"}"#,
            &huge[..],
            Rejection::TooLarge,
        ),
        (
            r#"{"type":"map","values":"null"}"#,
            &huge[..],
            Rejection::InvalidEncoding,
        ),
        (
            r#"{"type":"array","items":{"type":"record","name":"E","fields":[]}}"#,
            &huge[..],
            Rejection::TooLarge,
        ),
        (
            r#"{"type":"record","name":"A","fields":[{"name":"a","type":"A"}]}"#,
            &[],
            Rejection::TooDeep,
        ),
        (r#""string""#, &huge[..], Rejection::InvalidEncoding),
        (r#""bytes""#, &[0x01], Rejection::InvalidEncoding),
        (r#""string""#, &[0x02, 0xff], Rejection::InvalidUtf8),
        (r#""int""#, &huge[..9], Rejection::InvalidEncoding),
        (r#"["null"]"#, &[0x04], Rejection::InvalidEncoding),
        (r#""boolean""#, &[2], Rejection::InvalidEncoding),
        (r#""long""#, &[0x80], Rejection::InvalidEncoding),
        (r#""long""#, &[0, 0], Rejection::InvalidEncoding),
    ] {
        let encoding = Encoding::avro(schema).expect(schema);
        let (reason, detail) = rejected(&encoding, &record(value, &[]), &NoSchemas);
        assert_eq!(reason, wanted, "{schema}: {detail}");
    }
}

#[test]
fn schemas_that_nest_for_ever_are_refused() {
    let deep = |open: &str, close: &str| {
        let (open, close) = (open.repeat(30_000), close.repeat(30_000));
        format!("syntax = \"proto3\"; message A {{}} {open}{close}")
    };
    for text in [
        deep("message M {", "}"),
        // what closes in a text or a comment closes nothing
        deep("message M { option a = \"}\\\"}\";", "}"),
        deep("message M { option a = '}';", "}"),
        deep("message M { // }\n", "}"),
        deep("message M { /* \" } */", "}"),
        format!(
            "{} option (x) = {}",
            "syntax = \"proto3\"; message A {}",
            "{ a: ".repeat(30_000)
        ),
        format!(
            "{} option (x) = {}",
            "syntax = \"proto3\"; message A {}",
            "{ a: [".repeat(30_000)
        ),
        format!(
            "{} option (x) = {}",
            "syntax = \"proto3\"; message A {}",
            "{ a <".repeat(30_000)
        ),
    ] {
        let found = Schema::compile(SchemaType::Protobuf, &text, &[]);
        assert!(found.is_err());
    }
    for text in [
        r#"{"type":"array","items":"#.repeat(30_000),
        r#"{"type":{"typ":"bytes"}}"#.to_owned(),
        "[".repeat(30_000),
    ] {
        let found = Schema::compile(SchemaType::Avro, &text, &[]);
        assert!(found.is_err());
    }
}

/// Every schema of the fixtures, ready to be used.
fn all_schemas() -> Vec<Arc<Schema>> {
    let cases: Vec<Value> = serde_json::from_str(FIXTURES).expect("fixtures");
    let mut all: HashMap<String, Arc<Schema>> = HashMap::new();
    for case in cases {
        let kind = SchemaType::of_registry(case["type"].as_str().unwrap_or_default());
        let references = case["references"].as_array().cloned().unwrap_or_default();
        let references: Vec<Source> = references
            .iter()
            .map(|one| Source {
                name: one[0].as_str().unwrap_or_default().to_owned(),
                text: one[1].as_str().unwrap_or_default().to_owned(),
            })
            .collect();
        let text = case["schema"].as_str().unwrap_or_default();
        let schema = Schema::compile(kind.expect("a type"), text, &references);
        all.insert(text.to_owned(), Arc::new(schema.expect("a schema")));
    }
    all.into_values().collect()
}

proptest! {
    /// Whatever the bytes are: no panic, and what comes out is JSON.
    #[test]
    fn no_bytes_do_harm(noise in proptest::collection::vec(any::<u8>(), 0..300), framed: bool) {
        thread_local! { static ALL: Vec<Arc<Schema>> = all_schemas(); }
        let start: &[u8] = if framed { &[0, 0, 0, 0, 1] } else { &[] };
        let record = record(&[start, &noise].concat(), &[]);
        ALL.with(|all| {
            for schema in all {
                let schemas = One(Found::Known(Arc::clone(schema)));
                if let Opened::Record(Cow::Owned(found)) = Encoding::registry().open(&record, &schemas)
                    && schema.kind() != SchemaType::Json {
                    json_of(&found);
                }
            }
        });
        drop(Encoding::auto(&[]).expect("none").open(&record, &NoSchemas));
    }

    /// A value with a few bytes changed: the same.
    #[test]
    fn no_damage_does_harm(at in any::<prop::sample::Index>(), byte: u8, which in any::<prop::sample::Index>()) {
        thread_local! {
            static ALL: (Vec<Arc<Schema>>, Vec<Vec<u8>>) = {
                let cases: Vec<Value> = serde_json::from_str(FIXTURES).expect("fixtures");
                (all_schemas(), cases.iter().map(|case| bytes(&case["value"])).collect())
            };
        }
        ALL.with(|(all, values)| {
            let mut value = values[which.index(values.len())].clone();
            let at = at.index(value.len());
            value[at] = byte;
            for schema in all {
                let schemas = One(Found::Known(Arc::clone(schema)));
                if let Opened::Record(Cow::Owned(found)) = Encoding::registry().open(&record(&value, &[]), &schemas)
                    && schema.kind() != SchemaType::Json {
                    json_of(&found);
                }
            }
        });
    }

    /// A schema with a piece that is cut out, doubled or replaced: an error, or a schema that reads what it can.
    #[test]
    fn no_schema_does_harm(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        length in 0_usize..40,
        put in "[ -~]{0,6}",
        twice: bool,
        value in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        thread_local! { static CASES: Vec<Value> = serde_json::from_str(FIXTURES).expect("fixtures"); }
        let (kind, text) = CASES.with(|cases| {
            let case = &cases[which.index(cases.len())];
            let kind = SchemaType::of_registry(case["type"].as_str().unwrap_or_default());
            (kind.expect("a type"), case["schema"].as_str().unwrap_or_default().to_owned())
        });
        let from = text.floor_char_boundary(at.index(text.len().max(1)));
        let to = text.floor_char_boundary((from + length).min(text.len()));
        let (before, _) = text.split_at(from);
        let (upto, after) = text.split_at(to);
        let piece = if twice { upto.split_at(from).1 } else { "" };
        let text = format!("{before}{piece}{put}{piece}{after}");
        if let Ok(schema) = Schema::compile(kind, &text, &[]) {
            let schemas = One(Found::Known(Arc::new(schema)));
            let framed = record(&[&[0, 0, 0, 0, 1][..], &value].concat(), &[]);
            drop(Encoding::registry().open(&framed, &schemas));
        }
    }
}
