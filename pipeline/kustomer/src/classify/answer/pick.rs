//! Reading what is wanted of a JSON text, and nothing else.
//!
//! A value of another kind than the wanted one is no error: it is passed over, and leaves the default. What is passed over is
//! not built, but checked like the rest: an answer is either JSON of at most 128 levels as a whole, or not read. Of two
//! fields with one name the last counts. So whoever picks sees what a tree of all values would show.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A text that is there.
pub(in crate::classify) type Text<'de> = Option<Cow<'de, str>>;

/// What is made of a value; of kinds that an implementation does not name, the default.
pub(in crate::classify) trait Pick<'de>: Default {
    fn null() -> Self {
        Self::default()
    }

    fn flag(_value: bool) -> Self {
        Self::default()
    }

    /// A whole number that is not negative.
    fn whole(_value: u64) -> Self {
        Self::default()
    }

    fn negative(_value: i64) -> Self {
        Self::default()
    }

    fn text(_value: Cow<'de, str>) -> Self {
        Self::default()
    }

    fn list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        while next::<(), A>(&mut list)?.is_some() {}
        Ok(Self::default())
    }

    fn object<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        while object.next_key::<Name<'de>>()?.is_some() {
            Value(&mut object).skip()?;
        }
        Ok(Self::default())
    }
}

/// What is picked from an object, field by field.
pub(in crate::classify) trait Fields<'de>: Default {
    /// Takes the field's value, or skips it.
    fn field<A: MapAccess<'de>>(&mut self, name: &str, value: Value<'_, A>)
    -> Result<(), A::Error>;
}

/// Wanted fields of which another object may have those that are not there.
pub(in crate::classify) trait Attributes<'de>: Fields<'de> {
    /// With the others' where a field is not there.
    fn or(self, others: Self) -> Self;
}

/// A struct of wanted fields: each with its name in the JSON, `None` if it is not there.
macro_rules! fields {
    ($(#[$about:meta])* $see:vis struct $name:ident<$de:lifetime> { $($json:literal => $field:ident: $kind:ty,)* }) => {
        $(#[$about])*
        #[derive(Debug, Default)]
        $see struct $name<$de> { $($field: Option<$kind>,)* }

        impl<$de> $crate::classify::answer::pick::Fields<$de> for $name<$de> {
            fields! { @field $de $($json => $field,)* }
        }

        impl<$de> $crate::classify::answer::pick::Attributes<$de> for $name<$de> {
            fields! { @or $($field,)* }
        }
    };
    ($(#[$about:meta])* $see:vis struct $name:ident { $($json:literal => $field:ident: $kind:ty,)* }) => {
        $(#[$about])*
        #[derive(Debug, Default)]
        $see struct $name { $($field: Option<$kind>,)* }

        impl<'de> $crate::classify::answer::pick::Fields<'de> for $name {
            fields! { @field 'de $($json => $field,)* }
        }

        impl<'de> $crate::classify::answer::pick::Attributes<'de> for $name {
            fields! { @or $($field,)* }
        }
    };
    (@field $de:lifetime $($json:literal => $field:ident,)*) => {
        fn field<A: serde::de::MapAccess<$de>>(
            &mut self,
            name: &str,
            value: $crate::classify::answer::pick::Value<'_, A>,
        ) -> Result<(), A::Error> {
            match name {
                $($json => self.$field = Some(value.pick()?),)*
                _ => value.skip()?,
            }
            Ok(())
        }
    };
    (@or $($field:ident,)*) => {
        fn or(self, others: Self) -> Self {
            Self { $($field: self.$field.or(others.$field),)* }
        }
    };
}

pub(in crate::classify) use fields;

/// The value of a field, which is still to be read.
pub(in crate::classify) struct Value<'m, A>(&'m mut A);

/// The fields of an object; `None` of anything else.
#[derive(Debug)]
pub(in crate::classify) struct Object<T>(pub(in crate::classify) Option<T>);

/// The JSON in these bytes; `None` if they are cut off, empty or not JSON.
pub(in crate::classify) fn pick<'de, T: Pick<'de>>(bytes: &'de [u8]) -> Option<T> {
    let text = std::str::from_utf8(bytes).ok()?;
    let Picked(found) = serde_json::from_str(text).ok()?;
    Some(found)
}

/// The next value of a list.
pub(in crate::classify) fn next<'de, T: Pick<'de>, A: SeqAccess<'de>>(
    list: &mut A,
) -> Result<Option<T>, A::Error> {
    Ok(list.next_element::<Picked<T>>()?.map(|Picked(value)| value))
}

/// Hands each field to `take`.
pub(in crate::classify) fn each_field<'de, A: MapAccess<'de>>(
    mut object: A,
    mut take: impl FnMut(&str, Value<'_, A>) -> Result<(), A::Error>,
) -> Result<(), A::Error> {
    while let Some(Name(name)) = object.next_key()? {
        take(&name, Value(&mut object))?;
    }
    Ok(())
}

// === impl Value ===

impl<'de, A: MapAccess<'de>> Value<'_, A> {
    pub(in crate::classify) fn pick<T: Pick<'de>>(self) -> Result<T, A::Error> {
        self.0.next_value().map(|Picked(value)| value)
    }

    pub(in crate::classify) fn skip(self) -> Result<(), A::Error> {
        self.pick()
    }
}

// === impl Pick ===

impl Pick<'_> for () {}

impl<'de> Pick<'de> for Text<'de> {
    fn text(value: Cow<'de, str>) -> Self {
        Some(value)
    }
}

impl Pick<'_> for Option<u64> {
    fn whole(value: u64) -> Self {
        Some(value)
    }
}

