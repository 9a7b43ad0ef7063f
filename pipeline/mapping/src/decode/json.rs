//! Bytes to a JSON value, within limits. The text is first repaired by [`mended`].
//!
//! - The value must be UTF-8; a byte order mark at its start is dropped.
//! - An empty value and `null` are rejected, and so are `NaN`, `Infinity` and `1e400` anywhere in a value.
//! - A value that is a single JSON string is decoded once more: outbox tables often escape their JSON into a string.
//! - A whole number of up to 64 bits stays exact. A larger one becomes a *text of the same digits*, because as a
//!   floating-point number it would silently become another id. Other numbers are 64-bit floating point; one that is
//!   whole and below 2^53, such as `17.0`, becomes the whole number.
//! - Half of a surrogate pair in an escape (`\ud83d` alone) becomes U+FFFD, in values and in names.
//! - If a name is repeated within an object, the last value counts.

use std::borrow::Cow;

use super::envelope::{Decoded, Limits};
use super::mend::mended;
use super::weight;
use crate::value::Value;
use ingest_model::outcome::{Rejection, SkipReason};
use ingest_model::record::Record;

/// The bytes of a byte order mark in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The value of a record.
///
/// # Errors
/// [`Decoded::Skip`] for a tombstone; otherwise as [`parse`].
pub(crate) fn value(record: &Record, limits: Limits) -> Result<Value<'_>, Decoded> {
    match &record.value {
        Some(bytes) => parse(bytes, limits),
        None => Err(Decoded::Skip(SkipReason::Tombstone)),
    }
}

/// Parses the value of a record.
///
/// # Errors
/// [`Decoded::Reject`] with [`Rejection::TooLarge`], [`Rejection::InvalidUtf8`], [`Rejection::TooDeep`] or
/// [`Rejection::InvalidJson`]; the detail has line and column, never content.
pub fn parse(bytes: &[u8], limits: Limits) -> Result<Value<'_>, Decoded> {
    parse_checked(checked(bytes, limits)?, limits)
}

/// The text of a value that is within the limits, as far as they are about texts.
///
/// # Errors
/// [`Decoded::Reject`], as [`parse`].
pub(super) fn checked(bytes: &[u8], limits: Limits) -> Result<&str, Decoded> {
    if bytes.len() > limits.value_bytes {
        let (is, may) = (bytes.len(), limits.value_bytes);
        return Err(Decoded::reject(
            Rejection::TooLarge,
            format!("the value has {is} bytes, more than the limit of {may}"),
        ));
    }
    let bytes = unmarked(bytes);
    let text = std::str::from_utf8(bytes).map_err(|e| {
        Decoded::reject(
            Rejection::InvalidUtf8,
            format!("not UTF-8 from byte {}", e.valid_up_to()),
        )
    })?;
    if text.trim_ascii().is_empty() {
        return Err(Decoded::reject(
            Rejection::InvalidJson,
            "the value is empty",
        ));
    }
    light_enough(text)?;
    Ok(text)
}

/// Parses a text that [`checked`] returned.
///
/// # Errors
/// As [`parse`].
pub(super) fn parse_checked(text: &str, limits: Limits) -> Result<Value<'_>, Decoded> {
    let value = match parse_text(text)? {
        Value::String(inner) => parse_text_within(inner, "the value is a JSON text")?,
        value @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::Array(_)
        | Value::Object(_)) => value,
    };
    if value.is_null() {
        return Err(Decoded::reject(
            Rejection::InvalidJson,
            "the value is the JSON word null",
        ));
    }
    if limits.depth < MAX_DEPTH && deeper_than(&value, limits.depth) {
        let depth = limits.depth;
        return Err(Decoded::reject(
            Rejection::TooDeep,
            format!("nested deeper than {depth} levels"),
        ));
    }
    Ok(value)
}

/// A value without the byte order mark at its start.
pub(crate) fn unmarked(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes)
}

/// Parses JSON that is in a text. `what` says in errors which text: "`body` is a text".
///
/// # Errors
/// As [`parse`], apart from what is about bytes.
pub(super) fn parse_text_within<'t>(text: Cow<'t, str>, what: &str) -> Result<Value<'t>, Decoded> {
    let parsed = light_enough(&text).and_then(|()| match text {
        Cow::Borrowed(text) => parse_text(text),
        Cow::Owned(text) => parse_text(&text).map(Value::into_owned),
    });
    parsed.map_err(|error| match error {
        Decoded::Reject(mut rejected) => {
            rejected.detail = format!("{what} whose content is not JSON: {}", rejected.detail);
            Decoded::Reject(rejected)
        }
        Decoded::Skip(reason) => Decoded::Skip(reason),
    })
}

