//! Attributes of `custom` and `meta`: their names carry their type.
//!
//! **`custom`**: the suffix decides, and must be there: `Str`, `Txt` (text of at most 1,024 characters, cut), `Num`
//! (number), `At` (time), `Bool`, `Url`. `Id` refers to other objects and needs metadata first; it is refused.
//!
//! **`meta`** of tracking events knows three types: numbers under a name that ends in `Num`, times under one that ends
//! in `At`, text under a name that has neither `Num` nor `At` anywhere in it. A name with one of these two suffixes says
//! its type, as in `custom`. A name without gets the suffix that its value needs: `total` is sent as `totalNum` for a
//! number, as `totalAt` for an RFC 3339 time, as `total` for a text or a boolean (`"true"`). In a name that is sent
//! plain, or before the suffix, `Num` and `At` are written `num` and `at`: `itemNumber` is sent as `itemnumber`.
//! Before the suffix a name has 3 to 33 characters.
//!
//! Numbers that JavaScript cannot hold (whole numbers beyond 2^53, which are ids) are sent as text, never rounded.
//!
//! A text that is empty or blank is no number, time, boolean or address, and no wrong one either: it says nothing.

use std::borrow::Cow;

use serde_json::{Number, Value};

use super::{Cuts, Illegal, MAX_TEXT_CHARS, kind_of};
use crate::decode::{calendar, time};
use crate::identity::whole_number;

/// The type that the suffix of an attribute's name declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Suffix {
    /// Text of one line.
    Str,
    /// Text of several lines.
    Txt,
    /// A number.
    Num,
    /// A time.
    At,
    /// A boolean.
    Bool,
    /// An address on the web.
    Url,
}

/// The largest whole number that every reader of JSON holds exactly: 2^53.
const MAX_EXACT: u64 = 9_007_199_254_740_992;

/// Characters of a `meta` name before its suffix.
const META_BASE: std::ops::RangeInclusive<usize> = 3..=33;

/// The longest name of a `custom` attribute.
const MAX_CUSTOM_NAME: usize = 64;

// === impl Suffix ===

impl Suffix {
    /// Every suffix.
    pub const ALL: &'static [Self] = &[
        Self::Str,
        Self::Txt,
        Self::Num,
        Self::At,
        Self::Bool,
        Self::Url,
    ];

    /// The suffix as written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Str => "Str",
            Self::Txt => "Txt",
            Self::Num => "Num",
            Self::At => "At",
            Self::Bool => "Bool",
            Self::Url => "Url",
        }
    }

    /// The type in words.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Str => "text of one line",
            Self::Txt => "text of several lines",
            Self::Num => "number",
            Self::At => "date and time",
            Self::Bool => "yes or no",
            Self::Url => "address on the web",
        }
    }

    /// The suffix of a legal `custom` name.
    ///
    /// # Errors
    /// [`Illegal`] when the name has no known suffix, nothing before it, or illegal characters.
    pub fn of_custom(name: &str) -> Result<Self, Illegal> {
        if name.ends_with("Id") {
            return Err(Illegal::new(
                "attributes ending in `Id` refer to other objects and need metadata first; use a `Str` attribute",
            ));
        }
        let found = Self::ALL
            .iter()
            .copied()
            .find(|suffix| name.ends_with(suffix.as_str()));
        let Some(suffix) = found else {
            return Err(Illegal::new(
                "a custom attribute's name must end in its type: Str, Txt, Num, At, Bool or Url",
            ));
        };
        let base = name.strip_suffix(suffix.as_str()).unwrap_or_default();
        if base.is_empty() || !is_word(name) || name.len() > MAX_CUSTOM_NAME {
            return Err(Illegal::new(format!(
                "a custom attribute's name begins with a letter, has only letters, digits, `-` and `_`, and at most \
                 {MAX_CUSTOM_NAME} characters"
            )));
        }
        Ok(suffix)
    }
}

/// Checks that a name can stand in `meta`, with whatever suffix its value needs.
///
/// # Errors
/// [`Illegal`] when the name has illegal characters or too few or too many of them.
pub fn check_meta_name(name: &str) -> Result<(), Illegal> {
    let (base, _) = split_meta(name);
    if !is_word(base) {
        return Err(Illegal::new(
            "a meta name begins with a letter and has only letters, digits, `-` and `_`",
        ));
    }
    if !META_BASE.contains(&base.len()) {
        return Err(Illegal::new(
            "a meta name has 3 to 33 characters, not counting the suffix Num or At",
        ));
    }
    Ok(())
}

