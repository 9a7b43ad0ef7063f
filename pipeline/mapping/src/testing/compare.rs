//! What a test expects beside what its event leads to: everything that differs, each with its place and its rule.

use std::sync::Arc;

use serde_json::Value;

use super::failure::Difference;
use super::shown;
use crate::mapping::node::{Content, Node, Place};
use crate::mapping::{Mapping, OPERATIONS, Test, covers, entry_names, nearest};
use ingest_model::operation::{Operation, Planned};
use ingest_model::outcome::members::written;
use ingest_model::outcome::{DroppedField, Verdict};

/// The most differences of one test that are told.
const MOST: usize = 20;

/// All that differs between what a test expects and what its event leads to.
pub(super) fn differences(
    mapping: &Mapping,
    test: &Test,
    verdict: &Verdict,
    dropped: &[DroppedField],
) -> Vec<Difference> {
    let mut found = compare(mapping, &test.expect, verdict);
    found.extend(differs_in_refused(test, verdict));
    for one in &mut found {
        explain(one, dropped);
    }
    // A field that the test expects, and that is left out, has been told.
    let told: Vec<String> = found.iter().map(|one| within(&one.field)).collect();
    let is_told = |field: &str| {
        let same = |told: &String| covers(told, field) || covers(field, told);
        told.iter().filter(|told| !told.is_empty()).any(same)
    };
    let of_fields = differs_in_dropped(&test.dropped, dropped);
    let rule = |field: &str| {
        let mut routes = planned(verdict).iter().map(|planned| &planned.route);
        routes.find_map(|route| mapping.place_of_field(route, field))
    };
    found.extend(
        of_fields
            .into_iter()
            .filter(|(field, _)| !is_told(field))
            .map(|(field, text)| Difference {
                rule: rule(&field),
                ..Difference::of_test(test.expect.place, text)
            }),
    );
    found.truncate(MOST);
    found
}

/// The operations of a verdict.
fn planned(verdict: &Verdict) -> &[Planned] {
    match verdict {
        Verdict::Emit(planned) => planned,
        Verdict::Batch(batch) => &batch.planned,
        Verdict::Skip(_) | Verdict::Reject(_) => &[],
    }
}

/// Adds why the expected field was left out, if it was.
fn explain(one: &mut Difference, dropped: &[DroppedField]) {
    let field = within(&one.field);
    if field.is_empty() {
        return;
    }
    let same = |drop: &&DroppedField| covers(&field, &drop.field) || covers(&drop.field, &field);
    if let Some(DroppedField { field, detail, .. }) = dropped.iter().find(same) {
        one.text
            .push_str(&format!("; {field} is left out: {detail}"));
    }
}

/// The path of a field within its operation.
fn within(field: &str) -> String {
    let rest = field.split_once('.').map_or("", |(_, path)| path);
    rest.to_owned()
}

/// What differs between what a test expects and a verdict.
fn compare(mapping: &Mapping, expected: &Node, verdict: &Verdict) -> Vec<Difference> {
    let rule = match verdict {
        Verdict::Reject(rejected) => mapping.place_of(rejected),
        Verdict::Emit(_) | Verdict::Batch(_) | Verdict::Skip(_) => None,
    };
    let differs = |text: String| {
        let one = Difference::of_test(expected.place, text);
        let rule = rule.clone();
        vec![Difference { rule, ..one }]
    };
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
            return Vec::new();
        }
        return differs(format!(
            "expected {what} {wanted}, got {}",
            described(verdict)
        ));
    };
    let is_emitted = matches!(verdict, Verdict::Emit(_) | Verdict::Batch(_));
    let planned = planned(verdict);
    if !is_emitted || planned.len() != wanted.len() {
        return differs(format!(
            "expected {}, got {}",
            operations(wanted.len()),
            described(verdict)
        ));
    }
    let pairs = wanted.iter().zip(planned).enumerate();
    pairs
        .flat_map(|(index, (wanted, planned))| operation(mapping, index, wanted, planned))
        .collect()
}

/// What differs in one operation.
fn operation(mapping: &Mapping, index: usize, wanted: &Node, planned: &Planned) -> Vec<Difference> {
    let at = format!("[{index}]");
    if let Some(misnamed) = misnamed(wanted, &planned.operation, &at) {
        return vec![misnamed];
    }
    let mut found = Vec::new();
    part(wanted, &shown(&planned.operation), &at, &mut found);
    for one in &mut found {
        one.rule = rule_of(mapping, planned, index, &within(&one.field));
    }
    found
}

