//! Runs the tests in a mapping file.
//!
//! Each test gives the content of one event and what must come of it: a list with one entry for each operation, or
//! `{skip: reason}`, or `{reject: reason}`. An entry has the fields that matter; the operation may have others. Numbers are
//! compared by value, lists item by item. A test also lists the fields that are left out because of a bad value; no other
//! field may be left out.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::decode::{Format, Limits};
use crate::mapping::node::{Content, Node, Place};
use crate::mapping::{Mapping, Test, covers, entry_names, nearest};
use crate::route::Pipeline;
use ingest_model::digest::Session;
use ingest_model::operation::{CustomerKey, CustomerRef, KObject, MissingCustomer, Operation};
use ingest_model::outcome::members::written;
use ingest_model::outcome::{DroppedField, Verdict};
use ingest_model::record::{Header, Offset, Position, Record, TopicPartition};

/// A test of a mapping file that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestFailure {
    /// The mapping file.
    pub file: Arc<str>,
    /// The place of the expectation that was not met.
    pub place: Place,
    /// The test's name.
    pub test: String,
    /// What differs, with the path of the field.
    pub difference: String,
    /// The place of the rule that rejected the event, if known.
    pub rule: Option<(Arc<str>, Place)>,
}

/// What differs, and where the test expects it.
struct Difference {
    place: Place,
    /// The path of the field within its operation; empty if it is about no field.
    field: String,
    text: String,
}

impl Difference {
    /// About the test as a whole.
    fn of_test(place: Place, text: String) -> Self {
        Self {
            place,
            field: String::new(),
            text,
        }
    }

    /// Adds why the expected field was left out, if it was.
    fn with_drops(mut self, dropped: &[DroppedField]) -> Self {
        let same = |one: &&DroppedField| {
            covers(&self.field, &one.field) || covers(&one.field, &self.field)
        };
        let why = dropped.iter().filter(|_| !self.field.is_empty()).find(same);
        if let Some(DroppedField { field, detail, .. }) = why {
            self.text
                .push_str(&format!("; {field} is left out: {detail}"));
        }
        self
    }
}

impl std::fmt::Display for TestFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            file,
            place,
            test,
            difference,
            rule,
        } = self;
        write!(
            f,
            "{file}:{}:{}: test {test}: {difference}",
            place.line, place.column
        )?;
        match rule {
            Some((of, rule)) if of == file => write!(f, "; the rule is on line {}", rule.line),
            Some((of, rule)) => write!(f, "; the rule is on line {} of {of}", rule.line),
            None => Ok(()),
        }
    }
}

impl Mapping {
    /// Runs the file's tests and returns those that fail.
    ///
    /// The events are decoded in the format that the file names, or else as JSON objects.
    #[must_use]
    pub fn run_tests(&self) -> Vec<TestFailure> {
        self.run_tests_as(Format::Json)
    }

    /// As [`Mapping::run_tests`], with the format for a file that names none.
    #[must_use]
    pub fn run_tests_as(&self, format: Format) -> Vec<TestFailure> {
        let format = self.format().unwrap_or(format);
        self.tests()
            .iter()
            .filter_map(|test| run(self, format, test))
            .collect()
    }
}

/// Runs one test.
fn run(mapping: &Mapping, format: Format, test: &Test) -> Option<TestFailure> {
    let record = Record {
        position: Position {
            partition: TopicPartition::new(test.topic.as_deref().unwrap_or("test"), 0),
            offset: Offset(0),
        },
        key: test.key.clone().map(Bytes::from),
        value: value_of(test),
        headers: test.headers.iter().map(header).collect(),
        timestamp_ms: None,
    };
    let (summary, verdict) = Pipeline::explain_with(
        mapping,
        format,
        Limits::default(),
        &record,
        Timestamp::UNIX_EPOCH,
    );
    let dropped = summary.map(|summary| summary.dropped).unwrap_or_default();
    let of_fields = || {
        let text = differs_in_dropped(&test.dropped, &dropped)?;
        Some(Difference::of_test(test.expect.place, text))
    };
    let difference = compare(&test.expect, &verdict)
        .map(|difference| difference.with_drops(&dropped))
        .or_else(|| differs_in_refused(test, &verdict))
        .or_else(of_fields)?;
    let rule = match &verdict {
        Verdict::Reject(rejected) => mapping.place_of(rejected),
        Verdict::Emit(_) | Verdict::Batch(_) | Verdict::Skip(_) => None,
    };
    Some(TestFailure {
        file: Arc::clone(&test.file),
        place: difference.place,
        test: test.name.clone(),
        difference: difference.text,
        rule,
    })
}

/// The value of the test's record: none for `event: null`, as JSON otherwise.
fn value_of(test: &Test) -> Option<Bytes> {
    let value = (!test.event.is_null()).then(|| serde_json::to_vec(&test.event))?;
    value.ok().map(Bytes::from)
}

