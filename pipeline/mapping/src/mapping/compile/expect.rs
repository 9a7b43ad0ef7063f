//! The tests of a mapping file: document to model. The form of what they expect is checked here.

use std::collections::BTreeSet;

use super::super::error::nearest;
use super::super::model::{OPERATIONS, Test, entry_names};
use super::super::node::{Content, Key, Node};
use super::reader::Reader;
use ingest_model::outcome::{Rejection, SkipReason};

/// What a test may have. `key`, `headers` and `topic` are of the record that has the event.
const KEYS: &[&str] = &[
    "name", "event", "key", "headers", "topic", "expect", "dropped", "rejected",
];

/// What a test may expect.
const FORMS: &str = "a list of operations, or { skip: reason }, or { reject: reason }";

/// A test. `optional` are the fields that can be left out, if they are known.
pub(super) fn test(
    reader: &mut Reader<'_>,
    node: &Node,
    at: &str,
    optional: Option<&[String]>,
) -> Option<Test> {
    let fields = reader.fields(node, at, KEYS)?;
    let mut required = |name: &str, help: &str| {
        let found = fields.get(name);
        if found.is_none() {
            let problem = format!("`{name}` is missing");
            reader.error(fields.place, at, problem, Some(help.to_owned()));
        }
        found
    };
    let (name, event, expect) = (
        required("name", "say in a few words what the test shows"),
        required("event", "the value of a record; null is a tombstone"),
        required("expect", FORMS),
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
                check_operation(reader, item, &format!("{at}[{index}]"));
            }
        }
        Content::Map(entries) => {
            let operation = |(key, _): &&(Key, Node)| OPERATIONS.contains(&&*key.name);
            if let Some((key, _)) = entries.iter().find(operation) {
                let help = format!("a list has a hyphen or brackets: [ {{ {}: … }} ]", key.name);
                let problem = "operations stand in a list";
                reader.error(node.place, at, problem, Some(help));
                return;
            }
            let Some(fields) = reader.fields(node, at, &["skip", "reject"]) else {
                return;
            };
            match (fields.get("skip"), fields.get("reject")) {
                (Some(_), Some(_)) => {
                    let problem = "a record is skipped or rejected, not both";
                    reader.error(node.place, at, problem, Some(FORMS.to_owned()));
                }
                (None, None) if entries.is_empty() => {
                    let problem = "expects nothing";
                    let help = format!("{FORMS}; [] is a list of none");
                    reader.error(node.place, at, problem, Some(help));
                }
                (Some(_) | None, Some(_) | None) => {}
            }
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
            reader.error(
                node.place,
                at,
                format!("must be a list or a map, is {}", node.kind()),
                Some(FORMS.to_owned()),
            );
        }
    }
}

/// Checks that an expected operation is a map that names something which an operation has.
fn check_operation(reader: &mut Reader<'_>, node: &Node, at: &str) {
    let Content::Map(entries) = &node.content else {
        let help = format!(
            "such as {{ kobject: order, externalId: … }}; kinds: {}",
            OPERATIONS.join(", ")
        );
        let problem = format!("an operation must be a map, is {}", node.kind());
        reader.error(node.place, at, problem, Some(help));
        return;
    };
    let names: BTreeSet<&str> = OPERATIONS
        .iter()
        .flat_map(|kind| entry_names(kind))
        .collect();
    // A name that does not belong to the operation is told when it is compared: what it is, is known then.
    if entries.iter().any(|(key, _)| names.contains(&*key.name)) {
        return;
    }
    if let Some((key, _)) = entries.first() {
        let help = match nearest(&key.name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "it has its kind and its fields; kinds: {}",
                OPERATIONS.join(", ")
            ),
        };
        let problem = format!("no operation has a field `{}`", key.name);
        reader.error(key.place, at, problem, Some(help));
    }
}
