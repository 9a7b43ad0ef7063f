//! Expressions that are no more than a path: `.order.total`, `$event.time`.
//!
//! Most fields of most mappings are such paths, and following one takes no interpreter.

use super::compile::code::{Code, Global, Op};
use super::data::json::JSON_VALUE;
use super::data::value::{HASHED, Val};
use crate::mapping::expr::{Failed, Scope};
use crate::value::Value;

/// What is wrong with a path into a text, a number or a list.
pub(super) const NO_SUCH_PARTS: &str = "a path leads into a value that has no such parts";

/// A path.
#[derive(Debug)]
pub(super) enum Path {
    /// From the content, field by field.
    Content(Vec<String>),
    /// A field of `$event` that has no parts.
    Event(String),
}

impl Path {
    /// The path that a term is, if it is one.
    pub(super) fn of(code: &Code) -> Option<Self> {
        let Op::Index(base, key, false) = &code.op else {
            return None;
        };
        let Op::Const(Value::String(key)) = &key.op else {
            return None;
        };
        let key = key.clone().into_owned();
        match &base.op {
            Op::Id => Some(Self::Content(vec![key])),
            Op::Global(Global::Event) => {
                // the customer is an object, whose parts are counted one by one
                let plain = Scope::has_cheap_field(&key) && key != "customer";
                plain.then_some(Self::Event(key))
            }
            _ => match Self::of(base)? {
                Self::Content(mut keys) => {
                    keys.push(key);
                    Some(Self::Content(keys))
                }
                Self::Event(_) => None,
            },
        }
    }

    /// The value at its end; null if it is not there.
    pub(super) fn eval<'a>(&'a self, scope: &'a Scope<'a>) -> Result<Value<'a>, Failed> {
        let meter = scope.meter();
        meter.begin();
        match self {
            Self::Event(key) => {
                meter.steps(2)?;
                let value = scope.event_field(key).unwrap_or_default();
                meter.keep(JSON_VALUE + value.as_str().map_or(0, str::len))?;
                Ok(value)
            }
            Self::Content(keys) => Val::of(follow(keys, scope)?).into_value(meter),
        }
    }

    /// The part of the content at its end, if that is where it leads.
    pub(super) fn part<'a>(
        &'a self,
        scope: &'a Scope<'a>,
    ) -> Option<Result<&'a Value<'a>, Failed>> {
        match self {
            Self::Event(_) => None,
            Self::Content(keys) => Some(follow(keys, scope)),
        }
    }
}

/// The part of the content at the end of these keys; null if it is not there.
fn follow<'a>(keys: &[String], scope: &'a Scope<'a>) -> Result<&'a Value<'a>, Failed> {
    let mut at = scope.payload;
    for key in keys {
        scope.meter().steps(2 + key.len() / HASHED)?;
        at = match at {
            Value::Object(fields) => fields.get(key).unwrap_or(&Value::Null),
            Value::Null => return Ok(&Value::Null),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                return Err(Failed::new(NO_SUCH_PARTS));
            }
        };
    }
    Ok(at)
}
