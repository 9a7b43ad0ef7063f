//! A span that has ended, as plain values.

use std::borrow::Cow;
use std::sync::Arc;

use crate::context::{Context, SpanId};

/// The most links of a span; the others are only counted.
pub const MAX_LINKS: usize = 128;

/// What a span has to do with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Something within the process.
    Internal,
    /// A request to somebody.
    Client,
    /// The processing of a message.
    Consumer,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text.
    Text(Cow<'static, str>),
    /// A number.
    Number(i64),
    /// Yes or no.
    Bool(bool),
}

/// A span that this one belongs to without being its child.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// The other span.
    pub to: Context,
    /// What is said of it.
    pub attributes: Vec<(&'static str, Value)>,
}

/// A span that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Itself.
    pub context: Context,
    /// The span that it belongs to.
    pub parent: Option<SpanId>,
    /// Few different names: no ids.
    pub name: Cow<'static, str>,
    /// What it has to do with others.
    pub kind: Kind,
    /// Nanoseconds since 1970.
    pub start_ns: u64,
    /// The same; never before the start.
    pub end_ns: u64,
    /// What is said of it. Nothing about a person.
    pub attributes: Vec<(&'static str, Value)>,
    /// At most [`MAX_LINKS`].
    pub links: Vec<Link>,
    /// Links that had no room.
    pub links_dropped: u32,
    /// It failed.
    pub failed: bool,
}

// === impl Value ===

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<&Arc<str>> for Value {
    fn from(text: &Arc<str>) -> Self {
        text.as_ref().to_owned().into()
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Self::Bool(yes)
    }
}

/// A count; one beyond every number is the largest number.
impl From<usize> for Value {
    fn from(count: usize) -> Self {
        Self::Number(i64::try_from(count).unwrap_or(i64::MAX))
    }
}
