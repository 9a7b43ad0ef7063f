//! The path of each value: the expression, what it looked at, what it gave, and what became of that.

use ingest_mapping::mapping::{AskedRoute, Traced, TracedValue, TracedVariable};
use ingest_mapping::testing::shown;
use ingest_model::operation::Planned;
use ingest_model::outcome::DroppedField;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::unsent::NotSent;

/// What becomes of the operations of the route that decides.
struct Fate<'t> {
    /// The keys of all operations, with their places in `do`.
    keys: &'t [(usize, Uuid)],
    /// Those that are sent.
    sent: Vec<(Uuid, Value)>,
    not_sent: &'t [NotSent],
    dropped: &'t [DroppedField],
}

/// What `--trace` adds to a line.
pub(super) fn shown_trace(
    traced: &Traced,
    planned: &[Planned],
    dropped: &[DroppedField],
    not_sent: &[NotSent],
) -> Value {
    let shown = |one: &Planned| (one.event_key, shown(&one.operation));
    let fate = Fate {
        keys: &traced.keys,
        sent: planned.iter().map(shown).collect(),
        not_sent,
        dropped,
    };
    let routes: Vec<Value> = traced.asked.iter().map(asked).collect();
    let values: Vec<Value> = traced
        .values
        .iter()
        .map(|value| of_value(value, &fate))
        .collect();
    json!({ "routes": routes, "values": values })
}

fn asked(route: &AskedRoute) -> Value {
    let mut shown = Map::new();
    shown.insert("route".to_owned(), json!(&*route.route));
    shown.insert("line".to_owned(), json!(route.place.line));
    if let Some(when) = &route.when {
        shown.insert("when".to_owned(), json!(when.expression));
        shown.insert("inputs".to_owned(), inputs(&when.inputs));
        shown.extend(variables(when));
        if let Err(why) = &when.value {
            shown.insert("fails".to_owned(), json!(why));
        }
    }
    shown.insert("decides".to_owned(), json!(route.decides));
    if route.only_deletions {
        shown.insert("onlyDeletions".to_owned(), json!(true));
    }
    Value::Object(shown)
}

fn of_value(traced: &TracedValue, fate: &Fate<'_>) -> Value {
    let mut shown = Map::new();
    shown.insert("field".to_owned(), json!(traced.field));
    if traced.place.line > 0 {
        shown.insert("line".to_owned(), json!(traced.place.line));
    }
    shown.insert("expression".to_owned(), json!(traced.expression));
    shown.insert("inputs".to_owned(), inputs(&traced.inputs));
    shown.extend(variables(traced));
    let value = match &traced.value {
        Ok(value) => plain(value),
        Err(_) => Value::Null,
    };
    let sent = fate.sent(&traced.field);
    let note = match fate.why_not(&traced.field) {
        Some(reason) => Some(format!("not sent: {reason}")),
        None => note(traced, &value, sent.as_ref(), fate.dropped),
    };
    shown.insert("value".to_owned(), value.clone());
    if let Some(sent) = sent.filter(|sent| *sent != value) {
        shown.insert("sent".to_owned(), sent);
    }
    shown.extend(note.map(|note| ("note".to_owned(), json!(note))));
    Value::Object(shown)
}

fn inputs(inputs: &[(String, ingest_mapping::value::Value<'static>)]) -> Value {
    let all = inputs.iter();
    all.map(|(path, value)| (path.clone(), plain(value)))
        .collect()
}

/// What the variables in an expression stand for.
fn variables(traced: &TracedValue) -> Option<(String, Value)> {
    let all: Vec<Value> = traced.variables.iter().map(variable).collect();
    (!all.is_empty()).then(|| ("variables".to_owned(), Value::Array(all)))
}

fn variable(traced: &TracedVariable) -> Value {
    let mut shown = Map::new();
    shown.insert("name".to_owned(), json!(traced.name));
    if let Some(file) = &traced.file {
        shown.insert("file".to_owned(), json!(&**file));
    }
    if traced.place.line > 0 {
        shown.insert("line".to_owned(), json!(traced.place.line));
    }
    shown.insert("expression".to_owned(), json!(traced.expression));
    shown.insert("inputs".to_owned(), inputs(&traced.inputs));
    match &traced.value {
        Ok(value) => shown.insert("value".to_owned(), plain(value)),
        Err(why) => shown.insert("fails".to_owned(), json!(why)),
    };
    Value::Object(shown)
}

fn plain(value: &ingest_mapping::value::Value<'_>) -> Value {
    serde_json::from_str(&value.to_string()).unwrap_or(Value::Null)
}

impl Fate<'_> {
    /// The operation of a place in `do`; of a list, that of its first item, whose values are traced.
    fn operation(&self, index: usize) -> Option<&Value> {
        let (_, key) = self.keys.iter().find(|(of, _)| *of == index)?;
        let found = self.sent.iter().find(|(known, _)| known == key);
        found.map(|(_, operation)| operation)
    }

    /// Why the operation of a field is not sent, if it is not.
    fn why_not(&self, field: &str) -> Option<&'static str> {
        let (index, _) = in_do(field)?;
        let one = self.not_sent.iter().find(|one| one.index == index)?;
        (one.is_replaced || self.operation(index).is_none()).then_some(one.reason)
    }

    /// What is in the operation under the field of a rule.
    fn sent(&self, field: &str) -> Option<Value> {
        match in_do(field) {
            Some((index, path)) => in_operation(self.operation(index)?, path),
            // Whose it is stands in each operation.
            None => in_operation(&self.sent.first()?.1, field),
        }
    }
}