fn header((name, value): &(String, Option<String>)) -> Header {
    Header {
        name: name.clone(),
        value: value.clone().map(Bytes::from),
    }
}

/// The first difference between what a test expects and a verdict.
fn compare(expected: &Node, verdict: &Verdict) -> Option<Difference> {
    let differs = |text: String| Some(Difference::of_test(expected.place, text));
    let Content::List(wanted) = &expected.content else {
        let json = expected.to_json();
        let (what, wanted) = match (json.get("skip"), json.get("reject")) {
            (Some(reason), _) => ("skip", reason),
            (None, Some(reason)) => ("reject", reason),
            (None, None) => return differs("the test expects nothing".to_owned()),
        };
        let found = match verdict {
            Verdict::Skip(reason) => ("skip", reason.as_str()),
            Verdict::Reject(rejected) => ("reject", rejected.reason.as_str()),
            Verdict::Emit(_) | Verdict::Batch(_) => ("emit", ""),
        };
        if found.0 == what && wanted.as_str() == Some(found.1) {
            return None;
        }
        return differs(format!(
            "expected {what} {wanted}, got {}",
            described(verdict)
        ));
    };
    let planned = match verdict {
        Verdict::Emit(planned) if planned.len() == wanted.len() => planned,
        Verdict::Batch(batch) if batch.planned.len() == wanted.len() => &batch.planned,
        Verdict::Emit(_) | Verdict::Batch(_) | Verdict::Skip(_) | Verdict::Reject(_) => {
            return differs(format!(
                "expected {}, got {}",
                operations(wanted.len()),
                described(verdict)
            ));
        }
    };
    let pairs = wanted.iter().zip(planned).enumerate();
    pairs.into_iter().find_map(|(index, (wanted, planned))| {
        let at = format!("[{index}]");
        misnamed(wanted, &planned.operation, &at)
            .or_else(|| part(wanted, &shown(&planned.operation), &at))
    })
}

/// A name that an operation of that kind cannot have. As what is not there is null, `null` would be true of it for ever.
fn misnamed(expected: &Node, operation: &Operation, at: &str) -> Option<Difference> {
    let Content::Map(fields) = &expected.content else {
        return None;
    };
    let (kind, names) = (operation.kind(), entry_names(operation.kind()));
    let has = |name: &str| fields.iter().any(|(key, _)| &*key.name == name);
    if kind == "customer" && has("company") && !has("customer") {
        let text = format!("{at}: expected a company, got a customer; name it: `customer`");
        return Some(Difference::of_test(expected.place, text));
    }
    let (key, _) = fields
        .iter()
        .find(|(key, _)| !names.contains(&&*key.name))?;
    let name = &key.name;
    let mut text = format!("{at}.{name}: an operation `{kind}` has no field of that name");
    if let Some(near) = nearest(name, names) {
        text.push_str(&format!("; did you mean `{near}`?"));
    }
    Some(Difference::of_test(expected.place, text))
}

/// Events of a batch that are rejected although the test does not say so, or the other way round.
fn differs_in_refused(test: &Test, verdict: &Verdict) -> Option<Difference> {
    let (found, why) = match verdict {
        Verdict::Batch(batch) => (batch.refused.as_slice(), batch.rejected.as_ref()),
        Verdict::Emit(_) | Verdict::Skip(_) | Verdict::Reject(_) => (&[][..], None),
    };
    if found == test.rejected {
        return None;
    }
    let shown = |numbers: &[u32]| match numbers {
        [] => "none".to_owned(),
        numbers => written(numbers.iter().copied()),
    };
    let why = why.map(|rejected| format!(" ({}: {})", rejected.reason.as_str(), rejected.detail));
    let text = format!(
        "expected of the batch's events to be rejected: {}, got {}{}",
        shown(&test.rejected),
        shown(found),
        why.unwrap_or_default()
    );
    Some(Difference::of_test(test.expect.place, text))
}

fn operations(count: usize) -> String {
    match count {
        1 => "1 operation".to_owned(),
        _ => format!("{count} operations"),
    }
}

/// A field that is left out although the test does not say so, or the other way round. A bad field does not reject the
/// record, so without this a test would not find it.
fn differs_in_dropped(expected: &[String], found: &[DroppedField]) -> Option<String> {
    let unexpected = found
        .iter()
        .find(|dropped| !expected.iter().any(|field| **field == *dropped.field));
    if let Some(dropped) = unexpected {
        let DroppedField { field, detail, .. } = dropped;
        return Some(format!(
            "{field} is left out: {detail}; if that is right, give the test `dropped: [{field}]`"
        ));
    }
    let missing = expected
        .iter()
        .find(|field| !found.iter().any(|dropped| **field == *dropped.field))?;
    Some(format!("expected {missing} to be left out, but it is not"))
}

