//! Another way from a message to JSON, over the tree that `prost-reflect` builds of it: what the reader of the product has to agree with.

use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage as _, Value,
};

use crate::fault::Fault;
use crate::json::Out;
use crate::texts;

/// The JSON of a message of that type; `None` if it is none.
pub(super) fn json(of: &MessageDescriptor, bytes: &[u8], mut out: Out) -> Option<String> {
    let tree = DynamicMessage::decode(of.clone(), bytes).ok()?;
    message(&tree, &mut out).ok()?;
    Some(out.done())
}

/// A message: what it means if its type is known, or else an object.
fn message(message: &DynamicMessage, out: &mut Out) -> Result<(), Fault> {
    if known(message, out)? {
        return Ok(());
    }
    out.open('{')?;
    let mut first = true;
    fields(message, &mut first, out)?;
    out.close('}')
}

/// The fields of a message, within an object that was begun.
fn fields(message: &DynamicMessage, first: &mut bool, out: &mut Out) -> Result<(), Fault> {
    for field in message.descriptor().fields() {
        if field.supports_presence() && !message.has_field(&field) {
            continue;
        }
        out.next(first)?;
        out.name(field.name())?;
        let value = message.get_field(&field);
        of_field(&value, &field, out).map_err(|fault| fault.within(field.name()))?;
    }
    Ok(())
}

fn of_field(value: &Value, field: &FieldDescriptor, out: &mut Out) -> Result<(), Fault> {
    match (value, field.kind()) {
        (Value::Map(entries), Kind::Message(entry)) => {
            let kind = entry.map_entry_value_field().kind();
            let mut entries: Vec<(&MapKey, &Value)> = entries.iter().collect();
            // in an order that every process gives them
            entries.sort_by_cached_key(|(key, _)| text_of(key));
            out.open('{')?;
            let mut first = true;
            for (key, value) in entries {
                out.next(&mut first)?;
                out.name(&text_of(key))?;
                of_kind(value, &kind, out)?;
            }
            out.close('}')
        }
        (value, kind) => of_kind(value, &kind, out),
    }
}

fn of_kind(value: &Value, kind: &Kind, out: &mut Out) -> Result<(), Fault> {
    match value {
        Value::Bool(yes) => out.raw(if *yes { "true" } else { "false" }),
        Value::I32(number) => out.whole(number),
        Value::I64(number) => out.whole(number),
        Value::U32(number) => out.whole(number),
        Value::U64(number) => out.whole(number),
        Value::F32(number) => out.float(*number),
        Value::F64(number) => out.double(*number),
        Value::String(text) => out.string(text),
        Value::Bytes(bytes) => out.bytes(bytes),
        Value::EnumNumber(number) => {
            let of = kind.as_enum();
            if of.is_some_and(|of| of.full_name() == "google.protobuf.NullValue") {
                return out.raw("null");
            }
            match of.and_then(|of| of.get_value(*number)) {
                Some(named) => out.string(named.name()),
                None => out.whole(number),
            }
        }
        Value::Message(inner) => message(inner, out),
        Value::List(items) => {
            out.open('[')?;
            let mut first = true;
            for item in items {
                out.next(&mut first)?;
                of_kind(item, kind, out)?;
            }
            out.close(']')
        }
        Value::Map(_) => Err(Fault::invalid("a map within a map")),
    }
}

fn text_of(key: &MapKey) -> String {
    match key {
        MapKey::Bool(yes) => yes.to_string(),
        MapKey::I32(number) => number.to_string(),
        MapKey::I64(number) => number.to_string(),
        MapKey::U32(number) => number.to_string(),
        MapKey::U64(number) => number.to_string(),
        MapKey::String(text) => text.clone(),
    }
}