/// The place in `do` of a field, and its path there.
fn in_do(field: &str) -> Option<(usize, &str)> {
    let (index, path) = field.strip_prefix("do[")?.split_once("].")?;
    Some((index.parse().ok()?, path))
}

fn in_operation(operation: &Value, path: &str) -> Option<Value> {
    let found = at(operation, path).or_else(|| {
        let other = match path.split_once('.') {
            Some(("identify", key)) => format!("customer.{key}"),
            Some(("sums", name)) => format!("custom.{name}"),
            None if path == "email" => "emails.0.email".to_owned(),
            None if path == "phone" => "phones.0.phone".to_owned(),
            Some(_) | None => return None,
        };
        at(operation, &other)
    });
    found.filter(|value| !value.is_null()).cloned()
}

fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    let path = path.replace('[', ".").replace(']', "");
    path.split('.').try_fold(value, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        Value::Object(fields) => fields.get(step),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

/// What was changed, or why there is nothing.
fn note(
    traced: &TracedValue,
    value: &Value,
    sent: Option<&Value>,
    dropped: &[DroppedField],
) -> Option<String> {
    let within = traced
        .field
        .split_once("].")
        .map_or(&*traced.field, |(_, path)| path);
    let is_it = |one: &&DroppedField| *one.field == *within || *one.field == *traced.field;
    if let Some(drop) = dropped.iter().find(is_it) {
        return Some(format!("left out: {}", drop.detail));
    }
    match (&traced.value, value, sent) {
        (Err(why), ..) => Some(format!("fails: {why}")),
        (Ok(_), Value::Null, None) if is_required(&traced.field) => {
            Some("gives nothing, and without it the record is rejected".to_owned())
        }
        (Ok(_), Value::Null, None) => Some("gives nothing, so the field is left out".to_owned()),
        (Ok(_), Value::Number(_), Some(Value::String(after))) if is_instant(after) => {
            Some("a count of seconds, or of parts of them, became a time".to_owned())
        }
        (Ok(_), Value::String(before), Some(Value::String(after)))
            if before != after && is_instant(after) =>
        {
            Some(of_time(before).to_owned())
        }
        (Ok(_), Value::String(before), Some(Value::String(after))) if before != after => {
            let (long, short) = (before.chars().count(), after.chars().count());
            let kept = after.trim_end_matches(['…', '.']);
            Some(
                if short < long && !kept.is_empty() && before.trim_start().starts_with(kept) {
                    format!("cut from {long} characters to {short}")
                } else {
                    "cleaned, or written in the one form that the field has".to_owned()
                },
            )
        }
        (Ok(_), Value::Array(before), Some(Value::Array(after))) if before.len() > after.len() => {
            Some(format!(
                "cut from {} items to {}",
                before.len(),
                after.len()
            ))
        }
        (Ok(_), before, Some(after)) if kind(before) != kind(after) => {
            Some(format!("{} became {}", kind(before), kind(after)))
        }
        (Ok(_), ..) => None,
    }
}

/// Whether an operation cannot be without a field.
fn is_required(field: &str) -> bool {
    let (of, name) = field.split_once("].").unwrap_or(("", field));
    match name {
        "externalId" | "title" | "track" | "customer" => !of.is_empty(),
        "customer.from.externalId" => true,
        _ => false,
    }
}

/// Whether this is a time as the API takes it.
fn is_instant(text: &str) -> bool {
    text.ends_with('Z') && text.get(10..11) == Some("T") && text.parse::<Timestamp>().is_ok()
}

/// What was done to a text to make a time of it.
fn of_time(text: &str) -> &'static str {
    let text = text.trim();
    if text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return "a count of seconds, or of parts of them, became a time";
    }
    // a sign behind the date is an offset
    let behind = text.get(10..).unwrap_or_default();
    let has_zone = text.ends_with(['Z', 'z'])
        || behind.contains(['+', '-'])
        || ["GMT", "UTC"].iter().any(|zone| behind.contains(zone));
    if has_zone {
        "written in the one form that times have"
    } else if behind.is_empty() {
        "a day without a time and a zone: it was read as its beginning in UTC"
    } else {
        "a time without a zone: it was read as UTC"
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
