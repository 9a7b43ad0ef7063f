//! The fields of objects and identities other than their attributes, each with its limit.

use std::borrow::Cow;

use super::attribute::{
    boolean, date_time, day, is_blank, is_exact, number, number_text, text, url,
};
use super::{Cuts, Illegal, MAX_DESCRIPTION_CHARS, MAX_LIST, MAX_TITLE_CHARS, kind_of};
use crate::identity::{self, MAX_ID_CHARS};
use crate::value::{Map, Value};

/// The kind of a field: what it may hold, and what happens to a text that is too long.
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
    /// A text of at most this many characters. A longer one is refused.
    Code(usize),
    /// A time.
    DateTime,
    /// A calendar day. It is sent as midnight UTC, whatever offset it is written with.
    Day,
    /// A number from the first to the second.
    Within(i32, i32),
    /// `m` or `f`; `male` and `female` are accepted.
    Gender,
    /// Two letters, sent in upper case.
    CountryCode,
    /// At most 20 tags. Each is listed once.
    Tags,
    /// At most 20 addresses. Each is listed once.
    Images,
    /// Any JSON object. An empty list counts as an empty object.
    Data,
    /// `home`, `work` or `other`.
    Place,
    /// A boolean.
    Bool,
    /// The name of a company: 3 to 256 characters, cut.
    CompanyName,
    /// An address in the web.
    Url,
    /// A name of a domain, in lower case.
    Domain,
    /// A number that is not negative.
    Count,
}

impl Kind {
    /// Whether what is written cannot be without it: then a bad value is not left out.
    pub(crate) fn is_required(self) -> bool {
        matches!(self, Self::Title | Self::CompanyName)
    }
}

/// The value in the form that its field takes; `None` if it is empty and so left out.
///
/// # Errors
/// [`Illegal`] if the value is not legal in the field. If some items of a list are legal, the error has them.
pub fn field_value<'t>(
    kind: Kind,
    value: Value<'t>,
    cuts: &mut Cuts,
) -> Result<Option<Value<'t>>, Illegal> {
    if is_blank(&value) {
        return Ok(None);
    }
    let found = match kind {
        Kind::Title => some_text(long_text(value, MAX_TITLE_CHARS, cuts)?),
        Kind::Description => some_text(long_text(value, MAX_DESCRIPTION_CHARS, cuts)?),
        Kind::Text => some_text(text(value, cuts)?),
        Kind::Short(max) => some_text(long_text(value, max, cuts)?),
        Kind::Code(max) => some_text(code(value, max)?),
        Kind::DateTime => Some(Value::from(date_time(&value)?)),
        Kind::Day => Some(Value::from(day(&value)?)),
        Kind::Within(low, high) => Some(within(&value, low, high)?),
        Kind::Gender => Some(gender(&value)?),
        Kind::CountryCode => some_text(Cow::Owned(country_code(&value)?)),
        Kind::Tags => tags(value, cuts)?,
        Kind::Images => images(value, cuts)?,
        Kind::Data => Some(data(value)?),
        Kind::Place => Some(place(&value)?),
        Kind::Bool => Some(Value::Bool(boolean(&value)?)),
        Kind::CompanyName => Some(Value::String(company_name(value, cuts)?)),
        Kind::Url => some_text(Cow::Owned(url(value)?)),
        Kind::Domain => some_text(Cow::Owned(domain(&value)?)),
        Kind::Count => Some(within(&value, 0, i32::MAX)?),
    };
    Ok(found)
}

/// The external id of an object: a text or whole number of 1 to 256 characters, never cut. `None` if the value is empty or
/// stands for nothing, such as `undefined`.
///
/// # Errors
/// [`Illegal`] if it is longer, or is neither a text nor a whole number.
pub fn object_id(value: &Value<'_>) -> Result<Option<String>, Illegal> {
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

fn some_text(text: Cow<'_, str>) -> Option<Value<'_>> {
    (!text.is_empty()).then_some(Value::String(text))
}

fn long_text<'t>(
    value: Value<'t>,
    max_chars: usize,
    cuts: &mut Cuts,
) -> Result<Cow<'t, str>, Illegal> {
    match value {
        Value::String(text) => Ok(cuts.cut(trimmed(text), max_chars)),
        Value::Number(number) => Ok(Cow::Owned(number_text(&number))),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            let is = kind_of(&value);
            Err(Illegal::new(format!("must be a text, is {is}")))
        }
    }
}

fn company_name<'t>(value: Value<'t>, cuts: &mut Cuts) -> Result<Cow<'t, str>, Illegal> {
    let name = long_text(value, MAX_TITLE_CHARS, cuts)?;
    if name.chars().nth(2).is_none() {
        return Err(Illegal::new(
            "the API demands at least 3 characters in the name of a company; add something to a shorter one",
        ));
    }
    Ok(name)
}

fn domain(value: &Value<'_>) -> Result<String, Illegal> {
    let text = value.as_str().map(|text| text.trim().to_ascii_lowercase());
    let label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    match text {
        Some(text) if text.contains('.') && text.len() <= 253 && text.split('.').all(label) => {
            Ok(text)
        }
        _ => Err(Illegal::new(
            "must be the name of a domain, such as shop.example",
        )),
    }
}

fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

