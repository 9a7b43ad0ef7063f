//! How a format reads a record: what each file of a format has to say.

use std::borrow::Cow;

use super::super::envelope::{Content, Decoded, Envelope, Limits};
use crate::event::Event;
use ingest_model::record::Record;

/// How a format reads a record.
pub(in crate::decode) struct Reads {
    /// Whether its envelope can name the customer. If not, routes have to.
    pub(in crate::decode) names_customers: bool,
    /// The content, which the mapping's expressions see as `.`.
    pub(in crate::decode) content: for<'t> fn(&'t Record, Limits) -> Result<Content<'t>, Decoded>,
    /// Whether a null value is a tombstone, whatever the headers say.
    pub(in crate::decode) null_is_tombstone: bool,
    /// What a record and its text say of the event at a glance: see `Decoder::glance`. The second text is the field of
    /// the content that has the name, if the mapping says so.
    pub(in crate::decode) glance:
        for<'t> fn(&'t Record, &'t str, Option<&'t str>) -> Option<Glance<'t>>,
    /// The event of that content.
    pub(in crate::decode) event:
        for<'t> fn(Content<'t>, &Record, &Envelope<'_>) -> Result<Event<'t>, Decoded>,
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

impl<'t> Glance<'t> {
    /// An event of that name, of a format that has nothing else to say at a glance.
    pub(in crate::decode) fn of(name: impl Into<Cow<'t, str>>) -> Self {
        Self {
            kind: None,
            name: name.into(),
            meant_for_kustomer: true,
        }
    }
}
