//! Reading and writing the text of a body.
//!
//! The text was written by this program, so it is a JSON object without space between its parts, and nothing is checked again.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

/// A field as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'t> {
    /// What stands between the quotes of its name. Equal names are written in the same way.
    pub name: &'t str,
    /// Its value.
    pub value: &'t str,
}

/// The fields of an object, in order.
#[derive(Debug, Clone)]
pub struct Parts<'t>(&'t str);

// === impl Part ===

impl<'t> Part<'t> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> Cow<'t, str> {
        plain(self.name)
    }

    /// The fields of its value, if that is an object.
    #[must_use]
    pub fn parts(&self) -> Option<Parts<'t>> {
        Parts::of_object(self.value)
    }
}

// === impl Parts ===

impl<'t> Parts<'t> {
    /// The fields of an object.
    pub(super) fn of(object: &'t str) -> Self {
        Self(object.get(1..).unwrap_or_default())
    }

    /// The fields of a value that may be an object.
    #[must_use]
    pub fn of_object(value: &'t str) -> Option<Self> {
        value.starts_with('{').then(|| Self::of(value))
    }
}

impl<'t> Iterator for Parts<'t> {
    type Item = Part<'t>;

    fn next(&mut self) -> Option<Part<'t>> {
        let rest = self.0.strip_prefix('"')?;
        let (name, rest) = rest.split_at_checked(text_end(rest))?;
        let rest = rest.strip_prefix("\":")?;
        let (value, rest) = rest.split_at_checked(value_end(rest))?;
        // A comma, or the closing brace.
        self.0 = rest.get(1..).unwrap_or_default();
        Some(Part { name, value })
    }
}

/// The fields as values.
pub(super) fn map_of(parts: Parts<'_>) -> Map<String, Value> {
    parts
        .map(|part| (part.name().into_owned(), value_of(part.value)))
        .collect()
}

fn value_of(text: &str) -> Value {
    match text.as_bytes() {
        [b'{', ..] => Value::Object(map_of(Parts::of(text))),
        [b'[', ..] => Value::Array(values_of(text)),
        [b'"', inner @ .., b'"'] => {
            let inner = std::str::from_utf8(inner).unwrap_or_default();
            Value::String(plain(inner).into_owned())
        }
        b"true" => Value::Bool(true),
        b"false" => Value::Bool(false),
        b"null" => Value::Null,
        _ => number_of(text).map_or(Value::Null, Value::Number),
    }
}

fn values_of(list: &str) -> Vec<Value> {
    let mut values = Vec::new();
    let mut rest = list.get(1..).unwrap_or_default();
    while let Some((value, after)) = rest.split_at_checked(value_end(rest))
        && !value.is_empty()
    {
        values.push(value_of(value));
        rest = after.get(1..).unwrap_or_default();
    }
    values
}

/// The number with exactly these digits; `serde_json` may miss the last of a long fraction.
fn number_of(text: &str) -> Option<Number> {
    if let Ok(whole) = text.parse::<u64>() {
        return Some(whole.into());
    }
    match text.parse::<i64>() {
        Ok(whole) => Some(whole.into()),
        Err(_) => text.parse().ok().and_then(Number::from_f64),
    }
}

/// The text that is written so between its quotes.
fn plain(written: &str) -> Cow<'_, str> {
    if !written.contains('\\') {
        return Cow::Borrowed(written);
    }
    Cow::Owned(serde_json::from_str(&format!("\"{written}\"")).unwrap_or_default())
}

/// Where the quote is that ends a text.
fn text_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at,
            _ => {}
        }
    }
    text.len()
}

/// Where the comma or the bracket is that follows a value.
fn value_end(text: &str) -> usize {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        if quoted {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b'{' | b'[' => depth += 1,
            b',' | b'}' | b']' if depth == 0 => return at,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// A name that is already written as JSON, and the colon.
pub(super) fn named(out: &mut String, name: &str) {
    out.push('"');
    out.push_str(name);
    out.push_str("\":");
}

/// A text.
pub(super) fn quoted(out: &mut String, text: &str) {
    let simple = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if text.bytes().all(simple) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&Value::from(text).to_string());
    }
}
