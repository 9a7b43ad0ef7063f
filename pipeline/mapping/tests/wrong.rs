//! What is wrong with events: every event that a shipped mapping handles has examples of it in `schemas/events/<format>/wrong.yaml`,
//! each a valid example with one change, and what follows.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the helpers of tests fail like tests"
)]

#[path = "../../../tests/support/examples.rs"]
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use ingest_mapping::decode::{Decoder, Limits};
use ingest_mapping::mapping::node::Node;
use ingest_mapping::mapping::{Mapping, RouteInfo, fold};
use ingest_mapping::route::Pipeline;
use ingest_model::outcome::Verdict;
use ingest_model::record::Record;
use serde_json::{Map, Value};

use self::support::{NOW_MS, files, record, schemas, stem};

/// The shipped mappings, by name.
fn mappings() -> Vec<(String, Arc<Mapping>)> {
    let paths = files(&schemas().join("mappings"), "yaml");
    let compiled = paths.iter().map(|path| {
        let name = stem(path);
        let mapping = Mapping::compile(&fs::read_to_string(path).unwrap(), &name).unwrap();
        (name, Arc::new(mapping))
    });
    compiled.collect()
}

/// One row: a change of a valid example, and what follows.
#[derive(Debug)]
struct Wrong {
    /// The valid example.
    of: String,
    /// Paths that are taken away.
    without: Vec<String>,
    /// Paths that get another value.
    with: Map<String, Value>,
    headers: Map<String, Value>,
    follows: Follows,
    /// What the reason for people, or the reason why the field was dropped, has to contain: the field, mostly.
    says: String,
}

#[derive(Debug, PartialEq)]
enum Follows {
    Reject(String),
    Skip(String),
    Drop(String),
}

impl Wrong {
    fn read(row: &Value, place: &str) -> Self {
        let row = row.as_object().unwrap_or_else(|| panic!("{place}: {row}"));
        let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
        let map = |name: &str| row.get(name).and_then(Value::as_object).cloned();
        let known = [
            "of", "without", "with", "headers", "reject", "skip", "drop", "says",
        ];
        let unknown = row.keys().find(|key| !known.contains(&key.as_str()));
        assert_eq!(unknown, None, "{place}");
        let without = match row.get("without") {
            None => Vec::new(),
            Some(Value::Array(paths)) => paths
                .iter()
                .map(|path| path.as_str().unwrap().to_owned())
                .collect(),
            Some(path) => vec![path.as_str().unwrap().to_owned()],
        };
        let follows = [
            text("reject").map(Follows::Reject),
            text("skip").map(Follows::Skip),
            text("drop").map(Follows::Drop),
        ];
        let mut follows = follows.into_iter().flatten();
        let one = follows
            .next()
            .unwrap_or_else(|| panic!("{place}: what follows?"));
        assert!(
            follows.next().is_none(),
            "{place}: one of reject, skip, drop"
        );
        Self {
            of: text("of").unwrap_or_else(|| panic!("{place}: of which example?")),
            without,
            with: map("with").unwrap_or_default(),
            headers: map("headers").unwrap_or_default(),
            follows: one,
            says: text("says").unwrap_or_default(),
        }
    }

    fn base(&self, folder: &Path) -> Value {
        let path = folder.join("valid").join(format!("{}.json", self.of));
        let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_slice(&text).unwrap()
    }

    /// The example with its change.
    fn changed(&self, folder: &Path) -> Value {
        let mut value = self.base(folder);
        for path in &self.without {
            let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
            let taken = at(&mut value, parent)
                .as_object_mut()
                .and_then(|parent| parent.remove(name));
            assert!(taken.is_some(), "{} has no {path}", self.of);
        }
        for (path, new) in &self.with {
            *at(&mut value, path) = new.clone();
        }
        value
    }

    fn record(&self, value: &Value) -> Record {
        let headers = self.headers.iter();
        let headers: Vec<(&str, &str)> = headers
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        record(value.to_string().into_bytes(), &headers)
    }
}

/// The value at a path of names and numbers; the last name may be new.
fn at<'a>(value: &'a mut Value, path: &str) -> &'a mut Value {
    let mut found = value;
    for name in path.split('.').filter(|name| !name.is_empty()) {
        found = match found {
            Value::Array(items) => &mut items[name.parse::<usize>().unwrap()],
            Value::Object(fields) => fields.entry(name.to_owned()).or_insert(Value::Null),
            other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
                panic!("{path}: {other} has no {name}")
            }
        };
    }
    found
}

