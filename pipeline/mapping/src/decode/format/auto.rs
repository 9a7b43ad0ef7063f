//! The format `auto`: each record in the format that its headers and fields show, for topics that mix formats.
//!
//! A convenience. Only what is certain is recognised, by one table; everything else is rejected. The event is then the same
//! as that of the format itself.

use super::super::envelope::{Content, Decoded, Envelope, Limits};
use super::connect;
use super::segment::{KINDS, TRACK};
use super::{Format, Glance, Reads};
use crate::event::Event;
use crate::value::{Map, Value};
use ingest_model::outcome::SkipReason;
use ingest_model::record::Record;

pub(super) const READS: Reads = Reads {
    names_customers: true,
    content,
    // a CloudEvent may have no data
    null_is_tombstone: false,
    glance,
    event,
};

/// Headers that belong to one format alone.
const HEADERS: &[(&str, Format)] = &[
    ("x-shopify-topic", Format::Shopify),
    ("shopify-topic", Format::Shopify),
    ("x-wc-webhook-topic", Format::Woocommerce),
];

/// The headers of an event of CloudEvents in binary mode.
const CLOUDEVENT: &[&str] = &["specversion", "type", "source", "id"];

fn content<'t>(record: &'t Record, limits: Limits) -> Result<Content<'t>, Decoded> {
    let format = match of_headers(record) {
        Some(format) => format,
        None if record.value.is_none() => return Err(Decoded::Skip(SkipReason::Tombstone)),
        None => {
            let value = connect::value(record, limits)?;
            of_value(&value).ok_or_else(|| {
                Decoded::mismatch(
                    "neither headers nor fields show one of the formats that `auto` knows; give the topic its format: `json` reads any object",
                )
            })?
        }
    };
    let mut content = (format.reads().content)(record, limits)?;
    content.read_by = Some(format.reads().event);
    Ok(content)
}

fn event<'t>(
    content: Content<'t>,
    record: &Record,
    said: &Envelope<'_>,
) -> Result<Event<'t>, Decoded> {
    match content.read_by {
        Some(read) => read(content, record, said),
        None => Err(Decoded::mismatch("the record has no format")),
    }
}

/// Which format it is takes a closer look.
fn glance<'t>(_: &'t Record, _: &'t str, _: Option<&'t str>) -> Option<Glance<'t>> {
    None
}

/// The format that the headers show.
fn of_headers(record: &Record) -> Option<Format> {
    let named = |name: &str, format| record.header(name).map(|_| format);
    if let Some(kind) = record.header("content-type")
        && kind
            .get(..CONTENT_TYPE.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(CONTENT_TYPE.as_bytes()))
    {
        return Some(Format::CloudEvents);
    }
    let has = |name: &&&str| {
        ["ce_", "ce-"]
            .iter()
            .any(|prefix| record.header(&format!("{prefix}{name}")).is_some())
    };
    if CLOUDEVENT.iter().filter(has).count() == CLOUDEVENT.len() {
        return Some(Format::CloudEvents);
    }
    let mut headers = HEADERS.iter();
    headers.find_map(|(name, format)| {
        named(name, *format).or_else(|| named(&name.replace('-', "_"), *format))
    })
}

/// What the libraries of Segment and RudderStack give every message one of; other things have a `type` that is `page` or `group`.
const SEGMENT: &[&str] = &[
    "messageId",
    "userId",
    "anonymousId",
    "user_id",
    "anonymous_id",
];

const CONTENT_TYPE: &str = "application/cloudevents";

/// The format that the fields show.
fn of_value(value: &Value<'_>) -> Option<Format> {
    let Value::Object(fields) = value else {
        return None;
    };
    if let (Some(Value::Object(_)), Some(payload)) = (fields.get("schema"), fields.get("payload")) {
        return match payload {
            Value::Object(row) if is_change(row) => Some(Format::Debezium),
            Value::Object(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => None,
        };
    }
    of_wrapper(fields).or_else(|| of_fields(fields))
}

/// The format of a webhook in the wrapper of a relay.
fn of_wrapper(fields: &Map<'_>) -> Option<Format> {
    let object = |value: Option<&Value<'_>>, name: &str| {
        let Some(Value::Object(inner)) = value else {
            return false;
        };
        let mut names = inner.iter();
        names.any(|(key, _)| key.replace('_', "-").eq_ignore_ascii_case(name))
    };
    let of = |headers: Option<&Value<'_>>| {
        let mut known = HEADERS.iter();
        known
            .find(|(name, _)| object(headers, name))
            .map(|(_, format)| *format)
    };
    if let (Some(_), Some(Value::Object(detail))) =
        (fields.get("detail-type"), fields.get("detail"))
    {
        return of(detail.get("metadata"));
    }
    let body = fields.get("body").or_else(|| fields.get("payload"))?;
    let headers = fields.get("headers")?;
    if let Some(format) = of(Some(headers)) {
        return Some(format);
    }
    let Value::Object(body) = body else {
        return None;
    };
    of_fields(body).filter(|format| !matches!(format, Format::Segment | Format::Debezium))
}

/// A row's change as Debezium writes it.
fn is_change(fields: &Map<'_>) -> bool {
    fields.get("op").is_some_and(|op| op.as_str().is_some())
        && (fields.contains_key("before") || fields.contains_key("after"))
}

/// A message that no library gave an id: a track with its name, or what the specification has for its kind.
fn is_message(fields: &Map<'_>) -> bool {
    let is_object = |name: &str| matches!(fields.get(name), Some(Value::Object(_)));
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    (is_object("properties") || is_object("traits"))
        && (text("type") != Some(TRACK) || text("event").is_some())
}

/// The table: fields, and the format that has them.
fn of_fields(fields: &Map<'_>) -> Option<Format> {
    let has = |name: &str| fields.get(name).is_some_and(|value| !value.is_null());
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let inner = |name: &str, field: &str| matches!(fields.get(name), Some(Value::Object(inner)) if inner.contains_key(field));
    if is_change(fields) {
        Some(Format::Debezium)
    } else if CLOUDEVENT.iter().all(|name| has(name)) {
        Some(Format::CloudEvents)
    } else if text("type").is_some_and(|kind| KINDS.contains(&kind))
        && (SEGMENT.iter().any(|name| has(name)) || is_message(fields))
    {
        Some(Format::Segment)
    } else if text("object") == Some("event") && inner("data", "object") {
        Some(Format::Stripe)
    } else if text("object") == Some("Event") && has("result") {
        Some(Format::Easypost)
    } else if has("event") && has("msg") {
        Some(Format::Aftership)
    } else if text("scope").is_some_and(|scope| scope.starts_with("store/")) && has("producer") {
        Some(Format::Bigcommerce)
    } else if has("notificationType") && inner("resource", "typeId") {
        Some(Format::Commercetools)
    } else if text("admin_graphql_api_id").is_some_and(|id| id.starts_with("gid://shopify/")) {
        Some(Format::Shopify)
    } else {
        None
    }
}
