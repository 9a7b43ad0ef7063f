//! The single fields of objects and identities, each with its limit.

use serde_json::{Map, Value};

use super::attribute::{date_time, number, text, url};
use super::{Cuts, Illegal, MAX_DESCRIPTION_CHARS, MAX_LIST, MAX_TITLE_CHARS, kind_of};
use crate::identity::{self, MAX_ID_CHARS};

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A title: 1 to 256 characters, cut.
    Title,
    /// A description: at most 10,240 characters, cut.
    Description,
    /// A text of at most 1,024 characters, cut.
    Text,
    /// A text of at most this many characters, cut.
    Short(usize),
    /// A text that is refused when it is longer than this many characters.
    Code(usize),
    /// A time.
    DateTime,
    /// A number between these two.
    Within(i32, i32),
    /// `m` or `f`; `male` and `female` are understood.
    Gender,
    /// A text of exactly two letters, sent in upper case.
    CountryCode,
    /// At most 20 different tags.
    Tags,
    /// At most 20 different addresses.
    Images,
    /// Any JSON object.
    Data,
    /// `home`, `work` or `other`.
    Place,
    /// A boolean.
    Bool,
}

/// The value as its field takes it; `None` where it is empty and therefore left out.
///
/// # Errors
/// [`Illegal`] when the value cannot stand in the field.
pub fn field_value(kind: Kind, value: Value, cuts: &mut Cuts) -> Result<Option<Value>, Illegal> {
    let found = match kind {
        Kind::Title => some_text(long_text(value, MAX_TITLE_CHARS, cuts)?),
        Kind::Description => some_text(long_text(value, MAX_DESCRIPTION_CHARS, cuts)?),
        Kind::Text => some_text(text(value, cuts)?),
        Kind::Short(max) => some_text(long_text(value, max, cuts)?),
        Kind::Code(max) => some_text(code(value, max)?),
        Kind::DateTime => Some(Value::String(date_time(&value)?)),
        Kind::Within(low, high) => Some(within(&value, low, high)?),
        Kind::Gender => Some(gender(&value)?),
        Kind::CountryCode => some_text(country_code(&value)?),
        Kind::Tags => tags(value, cuts)?,
        Kind::Images => images(value, cuts)?,
        Kind::Data => Some(data(value)?),
        Kind::Place => Some(place(&value)?),
        Kind::Bool => match value {
            Value::Bool(_) => Some(value),
            Value::Null
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => {
                let is = kind_of(&value);
                return Err(Illegal::new(format!("must be true or false, is {is}")));
            }
        },
    };
    Ok(found)
}

/// The external id of an object: text or whole number, 1 to 256 characters, never cut. `None` where it says nothing.
///
/// # Errors
/// [`Illegal`] when it is longer, or of a type that is no id.
pub fn object_id(value: &Value) -> Result<Option<String>, Illegal> {
    match value {
        Value::Null => Ok(None),
        Value::String(_) => {
            let id = identity::id_text(value);
            if id
                .as_ref()
                .is_some_and(|id| id.chars().count() > MAX_ID_CHARS)
            {
                return Err(Illegal::new(
                    "an external id has at most 256 characters, and is never cut",
                ));
            }
            Ok(id)
        }
        Value::Number(number) => match identity::whole_number(number) {
            Some(_) => Ok(identity::id_text(value)),
            None => Err(Illegal::new(
                "an external id must be a text or a whole number, is a fraction",
            )),
        },
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            let is = kind_of(value);
            Err(Illegal::new(format!(
                "an external id must be a text or a whole number, is {is}"
            )))
        }
    }
}

fn some_text(text: String) -> Option<Value> {
    (!text.is_empty()).then_some(Value::String(text))
}

fn long_text(value: Value, max_chars: usize, cuts: &mut Cuts) -> Result<String, Illegal> {
    match value {
        Value::String(text) => Ok(cuts.cut(text.trim().to_owned(), max_chars)),
        Value::Number(number) => Ok(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            let is = kind_of(&value);
            Err(Illegal::new(format!("must be a text, is {is}")))
        }
    }
}

