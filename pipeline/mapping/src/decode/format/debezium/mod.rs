//! The format `debezium`: rows of a database, as Debezium's connectors write them in JSON.
//!
//! Four kinds of records are read:
//!
//! - *Changes*, `{before, after, source, op, …}`. The content is the row after the change; of a deletion the row before it, as
//!   far as it is known, with its key.
//! - *Rows* that `ExtractNewRecordState` has unwrapped. Fields and headers that begin with `__` are about the row.
//! - *Events of an outbox*: what is left of the row is the payload; the header `id` is the event's id.
//! - *Messages* (`op: m`), whose content may be JSON.
//!
//! Each may stand in `{schema, payload}`. Only a schema tells dates, times and decimals from numbers and texts, so only with
//! one are they converted, see [`columns`]. Heartbeats, changes of a schema and bounds of transactions are skipped.
//!
//! The name is the table and the operation: `orders.c`. A row of a snapshot is `orders.r`, whatever its operation says. If the
//! key of a row changes, Debezium deletes the old one and creates the new one; these are `orders.moved` and `orders.u`, so that
//! no route takes them for a cancelled and a new order.
//!
//! The version is where the source was, see [`position`].

mod columns;
mod documents;
mod position;
mod schemas;

use self::schemas::{Part, Schema};
use super::super::envelope::{Content, Decoded, Found, Limits, found, reference_time};
use super::super::{json, time, weight};
use super::{Glance, Reads};
use crate::event::{More, Notes, Versioned};
use crate::identity;
use crate::value::{Map, Value};
use ingest_model::outcome::{Rejection, SkipReason};
use ingest_model::record::Record;
use jiff::Timestamp;

pub(super) const READS: Reads = Reads {
    names_customers: false,
    content,
    null_is_tombstone: true,
    glance,
    event: found,
};

/// What the topics of heartbeats begin with, unless they are configured otherwise.
const HEARTBEATS: &str = "__debezium-heartbeat";
/// The headers that link the two halves of a changed key.
const NEW_KEY: &str = "__debezium.newkey";
const OLD_KEY: &str = "__debezium.oldkey";
/// What a key may take once parsed. Keys are a few columns with their schema.
const KEY_ROOM: usize = 1024 * 1024;
/// Usual headers for the name of an outbox event.
const OUTBOX_NAMES: &[&str] = &["eventType", "event_type", "type"];

/// Nothing is seen at a glance: what matters is deep in the value.
fn glance<'t>(_: &'t Record, _: &'t str, _: Option<&'t str>) -> Option<Glance<'t>> {
    None
}

fn content(record: &Record, limits: Limits) -> Result<Content<'_>, Decoded> {
    let topic = record.position.partition.topic.as_str();
    if topic.starts_with(HEARTBEATS) && record.value.is_some() {
        return Err(Decoded::Skip(SkipReason::Housekeeping));
    }
    let Some(bytes) = &record.value else {
        return Err(Decoded::Skip(SkipReason::Tombstone));
    };
    let text = json::checked(bytes, limits)?;
    let (schema, payload) = match schemas::split(topic, Part::Value, text, limits.depth) {
        Some((schema, payload)) => (Some(schema), payload),
        None => unwrapped(json::parse_checked(text, limits)?),
    };
    let schema = schema.as_ref().map(Schema::value);
    match payload {
        Value::Object(fields) if is_change(&fields) => change(record, schema, fields),
        Value::Object(fields) if is_housekeeping(&fields) => {
            Err(Decoded::Skip(SkipReason::Housekeeping))
        }
        Value::Object(fields) if !is_outbox(record, &fields) => row(record, schema, fields),
        Value::Null => Err(Decoded::Skip(SkipReason::Tombstone)),
        payload if record.header("id").is_some() => Ok(outbox(record, payload)),
        Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => Err(Decoded::reject(
            Rejection::FormatMismatch,
            "the value is neither a row nor, with a header `id`, an event of an outbox",
        )),
    }
}

/// Schema and payload, if the value has just these two.
fn unwrapped(value: Value<'_>) -> (Option<Schema<'_>>, Value<'_>) {
    match value {
        Value::Object(mut both)
            if both.len() == 2 && both.contains_key("schema") && both.contains_key("payload") =>
        {
            let schema = both.remove("schema").filter(|schema| !schema.is_null());
            let payload = both.remove("payload").unwrap_or_default();
            (schema.map(Schema::Read), payload)
        }
        value @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_)) => (None, value),
    }
}

