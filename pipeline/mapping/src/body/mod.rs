//! The API's rules for bodies, in one place: what a legal body is, and how a value is made legal.
//!
//! The API refuses a whole body for one wrong attribute. So no such body is ever built: each value is made legal here
//! or refused. The rules come from `docs/kustomer-api.md`: names of tracking events have no spaces, `meta` is flat, the
//! names in `meta` and `custom` end in their type, and unknown fields are refused.
//!
//! - A text that is too long is cut at its limit, and the cut is counted ([`Cuts`]). An id is never cut.
//! - A value whose type is not that of the attribute's suffix is converted if nothing is lost, and refused otherwise.
//! - A null leaves its field out.
//!
//! [`attribute`] covers `custom` and `meta`, [`name`] the names of tracking events, [`field`] the other fields of objects
//! and identities, [`key`] the `eventKey`.

pub mod attribute;
pub mod field;
pub mod key;
pub mod name;

use std::borrow::Cow;

use crate::value::Value;
use ingest_model::outcome::Rejection;

/// The largest body of one operation, in bytes. A request may have 100,000; the rest is room for the customer's id, the
/// reference and the brackets around them.
pub const MAX_ITEM_BYTES: usize = 95_000;

/// The most attributes that `meta` or `custom` may have.
pub const MAX_PROPERTIES: usize = 100;

/// The longest text in an attribute, in characters.
pub const MAX_TEXT_CHARS: usize = 1_024;

/// The longest title of an object, in characters.
pub const MAX_TITLE_CHARS: usize = 256;

/// The longest description of an object, in characters.
pub const MAX_DESCRIPTION_CHARS: usize = 10_240;

/// The most tags that an object or identity may have, and the most images of an object.
pub const MAX_LIST: usize = 20;

/// Names in `meta` that are reserved: the key of the occurrence and its time.
pub const RESERVED_META: &[&str] = &["eventKey", "occurredAt"];

/// How many texts and lists of images were cut at their limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cuts(pub u32);

/// Why a value is not legal in its field. It has the rule that is broken, never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rule}")]
pub struct Illegal {
    /// The reason as a label.
    pub reason: Rejection,
    /// The rule, and a way out where there is one.
    pub rule: String,
    /// The part of the value that is legal: the legal items of a list.
    pub legal_part: Option<Value<'static>>,
}

// === impl Illegal ===

impl Illegal {
    pub(crate) fn new(rule: impl Into<String>) -> Self {
        Self {
            reason: Rejection::IllegalField,
            rule: rule.into(),
            legal_part: None,
        }
    }
}

// === impl Cuts ===

impl Cuts {
    /// The text, cut to this many characters. A cut is counted.
    #[must_use]
    pub fn cut<'t>(&mut self, text: impl Into<Cow<'t, str>>, max_chars: usize) -> Cow<'t, str> {
        let mut text = text.into();
        // saves counting: a text never has more characters than bytes
        if text.len() > max_chars
            && let Some((end, _)) = text.char_indices().nth(max_chars)
        {
            match &mut text {
                Cow::Borrowed(text) => *text = text.get(..end).unwrap_or_default(),
                Cow::Owned(text) => text.truncate(end),
            }
            self.0 = self.0.saturating_add(1);
        }
        text
    }
}

/// The size of a value as compact JSON, in bytes. The JSON itself is not kept.
#[must_use]
pub fn json_bytes(value: &impl serde::Serialize) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    match serde_json::to_writer(&mut count, value) {
        Ok(()) => count.0,
        // only a map whose keys are not texts fails, and no such value is sent
        Err(_) => usize::MAX,
    }
}

/// The kind of a JSON value in words, for messages that must not show the value.
#[must_use]
pub fn kind_of(value: &Value<'_>) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests;
