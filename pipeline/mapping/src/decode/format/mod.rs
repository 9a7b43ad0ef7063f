//! The formats: for each, what its records look like and which event they carry.
//!
//! A new format is a file here with a `READS`, and a row of the table below. Its name is then known to the configuration and
//! to mapping files; two schemas (`config.schema.json`, `mapping.schema.json`) and `docs/mapping.md` list it for people.

mod cloudevents;
mod debezium;
mod generic;
mod plain;
pub mod segment;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::envelope::{Content, Decoded, Envelope, Limits};
use crate::event::Event;
use ingest_model::record::Record;

/// How a format reads a record.
pub(super) struct Reads {
    /// Whether its envelope can name the customer. If not, routes have to.
    pub(super) names_customers: bool,
    /// The content, which the mapping's expressions see as `.`.
    pub(super) content: for<'t> fn(&'t Record, Limits) -> Result<Content<'t>, Decoded>,
    /// Whether a null value is a tombstone, whatever the headers say.
    pub(super) null_is_tombstone: bool,
    /// What a record and its text say of the event at a glance: see [`super::Decoder::glance`]. The second text is the field of
    /// the content that has the name, if the mapping says so.
    pub(super) glance: for<'t> fn(&'t Record, &'t str, Option<&'t str>) -> Option<Glance<'t>>,
    /// The event of that content.
    pub(super) event: for<'t> fn(Content<'t>, &Record, &Envelope<'_>) -> Result<Event<'t>, Decoded>,
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

macro_rules! formats {
    ($($(#[$about:meta])* $format:ident: $name:literal in $file:ident;)+) => {
        /// The format of a topic's records.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Format {
            $($(#[$about])* $format,)+
        }

        impl Format {
            /// Every format.
            pub const KNOWN: &'static [Self] = &[$(Self::$format),+];

            /// The name in the configuration and in [`Event::source`].
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$format => $name),+ }
            }

            pub(super) fn reads(self) -> &'static Reads {
                match self { $(Self::$format => &$file::READS),+ }
            }
        }
    };
}

// The table: variant, name, file.
formats! {
    /// Any JSON object. The mapping's `event` header says what its fields mean; otherwise their usual names do.
    Json: "json" in plain;
    /// The messages of Segment and RudderStack: identify, track, page, screen, group, alias.
    Segment: "segment" in segment;
    /// CloudEvents 1.0 and 0.3, with the attributes in headers or in the value.
    CloudEvents: "cloudevents" in cloudevents;
    /// Envelopes of one's own: a name, an id and a time, and the content in a field of its own.
    Generic: "generic" in generic;
    /// Rows of a database as Debezium writes them: changes, unwrapped rows, events of an outbox.
    Debezium: "debezium" in debezium;
}

/// A format that is not in [`Format::KNOWN`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown format {name:?}; known: {}", names())]
pub struct UnknownFormat {
    /// The name as configured.
    pub name: String,
}

fn names() -> String {
    let names: Vec<&str> = Format::KNOWN.iter().map(|format| format.as_str()).collect();
    names.join(", ")
}

// === impl Format ===

impl Format {
    /// Whether its envelope can name the customer. If not, routes have to.
    #[must_use]
    pub fn names_customers(self) -> bool {
        self.reads().names_customers
    }

    /// Whether a null value is a tombstone, whatever the headers say.
    pub(crate) fn null_is_tombstone(self) -> bool {
        self.reads().null_is_tombstone
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
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

/// The whole value of a record as JSON, for formats whose content is all of it.
fn whole(record: &Record, limits: Limits) -> Result<Content<'_>, Decoded> {
    super::json::value(record, limits).map(Content::from)
}

#[cfg(test)]
mod tests;
