//! JSON text to values.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use super::{Map, Value};

/// Below 2^53 a floating-point number holds every whole number exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

struct Values;

/// A name, borrowed where its text has no escapes.
struct Name<'t>(Cow<'t, str>);

struct Names;

impl<'t> Deserialize<'t> for Value<'t> {
    fn deserialize<D: Deserializer<'t>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(Values)
    }
}

impl<'t> Visitor<'t> for Values {
    type Value = Value<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value<'t>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, yes: bool) -> Result<Value<'t>, E> {
        Ok(Value::Bool(yes))
    }

    fn visit_i64<E: Error>(self, whole: i64) -> Result<Value<'t>, E> {
        Ok(Value::from(whole))
    }

    fn visit_u64<E: Error>(self, whole: u64) -> Result<Value<'t>, E> {
        Ok(Value::from(whole))
    }

    /// `17.0` and `17` are the same id, and a title must show it as the key does.
    fn visit_f64<E: Error>(self, float: f64) -> Result<Value<'t>, E> {
        if float.fract() == 0.0 && float.abs() < EXACT {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a whole number below 2^53 fits"
            )]
            return Ok(Value::from(float as i64));
        }
        // a reader of JSON gives finite numbers only
        let number = Number::from_f64(float);
        number
            .map(Value::Number)
            .ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'t str) -> Result<Value<'t>, E> {
        Ok(Value::text(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value<'t>, E> {
        Ok(Value::from(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value<'t>, E> {
        Ok(Value::from(text))
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut list: A) -> Result<Value<'t>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'t>>(self, mut object: A) -> Result<Value<'t>, A::Error> {
        let mut fields = Map::new();
        while let Some((Name(name), value)) = object.next_entry()? {
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }
}

impl<'t> Deserialize<'t> for Name<'t> {
    fn deserialize<D: Deserializer<'t>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_str(Names)
    }
}

impl<'t> Visitor<'t> for Names {
    type Value = Name<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'t str) -> Result<Name<'t>, E> {
        Ok(Name(Cow::Borrowed(name)))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Name<'t>, E> {
        Ok(Name(Cow::Owned(name.to_owned())))
    }
}