/// Writes a message of a known type; `false` if its type is none.
fn known(message: &DynamicMessage, out: &mut Out) -> Result<bool, Fault> {
    let of = message.descriptor();
    match of.full_name() {
        "google.protobuf.Timestamp" => {
            let seconds = i128::from(whole(message, 1));
            let nanoseconds = seconds * 1_000_000_000 + i128::from(whole(message, 2));
            texts::instant(nanoseconds, true, out)?;
        }
        "google.protobuf.Duration" => out.string(&duration(message))?,
        "google.protobuf.DoubleValue"
        | "google.protobuf.FloatValue"
        | "google.protobuf.Int64Value"
        | "google.protobuf.UInt64Value"
        | "google.protobuf.Int32Value"
        | "google.protobuf.UInt32Value"
        | "google.protobuf.BoolValue"
        | "google.protobuf.StringValue"
        | "google.protobuf.BytesValue" => {
            let field = message.descriptor().get_field(1);
            let field = field.ok_or_else(|| Fault::invalid("a wrapper without its value"))?;
            of_kind(&message.get_field(&field), &field.kind(), out)?;
        }
        "google.protobuf.Struct" | "google.protobuf.ListValue" => {
            let field = message.descriptor().get_field(1);
            let field = field.ok_or_else(|| Fault::invalid("a struct without its fields"))?;
            of_field(&message.get_field(&field), &field, out)?;
        }
        "google.protobuf.Value" => {
            let set = message.fields().next();
            match set {
                None => out.raw("null")?,
                Some((field, value)) => of_field(value, &field, out)?,
            }
        }
        "google.protobuf.FieldMask" => {
            let paths = message.get_field_by_number(1);
            let paths = paths.as_deref().and_then(Value::as_list).unwrap_or(&[]);
            let paths: Vec<&str> = paths.iter().filter_map(Value::as_str).collect();
            out.string(&paths.join(","))?;
        }
        "google.protobuf.Any" => any(message, out)?,
        "confluent.type.Decimal" => {
            let bytes = message.get_field_by_number(1);
            let bytes = bytes.as_deref().and_then(Value::as_bytes);
            let bytes: &[u8] =
                bytes.map_or(&[0], |bytes| if bytes.is_empty() { &[0] } else { bytes });
            texts::scaled(bytes, whole(message, 3), out)?;
        }
        "google.type.Date" => {
            let (year, month, day) = (whole(message, 1), whole(message, 2), whole(message, 3));
            if year == 0 || month == 0 || day == 0 {
                return Ok(false);
            }
            out.string(&format!("{year:04}-{month:02}-{day:02}"))?;
        }
        "google.type.TimeOfDay" => {
            let seconds = (whole(message, 1) * 60 + whole(message, 2)) * 60 + whole(message, 3);
            let nanoseconds = i128::from(seconds) * 1_000_000_000 + i128::from(whole(message, 4));
            texts::time_of_day(nanoseconds, out)?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn whole(message: &DynamicMessage, number: u32) -> i64 {
    let value = message.get_field_by_number(number);
    match value.as_deref() {
        Some(Value::I64(number)) => *number,
        Some(Value::I32(number)) => i64::from(*number),
        _ => 0,
    }
}

/// Seconds with their fraction: `3.5s`.
fn duration(message: &DynamicMessage) -> String {
    let (seconds, nanoseconds) = (whole(message, 1), whole(message, 2));
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
fn any(message: &DynamicMessage, out: &mut Out) -> Result<(), Fault> {
    let (url, bytes) = (
        message.get_field_by_number(1),
        message.get_field_by_number(2),
    );
    let url = url.as_deref().and_then(Value::as_str).unwrap_or_default();
    let bytes = bytes.as_deref().and_then(Value::as_bytes);
    let bytes: &[u8] = bytes.map_or(&[], |bytes| bytes);
    let name = url.rsplit('/').next().unwrap_or_default();
    let pool = message.descriptor().parent_pool().clone();
    let inner = pool
        .get_message_by_name(name)
        .and_then(|of| DynamicMessage::decode(of, bytes).ok());
    out.open('{')?;
    out.name("@type")?;
    out.string(url)?;
    match inner {
        Some(inner) => fields(&inner, &mut false, out)?,
        None => {
            out.raw(",")?;
            out.name("value")?;
            out.bytes(bytes)?;
        }
    }
    out.close('}')
}
