//! Attributes of `custom` and `meta`. Their names end in their type.
//!
//! **`custom`**: the suffix decides the type and is required: `Str` and `Txt` (text, cut at 1,024 characters), `Num`
//! (number), `At` (time), `Bool`, `Url`. `Id` is refused: it refers to other objects and needs metadata first.
//!
//! **`meta`** of a tracking event has three types: a number under a name that ends in `Num`, a time under a name that ends
//! in `At`, and text under a name that contains neither. A name that has one of these suffixes decides the type, as in
//! `custom`. Any other name gets the suffix that its value needs: `total` is sent as `totalNum` for a number, as `totalAt`
//! for an RFC 3339 time, and as `total` for a text or a boolean (`"true"`). Anywhere else in a name, `Num` and `At` are
//! sent as `num` and `at`: `itemNumber` is sent as `itemnumber`. A name has 3 to 33 characters before its suffix.
//!
//! A whole number beyond 2^53 is an id, and JavaScript would round it. It is never rounded here: it is sent as text, or
//! refused where the suffix is `Num`.
//!
//! An empty or blank text is no error where a number, time, boolean or address is wanted: the attribute is left out.

use std::borrow::Cow;

use ingest_model::time::rfc3339;
use serde_json::Number;

use super::{Cuts, Illegal, MAX_TEXT_CHARS, RESERVED_META, kind_of};
use crate::decode::calendar;
use crate::identity::whole_number;
use crate::value::Value;

/// The suffix of an attribute's name, which says its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Suffix {
    /// Text on one line.
    Str,
    /// Text on several lines.
    Txt,
    /// A number.
    Num,
    /// A time.
    At,
    /// A boolean.
    Bool,
    /// A web address.
    Url,
}

/// The largest whole number that every reader of JSON holds exactly: 2^53.
const MAX_EXACT: u64 = 9_007_199_254_740_992;

/// How many characters a `meta` name may have before its suffix.
const META_BASE: std::ops::RangeInclusive<usize> = 3..=33;

/// The longest name of a `custom` attribute, with its suffix.
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
    /// [`Illegal`] if the name has no known suffix, nothing before it, or illegal characters, or is too long.
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

/// Checks that a mapping may use a name in `meta`, with or without its suffix.
///
/// # Errors
/// [`Illegal`] if the name is one of [`RESERVED_META`], has illegal characters, or too few or too many characters.
pub fn check_meta_name(name: &str) -> Result<(), Illegal> {
    if RESERVED_META.contains(&name) {
        return Err(Illegal::new(
            "the name is reserved: it is written by itself",
        ));
    }
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

/// The value of a `custom` attribute, converted to the type of its suffix; `None` if it is blank and the type is not text.
///
/// ```
/// # use ingest_mapping::body::{Cuts, attribute::{Suffix, custom_value}};
/// # use ingest_mapping::value::Value;
/// # use serde_json::json;
/// let mut cuts = Cuts::default();
/// assert_eq!(custom_value(Suffix::Num, "27.50".into(), &mut cuts).unwrap(), Some(Value::from(json!(27.5))));
/// assert_eq!(custom_value(Suffix::At, 1_767_355_200.into(), &mut cuts).unwrap(), Some("2026-01-02T12:00:00.000Z".into()));
/// assert_eq!(custom_value(Suffix::Num, "".into(), &mut cuts).unwrap(), None);
/// assert!(custom_value(Suffix::Num, "27,50".into(), &mut cuts).is_err());
/// ```
///
/// # Errors
/// [`Illegal`] if the value is of another type and cannot be converted without loss.
pub fn custom_value<'t>(
    suffix: Suffix,
    value: Value<'t>,
    cuts: &mut Cuts,
) -> Result<Option<Value<'t>>, Illegal> {
    let text_like = matches!(suffix, Suffix::Str | Suffix::Txt);
    if !text_like && is_blank(&value) {
        return Ok(None);
    }
    let value = match suffix {
        Suffix::Str | Suffix::Txt => Value::String(text(value, cuts)?),
        Suffix::Num => Value::Number(number(&value)?),
        Suffix::At => Value::from(date_time(&value)?),
        Suffix::Bool => Value::Bool(boolean(&value)?),
        Suffix::Url => Value::from(url(value)?),
    };
    Ok(Some(value))
}

