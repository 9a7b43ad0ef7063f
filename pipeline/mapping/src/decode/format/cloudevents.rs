//! The format `cloudevents`: CloudEvents 1.0 and 0.3.
//!
//! In binary mode the attributes are headers that begin with `ce_` (`ce-` is read, too), and the value is the data, or null if
//! there is none. In structured mode the value is a JSON object with everything. The header `content-type` decides; without
//! it, headers or the fields of the value do. Both modes give the same event: the content is the data, and the attributes
//! with all extensions are `$event.attributes`.
//!
//! The name is `type`, the id `source` and `id` together, which are unique only as a pair. What the thing's state is compared
//! by is `sequence`, or else the time. No attribute names a customer: routes do.
//!
//! The data may be JSON, a text, or either of them in base64. Other data is rejected, because no expression could read it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::envelope::{Content, Decoded, Found, Limits, first_time, found, reference_time};
use super::super::fields::Fields;
use super::super::json;
use super::connect;
use super::generic::counted;
use super::{Glance, Reads};
use crate::event::{More, Notes};
use crate::identity;
use crate::value::{Map, Value};
use ingest_model::outcome::Rejection;
use ingest_model::record::Record;

pub(super) const READS: Reads = Reads {
    names_customers: false,
    content,
    null_is_tombstone: false,
    glance,
    event: found,
};

/// The attributes that every event has.
const REQUIRED: &[&str] = &["specversion", "type", "source", "id"];
/// The versions of the specification that are read.
const VERSIONS: &[&str] = &["1.0", "0.3"];
/// What the header of a structured event begins with.
const STRUCTURED: &str = "application/cloudevents";

/// Where a record has the attributes.
enum Mode {
    Binary,
    Structured,
}

fn content(record: &Record, limits: Limits) -> Result<Content<'_>, Decoded> {
    let (attributes, data) = match mode(record)? {
        Mode::Binary => {
            let attributes = of_headers(record)?;
            required(&attributes, true)?;
            let kind = attributes.get("datacontenttype").and_then(Value::as_str);
            let data = binary(record, Kind::of(kind), limits)?;
            (attributes, data)
        }
        Mode::Structured => structured(record, limits)?,
    };
    let mut notes = Notes::default();
    let time = first_time(&attributes, &["time"], reference_time(record), &mut notes);
    let text = |name: &str| attributes.get(name).and_then(identity::plain_text);
    let id = attributes.get("id").and_then(identity::id_text);
    let found = Found {
        source: "cloudevents",
        name: text("type"),
        id: id.and_then(|id| Some(format!("{} {id}", text("source")?))),
        time,
        more: Some(Box::new(More {
            version: counted(&attributes),
            subject: attributes.get("subject").and_then(identity::id_text),
            attributes,
            ..More::default()
        })),
        notes,
        ..Found::default()
    };
    Ok(Content {
        value: data,
        found: Some(Box::new(found)),
        read_by: None,
    })
}

fn mode(record: &Record) -> Result<Mode, Decoded> {
    let kind = text_of(record, "content-type")?.map(|kind| kind.trim().to_ascii_lowercase());
    let Some(rest) = kind
        .as_deref()
        .and_then(|kind| kind.strip_prefix(STRUCTURED))
    else {
        let has = |name: &&str| attribute(record, name).is_some();
        return Ok(if REQUIRED.iter().any(has) {
            Mode::Binary
        } else {
            Mode::Structured
        });
    };
    match rest.split(';').next().unwrap_or_default().trim() {
        "" | "+json" => Ok(Mode::Structured),
        "-batch" | "-batch+json" => Err(Decoded::mismatch(
            "the header `content-type` says that it is a batch: a record is one event",
        )),
        _ => Err(Decoded::mismatch(
            "the header `content-type` names an encoding of CloudEvents that is not read: only application/cloudevents+json is",
        )),
    }
}

/// The name of an attribute in the name of a header.
fn named(header: &str) -> Option<&str> {
    let (prefix, name) = header.split_at_checked(3)?;
    let known = prefix.eq_ignore_ascii_case("ce_") || prefix.eq_ignore_ascii_case("ce-");
    (known && !name.is_empty()).then_some(name)
}