/// What became of a record, with the reason for people.
fn outcome(pipeline: &Pipeline, record: &Record) -> (Follows, String, Vec<(String, String)>) {
    let now = jiff::Timestamp::from_millisecond(NOW_MS).unwrap();
    let (summary, verdict) = pipeline.explain(record, now);
    let dropped = summary.map(|summary| summary.dropped).unwrap_or_default();
    let dropped = dropped
        .iter()
        .map(|one| (one.field.to_string(), one.detail.clone()));
    let dropped: Vec<(String, String)> = dropped.collect();
    match verdict {
        Verdict::Reject(rejected) => {
            let reason = rejected.reason.as_str().to_owned();
            (Follows::Reject(reason), rejected.detail, dropped)
        }
        Verdict::Skip(reason) => (
            Follows::Skip(reason.as_str().to_owned()),
            String::new(),
            dropped,
        ),
        Verdict::Emit(_) | Verdict::Batch(_) => {
            (Follows::Drop(String::new()), String::new(), dropped)
        }
    }
}

/// The rows for each event of a format, by its name as the table has it.
fn table(folder: &Path) -> Vec<(String, Vec<Wrong>)> {
    let path = folder.join("wrong.yaml");
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let table = serde_json::to_value(Node::from_yaml(&text).unwrap().to_json()).unwrap();
    let events = table.as_object().unwrap().iter().map(|(event, rows)| {
        let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
        let place = format!("{}: {event}", path.display());
        let rows = rows.iter().map(|row| Wrong::read(row, &place)).collect();
        (event.clone(), rows)
    });
    events.collect()
}

/// What does not follow from a row as it says.
fn fault(pipeline: &Pipeline, folder: &Path, event: &str, wrong: &Wrong) -> Option<String> {
    let base = wrong.record(&wrong.base(folder));
    let decoder = Decoder::new(pipeline.format(), Limits::default());
    let decoded = decoder.decode(&base).unwrap();
    let names = [Some(decoded.name.as_ref()), decoded.kind];
    if !names
        .into_iter()
        .flatten()
        .any(|name| fold(name) == fold(event))
    {
        return Some(format!("the example is of {:?}", decoded.name));
    }
    let before = outcome(pipeline, &base);
    let after = outcome(pipeline, &wrong.record(&wrong.changed(folder)));
    let follows = match &wrong.follows {
        Follows::Drop(field) => {
            let says =
                |(name, detail): &&(String, String)| name == field && detail.contains(&wrong.says);
            let (was, is) = (before.2.iter().find(says), after.2.iter().find(says));
            matches!(after.0, Follows::Drop(_)) && was.is_none() && is.is_some()
        }
        verdict @ (Follows::Reject(_) | Follows::Skip(_)) => {
            before.0 != *verdict && after.0 == *verdict && after.1.contains(&wrong.says)
        }
    };
    (!follows).then(|| format!("before: {before:?}, after: {after:?}"))
}

#[test]
fn every_event_of_the_shipped_mappings_has_examples_of_what_is_wrong_with_it() {
    let mut faults = Vec::new();
    for (name, mapping) in mappings() {
        let format = mapping.format().unwrap();
        let folder = schemas().join("events").join(format.as_str());
        let pipeline = Pipeline::new(format, Limits::default(), Arc::clone(&mapping)).unwrap();
        let table = table(&folder);
        for (event, rows) in &table {
            for wrong in rows {
                let fault = fault(&pipeline, &folder, event, wrong);
                faults.extend(fault.map(|fault| format!("{name}: {event}: {wrong:?}: {fault}")));
            }
        }
        // Without its name it is no event of that name any more.
        let nameless = Follows::Reject("invalid_envelope".to_owned());
        let shown = table.iter().filter(|(_, rows)| {
            let mut rows = rows.iter();
            rows.any(|row| row.follows != nameless)
        });
        let shown: BTreeSet<String> = shown.map(|(event, _)| fold(event)).collect();
        let routes = mapping.routes();
        let named = |routes: &mut dyn Iterator<Item = &RouteInfo>| -> BTreeSet<String> {
            let names = routes.flat_map(|route| route.on.iter());
            names
                .filter(|name| **name != "*")
                .map(|name| fold(name))
                .collect()
        };
        let handled = named(&mut routes.iter());
        // Where an event is only skipped nothing else of it is read.
        let read = named(&mut routes.iter().filter(|route| route.skip.is_none()));
        let without = read.difference(&shown);
        faults.extend(
            without.map(|event| format!("{name}: {event} has no example of what is wrong with it")),
        );
        let unknown = shown.difference(&handled);
        faults.extend(unknown.map(|event| format!("{name}: no route takes {event}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
