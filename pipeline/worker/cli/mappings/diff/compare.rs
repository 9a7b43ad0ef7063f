//! Counts what differs between two judgements of the same records.

use std::collections::{BTreeMap, BTreeSet};

use ingest_model::outcome::Rejection;
use jiff::Timestamp;
use serde_json::Value;

use super::judged::{Cost, Judged, Made};

/// The most kinds of changes that are told apart.
const MOST: usize = 5_000;
/// The most examples of each that are kept.
const EXAMPLES: usize = 20;
/// How deep a path leads into `data`, whose names may be those of an event.
const DATA_DEPTH: usize = 2;

/// What differs over a sample.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    pub(super) read: u64,
    /// Lines that are no records.
    pub(super) unusable: u64,
    pub(super) changed: u64,
    /// By verdict: how many before and after.
    pub(super) verdicts: BTreeMap<String, (u64, u64)>,
    /// By operation: how many before and after.
    pub(super) operations: BTreeMap<String, (u64, u64)>,
    pub(super) before: Units,
    pub(super) after: Units,
    pub(super) changes: BTreeMap<Change, Counted>,
    /// Changes beyond those that are told apart.
    pub(super) more: u64,
    pub(super) too_old: TooOld,
}

/// What is too old for its `maxAge`, and so not compared.
#[derive(Debug, Default)]
pub(super) struct TooOld {
    /// As of when ages are judged.
    pub(super) at: Timestamp,
    /// Operations before, and after.
    pub(super) before: u64,
    pub(super) after: u64,
    /// The time of the latest of these events.
    pub(super) latest: Option<Timestamp>,
}

/// Rejections of what no mapping has looked at.
const UNREAD: &[Rejection] = &[
    Rejection::InvalidJson,
    Rejection::InvalidUtf8,
    Rejection::InvalidEnvelope,
    Rejection::InvalidEncoding,
    Rejection::FormatMismatch,
    Rejection::TooLarge,
    Rejection::TooDeep,
];

/// What takes requests.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Units {
    pub(super) requests: u64,
    pub(super) items: u64,
}

/// A kind of change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    /// Another verdict.
    Verdict { before: String, after: String },
    /// An operation that is not there any more.
    Removed { route: String, what: String },
    /// One that was not there.
    Added { route: String, what: String },
    /// The same operation by another route.
    Route {
        what: String,
        before: String,
        after: String,
    },
    /// The key of an operation, by which the worker knows a repeat.
    EventKey,
    /// A field of an operation.
    Field {
        route: String,
        what: String,
        field: String,
        how: How,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum How {
    Added,
    Removed,
    Changed,
}

/// How often, and where.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) records: u64,
    /// The place in the sample, and the values before and after.
    pub(super) examples: Vec<(String, Option<(Value, Value)>)>,
}

impl Units {
    /// Two requests for a hundred items, and at least two for any.
    pub(super) fn total(self) -> u64 {
        self.requests + self.items.div_ceil(100) * 2
    }

    fn add(&mut self, operations: &[Made]) {
        for one in operations {
            match one.cost {
                Cost::Request => self.requests += 1,
                Cost::Item => self.items += 1,
                Cost::Nothing => {}
            }
        }
    }
}

impl TooOld {
    fn add(&mut self, was: &Judged, is: &Judged) {
        self.before += was.too_old;
        self.after += is.too_old;
        for one in [was, is] {
            if one.too_old > 0 {
                self.latest = self.latest.max(one.time);
            }
        }
    }
}

impl Comparison {
    /// Nothing yet; ages are judged as of this time.
    pub(super) fn at(now: Timestamp) -> Self {
        let too_old = TooOld {
            at: now,
            ..TooOld::default()
        };
        Self {
            too_old,
            ..Self::default()
        }
    }

    /// The verdict of most records, if all were rejected by both before any mapping looked at them.
    pub(super) fn unread(&self) -> Option<&str> {
        let is_unread = |verdict: &str| {
            let reason = verdict.strip_prefix("reject ");
            reason.is_some_and(|reason| UNREAD.iter().any(|one| one.as_str() == reason))
        };
        let most = self.verdicts.iter().max_by_key(|(_, count)| **count);
        let most = most.filter(|_| self.read > 0)?;
        let all = self.verdicts.keys().all(|verdict| is_unread(verdict));
        all.then_some(most.0)
    }