/// The value of the last header with that attribute.
fn attribute<'r>(record: &'r Record, wanted: &str) -> Option<&'r [u8]> {
    let found =
        record.headers.iter().rev().find(|header| {
            named(&header.name).is_some_and(|name| name.eq_ignore_ascii_case(wanted))
        });
    found?.value.as_deref()
}

/// The attributes in the headers; none if there is nothing of an event around the value.
pub(super) fn around(record: &Record) -> Result<Map<'_>, Decoded> {
    match mode(record)? {
        Mode::Binary => of_headers(record),
        Mode::Structured => Ok(Map::new()),
    }
}

/// Whether the headers make an event of the record, whatever its value is.
pub(super) fn is_around(record: &Record) -> bool {
    matches!(mode(record), Ok(Mode::Binary))
}

/// The attributes in the headers. Of headers with one name the last counts; null is none.
fn of_headers(record: &Record) -> Result<Map<'_>, Decoded> {
    let mut attributes = Map::new();
    for header in &record.headers {
        let Some(name) = named(&header.name) else {
            continue;
        };
        let name = name.to_ascii_lowercase();
        match &header.value {
            Some(value) => attributes.insert(name, Value::text(utf8(value, &header.name)?)),
            None => {
                attributes.remove(&name);
            }
        }
    }
    if let Some(kind) = text_of(record, "content-type")? {
        attributes.insert("datacontenttype", Value::text(kind));
    }
    Ok(attributes)
}

/// A header as a text.
fn text_of<'r>(record: &'r Record, name: &str) -> Result<Option<&'r str>, Decoded> {
    let value = record.header(name);
    value.map(|value| utf8(value, name)).transpose()
}

fn utf8<'r>(value: &'r [u8], name: &str) -> Result<&'r str, Decoded> {
    std::str::from_utf8(value).map_err(|error| {
        // the names of headers that reach this are those of attributes
        let name: String = name.chars().take(40).collect();
        let at = error.valid_up_to();
        Decoded::invalid(format!("the header `{name}` is not UTF-8 from byte {at}"))
    })
}

/// Checks that the attributes are there that every event has.
fn required(attributes: &Map<'_>, in_headers: bool) -> Result<(), Decoded> {
    for name in REQUIRED {
        let text = attributes.get(name).and_then(Value::as_str);
        if text.is_none_or(|text| identity::cleaned(text).is_empty()) {
            return Err(Decoded::invalid(if in_headers {
                format!("the header `ce_{name}` is missing, null or empty")
            } else {
                format!("`{name}` is missing, empty or not a text")
            }));
        }
    }
    let version = attributes.get("specversion").and_then(Value::as_str);
    if version.is_none_or(|version| !VERSIONS.contains(&version.trim())) {
        return Err(Decoded::invalid(
            "`specversion` is none of 1.0, 0.3: other versions of CloudEvents are not read",
        ));
    }
    Ok(())
}

/// What kind of data a content type says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json,
    Text,
    /// No expression can read it.
    Other,
}

impl Kind {
    /// Without a content type it is JSON.
    fn of(content_type: Option<&str>) -> Self {
        let Some(all) = content_type else {
            return Self::Json;
        };
        let kind = all.split(';').next().unwrap_or_default().trim();
        let kind = kind.to_ascii_lowercase();
        if kind.is_empty() || kind.ends_with("/json") || kind.ends_with("+json") {
            Self::Json
        } else if kind.starts_with("text/") || kind.ends_with("/xml") || kind.ends_with("+xml") {
            Self::Text
        } else {
            Self::Other
        }
    }
}

/// The data in the value of a record.
fn binary(record: &Record, kind: Kind, limits: Limits) -> Result<Value<'_>, Decoded> {
    let Some(bytes) = &record.value else {
        return Ok(Value::Null);
    };
    of_bytes(bytes, kind, limits)
}