/// The name and value of a `meta` attribute as they are sent; `None` if the value is blank and the name has a suffix.
///
/// ```
/// # use ingest_mapping::body::{Cuts, attribute::meta_entry};
/// # use ingest_mapping::value::Value;
/// # use serde_json::json;
/// let mut cuts = Cuts::default();
/// assert_eq!(meta_entry("total", json!(27.5).into(), &mut cuts).unwrap(), Some(("totalNum".into(), json!(27.5).into())));
/// assert_eq!(meta_entry("gift", true.into(), &mut cuts).unwrap(), Some(("gift".into(), "true".into())));
/// assert_eq!(meta_entry("totalNum", " ".into(), &mut cuts).unwrap(), None);
/// ```
///
/// # Errors
/// [`Illegal`] if the value is null, an array or an object, or cannot be converted to the type of the name's suffix.
pub fn meta_entry<'a, 't>(
    name: &'a str,
    value: Value<'t>,
    cuts: &mut Cuts,
) -> Result<Option<(Cow<'a, str>, Value<'t>)>, Illegal> {
    let (base, declared) = split_meta(name);
    if declared.is_some() && is_blank(&value) {
        return Ok(None);
    }
    let entry = match declared {
        Some(MetaType::Num) => (suffixed(name, base, "Num"), Value::Number(number(&value)?)),
        Some(MetaType::At) => (suffixed(name, base, "At"), Value::from(date_time(&value)?)),
        None => match value {
            Value::Number(number) if is_exact(&number) => {
                (suffixed(name, base, "Num"), Value::Number(number))
            }
            Value::String(text) => match instant(&text) {
                Some(at) => (suffixed(name, base, "At"), Value::from(at)),
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

/// The time, if a text is a complete one with its offset. A text that only looks like a date stays a text.
fn instant(text: &str) -> Option<String> {
    if text.len() < 20 {
        return None;
    }
    match text.parse::<jiff::Timestamp>() {
        Ok(at) => Some(rfc3339(at)),
        Err(_) if text.ends_with('Z') => calendar::text_of(&Value::text(text)),
        Err(_) => None,
    }
}

/// Whether a value is an empty or blank text.
pub(super) fn is_blank(value: &Value<'_>) -> bool {
    value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// A number as text. A whole number has no fraction, even if arithmetic made it a floating-point number.
pub(super) fn number_text(number: &Number) -> String {
    whole_number(number).unwrap_or_else(|| number.to_string())
}

/// A text. Numbers and booleans are written as in JSON, whole numbers without a fraction.
pub(super) fn text<'t>(value: Value<'t>, cuts: &mut Cuts) -> Result<Cow<'t, str>, Illegal> {
    let text = match value {
        Value::String(text) => text,
        Value::Number(number) => Cow::Owned(number_text(&number)),
        Value::Bool(yes) => Cow::Borrowed(if yes { "true" } else { "false" }),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            let is = kind_of(&value);
            return Err(Illegal::new(format!(
                "must be a text, is {is}; choose a part of it, or write it into `data`"
            )));
        }
    };
    Ok(cuts.cut(text, MAX_TEXT_CHARS))
}

/// A number. A text that is a decimal number is converted if no digit is lost.
pub(super) fn number(value: &Value<'_>) -> Result<Number, Illegal> {
    let wrong = |is: &str| Illegal::new(format!("must be a number, is {is}"));
    match value {
        Value::Number(number) if is_exact(number) => Ok(number.clone()),
        Value::Number(_) => Err(Illegal::new(
            "a whole number beyond 2^53 would be rounded by its readers; use a `Str` attribute",
        )),
        Value::String(text) => {
            decimal(text.trim()).ok_or_else(|| wrong("a text that is not a plain decimal number"))
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            Err(wrong(kind_of(value)))
        }
    }
}

/// A time in the form that the API takes. Every form that [`time`] reads is accepted.
pub(super) fn date_time(value: &Value<'_>) -> Result<String, Illegal> {
    calendar::text_of(value).ok_or_else(|| {
        let is = kind_of(value);
        Illegal::new(format!(
            "must be a time (RFC 3339, a date, or an epoch number), is {is} that is not one"
        ))
    })
}

/// A day in the form that the API takes: midnight UTC, so that every reader sees the same day.
pub(super) fn day(value: &Value<'_>) -> Result<String, Illegal> {
    let day = calendar::day_of(value).ok_or_else(|| {
        let is = kind_of(value);
        Illegal::new(format!(
            "must be a date such as 1990-07-31, is {is} that is not one"
        ))
    })?;
    Ok(format!("{day}T00:00:00.000Z"))
}

pub(super) fn boolean(value: &Value<'_>) -> Result<bool, Illegal> {
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

/// A web address: `http` or `https`, a host, no blanks. An agent could not safely follow a link with another scheme:
/// `javascript:` would run code.
pub(super) fn url(value: Value<'_>) -> Result<String, Illegal> {
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
            "must be an address such as https://example.com/x, is a text that is not one",
        ))
    }
}

/// Whether every reader of JSON holds the number exactly.
pub(super) fn is_exact(number: &Number) -> bool {
    match (number.as_u64(), number.as_i64()) {
        (Some(whole), _) => whole <= MAX_EXACT,
        (None, Some(whole)) => whole.unsigned_abs() <= MAX_EXACT,
        (None, None) => true,
    }
}

/// The number in a text such as `-12.50` or `1.2e3`, if no digit is lost.
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
        return None; // a whole number this long is an id
    }
    let float = text.parse::<f64>().ok().filter(|float| float.is_finite())?;
    let digits = significant(unsigned);
    // a 64-bit float always keeps 15 decimal digits; it keeps more if it is printed with the same digits
    let kept = digits.len() <= 15 || digits == significant(&format!("{:e}", float.abs()));
    if kept { Number::from_f64(float) } else { None }
}

/// The significant digits of a decimal number: those without the zeros at both ends.
fn significant(unsigned: &str) -> String {
    let mantissa = unsigned.split(['e', 'E']).next().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    digits.trim_matches('0').to_owned()
}

/// The types that a suffix of a `meta` name can say.
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

/// The base with that suffix; the name itself if it is that already.
fn suffixed<'a>(name: &'a str, base: &str, suffix: &str) -> Cow<'a, str> {
    let base_is_plain = !base.contains("Num") && !base.contains("At");
    if base_is_plain && name.len() == base.len() + suffix.len() {
        return Cow::Borrowed(name);
    }
    Cow::Owned(format!("{}{suffix}", plain(base)))
}

/// The base with `Num` and `At` in lower case, so that it says no type.
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