fn described(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Emit(planned) => operations(planned.len()),
        Verdict::Batch(batch) => {
            let made = operations(batch.planned.len());
            match &batch.rejected {
                None => made,
                Some(rejected) => format!(
                    "{made}, and of the events {} rejected ({}: {})",
                    written(batch.refused.iter().copied()),
                    rejected.reason.as_str(),
                    rejected.detail
                ),
            }
        }
        Verdict::Skip(reason) => format!("skip {}", reason.as_str()),
        Verdict::Reject(rejected) => {
            format!("reject {} ({})", rejected.reason.as_str(), rejected.detail)
        }
    }
}

/// The first difference between an expected value and the one found. Fields that are not expected may be there.
fn part(expected: &Node, found: &Value, at: &str) -> Option<Difference> {
    let differs = || {
        Some(Difference {
            place: expected.place,
            field: at.split_once('.').map_or("", |(_, path)| path).to_owned(),
            text: format!("{at}: expected {}, got {found}", expected.to_json()),
        })
    };
    match (&expected.content, found) {
        (Content::Map(expected), Value::Object(found)) => {
            expected.iter().find_map(|(key, expected)| {
                part(
                    expected,
                    found.get(&key.name).unwrap_or(&Value::Null),
                    &format!("{at}.{}", key.name),
                )
            })
        }
        (Content::List(expected), Value::Array(found)) if expected.len() == found.len() => {
            let pairs = expected.iter().zip(found).enumerate();
            pairs
                .into_iter()
                .find_map(|(index, (e, f))| part(e, f, &format!("{at}[{index}]")))
        }
        (Content::Number(expected), Value::Number(found)) => {
            let same = expected == found || expected.as_f64() == found.as_f64();
            if same { None } else { differs() }
        }
        _ if expected.to_json() == crate::value::Value::from(found.clone()) => None,
        _ => differs(),
    }
}

/// An operation in the words of mapping files, for tests and for readers.
#[must_use]
pub fn shown(operation: &Operation) -> Value {
    let mut map = Map::new();
    match operation {
        Operation::Identify(identify) => {
            map.insert(
                "identify".to_owned(),
                Value::Object(identify.fields.parse()),
            );
        }
        Operation::Track(track) => {
            let track = track.occurrence();
            map.insert("track".to_owned(), Value::from(&*track.name));
            map.insert("session".to_owned(), json!(track.session_id.as_deref()));
            map.insert("trackingId".to_owned(), json!(track.tracking_id.as_deref()));
            map.insert("meta".to_owned(), Value::Object(track.meta));
        }
        Operation::KObject(
            kobject @ KObject {
                fold: Some(fold), ..
            },
        ) => {
            let session = Session::default().with(fold);
            map.insert("digest".to_owned(), Value::from(&*kobject.klass.0));
            map.extend(session.body(&kobject.external_id.0, &fold.frame).parse());
        }
        Operation::KObject(KObject {
            party: Some(party),
            klass,
            external_id,
            version,
            body,
            ..
        }) => {
            map.extend(body.parse());
            map.shift_remove("externalId");
            map.extend(party.on_create.parse());
            map.insert(
                "version".to_owned(),
                json!(version.as_ref().map(|version| &*version.0)),
            );
            if klass.is_customer() {
                let company = party.company.as_ref().map(|company| &*company.0);
                map.insert("company".to_owned(), json!(company));
            }
            map.insert(klass.to_string(), Value::from(&*external_id.0));
            return Value::Object(map);
        }
        Operation::KObject(kobject) => {
            map.insert("kobject".to_owned(), Value::from(&*kobject.klass.0));
            map.insert(
                "version".to_owned(),
                json!(kobject.version.as_ref().map(|version| &*version.0)),
            );
            map.extend(kobject.body.parse());
        }
    }
    map.insert(
        "customer".to_owned(),
        operation.customer().map_or(Value::Null, customer),
    );
    Value::Object(map)
}

/// What a key says, in the words of mapping files.
#[must_use]
pub fn shown_key(key: &CustomerKey) -> Value {
    match key.object() {
        Some((klass, id)) => json!({ "klass": &*klass.0, "externalId": &*id.0 }),
        None => Value::from(&**key.value()),
    }
}

fn customer(customer: &CustomerRef) -> Value {
    let keys = customer
        .keys()
        .iter()
        .map(|key| (key.kind().to_owned(), shown_key(key)));
    let mut map: Map<String, Value> = keys.collect();
    let missing = match customer.missing {
        MissingCustomer::Create => "create",
        MissingCustomer::Park => "park",
        MissingCustomer::Reject => "reject",
    };
    map.insert("missing".to_owned(), Value::from(missing));
    Value::Object(map)
}
