//! The tests of a mapping file: document to model. The form of what they expect is checked here.

use super::super::model::Test;
use super::super::node::{Content, Key, Node, Place};
use super::reader::Reader;
use ingest_model::outcome::{Rejection, SkipReason};

/// What a test may have. `key`, `headers` and `topic` are of the record that has the event.
const KEYS: &[&str] = &[
    "name", "event", "key", "headers", "topic", "expect", "dropped", "rejected",
];

/// A test. `optional` are the fields that can be left out, if they are known.
pub(super) fn test(
    reader: &mut Reader<'_>,
    node: &Node,
    at: &str,
    optional: Option<&[String]>,
) -> Option<Test> {
    let fields = reader.fields(node, at, KEYS)?;
    let mut required = |name: &str, place: Place| {
        let found = fields.get(name);
        if found.is_none() {
            reader.error(place, at, format!("`{name}` is missing"), None);
        }
        found
    };
    let (name, event, expect) = (
        required("name", fields.place),
        required("event", fields.place),
        required("expect", fields.place),
    );
    let (name, event, expect) = (reader.text(name?, &format!("{at}.name"))?, event?, expect?);
    check_expectation(reader, expect, &format!("{at}.expect"));
    let mut dropped = Vec::new();
    if let Some(node) = fields.get("dropped") {
        let at = format!("{at}.dropped");
        for node in reader.list(node, &at).unwrap_or_default() {
            let field = match optional {
                Some(optional) => {
                    let known: Vec<(&str, &str)> = optional.iter().map(|f| (&**f, &**f)).collect();
                    reader.word(node, &at, &known)
                }
                None => reader.text(node, &at),
            };
            dropped.extend(field.map(str::to_owned));
        }
        dropped.sort();
    }
    let mut rejected = Vec::new();
    if let Some(node) = fields.get("rejected") {
        let at = format!("{at}.rejected");
        for node in reader.list(node, &at).unwrap_or_default() {
            let number = match &node.content {
                Content::Number(number) => number.as_u64().and_then(|n| u32::try_from(n).ok()),
                Content::Null
                | Content::Bool(_)
                | Content::Text(_)
                | Content::List(_)
                | Content::Map(_) => None,
            };
            if number.is_none() {
                let problem = "must be the number of an event in the batch, from 0";
                reader.error(node.place, &at, problem, None);
            }
            rejected.extend(number);
        }
        rejected.sort_unstable();
    }
    let topic = fields
        .get("topic")
        .and_then(|node| reader.text(node, &format!("{at}.topic")));
    let key = fields.get("key").and_then(as_text);
    let headers = fields
        .get("headers")
        .map(|node| headers(reader, node, &format!("{at}.headers")))
        .unwrap_or_default();
    Some(Test {
        file: reader.file_name(),
        name: name.to_owned(),
        topic: topic.map(str::to_owned),
        key,
        headers,
        event: event.to_json(),
        expect: expect.clone(),
        dropped,
        rejected,
    })
}

/// The headers of a test's record: a map from names to values.
fn headers(reader: &mut Reader<'_>, node: &Node, at: &str) -> Vec<(String, Option<String>)> {
    let fields = reader.map(node, at).unwrap_or_default();
    let header = |(key, value): &(Key, Node)| (key.name.to_string(), as_text(value));
    fields.iter().map(header).collect()
}

/// A text as it is, another value as its JSON; null is none.
fn as_text(node: &Node) -> Option<String> {
    match &node.content {
        Content::Null => None,
        Content::Text(text) => Some(text.to_string()),
        Content::Bool(_) | Content::Number(_) | Content::List(_) | Content::Map(_) => {
            Some(node.to_json().to_string())
        }
    }
}

/// Checks the form of an `expect`.
fn check_expectation(reader: &mut Reader<'_>, node: &Node, at: &str) {
    match &node.content {
        Content::List(items) => {
            for (index, item) in items.iter().enumerate() {
                reader.map(item, &format!("{at}[{index}]"));
            }
        }
        Content::Map(_) => {
            let Some(fields) = reader.fields(node, at, &["skip", "reject"]) else {
                return;
            };
            if let Some(node) = fields.get("skip") {
                let words: Vec<_> = SkipReason::ALL
                    .iter()
                    .map(|reason| (reason.as_str(), ()))
                    .collect();
                reader.word(node, &format!("{at}.skip"), &words);
            }
            if let Some(node) = fields.get("reject") {
                let words: Vec<_> = Rejection::ALL
                    .iter()
                    .map(|reason| (reason.as_str(), ()))
                    .collect();
                reader.word(node, &format!("{at}.reject"), &words);
            }
        }
        Content::Null | Content::Bool(_) | Content::Number(_) | Content::Text(_) => {
            let help =
                "a list of operations, or { skip: reason }, or { reject: reason }".to_owned();
            reader.error(
                node.place,
                at,
                format!("must be a list or a map, is {}", node.kind()),
                Some(help),
            );
        }
    }
}
