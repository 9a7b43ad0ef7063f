//! Bytes to [`Event`]: limits, JSON, and the envelope of the topic's format.
//!
//! A topic pins its format. A record that does not have it is rejected, never guessed at. Decoding is pure: the same
//! record gives the same event on every replica and on every replay, so nothing here depends on the time of day.
//!
//! What the JSON rules are is written in [`json`], how times are read in [`time`], days in [`calendar`], and what the
//! envelope of Segment and RudderStack says in [`segment`]; what is mended before a text is parsed, in [`mended`]; what has
//! several spellings is brought into one in `tidy`.

pub mod calendar;
mod envelope;
pub mod json;
mod mend;
mod plain;
pub mod segment;
pub(crate) mod tidy;
pub mod time;
pub(crate) mod weight;

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

pub use self::envelope::{Decoded, Envelope, Limits};
pub use self::mend::mended;
use crate::event::Event;
use ingest_model::outcome::SkipReason;
use ingest_model::record::Record;

/// The envelope of a topic's records. New formats are added here and in [`Format::KNOWN`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Any JSON object; what its fields mean is said by the mapping's `event` header, or by their usual names.
    Json,
    /// The messages of Segment and RudderStack: identify, track, page, screen, group, alias.
    Segment,
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

#[cfg(test)]
mod tests;