/// The value of a `custom` attribute in the type that its suffix says; `None` where it says nothing.
///
/// ```
/// # use ingest_mapping::body::{Cuts, attribute::{Suffix, custom_value}};
/// # use serde_json::json;
/// let mut cuts = Cuts::default();
/// assert_eq!(custom_value(Suffix::Num, json!("27.50"), &mut cuts).unwrap(), Some(json!(27.5)));
/// assert_eq!(custom_value(Suffix::At, json!(1767355200), &mut cuts).unwrap(), Some(json!("2026-01-02T12:00:00.000Z")));
/// assert_eq!(custom_value(Suffix::Num, json!(""), &mut cuts).unwrap(), None);
/// assert!(custom_value(Suffix::Num, json!("27,50"), &mut cuts).is_err());
/// ```
///
/// # Errors
/// [`Illegal`] when the value is of another type and cannot be converted without loss.
pub fn custom_value(
    suffix: Suffix,
    value: Value,
    cuts: &mut Cuts,
) -> Result<Option<Value>, Illegal> {
    let text_like = matches!(suffix, Suffix::Str | Suffix::Txt);
    if !text_like && is_blank(&value) {
        return Ok(None);
    }
    let value = match suffix {
        Suffix::Str | Suffix::Txt => Value::String(text(value, cuts)?),
        Suffix::Num => Value::Number(number(&value)?),
        Suffix::At => Value::String(date_time(&value)?),
        Suffix::Bool => Value::Bool(boolean(&value)?),
        Suffix::Url => Value::String(url(value)?),
    };
    Ok(Some(value))
}

/// Name and value of a `meta` attribute as they are sent; `None` where the value says nothing.
///
/// ```
/// # use ingest_mapping::body::{Cuts, attribute::meta_entry};
/// # use serde_json::json;
/// let mut cuts = Cuts::default();
/// assert_eq!(meta_entry("total", json!(27.5), &mut cuts).unwrap(), Some(("totalNum".into(), json!(27.5))));
/// assert_eq!(meta_entry("gift", json!(true), &mut cuts).unwrap(), Some(("gift".into(), json!("true"))));
/// assert_eq!(meta_entry("totalNum", json!(" "), &mut cuts).unwrap(), None);
/// ```
///
/// # Errors
/// [`Illegal`] when the value is an array or object, or not of the type that the name's suffix says.
pub fn meta_entry<'a>(
    name: &'a str,
    value: Value,
    cuts: &mut Cuts,
) -> Result<Option<(Cow<'a, str>, Value)>, Illegal> {
    let (base, declared) = split_meta(name);
    if declared.is_some() && is_blank(&value) {
        return Ok(None);
    }
    let entry = match declared {
        Some(MetaType::Num) => (suffixed(name, base, "Num"), Value::Number(number(&value)?)),
        Some(MetaType::At) => (
            suffixed(name, base, "At"),
            Value::String(date_time(&value)?),
        ),
        None => match value {
            Value::Number(number) if is_exact(&number) => {
                (suffixed(name, base, "Num"), Value::Number(number))
            }
            Value::String(text) => match instant(&text) {
                Some(at) => (suffixed(name, base, "At"), Value::String(at)),
                None => (plain(base), Value::String(cuts.cut(text, MAX_TEXT_CHARS))),
            },
            other @ (Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_)) => (plain(base), Value::String(text(other, cuts)?)),
        },
    };
    Ok(Some(entry))
}

/// The time in a text that is a full one with its offset: a text that merely looks like a date stays a text.
fn instant(text: &str) -> Option<String> {
    if text.len() < 20 {
        return None;
    }
    match text.parse::<jiff::Timestamp>() {
        Ok(at) => Some(time::rfc3339(at)),
        Err(_) if text.ends_with('Z') => calendar::text_of(&Value::from(text)),
        Err(_) => None,
    }
}

/// Whether a value is a text without anything in it.
pub(super) fn is_blank(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// The one spelling of a number in a text: a whole number has no fraction, whatever arithmetic it came from.
pub(super) fn number_text(number: &Number) -> String {
    whole_number(number).unwrap_or_else(|| number.to_string())
}

/// A text; numbers and booleans in their JSON spelling, whole numbers without a fraction.
pub(super) fn text(value: Value, cuts: &mut Cuts) -> Result<String, Illegal> {
    let text = match value {
        Value::String(text) => text,
        Value::Number(number) => number_text(&number),
        Value::Bool(yes) => yes.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            let is = kind_of(&value);
            return Err(Illegal::new(format!(
                "must be a text, is {is}; choose a part of it, or write it into `data`"
            )));
        }
    };
    Ok(cuts.cut(text, MAX_TEXT_CHARS))
}

/// A number; a text that is one decimal number, if no digit is lost.
pub(super) fn number(value: &Value) -> Result<Number, Illegal> {
    let wrong = |is: &str| Illegal::new(format!("must be a number, is {is}"));
    match value {
        Value::Number(number) if is_exact(number) => Ok(number.clone()),
        Value::Number(_) => Err(Illegal::new(
            "a whole number beyond 2^53 would be rounded by its readers; use a `Str` attribute",
        )),
        Value::String(text) => {
            decimal(text.trim()).ok_or_else(|| wrong("a text that is no plain decimal number"))
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            Err(wrong(kind_of(value)))
        }
    }
}

