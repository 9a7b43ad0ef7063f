//! A record as a test of a mapping: redacted, with what becomes of it now as the expectation.

use std::collections::BTreeSet;

use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use ingest_mapping::decode::Format;
use ingest_mapping::mapping::Mapping;
use ingest_mapping::testing::{Expectation, expectation};
use ingest_model::record::{Header, Offset, Position, Record, TopicPartition};
use serde_json::{Map, Value};

use super::redact::Redactor;
use super::yaml::entry;

/// The record of a test.
#[derive(Debug, Clone)]
pub(in crate::cli::mappings) struct Case {
    topic: Option<String>,
    key: Option<String>,
    headers: Map<String, Value>,
    event: Value,
}

impl Case {
    /// The parts of a record that a test can have. `named` says whether the test names its topic.
    ///
    /// # Errors
    /// The value is not JSON, or key and headers are not texts.
    pub(in crate::cli::mappings) fn of(record: &Record, named: bool) -> anyhow::Result<Self> {
        let text = |bytes: &Bytes, what: &str| {
            let text = std::str::from_utf8(bytes).map(str::to_owned);
            text.map_err(|_not_text| {
                anyhow!("{what} is not text, and a test can only have text there")
            })
        };
        let mut headers = Map::new();
        for Header { name, value } in &record.headers {
            let value = value
                .as_ref()
                .map(|value| text(value, &format!("the header {name}")));
            headers.insert(
                name.clone(),
                value.transpose()?.map_or(Value::Null, Value::from),
            );
        }
        let event = match &record.value {
            None => Value::Null,
            Some(bytes) => serde_json::from_slice(bytes).map_err(|error| {
                anyhow!(
                    "the value is not JSON (column {}), and a test can only have JSON",
                    error.column()
                )
            })?,
        };
        Ok(Self {
            topic: named.then(|| record.position.partition.topic.to_string()),
            key: record
                .key
                .as_ref()
                .map(|key| text(key, "the key"))
                .transpose()?,
            headers,
            event,
        })
    }

    /// With made-up values in place of personal ones, and of those by which what becomes of it names the customer.
    pub(in crate::cli::mappings) fn redacted(
        &self,
        redactor: &mut Redactor,
        outcome: &Expectation,
    ) -> Self {
        redactor.learn(&self.event);
        let named = customers(&outcome.expect);
        for text in leaves(&self.event) {
            if named.iter().any(|key| names(key, &text)) {
                redactor.learn_id(&text);
            }
        }
        for (name, value) in &self.headers {
            redactor.learn_named(name, value.as_str().unwrap_or_default());
        }
        let key = self
            .key
            .as_ref()
            .map(|key| match serde_json::from_str::<Value>(key) {
                Ok(inner) if inner.is_object() => {
                    redactor.learn(&inner);
                    redactor.redacted(&inner).to_string()
                }
                Ok(_) | Err(_) => {
                    redactor.learn_named("", key);
                    redactor.learn_id(key);
                    redactor.redacted_id(key)
                }
            });
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), redactor.redacted(value)));
        Self {
            topic: self.topic.clone(),
            key,
            headers: headers.collect(),
            event: redactor.redacted(&self.event),
        }
    }

    /// What becomes of it.
    pub(in crate::cli::mappings) fn outcome(
        &self,
        mapping: &Mapping,
        format: Format,
    ) -> Expectation {
        let event = (!self.event.is_null()).then(|| Bytes::from(self.event.to_string()));
        let headers = self.headers.iter().map(|(name, value)| Header {
            name: name.clone(),
            value: value.as_str().map(|text| Bytes::from(text.to_owned())),
        });
        let record = Record {
            position: Position {
                partition: TopicPartition::new(self.topic.as_deref().unwrap_or("test"), 0),
                offset: Offset(0),
            },
            key: self.key.clone().map(Bytes::from),
            value: event,
            headers: headers.collect(),
            timestamp_ms: None,
        };
        expectation(mapping, format, &record)
    }

    /// The lines of the test.
    pub(in crate::cli::mappings) fn lines(&self, name: &str, outcome: &Expectation) -> Vec<String> {
        let mut lines = entry("name", &Value::from(name), 0);
        let topic = self.topic.as_ref().map(|topic| Value::from(topic.as_str()));
        let key = self.key.as_ref().map(|key| Value::from(key.as_str()));
        let headers = (!self.headers.is_empty()).then(|| Value::Object(self.headers.clone()));
        let dropped = (!outcome.dropped.is_empty()).then(|| Value::from(outcome.dropped.clone()));
        let rejected =
            (!outcome.rejected.is_empty()).then(|| Value::from(outcome.rejected.clone()));
        for (key, value) in [
            ("topic", topic),
            ("key", key),
            ("headers", headers),
            ("event", Some(self.event.clone())),
            ("expect", Some(outcome.expect.clone())),
            ("dropped", dropped),
            ("rejected", rejected),
        ] {
            lines.extend(value.iter().flat_map(|value| entry(key, value, 0)));
        }
        lines
    }
}