/// A row of Connect's in another format, with its values as its schema says.
pub(super) fn converted<'t>(
    row: Value<'t>,
    schema: Option<&Value<'_>>,
) -> Result<Value<'t>, Decoded> {
    let row = columns::row(row, columns::of(schema, None), "", &mut { weight::NESTED })?;
    Ok(row.map_or(Value::Null, Value::Object))
}

fn is_change(fields: &Map<'_>) -> bool {
    let parts = ["before", "after", "source", "message"];
    fields.contains_key("op") && parts.iter().any(|part| fields.contains_key(part))
}

/// Whether Debezium writes it for its own sake: a bound of a transaction, a change of a schema, a heartbeat.
fn is_housekeeping(fields: &Map<'_>) -> bool {
    let has = |names: &[&str]| names.iter().all(|name| fields.contains_key(name));
    has(&["status", "id", "event_count", "data_collections"])
        || has(&["ddl", "databaseName"])
        || has(&["ddl", "tableChanges"])
        || (fields.len() == 1 && has(&["ts_ms"]))
}

/// Whether a record without the form of a change is an event of an outbox: it has an id of its own, and nothing is said of a
/// row.
fn is_outbox(record: &Record, fields: &Map<'_>) -> bool {
    let of_row = |name: &str| name.starts_with("__") && name != NEW_KEY && name != OLD_KEY;
    record.header("id").is_some()
        && !fields.iter().any(|(name, _)| of_row(name))
        && !record.headers.iter().any(|header| of_row(&header.name))
}

/// What is known of a change besides its row.
struct Change<'t> {
    op: &'static str,
    table: String,
    /// The fields of `source`, or those that unwrapping has left.
    source: Map<'t>,
    snapshot: bool,
    key: Option<Map<'t>>,
}

fn change<'t>(
    record: &'t Record,
    schema: Option<&Value<'_>>,
    mut fields: Map<'t>,
) -> Result<Content<'t>, Decoded> {
    let source = match fields.remove("source") {
        Some(Value::Object(source)) => source,
        Some(_) | None => Map::new(),
    };
    let said = fields.get("op").and_then(Value::as_str).unwrap_or_default();
    let mut about = Change::new(record, said, source)?;
    let mut room = weight::NESTED;
    let mut side = |name: &str, fields: &mut Map<'t>| {
        let row = fields.remove(name).unwrap_or_default();
        columns::row(row, columns::of(schema, Some(name)), name, &mut room)
    };
    let mut before = side("before", &mut fields)?;
    let after = side("after", &mut fields)?;
    let value = match about.op {
        "m" => about.message(&fields)?,
        "t" => Value::Null,
        "d" | "moved" => Value::Object(about.with_key(before.take())),
        _ => match (after, documents::updated(&fields, &mut room)) {
            (Some(row), _) => Value::Object(row),
            (None, Some(row)) => Value::Object(about.with_key(Some(row))),
            (None, None) => {
                return Err(Decoded::invalid(
                    "`after` is missing or null, and `op` is not d",
                ));
            }
        },
    };
    if let Some(transaction) = fields.remove("transaction").filter(|all| !all.is_null()) {
        about.source.insert("transaction", transaction);
    }
    let times = [
        (&about.source, &["ts_us", "ts_ms", "ts_usec", "ts_sec"][..]),
        (&fields, &["ts_us", "ts_ms"]),
    ];
    let mut notes = Notes::default();
    let time = times
        .into_iter()
        .find_map(|(map, names)| first(map, names, reference_time(record), &mut notes));
    Ok(about.event(record, value, before, time, notes))
}

