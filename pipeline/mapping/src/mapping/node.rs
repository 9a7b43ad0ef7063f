//! A YAML document that keeps the place of each value.
//!
//! Mappings are read from this by hand, not by derived deserialisation, because all errors of a file are reported at once,
//! each with its place, and because a text and a number mean different things in a field.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_saphyr::{Location, Spanned};

use crate::value::Value;

/// A line and a column in a file, both counted from 1; 0 if they are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// The line.
    pub line: u64,
    /// The column.
    pub column: u64,
}

/// A value in a YAML document, with its place.
///
/// It implements `Deserialize`, so that a mapping can be part of another document.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it begins.
    pub place: Place,
    /// The value.
    pub content: Content,
}

/// The value of a node.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Nothing, or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text, quoted or not.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the document. Keys are unique.
    Map(Vec<(Key, Node)>),
}

/// A key of a map, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Where it begins.
    pub place: Place,
    /// The key.
    pub name: String,
}

// === impl Node ===

impl Node {
    /// Reads YAML. As in YAML 1.2, only `true` and `false` are booleans; `yes`, `on` and `y` are texts. `007` and `1_000`
    /// are texts too.
    ///
    /// A mapping that is part of another document is read like that document instead.
    ///
    /// # Errors
    /// What is wrong with the YAML, with its place.
    pub fn from_yaml(text: &str) -> Result<Self, serde_saphyr::Error> {
        let options = serde_saphyr::options! {
            strict_booleans: true,
            leading_zero_numbers_as_strings: true,
            underscored_numbers_as_strings: true,
        };
        serde_saphyr::from_str_with_options(text, options)
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            Content::Null
            | Content::Bool(_)
            | Content::Number(_)
            | Content::List(_)
            | Content::Map(_) => None,
        }
    }

    /// The kind of value in words.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.content {
            Content::Null => "nothing",
            Content::Bool(_) => "true or false",
            Content::Number(_) => "a number",
            Content::Text(_) => "a text",
            Content::List(_) => "a list",
            Content::Map(_) => "a map",
        }
    }

    /// The value as plain JSON.
    #[must_use]
    pub fn to_json(&self) -> Value<'static> {
        match &self.content {
            Content::Null => Value::Null,
            Content::Bool(yes) => Value::Bool(*yes),
            Content::Number(number) => Value::Number(number.clone()),
            Content::Text(text) => Value::from(text.clone()),
            Content::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Content::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(key, node)| (Cow::Owned(key.name.clone()), node.to_json()))
                    .collect(),
            ),
        }
    }
}

impl From<Location> for Place {
    fn from(location: Location) -> Self {
        Self {
            line: location.line(),
            column: location.column(),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Content>::deserialize(deserializer)?;
        Ok(Self {
            place: spanned.referenced.into(),
            content: spanned.value,
        })
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_none<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Content, D::Error> {
        Content::deserialize(deserializer)
    }

    fn visit_bool<E>(self, yes: bool) -> Result<Content, E> {
        Ok(Content::Bool(yes))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Content, E> {
        Ok(Content::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Content, E> {
        Ok(Content::Number(number.into()))
    }

    fn visit_i128<E: de::Error>(self, number: i128) -> Result<Content, E> {
        Ok(Content::Text(number.to_string()))
    }

    fn visit_u128<E: de::Error>(self, number: u128) -> Result<Content, E> {
        Ok(Content::Text(number.to_string()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Content, E> {
        Number::from_f64(number)
            .map(Content::Number)
            .ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Content, E> {
        Ok(Content::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Content, E> {
        Ok(Content::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Content, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Content::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Content, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, node)) = access.next_entry::<Spanned<String>, Node>()? {
            entries.push((
                Key {
                    place: key.referenced.into(),
                    name: key.value,
                },
                node,
            ));
        }
        Ok(Content::Map(entries))
    }
}
