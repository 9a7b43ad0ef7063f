//! The formats: for each, what its records look like and which event they carry.
//!
//! A new format is a file here with a `READS`, and a row of the table below. Its name is then known to the configuration and
//! to mapping files; two schemas (`config.schema.json`, `mapping.schema.json`) and `docs/mapping.md` list it for people.

mod auto;
mod cloudevents;
mod connect;
mod debezium;
mod generic;
mod plain;
mod reads;
pub mod segment;
mod webhooks;

use std::fmt;
use std::str::FromStr;

pub(super) use self::connect::value;
pub(crate) use self::reads::Glance;
use self::reads::Reads;
use super::envelope::{Content, Decoded, Limits};
use ingest_model::record::Record;

macro_rules! formats {
    ($($(#[$about:meta])* $format:ident: $name:literal in $($file:ident)::+;)+) => {
        /// The format of a topic's records.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Format {
            $($(#[$about])* $format,)+
        }

        impl Format {
            /// Every format.
            pub const KNOWN: &'static [Self] = &[$(Self::$format),+];

            /// The name in the configuration and in [`Event::source`](crate::event::Event::source).
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$format => $name),+ }
            }

            pub(super) fn reads(self) -> &'static Reads {
                match self { $(Self::$format => &$($file)::+::READS),+ }
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
    /// Shopify's webhooks, with their headers or in a wrapper.
    Shopify: "shopify" in webhooks::shopify;
    /// Stripe's events.
    Stripe: "stripe" in webhooks::stripe;
    /// EasyPost's events: trackers, batches, refunds.
    Easypost: "easypost" in webhooks::easypost;
    /// AfterShip's webhooks: tracking, returns, warranties.
    Aftership: "aftership" in webhooks::aftership;
    /// WooCommerce's webhooks, with their headers or in a wrapper.
    Woocommerce: "woocommerce" in webhooks::woocommerce;
    /// BigCommerce's webhooks, which say that something changed.
    Bigcommerce: "bigcommerce" in webhooks::bigcommerce;
    /// The notifications of commercetools in their own form.
    Commercetools: "commercetools" in webhooks::commercetools;
    /// CloudEvents 1.0 and 0.3, with the attributes in headers or in the value.
    CloudEvents: "cloudevents" in cloudevents;
    /// Envelopes of one's own: a name, an id and a time, and the content in a field of its own.
    Generic: "generic" in generic;
    /// Rows of a database as Debezium writes them: changes, unwrapped rows, events of an outbox.
    Debezium: "debezium" in debezium;
    /// Each record in the format that its headers and fields show, for topics that mix formats.
    Auto: "auto" in auto;
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

    /// Whether a record is a tombstone: its value is null, and no headers make an event of it.
    pub(crate) fn is_tombstone(self, record: &Record) -> bool {
        let is_event = || self == Self::Commercetools && cloudevents::is_around(record);
        record.value.is_none() && self.reads().null_is_tombstone && !is_event()
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
    value(record, limits).map(Content::from)
}

#[cfg(test)]
mod tests;