/// A row that was unwrapped: its fields and headers that begin with `__` are about it.
fn row<'t>(
    record: &'t Record,
    schema: Option<&Value<'_>>,
    fields: Map<'t>,
) -> Result<Content<'t>, Decoded> {
    let (mut own, mut told, mut of_source) = (Map::new(), Vec::new(), Vec::new());
    let columns = columns::of(schema, None);
    for (name, value) in fields {
        match name.strip_prefix("__") {
            None => own.insert(name, value),
            Some(name) => match name.strip_prefix("source_") {
                Some(name) => of_source.push((name.to_owned(), value)),
                None => told.push((name.to_owned(), value)),
            },
        }
    }
    for header in &record.headers {
        let name = header.name.strip_prefix("__");
        let name = name.filter(|name| !name.starts_with("debezium."));
        let value = match header.value.as_deref().map(std::str::from_utf8) {
            Some(Ok(text)) => Value::text(text),
            None => Value::Null,
            Some(Err(_)) => continue,
        };
        if let Some(name) = name {
            match name.strip_prefix("source_") {
                Some(name) => of_source.push((name.to_owned(), value)),
                None => told.push((name.to_owned(), value)),
            }
        }
    }
    // what the source says counts more than what the connector says
    let mut about: Map<'t> = Map::new();
    for (name, value) in told.into_iter().chain(of_source) {
        // that a position is missing says that the time is none
        let matters = position::is_counted(&name) && !about.contains_key(&name);
        if !value.is_null() || matters {
            about.insert(name, value);
        }
    }
    let deleted = about.get("deleted");
    let deleted = deleted
        .is_some_and(|deleted| *deleted == Value::Bool(true) || deleted.as_str() == Some("true"));
    let said = match about.get("op").and_then(Value::as_str) {
        _ if deleted => "d".to_owned(),
        Some(op) => op.to_owned(),
        None => "u".to_owned(),
    };
    let about = Change::new(record, &said, about)?;
    let row = columns::row(Value::Object(own), columns, "", &mut { weight::NESTED })?;
    let value = match about.op {
        "d" | "moved" => Value::Object(about.with_key(row)),
        _ => Value::Object(row.unwrap_or_default()),
    };
    let mut notes = Notes::default();
    let names = &["ts_us", "ts_ms", "ts_usec", "ts_sec"];
    let time = first(&about.source, names, reference_time(record), &mut notes);
    Ok(about.event(record, value, None, time, notes))
}

/// An event of an outbox: the value is its payload alone.
fn outbox<'t>(record: &'t Record, payload: Value<'t>) -> Content<'t> {
    let text = |name: &&str| {
        let value = std::str::from_utf8(record.header(name)?).ok()?;
        identity::plain_text(&Value::text(value))
    };
    let name = OUTBOX_NAMES.iter().find_map(text);
    let id = text(&"id").and_then(|id| identity::id_text(&Value::from(id)));
    let key = record
        .key
        .as_ref()
        .and_then(|key| std::str::from_utf8(key).ok());
    let subject = key.and_then(
        |key| match json::nested(key.as_bytes(), &mut { KEY_ROOM }) {
            Some(value) => identity::id_text(&unwrapped(value).1),
            None => identity::id_text(&Value::text(key)),
        },
    );
    let found = Found {
        source: "debezium",
        name: name.or_else(|| Some(last_part(record))),
        id,
        more: Some(Box::new(More {
            subject,
            ..More::default()
        })),
        ..Found::default()
    };
    Content {
        value: json::unescaped(payload),
        found: Some(Box::new(found)),
        read_by: None,
    }
}

/// The part of the topic's name after the last dot.
fn last_part(record: &Record) -> String {
    let topic = record.position.partition.topic.as_str();
    topic.rsplit('.').next().unwrap_or(topic).to_owned()
}