    /// Adds a record.
    pub(super) fn add(&mut self, place: &str, was: &Judged, is: &Judged) {
        self.read += 1;
        self.too_old.add(was, is);
        self.verdicts.entry(was.verdict.clone()).or_default().0 += 1;
        self.verdicts.entry(is.verdict.clone()).or_default().1 += 1;
        for one in &was.operations {
            self.operations.entry(one.what.clone()).or_default().0 += 1;
        }
        for one in &is.operations {
            self.operations.entry(one.what.clone()).or_default().1 += 1;
        }
        self.before.add(&was.operations);
        self.after.add(&is.operations);
        let changes = changes(was, is);
        if changes.is_empty() {
            return;
        }
        self.changed += 1;
        let mut counted = BTreeSet::new();
        for (change, values) in changes {
            let is_told_apart = change != Change::EventKey;
            if is_told_apart && self.changes.len() >= MOST && !self.changes.contains_key(&change) {
                self.more += 1;
                continue;
            }
            let entry = self.changes.entry(change.clone()).or_default();
            // A field of several items of one record is one change of that record.
            if !counted.insert(change) {
                continue;
            }
            entry.records += 1;
            if entry.examples.len() < EXAMPLES {
                entry.examples.push((place.to_owned(), values));
            }
        }
    }
}

type Found = Vec<(Change, Option<(Value, Value)>)>;

fn changes(was: &Judged, is: &Judged) -> Found {
    let mut found = Vec::new();
    if was.verdict != is.verdict {
        let change = Change::Verdict {
            before: was.verdict.clone(),
            after: is.verdict.clone(),
        };
        found.push((change, None));
    }
    // Operations of one key are compared, and then those of one kind in their order.
    let mut left: Vec<&Made> = is.operations.iter().collect();
    let mut others = Vec::new();
    for before in &was.operations {
        let same_key = |after: &&Made| after.what == before.what && after.key == before.key;
        match left.iter().position(same_key) {
            Some(at) => same(before, left.remove(at), &mut found),
            None => others.push(before),
        }
    }
    for before in others {
        match left.iter().position(|after| after.what == before.what) {
            Some(at) => same(before, left.remove(at), &mut found),
            None => {
                let (route, what) = (before.route.clone(), before.what.clone());
                found.push((Change::Removed { route, what }, None));
            }
        }
    }
    for after in left {
        let (route, what) = (after.route.clone(), after.what.clone());
        found.push((Change::Added { route, what }, None));
    }
    found
}

fn same(before: &Made, after: &Made, found: &mut Found) {
    if before.route != after.route {
        let change = Change::Route {
            what: before.what.clone(),
            before: before.route.clone(),
            after: after.route.clone(),
        };
        found.push((change, None));
    }
    if before.key != after.key {
        found.push((Change::EventKey, None));
    }
    let mut fields = Vec::new();
    walk(
        &before.content,
        &after.content,
        &mut Vec::new(),
        &mut fields,
    );
    for (field, how, values) in fields {
        let change = Change::Field {
            route: after.route.clone(),
            what: after.what.clone(),
            field,
            how,
        };
        found.push((change, Some(values)));
    }
}

type Fields = Vec<(String, How, (Value, Value))>;

/// The fields in which two values differ.
fn walk(before: &Value, after: &Value, at: &mut Vec<String>, fields: &mut Fields) {
    if before == after {
        return;
    }
    let in_data = at.first().is_some_and(|first| first == "data") && at.len() >= DATA_DEPTH;
    match (before, after) {
        (Value::Object(was), Value::Object(is)) if !in_data => {
            let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
            for name in names {
                at.push(name.clone());
                let (was, is) = (was.get(name), is.get(name));
                walk(
                    was.unwrap_or(&Value::Null),
                    is.unwrap_or(&Value::Null),
                    at,
                    fields,
                );
                at.pop();
            }
        }
        // All of an object that is new, field by field; the other way round, too.
        (Value::Null, Value::Object(is)) if !in_data && !is.is_empty() => {
            walk(
                &Value::Object(serde_json::Map::new()),
                &Value::Object(is.clone()),
                at,
                fields,
            );
        }
        (Value::Object(was), Value::Null) if !in_data && !was.is_empty() => {
            walk(
                &Value::Object(was.clone()),
                &Value::Object(serde_json::Map::new()),
                at,
                fields,
            );
        }
        _ => {
            let how = match (before, after) {
                (Value::Null, _) => How::Added,
                (_, Value::Null) => How::Removed,
                _ => How::Changed,
            };
            fields.push((at.join("."), how, (before.clone(), after.clone())));
        }
    }
}
