//! Values to JSON, and JSON to values.

use std::borrow::Cow;
use std::rc::Rc;

use serde_json::Number;

use super::value::{Fields, Items, LIST, List, OBJECT, Object, TEXT, Text, Val};
use crate::mapping::expr::Failed;
use crate::mapping::expr::meter::{Limit, Meter};
use crate::value::{Map, Value};

/// Bytes that a JSON value takes, its content and its share of a list or object.
pub(crate) const JSON_VALUE: usize = 2 * size_of::<Value<'_>>();
/// Bytes that a JSON object takes, not counting its fields.
const JSON_OBJECT: usize = 480;

impl<'a> Val<'a> {
    /// A JSON value, borrowed.
    pub(crate) fn of(value: &'a Value<'a>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(yes) => Self::Bool(*yes),
            Value::Number(number) => Self::number(number),
            Value::String(text) => Self::Text(Text::Ref(text)),
            Value::Array(items) => Self::List(List::Ref(items)),
            Value::Object(fields) => Self::Object(Object::Ref(fields)),
        }
    }

    /// A JSON value whose texts have been counted already, copied.
    pub(crate) fn owned(value: Value<'_>, meter: &Meter) -> Result<Self, Limit> {
        Self::built(value, meter, &|text| {
            Ok(Text::Own(Rc::new(text.into_owned())))
        })
    }

    /// A JSON value. Texts that it borrows are not copied; others are counted.
    pub(crate) fn taken(value: Value<'a>, meter: &Meter) -> Result<Self, Limit> {
        Self::built(value, meter, &|text| match text {
            Cow::Borrowed(text) => Ok(Text::Ref(text)),
            Cow::Owned(text) => {
                meter.build(TEXT + text.len())?;
                Ok(Text::Own(Rc::new(text)))
            }
        })
    }

    fn built<'v>(
        value: Value<'v>,
        meter: &Meter,
        text: &dyn Fn(Cow<'v, str>) -> Result<Text<'a>, Limit>,
    ) -> Result<Self, Limit> {
        Ok(match value {
            Value::Null => Self::Null,
            Value::Bool(yes) => Self::Bool(yes),
            Value::Number(number) => Self::number(&number),
            Value::String(string) => Self::Text(text(string)?),
            Value::Array(values) => {
                let mut items = Items::new();
                meter.build(LIST)?;
                for value in values {
                    items.push(Self::built(value, meter, text)?, meter)?;
                }
                items.done()
            }
            Value::Object(map) => {
                let mut fields = Fields::new();
                meter.build(OBJECT)?;
                for (key, value) in map {
                    let value = Self::built(value, meter, text)?;
                    fields.insert(text(key)?, value, meter)?;
                }
                fields.done()
            }
        })
    }

    fn number(number: &Number) -> Self {
        match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => Self::Int(whole),
            (None, Some(whole)) => Self::Big(whole),
            (None, None) => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
        }
    }

    /// As JSON. Each part is counted as it is copied, because a part that is shared is copied every time.
    pub(crate) fn into_value(self, meter: &Meter) -> Result<Value<'a>, Failed> {
        meter.keep(JSON_VALUE)?;
        Ok(match self {
            Self::Null => Value::Null,
            Self::Bool(yes) => Value::Bool(yes),
            Self::Int(whole) => Value::from(whole),
            Self::Big(whole) => Value::from(whole),
            Self::Float(float) => match Number::from_f64(float) {
                Some(number) => Value::Number(number),
                None => {
                    return Err(Failed::new(
                        "the expression gave a number that is not finite",
                    ));
                }
            },
            Self::Text(text) => {
                meter.keep(text.as_str().len())?;
                Value::String(text.into_cow())
            }
            Self::List(list) => {
                let mut values = Vec::with_capacity(list.len());
                for item in list.iter() {
                    values.push(item.into_value(meter)?);
                }
                Value::Array(values)
            }
            Self::Object(object) => {
                meter.keep(JSON_OBJECT)?;
                let mut map = Map::with_capacity(object.len());
                for (key, value) in object.iter() {
                    meter.keep(JSON_VALUE + key.as_str().len())?;
                    map.insert(key.into_cow(), value.into_value(meter)?);
                }
                Value::Object(map)
            }
        })
    }
}