/// The values that customers are named by.
fn customers(expect: &Value) -> BTreeSet<String> {
    match expect {
        Value::Array(items) => items.iter().flat_map(customers).collect(),
        Value::Object(fields) => {
            let of = |(key, value): (&String, &Value)| match key.as_str() {
                "customer" => leaves(value),
                _ => customers(value),
            };
            fields.iter().flat_map(of).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => BTreeSet::new(),
    }
}

/// All texts and numbers of a value, as texts.
fn leaves(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(leaves).collect(),
        Value::Object(fields) => fields.values().flat_map(leaves).collect(),
        Value::String(text) => BTreeSet::from([text.clone()]),
        Value::Number(number) => BTreeSet::from([number.to_string()]),
        Value::Null | Value::Bool(_) => BTreeSet::new(),
    }
}

/// Whether a customer's key is this text, or ends in it, as `shop:M-17` does in `M-17`.
fn names(key: &str, text: &str) -> bool {
    key == text
        || key
            .strip_suffix(text)
            .is_some_and(|before| text.len() > 2 && !before.ends_with(char::is_alphanumeric))
}

/// Why the redacted record would be treated in another way than the original one.
pub(in crate::cli::mappings) fn differs(
    original: &Expectation,
    redacted: &Expectation,
) -> Option<String> {
    if original.summary != redacted.summary {
        return Some(format!(
            "it would be `{}` in place of `{}`",
            redacted.summary, original.summary
        ));
    }
    if original.dropped != redacted.dropped {
        return Some(format!(
            "left out would be {} in place of {}",
            or_nothing(&redacted.dropped),
            or_nothing(&original.dropped)
        ));
    }
    if original.rejected != redacted.rejected {
        return Some(format!(
            "of its events, {:?} would be rejected in place of {:?}",
            redacted.rejected, original.rejected
        ));
    }
    let (before, after) = (paths(&original.expect), paths(&redacted.expect));
    let other = before.symmetric_difference(&after).next()?;
    let verb = if before.contains(other) {
        "lacks"
    } else {
        "has"
    };
    Some(format!("what is written {verb} {other}"))
}

fn or_nothing(fields: &[String]) -> String {
    if fields.is_empty() {
        "nothing".to_owned()
    } else {
        fields.join(", ")
    }
}

/// The paths of all fields.
fn paths(value: &Value) -> BTreeSet<String> {
    fn walk(value: &Value, at: &str, paths: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    walk(value, &format!("{at}.{key}"), paths);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    walk(item, &format!("{at}[{index}]"), paths);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                paths.insert(at.to_owned());
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(value, "", &mut found);
    found
}

/// The mapping in a text with a new test, if that test passes.
///
/// # Errors
/// The text is not a mapping any more, or the test fails: then the text must not be written.
pub(in crate::cli::mappings) fn verified(
    text: &str,
    file: &str,
    format: Format,
    name: &str,
) -> anyhow::Result<()> {
    let mapping = Mapping::compile(text, file).map_err(|errors| {
        let first = errors.first().map(ToString::to_string).unwrap_or_default();
        anyhow!("the text that would be written is no mapping: {first}")
    })?;
    let results = mapping.test_results(format);
    let result = results.iter().find(|result| result.name == name);
    match result.context("the test is not among those of the text that would be written")? {
        result if result.failure.is_none() => Ok(()),
        result => {
            let failure = result
                .failure
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            bail!(
                "the test would fail as soon as it is written, perhaps because of a number that YAML cannot carry: {failure}"
            )
        }
    }
}
