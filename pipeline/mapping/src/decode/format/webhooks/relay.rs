//! What the relay of a webhook keeps: the body, and the headers of the request.
//!
//! A webhook is a request over HTTP; some program receives it and writes it to Kafka. The body is then the value of the
//! record, and the headers are headers of the record, or both are in a wrapper:
//!
//! - `{"detail-type": …, "detail": {"metadata": {…}, "payload": {…}}}`: Amazon EventBridge, as Shopify delivers to it. Other
//!   vendors put their event into `detail` itself.
//! - `{"headers": {…}, "body": {…}}`, also with `payload` instead of `body`. The body may be a text that has JSON.
//!
//! Names of headers are compared without regard to case, and `_` counts as `-`, because relays change both. If a header is
//! repeated, the last value that is a text counts.

use std::borrow::Cow;

use super::super::super::envelope::{Content, Decoded, Envelope, Found, Limits, found};
use super::super::super::fields::Fields;
use super::super::super::json;
use super::super::connect;
use super::super::reads::Glance;
use crate::event::{Event, More};
use crate::identity;
use crate::value::{Map, Value};
use ingest_model::outcome::Rejection;
use ingest_model::record::Record;

/// The headers of a webhook: those in the wrapper, and those of the record.
#[derive(Debug)]
pub(super) struct Headers<'r, 't> {
    wrapped: Option<Map<'t>>,
    record: &'r Record,
}

/// A webhook without its wrapper.
#[derive(Debug)]
pub(super) struct Webhook<'r, 't> {
    /// What the vendor sent.
    pub(super) body: Map<'t>,
    /// The headers that came with it.
    pub(super) headers: Headers<'r, 't>,
}

/// A field of each wrapper. A glance that does not read them cannot tell a wrapper from a webhook.
pub(super) const AROUND: &[&str] = &["detail-type", "headers"];
/// The fields of a wrapper that have the body.
const BODIES: &[&str] = &["body", "payload"];

// === impl Webhook ===

impl<'r, 't> Webhook<'r, 't> {
    /// Reads a record and takes the wrapper off, if there is one.
    ///
    /// # Errors
    /// As [`connect::value`], and [`Decoded::Reject`] if the value or the body in the wrapper is not a JSON object.
    pub(super) fn read(record: &'t Record, limits: Limits) -> Result<Webhook<'t, 't>, Decoded> {
        Webhook::unwrapped(connect::value(record, limits)?, record)
    }

    /// As [`Webhook::read`], of a value that is read.
    ///
    /// # Errors
    /// [`Decoded::Reject`] if the value or the body in the wrapper is not a JSON object.
    pub(super) fn unwrapped(value: Value<'t>, record: &'r Record) -> Result<Self, Decoded> {
        let Value::Object(mut object) = value else {
            return Err(Decoded::mismatch("the value is not a JSON object"));
        };
        if object.contains_key("detail-type") {
            let detail = object.remove("detail").unwrap_or_default();
            return Self::of_event_bridge(detail, record);
        }
        if object
            .get("headers")
            .is_some_and(|h| h.as_object().is_some())
            && let Some(field) = BODIES.iter().find(|field| object.contains_key(field))
        {
            let body = body_of(object.remove(field).unwrap_or_default(), field)?;
            return Ok(Self::new(body, map_of(object.remove("headers")), record));
        }
        Ok(Self::new(object, None, record))
    }

    fn of_event_bridge(detail: Value<'t>, record: &'r Record) -> Result<Self, Decoded> {
        let mut detail = body_of(detail, "detail")?;
        if !(detail.contains_key("metadata") && detail.contains_key("payload")) {
            return Ok(Self::new(detail, None, record));
        }
        let body = body_of(
            detail.remove("payload").unwrap_or_default(),
            "detail.payload",
        )?;
        Ok(Self::new(body, map_of(detail.remove("metadata")), record))
    }

    fn new(body: Map<'t>, wrapped: Option<Map<'t>>, record: &'r Record) -> Self {
        let headers = Headers { wrapped, record };
        Self { body, headers }
    }
}

// === impl Headers ===