fn code(value: Value<'_>, max_chars: usize) -> Result<Cow<'_, str>, Illegal> {
    let text = long_text(value, usize::MAX, &mut Cuts::default())?;
    if text.chars().count() > max_chars {
        return Err(Illegal::new(format!(
            "must have at most {max_chars} characters"
        )));
    }
    Ok(text)
}

fn within(value: &Value<'_>, low: i32, high: i32) -> Result<Value<'static>, Illegal> {
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

fn gender(value: &Value<'_>) -> Result<Value<'static>, Illegal> {
    let folded = value.as_str().map(|text| text.trim().to_ascii_lowercase());
    match folded.as_deref() {
        Some("m" | "male") => Ok(Value::from("m")),
        Some("f" | "female") => Ok(Value::from("f")),
        _ => Err(Illegal::new(
            "gender must be m or f; leave other values out with an expression",
        )),
    }
}

fn country_code(value: &Value<'_>) -> Result<String, Illegal> {
    let code = value.as_str().map(|text| text.trim().to_ascii_uppercase());
    match code {
        Some(code) if code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase()) => Ok(code),
        _ => Err(Illegal::new("a country code has exactly two letters")),
    }
}

fn place(value: &Value<'_>) -> Result<Value<'static>, Illegal> {
    match value.as_str() {
        Some("home") => Ok(Value::text("home")),
        Some("work") => Ok(Value::text("work")),
        Some("other") => Ok(Value::text("other")),
        _ => Err(Illegal::new("must be home, work or other")),
    }
}

fn tags<'t>(value: Value<'t>, cuts: &mut Cuts) -> Result<Option<Value<'t>>, Illegal> {
    let mut tags = Items::of(list(value)?, |item| {
        let tag = cuts.cut(trimmed(text(item, &mut Cuts::default())?), 64);
        let letter = |c: char| {
            c.is_ascii_alphanumeric()
                || ('À'..='ÿ').contains(&c)
                || matches!(c, '_' | '/' | '<' | '>' | '-' | '.')
        };
        if tag.starts_with(letter) && tag.chars().all(|c| letter(c) || c == ' ') {
            Ok(tag)
        } else {
            Err(Illegal::new(
                "a tag may have only letters, digits, blanks and _ / < > - . and must not begin with a blank",
            ))
        }
    });
    if tags.more {
        let too_many = || Illegal::new("there may be at most 20 tags");
        tags.broken.get_or_insert_with(too_many);
    }
    tags.done()
}

fn images<'t>(value: Value<'t>, cuts: &mut Cuts) -> Result<Option<Value<'t>>, Illegal> {
    let images = Items::of(list(value)?, |item| url(item).map(Cow::Owned));
    if images.more {
        // more than 20 are of no use to a reader, so the first are kept; this counts as one cut
        cuts.0 = cuts.0.saturating_add(1);
    }
    images.done()
}

/// The items of a list in legal form, each once.
#[derive(Default)]
struct Items<'t> {
    /// The first ones, at most [`MAX_LIST`].
    kept: Vec<Value<'t>>,
    /// Whether there were more.
    more: bool,
    /// What is wrong with the first item that is not legal.
    broken: Option<Illegal>,
}

impl<'t> Items<'t> {
    /// Reads the items. Nulls and blank texts are passed over.
    fn of(
        items: Vec<Value<'t>>,
        mut legal: impl FnMut(Value<'t>) -> Result<Cow<'t, str>, Illegal>,
    ) -> Self {
        let mut found = Self::default();
        for item in items {
            if item.is_null() || is_blank(&item) {
                continue;
            }
            match legal(item).map(Value::String) {
                Ok(item) if found.kept.contains(&item) => {}
                Ok(item) if found.kept.len() < MAX_LIST => found.kept.push(item),
                Ok(_) => {
                    found.more = true;
                    break;
                }
                Err(illegal) => found.broken = found.broken.or(Some(illegal)),
            }
        }
        found
    }

    fn done(self) -> Result<Option<Value<'t>>, Illegal> {
        let kept = (!self.kept.is_empty()).then_some(Value::Array(self.kept));
        match self.broken {
            None => Ok(kept),
            Some(illegal) => Err(Illegal {
                legal_part: kept.map(Value::into_owned),
                ..illegal
            }),
        }
    }
}

/// The items of an array; a single value counts as a list of one.
fn list(value: Value<'_>) -> Result<Vec<Value<'_>>, Illegal> {
    match value {
        Value::Array(items) => Ok(items),
        Value::Object(_) => Err(Illegal::new("must be a list, is an object")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(vec![value]),
    }
}

/// An object. Whole numbers beyond 2^53 become texts: they are ids, and JavaScript would round them. PHP writes `[]` for an
/// empty object too, so an empty list counts as one.
fn data(mut value: Value<'_>) -> Result<Value<'_>, Illegal> {
    exact_numbers(&mut value);
    match value {
        Value::Object(_) => Ok(value),
        Value::Array(items) if items.is_empty() => Ok(Value::Object(Map::new())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            let is = kind_of(&value);
            Err(Illegal::new(format!(
                "`data` must be an object, is {is}; give it a name: `data: {{ items: … }}`"
            )))
        }
    }
}

fn exact_numbers(value: &mut Value<'_>) {
    match value {
        Value::Number(number) if !is_exact(number) => *value = Value::from(number.to_string()),
        Value::Array(items) => items.iter_mut().for_each(exact_numbers),
        Value::Object(fields) => fields.values_mut().for_each(exact_numbers),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Adds a field to a body if it has a value.
pub(crate) fn put<'t>(body: &mut Map<'t>, name: &'t str, value: Option<Value<'t>>) {
    if let Some(value) = value {
        body.insert(name, value);
    }
}