/// Rejects a text that would take too much memory once parsed.
fn light_enough(text: &str) -> Result<(), Decoded> {
    if weight::is_light(text.as_bytes()) {
        return Ok(());
    }
    Err(Decoded::reject(
        Rejection::TooLarge,
        "the value has too many parts",
    ))
}

/// Parses JSON that an event has in a text, with the same exact integers and the parser's own limit on depth.
pub(crate) fn parse_nested(bytes: &[u8]) -> Option<Value<'_>> {
    parse_text(std::str::from_utf8(bytes).ok()?).ok()
}

/// As [`parse_nested`], if what it takes once parsed fits into `room`, which becomes smaller by that.
pub(super) fn nested<'t>(text: &'t [u8], room: &mut usize) -> Option<Value<'t>> {
    *room = room.checked_sub(weight::of_text(text))?;
    parse_nested(text)
}

/// The JSON in a text, if the whole text is an object or a list.
pub(super) fn unescaped(value: Value<'_>) -> Value<'_> {
    let Value::String(text) = &value else {
        return value;
    };
    if !text.trim_start().starts_with(['{', '[']) {
        return value;
    }
    match nested(text.as_bytes(), &mut { weight::NESTED }) {
        Some(read) => read.into_owned(),
        None => value,
    }
}

/// Reads a text with its repairs.
///
/// # Errors
/// As [`Value::read`].
pub(super) fn read_mended(text: &str) -> Result<Value<'_>, serde_json::Error> {
    match mended(text) {
        Cow::Borrowed(text) => Value::read(text),
        Cow::Owned(text) => Value::read(&text).map(Value::into_owned),
    }
}

/// The depth at which the JSON parser itself gives up.
pub(super) const MAX_DEPTH: usize = 128;

fn parse_text(text: &str) -> Result<Value<'_>, Decoded> {
    read_mended(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let said = error.to_string();
        if said.starts_with("recursion limit exceeded") {
            let detail =
                format!("nested deeper than {MAX_DEPTH} levels at line {line} column {column}");
            return Decoded::reject(Rejection::TooDeep, detail);
        }
        let what = match error.classify() {
            serde_json::error::Category::Eof => "ends in the middle of a value",
            serde_json::error::Category::Syntax if said.starts_with("number out of range") => {
                "number out of range"
            }
            serde_json::error::Category::Syntax
            | serde_json::error::Category::Data
            | serde_json::error::Category::Io => "not JSON",
        };
        Decoded::reject(
            Rejection::InvalidJson,
            format!("{what} at line {line} column {column}"),
        )
    })
}

/// Whether a value is nested deeper than these levels.
pub(super) fn deeper_than(value: &Value<'_>, levels: usize) -> bool {
    match value {
        Value::Array(items) => {
            levels == 0 || items.iter().any(|item| deeper_than(item, levels - 1))
        }
        Value::Object(fields) => {
            levels == 0 || fields.values().any(|item| deeper_than(item, levels - 1))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    #[test]
    fn big_integers_become_text_and_nothing_else_changes() {
        let text = r#"{"a":18446744073709551616,"b":18446744073709551615,"c":-9223372036854775809,"d":"18446744073709551616 \" 99999999999999999999","e":1.8446744073709551616e19,"f":[-9223372036854775808,123456789012345678901234567890]}"#;
        let value = parse(text.as_bytes(), Limits::default()).unwrap();
        assert_eq!(value["a"], json!("18446744073709551616"));
        assert_eq!(value["b"], json!(u64::MAX));
        assert_eq!(value["c"], json!("-9223372036854775809"));
        assert_eq!(
            value["d"],
            json!("18446744073709551616 \" 99999999999999999999")
        );
        assert_eq!(value["e"], json!(1.844_674_407_370_955_2e19));
        assert_eq!(
            value["f"],
            json!([i64::MIN, "123456789012345678901234567890"])
        );
        assert!(parse(b"{\"a\":018446744073709551616}", Limits::default()).is_err());
    }
}