/// The data in these bytes. No bytes, and the word null, are no data.
fn of_bytes(bytes: &[u8], kind: Kind, limits: Limits) -> Result<Value<'_>, Decoded> {
    match kind {
        _ if bytes.is_empty() => Ok(Value::Null),
        Kind::Json if bytes.trim_ascii() == b"null" => Ok(Value::Null),
        Kind::Json => json::parse(bytes, limits),
        Kind::Text if bytes.len() > limits.value_bytes => Err(Decoded::reject(
            Rejection::TooLarge,
            format!("the data has more than {} bytes", limits.value_bytes),
        )),
        Kind::Text => match std::str::from_utf8(json::unmarked(bytes)) {
            Ok(text) => Ok(Value::text(text)),
            Err(error) => Err(Decoded::reject(
                Rejection::InvalidUtf8,
                format!("the data is not UTF-8 from byte {}", error.valid_up_to()),
            )),
        },
        Kind::Other => Err(Decoded::mismatch(
            "the content type of the data is neither JSON nor text: only those are read",
        )),
    }
}

/// Attributes and data of a structured event.
fn structured(record: &Record, limits: Limits) -> Result<(Map<'_>, Value<'_>), Decoded> {
    let mut all = match connect::value(record, limits)? {
        Value::Object(all) => all,
        Value::Array(_) => {
            return Err(Decoded::mismatch(
                "the value is a list, a batch of events: a record is one event",
            ));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Err(Decoded::mismatch("the value is not a JSON object"));
        }
    };
    if !all.contains_key("specversion") {
        return Err(Decoded::mismatch(
            "neither headers `ce_…` nor a field `specversion`: not a CloudEvent",
        ));
    }
    required(&all, false)?;
    let data = all.remove("data").filter(|data| !data.is_null());
    let encoded = all.remove("data_base64").filter(|data| !data.is_null());
    let kind = Kind::of(all.get("datacontenttype").and_then(Value::as_str));
    // how 0.3 says that the data is in base64
    let old = all.get("datacontentencoding").and_then(Value::as_str);
    let old = old.is_some_and(|encoding| encoding.trim().eq_ignore_ascii_case("base64"));
    let data = match (data, encoded) {
        (Some(_), Some(_)) => {
            return Err(Decoded::invalid(
                "both `data` and `data_base64` are there: only one may be",
            ));
        }
        (None, Some(encoded)) => of_base64(&encoded, "data_base64", kind, limits)?,
        (Some(data), None) if old => of_base64(&data, "data", kind, limits)?,
        (Some(data), None) => data,
        (None, None) => Value::Null,
    };
    // null says the same as nothing
    let attributes = all.into_iter().filter(|(_, value)| !value.is_null());
    Ok((attributes.collect(), data))
}

/// The data in a text of base64.
fn of_base64(
    value: &Value<'_>,
    field: &str,
    kind: Kind,
    limits: Limits,
) -> Result<Value<'static>, Decoded> {
    if kind == Kind::Other {
        return of_bytes(b"-", kind, limits).map(Value::into_owned);
    }
    let bytes = value
        .as_str()
        .and_then(|text| STANDARD.decode(text.trim()).ok());
    let Some(bytes) = bytes else {
        return Err(Decoded::invalid(format!(
            "`{field}` is not a text of base64"
        )));
    };
    of_bytes(&bytes, kind, limits).map(Value::into_owned)
}

/// The name alone, of events whose attributes are sound.
fn glance<'t>(record: &'t Record, text: &'t str, named_by: Option<&'t str>) -> Option<Glance<'t>> {
    // the mapping names a field of the data
    if named_by.is_some() {
        return None;
    }
    let name = match mode(record).ok()? {
        Mode::Binary => {
            let attributes = of_headers(record).ok()?;
            required(&attributes, true).ok()?;
            // the value has to be JSON
            Fields::read(text, &[], None)?;
            let name = std::str::from_utf8(attribute(record, "type")?).ok()?;
            identity::cleaned(name)
        }
        Mode::Structured => {
            let fields = Fields::read(text, REQUIRED, None)?;
            for name in REQUIRED {
                fields.first_name(&[name]).ok()??;
            }
            let version = fields.text("specversion").ok()??;
            if !VERSIONS.contains(&version.trim()) {
                return None;
            }
            fields.first_name(&["type"]).ok()??
        }
    };
    Some(Glance::of(name))
}
