//! JSON values that borrow from the text they were read from.
//!
//! Most of what a record says is never kept: it is looked at, and written into a body. So texts and names stay where they are
//! as long as nothing changes them, and an object is a list of fields ([`Map`]). Numbers keep their digits as far as 64 bits go.

mod map;
mod read;

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Number;

/// The fields of an object.
pub type Map<'t> = map::Map<'t, Value<'t>>;

/// A JSON value. What is text in it may belong to the text that it was read from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Value<'t> {
    /// `null`
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number
    Number(Number),
    /// A text
    String(Cow<'t, str>),
    /// A list
    Array(Vec<Value<'t>>),
    /// An object
    Object(Map<'t>),
}

// === impl Value ===

impl<'t> Value<'t> {
    /// Reads JSON text. A name that is repeated within an object has its last value; a number that is whole is an integer, if
    /// a floating-point number holds it exactly.
    ///
    /// # Errors
    /// What `serde_json` says: the text is no JSON, has too large a number, or is nested deeper than 128 levels.
    pub fn read(text: &'t str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// A text, borrowed.
    #[must_use]
    pub fn text(text: &'t str) -> Self {
        Self::String(Cow::Borrowed(text))
    }

    /// The same, independent of the text it was read from.
    #[must_use]
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(yes) => Value::Bool(yes),
            Self::Number(number) => Value::Number(number),
            Self::String(text) => Value::String(Cow::Owned(text.into_owned())),
            Self::Array(items) => Value::Array(items.into_iter().map(Value::into_owned).collect()),
            Self::Object(fields) => Value::Object(
                fields
                    .into_iter()
                    .map(|(name, value)| (Cow::Owned(name.into_owned()), value.into_owned()))
                    .collect(),
            ),
        }
    }

    /// The same value, whose text stays here.
    #[must_use]
    pub fn borrowed(&'t self) -> Self {
        match self {
            Self::String(text) => Self::text(text),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Array(_) | Self::Object(_) => {
                self.clone()
            }
        }
    }

    /// Whether it is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Array(_) | Self::Object(_) => None,
        }
    }

    /// The items, if it is a list.
    #[must_use]
    pub fn as_array(&self) -> Option<&Vec<Self>> {
        match self {
            Self::Array(items) => Some(items),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) | Self::Object(_) => {
                None
            }
        }
    }

    /// The fields, if it is an object.
    #[must_use]
    pub fn as_object(&self) -> Option<&Map<'t>> {
        match self {
            Self::Object(fields) => Some(fields),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) | Self::Array(_) => None,
        }
    }

    /// A field, if it is an object that has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.as_object()?.get(name)
    }

    /// As [`Value::get`], to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        match self {
            Self::Object(fields) => fields.get_mut(name),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) | Self::Array(_) => None,
        }
    }
}

impl From<bool> for Value<'_> {
    fn from(yes: bool) -> Self {
        Self::Bool(yes)
    }
}

impl From<i32> for Value<'_> {
    fn from(whole: i32) -> Self {
        Self::Number(whole.into())
    }
}

impl From<i64> for Value<'_> {
    fn from(whole: i64) -> Self {
        Self::Number(whole.into())
    }
}

impl From<u64> for Value<'_> {
    fn from(whole: u64) -> Self {
        Self::Number(whole.into())
    }
}

impl<'t> From<&'t str> for Value<'t> {
    fn from(text: &'t str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::String(Cow::Owned(text))
    }
}

impl From<serde_json::Value> for Value<'static> {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(yes) => Self::Bool(yes),
            serde_json::Value::Number(number) => Self::Number(number),
            serde_json::Value::String(text) => Self::from(text),
            serde_json::Value::Array(items) => {
                Self::Array(items.into_iter().map(Self::from).collect())
            }
            serde_json::Value::Object(fields) => Self::Object(
                fields
                    .into_iter()
                    .map(|(name, value)| (Cow::Owned(name), Self::from(value)))
                    .collect(),
            ),
        }
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(yes) => serializer.serialize_bool(*yes),
            Self::Number(number) => number.serialize(serializer),
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(items) => items.serialize(serializer),
            Self::Object(fields) => fields.serialize(serializer),
        }
    }
}

/// As compact JSON.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_never| fmt::Error)?)
    }
}

#[cfg(test)]
impl std::ops::Index<&str> for Value<'_> {
    type Output = Self;

    fn index(&self, name: &str) -> &Self {
        self.get(name).unwrap_or(&Value::Null)
    }
}

#[cfg(test)]
impl std::ops::Index<usize> for Value<'_> {
    type Output = Self;

    fn index(&self, place: usize) -> &Self {
        let items = self.as_array();
        items
            .and_then(|items| items.get(place))
            .unwrap_or(&Value::Null)
    }
}

/// As `serde_json::json`, but gives a value of this module.
#[cfg(test)]
macro_rules! json {
    ($($json:tt)+) => {
        $crate::value::Value::from(serde_json::json!($($json)+))
    };
}
#[cfg(test)]
pub(crate) use json;

#[cfg(test)]
mod tests;