impl<'r> Headers<'r, '_> {
    /// Those of a record without a wrapper.
    pub(super) fn of(record: &'r Record) -> Self {
        Self {
            wrapped: None,
            record,
        }
    }

    /// The text of a header, cleaned and not empty. `name` is in lower case, with `-`.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let wrapped = self.wrapped.iter().flat_map(Map::iter);
        let wrapped = wrapped.filter(|(known, _)| is_name(known, name));
        let wrapped = wrapped.filter_map(|(_, value)| identity::plain_text(single(value)));
        let own = self.record.headers.iter();
        let own = own.filter(|header| is_name(&header.name, name));
        let own = own.filter_map(|header| std::str::from_utf8(header.value.as_ref()?).ok());
        let own = own.map(identity::cleaned).filter(|text| !text.is_empty());
        own.map(Cow::into_owned).last().or_else(|| wrapped.last())
    }
}

/// The value of a header, which some programs put into a list.
fn single<'v, 't>(value: &'v Value<'t>) -> &'v Value<'t> {
    value
        .as_array()
        .and_then(|list| list.last())
        .unwrap_or(value)
}

fn is_name(known: &str, wanted: &str) -> bool {
    let folded = |byte: u8| {
        if byte == b'_' {
            b'-'
        } else {
            byte.to_ascii_lowercase()
        }
    };
    known.len() == wanted.len() && known.bytes().map(folded).eq(wanted.bytes())
}

fn map_of(value: Option<Value<'_>>) -> Option<Map<'_>> {
    match value? {
        Value::Object(map) => Some(map),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            None
        }
    }
}

/// The body in a field of a wrapper, which may be a text that has JSON.
fn body_of<'t>(value: Value<'t>, field: &str) -> Result<Map<'t>, Decoded> {
    let value = match value {
        Value::String(text) => json::parse_text_within(text, &format!("`{field}` is a text"))?,
        value @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::Array(_)
        | Value::Object(_)) => value,
    };
    map_of(Some(value)).ok_or_else(|| Decoded::mismatch(format!("`{field}` is not a JSON object")))
}

/// Whether these fields, [`AROUND`] among them, are of a wrapper.
pub(super) fn is_wrapped(fields: &Fields<'_>) -> bool {
    AROUND.iter().any(|field| fields.raw(field).is_some())
}

/// A body, and what was found of its event.
pub(super) fn content<'t>(body: Map<'t>, found: Found<'t>, more: More<'t>) -> Content<'t> {
    let more = Some(Box::new(more));
    Content {
        value: Value::Object(body),
        found: Some(Box::new(Found { more, ..found })),
        read_by: None,
    }
}

/// What is seen of an event that is named by this field.
pub(super) fn named<'t>(fields: &Fields<'t>, field: &str) -> Option<Glance<'t>> {
    Some(Glance::of(fields.first_name(&[field]).ok()??))
}

/// What is seen of a webhook that has its name in `field`, unless it is in a wrapper or `is_its` says that it is none of this
/// vendor's. `seen`: that field, [`AROUND`], and what `is_its` looks at.
pub(super) fn glance<'t>(
    text: &'t str,
    seen: &'static [&'static str],
    named_by: Option<&'t str>,
    field: &'static str,
    is_its: impl Fn(&Fields<'t>) -> bool,
) -> Option<Glance<'t>> {
    let fields = Fields::read(text, seen, named_by)?;
    (!is_wrapped(&fields) && is_its(&fields)).then(|| named(&fields, named_by.unwrap_or(field)))?
}

/// The event that was found beside the content. `unnamed` is said if neither the webhook nor the mapping names it.
pub(super) fn event<'t>(
    content: Content<'t>,
    record: &Record,
    said: &Envelope<'_>,
    unnamed: &str,
) -> Result<Event<'t>, Decoded> {
    let is_named = content
        .found
        .as_ref()
        .is_some_and(|found| found.name.is_some());
    if !is_named && said.name.is_none() {
        return Err(Decoded::reject(Rejection::InvalidEnvelope, unnamed));
    }
    found(content, record, said)
}
