//! Bytes to [`Event`]: limits, JSON, and the envelope of the topic's format.
//!
//! A topic pins its format. A record that does not have it is rejected, never guessed at. Decoding is pure: the same
//! record gives the same event on every replica and on every replay, so nothing here depends on the time of day.
//!
//! What the JSON rules are is written in [`json`], how times are read in [`time`], days in [`calendar`], and what the
//! envelope of Segment and RudderStack says in [`segment`]; what is mended before a text is parsed, in [`mended`]; what has
//! several spellings is brought into one in `tidy`.

pub mod calendar;
pub mod json;
mod mend;
mod plain;
pub mod segment;
pub(crate) mod tidy;
pub mod time;
pub(crate) mod weight;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde_json::{Map, Value};

pub use self::mend::mended;
use crate::event::{CustomerHints, Event, Notes};
use crate::identity;
use ingest_model::outcome::{Rejected, Rejection, SkipReason};
use ingest_model::record::Record;

/// The envelope of a topic's records. New formats are added here and in [`Format::KNOWN`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Any JSON object; what its fields mean is said by the mapping's `event` header, or by their usual names.
    Json,
    /// The messages of Segment and RudderStack: identify, track, page, screen, group, alias.
    Segment,
}

/// How large and how deep a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest value in bytes.
    pub value_bytes: usize,
    /// The deepest nesting of arrays and objects; never more than 128.
    pub depth: usize,
}

/// Why a record has no event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// There is nothing to do.
    Skip(SkipReason),
    /// It is not what the topic promises.
    Reject(Rejected),
}

/// What a mapping says about the envelope instead of the format: each part that is `Some` replaces the format's own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Envelope {
    /// The event's name.
    pub name: Option<Value>,
    /// The producer's id of the occurrence.
    pub id: Option<Value>,
    /// When it happened.
    pub time: Option<Value>,
}

/// Reads the records of one topic.
#[derive(Debug, Clone, Copy)]
pub struct Decoder {
    format: Format,
    limits: Limits,
}

// === impl Format ===

impl Format {
    /// Every format that is accepted.
    pub const KNOWN: &'static [Self] = &[Self::Json, Self::Segment];

    /// The name in the configuration, and [`Event::source`].
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Segment => "segment",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A format that is not in [`Format::KNOWN`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown format {name:?}; known: json, segment")]
pub struct UnknownFormat {
    /// The name as configured.
    pub name: String,
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        let known = Self::KNOWN
            .iter()
            .copied()
            .find(|format| format.as_str() == name);
        known.ok_or_else(|| UnknownFormat {
            name: name.to_owned(),
        })
    }
}

// === impl Limits ===

impl Default for Limits {
    /// 1 MiB and 128 levels.
    fn default() -> Self {
        Self {
            value_bytes: 1024 * 1024,
            depth: 128,
        }
    }
}

// === impl Decoded ===

impl Decoded {
    /// A rejection before any route was chosen. `detail` names fields and rules, never content.
    pub(crate) fn reject(reason: Rejection, detail: impl Into<String>) -> Self {
        Self::Reject(Rejected::new(reason, detail))
    }
}

// === impl Decoder ===

impl Decoder {
    /// A decoder for that format with those limits.
    #[must_use]
    pub fn new(format: Format, limits: Limits) -> Self {
        Self { format, limits }
    }

    /// The format.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// The event that a record carries.
    ///
    /// # Errors
    /// [`Decoded::Skip`] for a tombstone and for an event that is not meant for Kustomer, [`Decoded::Reject`] for
    /// everything that is not an event of this format.
    pub fn decode(&self, record: &Record) -> Result<Event, Decoded> {
        let payload = self.payload(record)?;
        self.event(payload, record, &Envelope::default())
    }

    /// The content of a record as JSON.
    ///
    /// # Errors
    /// [`Decoded::Skip`] for a tombstone; [`Decoded::Reject`] if the value is not JSON within the limits.
    pub fn payload(&self, record: &Record) -> Result<Value, Decoded> {
        let Some(bytes) = &record.value else {
            return Err(Decoded::Skip(SkipReason::Tombstone));
        };
        let mut payload = json::parse(bytes, self.limits)?;
        match self.format {
            Format::Segment => tidy::empty_objects(&mut payload),
            Format::Json => {}
        }
        Ok(payload)
    }

    /// The event in a content that [`Decoder::payload`] gave.
    ///
    /// # Errors
    /// As [`Decoder::decode`].
    pub fn event(
        &self,
        payload: Value,
        record: &Record,
        said: &Envelope,
    ) -> Result<Event, Decoded> {
        match self.format {
            Format::Json => plain::event(payload, record, said),
            Format::Segment => segment::event(payload, record, said),
        }
    }
}

/// The parts of an event that a format found, before what the mapping says is laid over them.
struct Found {
    source: &'static str,
    kind: Option<&'static str>,
    name: Option<String>,
    id: Option<String>,
    time: Option<Timestamp>,
    customer: CustomerHints,
    notes: Notes,
}

/// The first plausible time among these fields. Those that are passed over are noted.
fn first_time(
    object: &Map<String, Value>,
    fields: &[&'static str],
    reference: Option<Timestamp>,
    notes: &mut Notes,
) -> Option<Timestamp> {
    let sent = fields
        .iter()
        .filter_map(|field| Some((*field, object.get(*field)?)));
    for (field, value) in sent {
        if !says_something(value) {
            continue;
        }
        match time::plausible(value, reference) {
            Ok(time) => return Some(time),
            Err(why) => notes.time(field, why),
        }
    }
    None
}

/// Whether a value is more than a null or a text without letters.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !identity::cleaned(text).is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => true,
    }
}

/// Lays what the mapping says over what the format found.
fn finish(
    mut found: Found,
    payload: Value,
    record: &Record,
    said: &Envelope,
) -> Result<Event, Decoded> {
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
        Some(value) => match time::plausible(value, reference) {
            Ok(time) => Some(time),
            Err(why) => {
                found.notes.time("event.time", why);
                None
            }
        },
    };
    Ok(Event {
        source: found.source,
        kind: found.kind,
        name,
        id,
        time: time.or(reference),
        customer: found.customer,
        payload,
        deleted: false,
        notes: found.notes,
    })
}

/// The record's own time, which stands in where the content has none.
fn reference_time(record: &Record) -> Option<Timestamp> {
    let millisecond = record.timestamp_ms.filter(|ms| *ms > 0)?;
    Timestamp::from_millisecond(millisecond).ok()
}

#[cfg(test)]
mod tests;
