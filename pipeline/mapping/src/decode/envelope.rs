//! What all formats share: limits, why there is no event, and the parts of an event, which a mapping can replace.

use jiff::Timestamp;

use super::time;
use crate::event::{CustomerHints, Event, More, Notes};
use crate::identity;
use crate::value::{Map, Value};
use ingest_model::outcome::{Rejected, Rejection, SkipReason};
use ingest_model::record::Record;

/// How large and how deep a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest value in bytes.
    pub value_bytes: usize,
    /// The deepest nesting of arrays and objects; never more than 128.
    pub depth: usize,
}

/// What a record contains.
#[derive(Debug)]
pub struct Content<'t> {
    /// What expressions see as `.`.
    pub value: Value<'t>,
    /// The rest of the event, where the content is only a part of the record.
    pub(super) found: Option<Box<Found<'t>>>,
    /// What reads the event, where the topic has several formats.
    pub(super) read_by: Option<ReadEvent>,
}

/// Reads the event of a content.
pub(super) type ReadEvent =
    for<'t> fn(Content<'t>, &Record, &Envelope<'_>) -> Result<Event<'t>, Decoded>;

/// Why a record gives no event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// There is nothing to do.
    Skip(SkipReason),
    /// It is not an event of the topic's format, or is over a limit.
    Reject(Rejected),
}

/// What the `event` header of a mapping says. Each part that is `Some` replaces what the format found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Envelope<'e> {
    /// The event's name.
    pub name: Option<Value<'e>>,
    /// The producer's id of the occurrence.
    pub id: Option<Value<'e>>,
    /// When it happened.
    pub time: Option<Value<'e>>,
    /// `true` if its thing is gone.
    pub deleted: Option<Value<'e>>,
}

impl Default for Limits {
    /// 1 MiB and 128 levels.
    fn default() -> Self {
        Self {
            value_bytes: 1024 * 1024,
            depth: 128,
        }
    }
}

impl<'t> From<Value<'t>> for Content<'t> {
    fn from(value: Value<'t>) -> Self {
        Self {
            value,
            found: None,
            read_by: None,
        }
    }
}

impl Decoded {
    /// A rejection before a route is chosen. `detail` has fields and rules, never content.
    pub(crate) fn reject(reason: Rejection, detail: impl Into<String>) -> Self {
        Self::Reject(Rejected::new(reason, detail))
    }

    /// The record is not of the topic's format.
    pub(super) fn mismatch(detail: impl Into<String>) -> Self {
        Self::reject(Rejection::FormatMismatch, detail)
    }

    /// What is around the content does not say what it must.
    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::reject(Rejection::InvalidEnvelope, detail)
    }
}

/// The parts of an event as a format found them, before the mapping replaces any.
#[derive(Debug, Default)]
pub(super) struct Found<'t> {
    pub(super) source: &'static str,
    pub(super) kind: Option<&'static str>,
    pub(super) name: Option<String>,
    pub(super) id: Option<String>,
    pub(super) time: Option<Timestamp>,
    pub(super) customer: CustomerHints,
    pub(super) deleted: bool,
    pub(super) more: Option<Box<More<'t>>>,
    pub(super) notes: Notes,
}

/// The first plausible time in these fields. A time that cannot be used is noted.
pub(super) fn first_time(
    object: &Map<'_>,
    fields: &[&'static str],
    reference: Option<Timestamp>,
    notes: &mut Notes,
) -> Option<Timestamp> {
    let sent = fields
        .iter()
        .filter_map(|field| Some((*field, object.get(field)?)));
    for (field, value) in sent {
        if !says_something(value) {
            continue;
        }
        let time = time::noted(field, value, reference, notes);
        if time.is_some() {
            return time;
        }
    }
    None
}

/// Whether a value is neither null nor a text without visible characters.
pub(super) fn says_something(value: &Value<'_>) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !identity::cleaned(text).is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => true,
    }
}

/// Makes the event. What the mapping says replaces what the format found.
pub(super) fn finish<'t>(
    mut found: Found<'t>,
    payload: Value<'t>,
    record: &Record,
    said: &Envelope<'_>,
) -> Result<Event<'t>, Decoded> {
    let reference = reference_time(record);
    let name = match &said.name {
        Some(value) => identity::plain_text(value),
        None => found.name,
    };
    let Some(name) = name else {
        return Err(Decoded::reject(
            Rejection::InvalidEnvelope,
            match (&said.name, found.source) {
                (Some(_), _) => "the expression `event.name` of the mapping gave no name",
                (None, "segment") => {
                    "no name: `type` or, for a track, `event` is missing or not text"
                }
                (None, _) => {
                    "no name: none of `type`, `name`, `event` is a text; say `event: {name: …}` in the mapping"
                }
            },
        ));
    };
    let id = match &said.id {
        Some(value) => identity::id_text(value),
        None => found.id,
    };
    let time = match &said.time {
        None => found.time,
        Some(value) if !says_something(value) => None,
        Some(value) => time::noted("event.time", value, reference, &mut found.notes),
    };
    Ok(Event {
        source: found.source,
        kind: found.kind,
        name,
        id,
        time: time.or(reference),
        customer: found.customer,
        payload,
        deleted: match &said.deleted {
            Some(value) => *value == Value::Bool(true),
            None => found.deleted,
        },
        more: found.more,
        notes: found.notes,
    })
}

/// The event that was found beside the content.
pub(super) fn found<'t>(
    content: Content<'t>,
    record: &Record,
    said: &Envelope<'_>,
) -> Result<Event<'t>, Decoded> {
    let mut found = *content.found.unwrap_or_default();
    if said.time.is_some() {
        found.notes.forget_time();
    }
    finish(found, content.value, record, said)
}

/// The record's own timestamp: the event's time if the content has none, and the measure of a plausible time.
pub(super) fn reference_time(record: &Record) -> Option<Timestamp> {
    let millisecond = record.timestamp_ms.filter(|ms| *ms > 0)?;
    Timestamp::from_millisecond(millisecond).ok()
}
