//! Bytes to [`Event`]: limits, JSON, and the envelope of the topic's format.
//!
//! Each topic has one format. A record in another format is rejected; nothing is guessed. Decoding is pure: the same
//! record gives the same event on every replica and in every replay, so nothing here depends on the time of day.
//!
//! [`mended`] repairs a text before it is parsed, [`json`] has the rules for JSON, and `tidy` brings values that have
//! several spellings into one. [`time`] reads times, [`calendar`] days, and [`segment`] the envelope of Segment and
//! RudderStack.

pub mod calendar;
mod envelope;
mod fields;
pub mod json;
mod mend;
mod plain;
pub mod segment;
pub(crate) mod tidy;
pub mod time;
pub(crate) mod weight;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

pub use self::envelope::{Decoded, Envelope, Limits};
use self::fields::Fields;
pub use self::mend::mended;
use crate::event::Event;
use crate::value::Value;
use ingest_model::outcome::SkipReason;
use ingest_model::record::Record;

/// The format of a topic's records. New formats are added here and in [`Format::KNOWN`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Any JSON object. The mapping's `event` header says what its fields mean; otherwise their usual names do.
    Json,
    /// The messages of Segment and RudderStack: identify, track, page, screen, group, alias.
    Segment,
}

/// What is seen of an event without building its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glance<'t> {
    /// The kind of message, if the format has kinds.
    pub(crate) kind: Option<&'static str>,
    /// The event's name, cleaned and not empty.
    pub(crate) name: Cow<'t, str>,
    /// Whether its producer meant it for Kustomer.
    pub(crate) meant_for_kustomer: bool,
}

/// Reads the records of one topic.
#[derive(Debug, Clone, Copy)]
pub struct Decoder {
    format: Format,
    limits: Limits,
}

// === impl Format ===

impl Format {
    /// Every format.
    pub const KNOWN: &'static [Self] = &[Self::Json, Self::Segment];

    /// The name in the configuration and in [`Event::source`].
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

// === impl Decoder ===

impl Decoder {
    /// A decoder for this format with these limits.
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
    /// anything that is not an event of this format.
    pub fn decode<'t>(&self, record: &'t Record) -> Result<Event<'t>, Decoded> {
        let payload = self.payload(record)?;
        self.event(payload, record, &Envelope::default())
    }

    /// The content of a record as JSON.
    ///
    /// # Errors
    /// [`Decoded::Skip`] for a tombstone; [`Decoded::Reject`] if the value is not JSON within the limits.
    pub fn payload<'t>(&self, record: &'t Record) -> Result<Value<'t>, Decoded> {
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

    /// What the text of a record says of its event at a glance, by which most of what nobody wants can be skipped. `named_by` is
    /// the field that has the name, if the mapping says so.
    ///
    /// A glance is never wrong: it is `None` where it takes a closer look. But what it does not look at may be anything, as
    /// long as it is JSON.
    pub(crate) fn glance<'t>(
        &self,
        bytes: &'t [u8],
        named_by: Option<&'t str>,
    ) -> Option<Glance<'t>> {
        if bytes.len() > self.limits.value_bytes {
            return None;
        }
        let text = std::str::from_utf8(json::unmarked(bytes)).ok()?;
        let names = match self.format {
            Format::Json => plain::NAMES,
            Format::Segment => segment::SEEN,
        };
        let fields = Fields::read(text, names, named_by)?;
        let (kind, meant_for_kustomer) = match self.format {
            Format::Json => (None, true),
            Format::Segment => (
                Some(segment::kind_seen(&fields)?),
                segment::meant_as_seen(&fields)?,
            ),
        };
        let name = match (named_by, kind) {
            (Some(field), _) => fields.first_name(&[field]),
            (None, None) => fields.first_name(plain::NAMES),
            (None, Some(kind)) => segment::name_seen(kind, &fields),
        };
        Some(Glance {
            kind,
            name: name.ok()??,
            meant_for_kustomer,
        })
    }

    /// The event in a payload that [`Decoder::payload`] returned. `said` is what the mapping says of it.
    ///
    /// # Errors
    /// As [`Decoder::decode`].
    pub fn event<'t>(
        &self,
        payload: Value<'t>,
        record: &Record,
        said: &Envelope<'_>,
    ) -> Result<Event<'t>, Decoded> {
        match self.format {
            Format::Json => plain::event(payload, record, said),
            Format::Segment => segment::event(payload, record, said),
        }
    }
}

#[cfg(test)]
mod tests;