impl Pick<'_> for Option<bool> {
    fn flag(value: bool) -> Self {
        Some(value)
    }
}

impl<'de, T: Pick<'de>> Pick<'de> for Vec<T> {
    fn list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let mut all = Self::new();
        while let Some(one) = next(&mut list)? {
            all.push(one);
        }
        Ok(all)
    }
}

/// A text, or an object of which `S` is read.
#[derive(Debug, Default)]
pub(in crate::classify) struct TextOr<'de, S> {
    pub(in crate::classify) text: Text<'de>,
    pub(in crate::classify) object: S,
}

impl<'de, S: Fields<'de>> Pick<'de> for TextOr<'de, S> {
    fn text(value: Cow<'de, str>) -> Self {
        Self {
            text: Some(value),
            object: S::default(),
        }
    }

    fn object<A: MapAccess<'de>>(object: A) -> Result<Self, A::Error> {
        let Object(object) = Object::object(object)?;
        Ok(Self {
            text: None,
            object: object.unwrap_or_default(),
        })
    }
}

impl<'de, T: Fields<'de>> Pick<'de> for Object<T> {
    fn object<A: MapAccess<'de>>(object: A) -> Result<Self, A::Error> {
        let mut picked = T::default();
        each_field(object, |name, value| picked.field(name, value))?;
        Ok(Self(Some(picked)))
    }
}

impl<T> Default for Object<T> {
    fn default() -> Self {
        Self(None)
    }
}

// === reading ===

struct Picked<T>(T);

struct Kinds<T>(PhantomData<T>);

struct Name<'de>(Cow<'de, str>);

struct NameText;

impl<'de, T: Pick<'de>> Deserialize<'de> for Picked<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Kinds(PhantomData)).map(Self)
    }
}

impl<'de, T: Pick<'de>> Visitor<'de> for Kinds<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<T, E> {
        Ok(T::null())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<T, E> {
        Ok(T::flag(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<T, E> {
        Ok(T::whole(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<T, E> {
        Ok(match u64::try_from(value) {
            Ok(value) => T::whole(value),
            Err(_negative) => T::negative(value),
        })
    }

    fn visit_f64<E: Error>(self, _value: f64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<T, E> {
        Ok(T::text(Cow::Borrowed(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<T, E> {
        Ok(T::text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<T, A::Error> {
        T::object(object)
    }
}

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameText)
    }
}

impl<'de> Visitor<'de> for NameText {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Borrowed(name)))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Owned(name.to_owned())))
    }
}
