//! The encoding rules of the API, in one place: what a legal body is, and how a value becomes one.
//!
//! The API refuses a whole body for one wrong attribute. So a body that it would refuse is never made: every value is
//! put into legal form here, or refused with the path of the field. The rules are those of the project's own
//! `docs/kustomer-api.md`: tracking names allow no spaces, `meta` is flat and its keys carry the type in their suffix,
//! `custom` attributes likewise, and bodies are strict.
//!
//! - A text that is too long is cut at its limit, and the cut is counted ([`Cuts`]). An id is never cut.
//! - A value of another type than its attribute's suffix says is converted where nothing is lost, else refused.
//! - A null leaves its field out.
//!
//! [`attribute`] has the attributes of `custom` and `meta`, [`name`] the names of tracking events, [`field`] the single
//! fields of objects and identities, [`key`] the `eventKey`.

pub mod attribute;
pub mod field;
pub mod key;
pub mod name;

use serde_json::Value;

use ingest_model::outcome::Rejection;

/// The largest body of one operation in bytes. A request may have 100,000; the rest is room for the customer's id,
/// the reference and the brackets around it.
pub const MAX_ITEM_BYTES: usize = 95_000;

/// The most properties that `meta` or `custom` may have.
pub const MAX_PROPERTIES: usize = 100;

/// The longest text of an attribute in characters.
pub const MAX_TEXT_CHARS: usize = 1_024;

/// The longest title of an object in characters.
pub const MAX_TITLE_CHARS: usize = 256;

/// The longest description of an object in characters.
pub const MAX_DESCRIPTION_CHARS: usize = 10_240;

/// The most tags of an object or identity, and the most images of an object.
pub const MAX_LIST: usize = 20;

/// Reserved names in `meta`: which occurrence it is, and when it happened.
pub const RESERVED_META: &[&str] = &["eventKey", "occurredAt"];

/// How many texts were cut at their limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cuts(pub u32);

/// A value that cannot stand in its field: the rule it breaks, never the value itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rule}")]
pub struct Illegal {
    /// Why, as a label.
    pub reason: Rejection,
    /// The rule, with the way out.
    pub rule: String,
    /// What of the value may stand there all the same: the legal items of a list.
    pub legal_part: Option<Value>,
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
    /// The text with at most that many characters; a cut is counted.
    #[must_use]
    pub fn cut(&mut self, mut text: String, max_chars: usize) -> String {
        // a text never has more characters than bytes
        if text.len() > max_chars
            && let Some((end, _)) = text.char_indices().nth(max_chars)
        {
            text.truncate(end);
            self.0 = self.0.saturating_add(1);
        }
        text
    }
}

/// The size of a value as compact JSON, in bytes, without writing it anywhere.
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
        // only a map with keys that are no text fails; such a value is not sent
        Err(_) => usize::MAX,
    }
}

/// The kind of a JSON value in words, for messages that must not show the value.
#[must_use]
pub fn kind_of(value: &Value) -> &'static str {
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
