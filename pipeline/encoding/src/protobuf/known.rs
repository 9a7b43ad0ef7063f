//! Types that everybody knows, and what they mean.

use prost_reflect::{Kind, MessageDescriptor};

use super::check;
use super::view::View;
use super::wire::Span;
use crate::fault::Fault;

/// What a message of a known type means.
pub(super) enum Known<'b> {
    /// What this field is, whose name is not shown.
    Field(u32),
    /// Nothing.
    Null,
    /// A text.
    Text(String),
    /// Nanoseconds since 1970.
    Instant(i128),
    /// Nanoseconds since midnight.
    TimeOfDay(i128),
    /// A number in two's complement, and its digits after the point.
    Decimal(&'b [u8], i64),
    /// A message of any type.
    Any(Any<'b>),
}

/// A message of any type: with its fields if the schema has the type and it is one, or else as bytes.
pub(super) struct Any<'b> {
    pub(super) url: &'b str,
    pub(super) of: Option<MessageDescriptor>,
    pub(super) at: Option<Span>,
}

/// What a message means, if its type is known.
pub(super) fn of<'b>(message: &View<'b>) -> Result<Option<Known<'b>>, Fault> {
    let whole = |field| message.whole(field);
    let bytes = message.bytes;
    Ok(Some(match message.of.full_name() {
        "google.protobuf.Timestamp" => {
            let nanoseconds = i128::from(whole(1)) * 1_000_000_000 + i128::from(whole(2));
            Known::Instant(nanoseconds)
        }
        "google.protobuf.Duration" => Known::Text(duration(whole(1), whole(2))),
        "google.protobuf.DoubleValue"
        | "google.protobuf.FloatValue"
        | "google.protobuf.Int64Value"
        | "google.protobuf.UInt64Value"
        | "google.protobuf.Int32Value"
        | "google.protobuf.UInt32Value"
        | "google.protobuf.BoolValue"
        | "google.protobuf.StringValue"
        | "google.protobuf.BytesValue"
        | "google.protobuf.Struct"
        | "google.protobuf.ListValue" => {
            if message.of.get_field(1).is_none() {
                return Err(Fault::invalid("a wrapper without its value"));
            }
            Known::Field(1)
        }
        "google.protobuf.Value" => message.any().map_or(Known::Null, Known::Field),
        "google.protobuf.FieldMask" => {
            let is_text = message.of.get_field(1).map(|field| field.kind()) == Some(Kind::String);
            let paths = message.all(1).iter().filter(|_| is_text);
            let paths: Vec<&str> = paths.map(|part| part.content().text(bytes)).collect();
            Known::Text(paths.join(","))
        }
        "google.protobuf.Any" => Known::Any(any(message)),
        "confluent.type.Decimal" => {
            let digits = message.content(1, &Kind::Bytes);
            let digits = digits.map(|at| at.of(bytes)).unwrap_or_default();
            let digits: &[u8] = if digits.is_empty() { &[0] } else { digits };
            Known::Decimal(digits, whole(3))
        }
        "google.type.Date" => {
            let (year, month, day) = (whole(1), whole(2), whole(3));
            if year == 0 || month == 0 || day == 0 {
                return Ok(None);
            }
            Known::Text(format!("{year:04}-{month:02}-{day:02}"))
        }
        "google.type.TimeOfDay" => {
            let of = |field| i128::from(whole(field));
            let seconds = (of(1) * 60 + of(2)) * 60 + of(3);
            Known::TimeOfDay(seconds * 1_000_000_000 + of(4))
        }
        _ => return Ok(None),
    }))
}

/// Seconds with their fraction: `3.5s`.
fn duration(seconds: i64, nanoseconds: i64) -> String {
    let sign = if seconds < 0 || nanoseconds < 0 {
        "-"
    } else {
        ""
    };
    let fraction = format!("{:09}", nanoseconds.unsigned_abs());
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{fraction}s", seconds.unsigned_abs())
}

fn any<'b>(message: &View<'b>) -> Any<'b> {
    let bytes = message.bytes;
    let url = message.content(1, &Kind::String);
    let url = url.map(|at| at.text(bytes)).unwrap_or_default();
    let at = message.content(2, &Kind::Bytes);
    let name = url.rsplit('/').next().unwrap_or_default();
    let of = message.of.parent_pool().get_message_by_name(name);
    let is = |of: &_| at.is_none_or(|at| check::message(of, bytes, at, 0).is_ok());
    Any {
        url,
        of: of.filter(is),
        at,
    }
}
