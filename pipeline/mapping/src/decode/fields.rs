//! A few fields at the top of a record's text, without its content.
//!
//! The text is read once and checked to be JSON; nothing is built of it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer as _, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::identity;
use crate::value::Value;

/// The fields at the top of a record that kind and name are made of: their JSON texts, unread. Of several fields of one
/// name, the last counts.
#[derive(Debug)]
pub(super) struct Fields<'t> {
    names: &'static [&'static str],
    /// One more, which the mapping names.
    named_by: Option<&'t str>,
    found: [Option<&'t str>; MOST + 1],
}

/// It takes more than a glance.
#[derive(Debug)]
pub(super) struct Unsure;

/// The most fields that a format looks at.
const MOST: usize = 6;
/// As many digits fit into 64 bits, whichever they are. Decoding turns a larger whole number into a text.
const EXACT_DIGITS: usize = 18;

// === impl Fields ===

impl<'t> Fields<'t> {
    /// These fields of a text, and one more; `None` if it is not a JSON object.
    pub(super) fn read(
        text: &'t str,
        names: &'static [&'static str],
        named_by: Option<&'t str>,
    ) -> Option<Self> {
        debug_assert!(names.len() <= MOST, "room for all of them");
        let fields = Self {
            names,
            named_by,
            found: [None; MOST + 1],
        };
        let mut reader = serde_json::Deserializer::from_str(text);
        let fields = reader.deserialize_map(fields).ok()?;
        reader.end().ok()?;
        Some(fields)
    }

    /// A field's JSON text.
    pub(super) fn raw(&self, name: &str) -> Option<&'t str> {
        *self.found.get(self.place(name)?)?
    }

    /// A field's value, which should be small.
    pub(super) fn value(&self, name: &str) -> Option<Value<'t>> {
        Value::read(self.raw(name)?).ok()
    }

    /// The text in a field, if it is one.
    ///
    /// # Errors
    /// [`Unsure`] if decoding mends it: a text that is not well-formed, or a number that may have more than 64 bits.
    pub(super) fn text(&self, name: &str) -> Result<Option<Cow<'t, str>>, Unsure> {
        let Some(raw) = self.raw(name) else {
            return Ok(None);
        };
        if !raw.starts_with('"') {
            let long_number = raw.len() > EXACT_DIGITS
                && raw.starts_with(|first: char| first == '-' || first.is_ascii_digit());
            return if long_number { Err(Unsure) } else { Ok(None) };
        }
        let borrowed = serde_json::from_str(raw).map(Cow::Borrowed);
        let text = borrowed.or_else(|_| serde_json::from_str(raw).map(Cow::Owned));
        text.map(Some).or(Err(Unsure))
    }

    /// The name in the first of these fields that has one.
    ///
    /// # Errors
    /// As [`Fields::text`].
    pub(super) fn first_name(&self, fields: &[&str]) -> Result<Option<Cow<'t, str>>, Unsure> {
        for field in fields {
            let name = match self.text(field)? {
                Some(Cow::Borrowed(text)) => identity::cleaned(text),
                Some(Cow::Owned(text)) => Cow::Owned(identity::cleaned(&text).into_owned()),
                None => continue,
            };
            if !name.is_empty() {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    fn place(&self, name: &str) -> Option<usize> {
        let known = self.names.iter().position(|known| *known == name);
        known.or_else(|| (self.named_by == Some(name)).then_some(MOST))
    }
}

impl<'t> Visitor<'t> for Fields<'t> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(mut self, mut object: A) -> Result<Self, A::Error> {
        while let Some(place) = object.next_key_seed(Name(&self))? {
            match place.and_then(|place| self.found.get_mut(place)) {
                Some(found) => *found = Some(object.next_value::<&RawValue>()?.get()),
                None => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(self)
    }
}

/// A field's name, read to its place.
struct Name<'f, 't>(&'f Fields<'t>);

impl<'t> DeserializeSeed<'t> for Name<'_, '_> {
    type Value = Option<usize>;

    fn deserialize<D: serde::Deserializer<'t>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_, '_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.place(name))
    }
}
