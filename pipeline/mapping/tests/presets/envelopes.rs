//! The JSON Schema of each format's records, against what the decoder makes of every example below `schemas/events`.
//!
//! A schema is for people and for other programs, who cannot ask the decoder. So it has to say the same: what it accepts is an
//! event, or is skipped with a reason; what it refuses is rejected.

use std::fs;
use std::path::Path;

use ingest_mapping::decode::{Decoded, Decoder, Format, Limits, json as reader};
use jsonschema::{Retrieve, Uri, Validator};
use serde_json::{Value, json};

use super::support::{files, record, schemas, stem};

/// Examples that a schema takes and the decoder does not, and why: it would have to read what is in a text.
const BEYOND: &[(&str, &str)] = &[
    ("cloudevents", "base64-of-no-json"),
    // what the schema within the record says of its columns
    ("debezium", "decimal-is-no-base64"),
    ("debezium", "decimal-without-scale"),
];

/// The fields of wrappers whose content may be a text of JSON.
const TEXTS: &[&str] = &["body", "payload", "detail"];

/// The schemas that others refer to by the names of their files.
struct Beside;

impl Retrieve for Beside {
    fn retrieve(
        &self,
        uri: &Uri<String>,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let name = uri.path().as_str().rsplit('/').next().unwrap_or_default();
        Ok(serde_json::from_str(&fs::read_to_string(
            schemas().join("envelopes").join(name),
        )?)?)
    }
}

fn validator(format: Format) -> Validator {
    let file = schemas()
        .join("envelopes")
        .join(format!("{format}.schema.json"));
    let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let schema = serde_json::from_str(&text).unwrap();
    let options = jsonschema::options()
        .with_base_uri("json-schema:///envelopes/")
        .with_retriever(Beside);
    options.build(&schema).unwrap()
}

/// The value of an example as a schema sees it: what is JSON within a text is read. `None` if it is no JSON.
fn seen(bytes: &[u8]) -> Option<Value> {
    let read = |bytes: &[u8]| {
        let value = reader::parse(bytes, Limits::default()).ok()?;
        serde_json::from_str::<Value>(&value.to_string()).ok()
    };
    let mut value = read(bytes)?;
    let within = |fields: &mut serde_json::Map<String, Value>| {
        for (_, inner) in fields
            .iter_mut()
            .filter(|(name, _)| TEXTS.contains(&name.as_str()))
        {
            if let Some(content) = inner.as_str().and_then(|text| read(text.as_bytes())) {
                *inner = content;
            }
        }
    };
    if let Value::Object(fields) = &mut value {
        within(fields);
        if let Some(Value::Object(detail)) = fields.get_mut("detail") {
            within(detail);
        }
    }
    Some(value)
}

/// The examples of a format.
fn examples(format: Format) -> Vec<std::path::PathBuf> {
    let folder = schemas().join("events").join(format.as_str());
    let of = |kind: &str| match folder.join(kind) {
        folder if folder.is_dir() => files(&folder, "json"),
        _ => Vec::new(),
    };
    [of("valid"), of("invalid")].concat()
}

/// What a schema and the decoder say differently of an example.
fn fault(format: Format, validator: &Validator, example: &Path) -> Option<String> {
    let bytes = fs::read(example).unwrap();
    let refusal = match seen(&bytes) {
        None => Some("no JSON".to_owned()),
        Some(value) => validator.validate(&value).err().map(|why| {
            let at = why.instance_path().to_string();
            format!("{at}: {why}").chars().take(200).collect()
        }),
    };
    let record = record(bytes, &[]);
    let rejected = match Decoder::new(format, Limits::default()).decode(&record) {
        Ok(_) | Err(Decoded::Skip(_)) => None,
        Err(Decoded::Reject(rejected)) => Some(rejected.detail),
    };
    let known = BEYOND.contains(&(format.as_str(), &stem(example)));
    let agree = refusal.is_some() == rejected.is_some();
    let name = example.display();
    (agree == known)
        .then(|| format!("{name}: the schema says {refusal:?}, the decoder {rejected:?}"))
}

#[test]
fn the_schema_of_each_format_says_what_its_decoder_says() {
    let mut faults = Vec::new();
    for format in Format::KNOWN {
        let validator = validator(*format);
        let examples = examples(*format);
        // plain objects have no envelope, and what mixes formats has those of the others
        assert!(
            matches!(format, Format::Json | Format::Auto) || examples.len() >= 8,
            "{format} has too few examples"
        );
        faults.extend(
            examples
                .iter()
                .filter_map(|example| fault(*format, &validator, example)),
        );
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_topic_that_mixes_formats_takes_what_its_decoder_takes() {
    let auto = validator(Format::Auto);
    let decoder = Decoder::new(Format::Auto, Limits::default());
    let mut taken = 0;
    for example in Format::KNOWN.iter().flat_map(|format| examples(*format)) {
        let bytes = fs::read(&example).unwrap();
        let record = record(bytes.clone(), &[]);
        if decoder.decode(&record).is_ok() {
            assert!(
                auto.is_valid(&seen(&bytes).unwrap()),
                "{}",
                example.display()
            );
            taken += 1;
        }
    }
    assert!(taken > 100, "{taken}");
    assert!(!auto.is_valid(&json!(17)) && !auto.is_valid(&json!({"id": 1})));
    let json = validator(Format::Json);
    assert!(json.is_valid(&json!({"type": "x"})) && !json.is_valid(&json!("x")));
}
