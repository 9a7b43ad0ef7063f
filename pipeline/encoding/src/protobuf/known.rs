//! Types that everybody knows, as what they mean.

use prost_reflect::Kind;

use super::check;
use super::view::View;
use super::write::{Writer, utf8};
use crate::fault::Fault;
use crate::texts;

/// Writes a message of a known type; `false` if its type is none.
pub(super) fn write(writer: &mut Writer<'_>, message: &View<'_>) -> Result<bool, Fault> {
    let whole = |field| message.whole(field);
    match message.of.full_name() {
        "google.protobuf.Timestamp" => {
            let nanoseconds = i128::from(whole(1)) * 1_000_000_000 + i128::from(whole(2));
            texts::instant(nanoseconds, true, &mut writer.out)?;
        }
        "google.protobuf.Duration" => writer.out.string(&duration(whole(1), whole(2)))?,
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
            let field = message.of.get_field(1);
            let field = field.ok_or_else(|| Fault::invalid("a wrapper without its value"))?;
            writer.field(message, &field)?;
        }
        "google.protobuf.Value" => {
            match message
                .any()
                .and_then(|number| message.of.get_field(number))
            {
                None => writer.out.raw("null")?,
                Some(field) => writer.field(message, &field)?,
            }
        }
        "google.protobuf.FieldMask" => {
            let is_text = message.of.get_field(1).map(|field| field.kind()) == Some(Kind::String);
            let paths = message.all(1).iter().filter(|_| is_text);
            let paths: Vec<&str> = paths
                .map(|part| utf8(part.content().of(writer.bytes)))
                .collect();
            writer.out.string(&paths.join(","))?;
        }
        "google.protobuf.Any" => any(writer, message)?,
        "confluent.type.Decimal" => {
            let bytes = message.content(1, &Kind::Bytes);
            let bytes = bytes.map(|at| at.of(writer.bytes)).unwrap_or_default();
            let bytes: &[u8] = if bytes.is_empty() { &[0] } else { bytes };
            texts::scaled(bytes, whole(3), &mut writer.out)?;
        }
        "google.type.Date" => {
            let (year, month, day) = (whole(1), whole(2), whole(3));
            if year == 0 || month == 0 || day == 0 {
                return Ok(false);
            }
            writer
                .out
                .string(&format!("{year:04}-{month:02}-{day:02}"))?;
        }
        "google.type.TimeOfDay" => {
            let of = |field| i128::from(whole(field));
            let seconds = (of(1) * 60 + of(2)) * 60 + of(3);
            texts::time_of_day(seconds * 1_000_000_000 + of(4), &mut writer.out)?;
        }
        _ => return Ok(false),
    }
    Ok(true)
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

/// A message of any type: with its fields if the schema has the type, or else as bytes.
fn any(writer: &mut Writer<'_>, message: &View<'_>) -> Result<(), Fault> {
    let bytes = writer.bytes;
    let url = message.content(1, &Kind::String);
    let url = url.map(|at| utf8(at.of(bytes))).unwrap_or_default();
    let at = message.content(2, &Kind::Bytes);
    let name = url.rsplit('/').next().unwrap_or_default();
    let of = message.of.parent_pool().get_message_by_name(name);
    let pieces: Vec<_> = at.into_iter().collect();
    let is = |of: &_| {
        pieces
            .iter()
            .all(|at| check::message(of, bytes, *at, 0).is_ok())
    };
    writer.out.open('{')?;
    writer.out.name("@type")?;
    writer.out.string(url)?;
    match of.filter(is) {
        Some(of) => {
            let inner = View::new(of, bytes, &pieces)?;
            writer.fields(&inner, &mut false)?;
        }
        None => {
            writer.out.raw(",")?;
            writer.out.name("value")?;
            let content = at.map(|at| at.of(bytes)).unwrap_or_default();
            writer.out.bytes(content)?;
        }
    }
    writer.out.close('}')
}