/// The first plausible time in these fields. Some connectors write 0 for none.
fn first(
    map: &Map<'_>,
    names: &[&'static str],
    reference: Option<Timestamp>,
    notes: &mut Notes,
) -> Option<Timestamp> {
    for name in names {
        let value = match map.get(name) {
            None | Some(Value::Null) => continue,
            Some(value) if *value == Value::from(0) || value.as_str() == Some("0") => continue,
            Some(value) => value,
        };
        let time = time::noted(name, value, reference, notes);
        if time.is_some() {
            return time;
        }
    }
    None
}

// === impl Change ===

impl<'t> Change<'t> {
    /// What a change is, from its operation, its source, its key and the headers of a changed key.
    fn new(record: &'t Record, op: &str, mut source: Map<'t>) -> Result<Self, Decoded> {
        let text = |name: &str| source.get(name).and_then(identity::plain_text);
        let table = text("table").or_else(|| text("collection"));
        let table = table.unwrap_or_else(|| last_part(record));
        let snapshot = op == "r"
            || match source.get("snapshot") {
                Some(Value::Bool(yes)) => *yes,
                Some(Value::String(word)) => !matches!(&**word, "false" | ""),
                _ => false,
            };
        let linked = |name: &str| record.header(name).is_some();
        let op = match op {
            "c" | "r" if snapshot => "r",
            "c" if linked(OLD_KEY) => "u",
            "c" => "c",
            "u" => "u",
            "d" if linked(NEW_KEY) => "moved",
            "d" => "d",
            "t" => "t",
            "m" => "m",
            _ => return Err(Decoded::invalid("`op` is none of c, u, d, r, t, m")),
        };
        for (header, name) in [(NEW_KEY, "newKey"), (OLD_KEY, "oldKey")] {
            let key = record.header(header).and_then(|key| key_of(record, key));
            if let Some(key) = key.as_ref().and_then(|key| in_words(key)) {
                source.insert(name, Value::from(key));
            }
        }
        source.insert("op", Value::text(op));
        Ok(Self {
            op,
            table,
            snapshot,
            key: record.key.as_ref().and_then(|key| key_of(record, key)),
            source,
        })
    }

    /// The row, or what is known of it, with its key.
    fn with_key(&self, row: Option<Map<'t>>) -> Map<'t> {
        let mut row = row.unwrap_or_default();
        for (name, value) in self.key.iter().flat_map(Map::iter) {
            if row.get(name).is_none_or(Value::is_null) {
                row.insert(name.to_owned(), value.clone());
            }
        }
        row
    }

    /// The content of a message: JSON, or else a text. Its prefix takes the place of the table.
    fn message(&mut self, fields: &Map<'t>) -> Result<Value<'t>, Decoded> {
        let message = fields.get("message");
        let prefix = message.and_then(|message| message.get("prefix"));
        if let Some(prefix) = prefix.and_then(identity::plain_text) {
            self.table = prefix;
        }
        let content = message.and_then(|message| message.get("content"));
        let Some(content) = content.and_then(Value::as_str) else {
            return Err(Decoded::invalid(
                "`message.content` is missing or not a text",
            ));
        };
        let Some(bytes) = columns::bytes(content) else {
            return Err(Decoded::invalid(
                "`message.content` is not a text of base64",
            ));
        };
        if let Some(read) = json::nested(&bytes, &mut { weight::NESTED }) {
            return Ok(read.into_owned());
        }
        let text = String::from_utf8(bytes);
        text.map(Value::from)
            .map_err(|_no_text| Decoded::invalid("`message.content` is neither JSON nor text"))
    }

    fn event(
        self,
        record: &Record,
        value: Value<'t>,
        before: Option<Map<'t>>,
        time: Option<Timestamp>,
        notes: Notes,
    ) -> Content<'t> {
        let Self {
            op,
            table,
            source,
            snapshot,
            key,
        } = self;
        let subject = key.as_ref().and_then(in_words);
        let position = position::of(&source);
        let keyed = match op {
            "t" | "m" => Some(""),
            _ => subject.as_deref(),
        };
        // Changes of one transaction have one time, so a time makes no id: the place in Kafka does.
        let counted = position.as_ref().filter(|_| position::counts(&source));
        let id = counted.zip(keyed).map(|(position, key)| {
            let part = |name: &str| source.get(name).and_then(Value::as_str).unwrap_or_default();
            let server = part("name");
            let (db, schema) = (part("db"), part("schema"));
            let topic = if server.is_empty() {
                record.position.partition.topic.as_str()
            } else {
                server
            };
            format!("{topic}:{db}:{schema}:{table}:{position}:{op}:{key}")
        });
        let found = Found {
            source: "debezium",
            name: Some(format!("{table}.{op}")),
            id,
            time,
            deleted: op == "d",
            more: Some(Box::new(More {
                version: position.map_or(Versioned::Unknown, Versioned::By),
                subject,
                attributes: source,
                before: before.map(Value::Object),
                snapshot,
                ..More::default()
            })),
            notes,
            ..Found::default()
        };
        Content {
            value,
            found: Some(Box::new(found)),
            read_by: None,
        }
    }
}

/// The fields of a key.
fn key_of<'t>(record: &Record, bytes: &'t [u8]) -> Option<Map<'t>> {
    let mut room = KEY_ROOM.checked_sub(weight::of_text(bytes))?;
    let text = std::str::from_utf8(bytes).ok()?;
    let topic = record.position.partition.topic.as_str();
    let (schema, key) = match schemas::split(topic, Part::Key, text, json::MAX_DEPTH) {
        Some((schema, key)) => (Some(schema), key),
        None => unwrapped(json::read_mended(text).ok()?),
    };
    let columns = columns::of(schema.as_ref().map(Schema::value), None);
    let key = columns::row(key, columns, "", &mut room).ok()??;
    Some(documents::key(key))
}

/// A key as one text: its only value, or all of them with colons between.
fn in_words(key: &Map<'_>) -> Option<String> {
    let parts: Option<Vec<String>> = key.values().map(identity::plain_text).collect();
    parts
        .map(|parts| parts.join(":"))
        .filter(|key| !key.is_empty())
}