/// A time as the API takes it; the spellings of [`time`] are understood.
pub(super) fn date_time(value: &Value) -> Result<String, Illegal> {
    calendar::text_of(value).ok_or_else(|| {
        let is = kind_of(value);
        Illegal::new(format!(
            "must be a time (RFC 3339, a date, or an epoch number), is {is} that is none"
        ))
    })
}

/// A day as the API takes it: its midnight in UTC, so that it is the same day for every reader.
pub(super) fn day(value: &Value) -> Result<String, Illegal> {
    let day = calendar::day_of(value).ok_or_else(|| {
        let is = kind_of(value);
        Illegal::new(format!(
            "must be a date such as 1990-07-31, is {is} that is none"
        ))
    })?;
    Ok(format!("{day}T00:00:00.000Z"))
}

pub(super) fn boolean(value: &Value) -> Result<bool, Illegal> {
    match value {
        Value::Bool(yes) => Ok(*yes),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            let is = kind_of(value);
            Err(Illegal::new(format!("must be true or false, is {is}")))
        }
    }
}

/// An address on the web: `http` or `https`, a host, no blanks. Other schemes are no links that an agent could safely
/// follow: `javascript:` runs, whatever stands behind it.
pub(super) fn url(value: Value) -> Result<String, Illegal> {
    let is = kind_of(&value);
    let Value::String(text) = value else {
        return Err(Illegal::new(format!(
            "must be an address such as https://example.com/x, is {is}"
        )));
    };
    let text = text.trim();
    let odd = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(c, '<' | '>' | '"' | '{' | '}' | '|' | '\\' | '^' | '`')
    };
    let legal = text.split_once("://").is_some_and(|(scheme, rest)| {
        let web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
        let host = rest.starts_with(|c: char| !matches!(c, '/' | '?' | '#' | ':' | '@'));
        web && host && !rest.contains(odd)
    });
    if legal && text.is_ascii() && text.len() <= 2_048 {
        Ok(text.to_owned())
    } else {
        Err(Illegal::new(
            "must be an address such as https://example.com/x, is a text that is none",
        ))
    }
}

/// Whether every reader of JSON holds the number as it stands.
pub(super) fn is_exact(number: &Number) -> bool {
    match (number.as_u64(), number.as_i64()) {
        (Some(whole), _) => whole <= MAX_EXACT,
        (None, Some(whole)) => whole.unsigned_abs() <= MAX_EXACT,
        (None, None) => true,
    }
}

/// The number in a text of the form `-12.50` or `1.2e3`, if it holds all its digits.
fn decimal(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let shape = unsigned.starts_with(|c: char| c.is_ascii_digit())
        && unsigned.ends_with(|c: char| c.is_ascii_digit())
        && unsigned
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'-' | b'+'));
    if !shape {
        return None;
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Number::from(whole)).filter(is_exact);
    }
    if unsigned.bytes().all(|b| b.is_ascii_digit()) {
        return None; // a whole number that long is an id
    }
    let float = text.parse::<f64>().ok().filter(|float| float.is_finite())?;
    let digits = significant(unsigned);
    // 15 decimal digits always survive a 64-bit floating-point number; more of them if it is written with just these
    let kept = digits.len() <= 15 || digits == significant(&format!("{:e}", float.abs()));
    if kept { Number::from_f64(float) } else { None }
}

/// The digits of a decimal number less the zeros at both ends, which say only where the others stand.
fn significant(unsigned: &str) -> String {
    let mantissa = unsigned.split(['e', 'E']).next().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    digits.trim_matches('0').to_owned()
}

/// The two types that the suffix of a `meta` name can declare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MetaType {
    Num,
    At,
}

fn split_meta(name: &str) -> (&str, Option<MetaType>) {
    if let Some(base) = name.strip_suffix("Num") {
        (base, Some(MetaType::Num))
    } else if let Some(base) = name.strip_suffix("At") {
        (base, Some(MetaType::At))
    } else {
        (name, None)
    }
}

/// The base with that suffix; the name itself where it is that already.
fn suffixed<'a>(name: &'a str, base: &str, suffix: &str) -> Cow<'a, str> {
    let base_is_plain = !base.contains("Num") && !base.contains("At");
    if base_is_plain && name.len() == base.len() + suffix.len() {
        return Cow::Borrowed(name);
    }
    Cow::Owned(format!("{}{suffix}", plain(base)))
}

/// The base without the letters that would declare a type.
fn plain(base: &str) -> Cow<'_, str> {
    if base.contains("Num") || base.contains("At") {
        Cow::Owned(base.replace("Num", "num").replace("At", "at"))
    } else {
        Cow::Borrowed(base)
    }
}

fn is_word(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}