/// The place of the rule for a field of an operation, or of the nearest thing around it.
fn rule_of(
    mapping: &Mapping,
    planned: &Planned,
    index: usize,
    field: &str,
) -> Option<(Arc<str>, Place)> {
    let mut path = field;
    loop {
        let place = match path.strip_prefix("customer") {
            // Whose it is stands beside the operations, unless that is what the operation writes.
            Some(rest) if planned.operation.kind() != "customer" => {
                mapping.place_in(&planned.route, &format!("customer{rest}"))
            }
            _ => mapping.place_in(&planned.route, &format!("do[{index}].{path}")),
        };
        if place.is_some() {
            return place;
        }
        path = path.get(..path.rfind(['.', '['])?)?;
    }
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
    if OPERATIONS.contains(&&**name) {
        let text = format!("{at}: expected an operation `{name}`, got one of the kind `{kind}`");
        return Some(Difference::of_test(key.place, text));
    }
    let mut text = format!("{at}.{name}: an operation `{kind}` has no field of that name");
    if let Some(near) = nearest(name, names) {
        text.push_str(&format!("; did you mean `{near}`?"));
    }
    Some(Difference::of_test(key.place, text))
}

fn operations(count: usize) -> String {
    match count {
        1 => "1 operation".to_owned(),
        _ => format!("{count} operations"),
    }
}

/// Fields that are left out although the test does not say so, or the other way round. A bad field does not reject the
/// record, so without this a test would not find it.
fn differs_in_dropped(expected: &[String], found: &[DroppedField]) -> Vec<(String, String)> {
    let unexpected = found
        .iter()
        .filter(|dropped| !expected.iter().any(|field| **field == *dropped.field));
    let unexpected = unexpected.map(|DroppedField { field, detail, .. }| {
        let text = format!(
            "{field} is left out: {detail}; if that is right, give the test `dropped: [{field}]`"
        );
        (field.to_string(), text)
    });
    let missing = expected
        .iter()
        .filter(|field| !found.iter().any(|dropped| **field == *dropped.field));
    let missing = missing.map(|field| {
        let text = format!("expected {field} to be left out, but it is not");
        (field.clone(), text)
    });
    unexpected.chain(missing).collect()
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

/// How many operations, and their kinds.
fn made(planned: &[Planned]) -> String {
    let kinds = planned.iter().map(|planned| planned.operation.kind());
    let kinds: Vec<&str> = kinds.collect();
    format!("{} ({})", operations(planned.len()), kinds.join(", "))
}

fn described(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Emit(planned) => made(planned),
        Verdict::Batch(batch) => match &batch.rejected {
            None => made(&batch.planned),
            Some(rejected) => format!(
                "{}, and of the events {} rejected ({}: {})",
                made(&batch.planned),
                written(batch.refused.iter().copied()),
                rejected.reason.as_str(),
                rejected.detail
            ),
        },
        Verdict::Skip(reason) => format!("skip {}", reason.as_str()),
        Verdict::Reject(rejected) => {
            format!("reject {} ({})", rejected.reason.as_str(), rejected.detail)
        }
    }
}

/// What differs between an expected value and the one found. Fields that are not expected may be there.
fn part(expected: &Node, found: &Value, at: &str, differences: &mut Vec<Difference>) {
    let differs = |text: String| Difference {
        place: expected.place,
        field: at.to_owned(),
        text,
        values: Some((expected.to_json().to_string(), found.to_string())),
        rule: None,
    };
    match (&expected.content, found) {
        (Content::Map(expected), Value::Object(found)) => {
            for (key, expected) in expected {
                let found = found.get(&key.name).unwrap_or(&Value::Null);
                part(expected, found, &format!("{at}.{}", key.name), differences);
            }
        }
        (Content::List(expected), Value::Array(found)) if expected.len() == found.len() => {
            for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
                part(expected, found, &format!("{at}[{index}]"), differences);
            }
        }
        (Content::List(wanted), Value::Array(found)) => differences.push(differs(format!(
            "; {} in place of {}",
            items(found.len()),
            items(wanted.len())
        ))),
        (Content::Number(wanted), Value::Number(found)) => {
            if wanted != found && wanted.as_f64() != found.as_f64() {
                differences.push(differs(String::new()));
            }
        }
        _ if expected.to_json() == crate::value::Value::from(found.clone()) => {}
        _ => differences.push(differs(String::new())),
    }
}

fn items(count: usize) -> String {
    match count {
        1 => "1 item".to_owned(),
        _ => format!("{count} items"),
    }
}
