//! Bytes to [`Event`]: limits, JSON, and the envelope of the topic's format.
//!
//! Each topic has one format. A record in another format is rejected; nothing is guessed. Decoding is pure: the same
//! record gives the same event on every replica and in every replay, so nothing here depends on the time of day.
//!
//! [`mended`] repairs a text before it is parsed, [`json`] has the rules for JSON, and `tidy` brings values that have
//! several spellings into one. [`time`] reads times, [`calendar`] days. `format` has the formats, one file for each: what a
//! record looks like, and which event it carries.

pub mod calendar;
mod envelope;
mod fields;
mod format;
pub mod json;
mod mend;
pub(crate) mod tidy;
pub mod time;
pub(crate) mod weight;

pub use self::envelope::{Content, Decoded, Envelope, Limits};
pub(crate) use self::format::Glance;
pub use self::format::{Format, UnknownFormat, segment};
pub use self::mend::mended;
use crate::event::Event;
use crate::value::Value;
use ingest_model::record::Record;

/// Reads the records of one topic.
#[derive(Debug, Clone, Copy)]
pub struct Decoder {
    format: Format,
    limits: Limits,
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

    /// The value of a record as JSON, without Connect's envelope.
    ///
    /// # Errors
    /// As [`Decoder::content`].
    pub fn value<'t>(&self, record: &'t Record) -> Result<Value<'t>, Decoded> {
        format::value(record, self.limits)
    }

    /// The event that a record carries.
    ///
    /// # Errors
    /// [`Decoded::Skip`] for a tombstone and for an event that is not meant for Kustomer, [`Decoded::Reject`] for
    /// anything that is not an event of this format.
    pub fn decode<'t>(&self, record: &'t Record) -> Result<Event<'t>, Decoded> {
        let content = self.content(record)?;
        self.event(content, record, &Envelope::default())
    }

    /// The content of a record.
    ///
    /// # Errors
    /// [`Decoded::Skip`] for a tombstone; [`Decoded::Reject`] if the value is not JSON within the limits.
    pub fn content<'t>(&self, record: &'t Record) -> Result<Content<'t>, Decoded> {
        (self.format.reads().content)(record, self.limits)
    }

    /// What the text of a record says of its event at a glance, by which most of what nobody wants can be skipped. `named_by` is
    /// the field that has the name, if the mapping says so.
    ///
    /// A glance is never wrong: it is `None` where it takes a closer look. But what it does not look at may be anything, as
    /// long as it is JSON.
    pub(crate) fn glance<'t>(
        &self,
        record: &'t Record,
        named_by: Option<&'t str>,
    ) -> Option<Glance<'t>> {
        let bytes = record.value.as_ref()?;
        // the field may be around the content, which has another one of that name
        if matches!(named_by, Some("schema" | "payload")) {
            return None;
        }
        if bytes.len() > self.limits.value_bytes {
            return None;
        }
        let text = std::str::from_utf8(json::unmarked(bytes)).ok()?;
        (self.format.reads().glance)(record, text, named_by)
    }

    /// The event in a content that [`Decoder::content`] returned. `said` is what the mapping says of it.
    ///
    /// # Errors
    /// As [`Decoder::decode`].
    pub fn event<'t>(
        &self,
        content: Content<'t>,
        record: &Record,
        said: &Envelope<'_>,
    ) -> Result<Event<'t>, Decoded> {
        (self.format.reads().event)(content, record, said)
    }
}

#[cfg(test)]
mod tests;