fn code(value: Value, max_chars: usize) -> Result<String, Illegal> {
    let text = long_text(value, usize::MAX, &mut Cuts::default())?;
    if text.chars().count() > max_chars {
        return Err(Illegal::new(format!("has at most {max_chars} characters")));
    }
    Ok(text)
}

fn within(value: &Value, low: i32, high: i32) -> Result<Value, Illegal> {
    let number = number(value)?;
    let inside = number
        .as_f64()
        .is_some_and(|n| f64::from(low) <= n && n <= f64::from(high));
    if inside {
        Ok(Value::Number(number))
    } else {
        Err(Illegal::new(format!("must be between {low} and {high}")))
    }
}

fn gender(value: &Value) -> Result<Value, Illegal> {
    let folded = value.as_str().map(|text| text.trim().to_ascii_lowercase());
    match folded.as_deref() {
        Some("m" | "male") => Ok(Value::from("m")),
        Some("f" | "female") => Ok(Value::from("f")),
        _ => Err(Illegal::new(
            "gender must be m or f; leave other values out with an expression",
        )),
    }
}

fn country_code(value: &Value) -> Result<String, Illegal> {
    let code = value.as_str().map(|text| text.trim().to_ascii_uppercase());
    match code {
        Some(code) if code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase()) => Ok(code),
        _ => Err(Illegal::new("a country code has exactly two letters")),
    }
}

fn place(value: &Value) -> Result<Value, Illegal> {
    match value.as_str() {
        Some(text @ ("home" | "work" | "other")) => Ok(Value::from(text)),
        _ => Err(Illegal::new("must be home, work or other")),
    }
}

fn tags(value: Value, cuts: &mut Cuts) -> Result<Option<Value>, Illegal> {
    let mut tags: Vec<Value> = Vec::new();
    for item in list(value)? {
        if item.is_null() {
            continue;
        }
        let tag = text(item, cuts)?.trim().to_owned();
        if tag.is_empty() {
            continue;
        }
        let tag = cuts.cut(tag, 64);
        let letter = |c: char| {
            c.is_ascii_alphanumeric()
                || ('À'..='ÿ').contains(&c)
                || matches!(c, '_' | '/' | '<' | '>' | '-' | '.')
        };
        let legal = tag.starts_with(letter) && tag.chars().all(|c| letter(c) || c == ' ');
        if !legal {
            return Err(Illegal::new(
                "a tag has only letters, digits, blanks and _ / < > - . and begins with no blank",
            ));
        }
        let tag = Value::String(tag);
        if !tags.contains(&tag) {
            tags.push(tag);
        }
        if tags.len() > MAX_LIST {
            return Err(Illegal::new("there may be at most 20 tags"));
        }
    }
    Ok((!tags.is_empty()).then_some(Value::Array(tags)))
}

fn images(value: Value, cuts: &mut Cuts) -> Result<Option<Value>, Illegal> {
    let mut images: Vec<Value> = Vec::new();
    for item in list(value)? {
        if item.is_null() {
            continue;
        }
        let image = Value::String(url(item)?);
        if images.contains(&image) {
            continue;
        }
        // more than 20 are of no use to a reader: the first ones stay, and it is counted like a cut text
        if images.len() == MAX_LIST {
            cuts.0 = cuts.0.saturating_add(1);
            break;
        }
        images.push(image);
    }
    Ok((!images.is_empty()).then_some(Value::Array(images)))
}

/// The items of an array; a single value counts as a list of one.
fn list(value: Value) -> Result<Vec<Value>, Illegal> {
    match value {
        Value::Array(items) => Ok(items),
        Value::Object(_) => Err(Illegal::new("must be a list, is an object")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(vec![value]),
    }
}

fn data(value: Value) -> Result<Value, Illegal> {
    match value {
        Value::Object(_) => Ok(value),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            let is = kind_of(&value);
            Err(Illegal::new(format!(
                "`data` must be an object, is {is}; give it a name: `data: {{ items: … }}`"
            )))
        }
    }
}

/// Puts a value into a body unless it is left out.
pub(crate) fn put(body: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        body.insert(name.to_owned(), value);
    }
}
