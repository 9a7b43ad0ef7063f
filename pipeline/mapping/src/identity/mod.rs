//! Cleaning of the keys that identify a customer: e-mail addresses, phone numbers and ids.
//!
//! Producers write `"null"`, `"undefined"` or `{{user.id}}` when they do not know the customer. Kustomer would create a
//! customer for each of these and put the events of strangers on one timeline, so such values are dropped here, for every
//! format. All others are normalised, so that look-ups and lanes can compare them: e-mail in lower case, phone in E.164,
//! ids as [`cleaned`] text. What the API would refuse is dropped too: a bad address must not cost the event that has it.
//!
//! Each of the four functions for keys ([`external_id`], [`kustomer_id`], [`email()`], [`phone`]) returns one of three
//! results: the key; [`Unusable`] with the reason, which is counted and shown; or `Ok(None)` if the value is empty, which
//! is not worth a note.
//!
//! Nothing is guessed: a phone number without a country code identifies nobody.

mod email;
mod nobody;
mod text;

use serde_json::Number;

pub use self::text::cleaned;
use crate::value::Value;

/// The longest external id of a customer or object, in characters (Kustomer's limit).
pub const MAX_ID_CHARS: usize = 256;

/// The character that replaces what could not be read. A key that has one is incomplete.
const REPLACEMENT: char = '\u{fffd}';

/// Why a value that should identify a customer is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unusable {
    /// It stands for nobody: `undefined`, `guest`, an unfilled template.
    Nobody,
    /// Kustomer would not accept it as a key of its kind.
    Illegal,
}

/// A normalised key; `None` if the value is empty.
pub type Key = Result<Option<String>, Unusable>;

// === impl Unusable ===

impl Unusable {
    /// Every value.
    pub const ALL: &'static [Self] = &[Self::Nobody, Self::Illegal];

    /// The label in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Illegal => "illegal",
        }
    }
}

/// Whether a text stands for no customer: `n/a`, `guest`, an unfilled template.
#[must_use]
pub fn is_nobody(text: &str) -> bool {
    nobody::names_nobody(text)
}

/// A cleaned id, which may have been sent as a number; `None` if it stands for nothing.
///
/// A whole number becomes its decimal digits. Fractions, booleans, arrays and objects are not ids.
///
/// ```
/// # use ingest_mapping::identity::id_text;
/// # use serde_json::json;
/// # use ingest_mapping::value::Value;
/// assert_eq!(id_text(&Value::from(json!(9007199254740993_i64))).as_deref(), Some("9007199254740993"));
/// assert_eq!(id_text(&Value::from(json!(" o-1\u{200b} "))).as_deref(), Some("o-1"));
/// assert_eq!(id_text(&Value::from(json!("undefined"))), None);
/// assert_eq!(id_text(&Value::from(json!("{{order.id}}"))), None);
/// assert_eq!(id_text(&Value::from(json!(1.5))), None);
/// ```
#[must_use]
pub fn id_text(value: &Value<'_>) -> Option<String> {
    plain_text(value).filter(|text| !nobody::names_nothing(text))
}

/// A cleaned name, which may have been sent as a number; `None` if it is empty or of another type.
///
/// ```
/// # use ingest_mapping::identity::plain_text;
/// # use serde_json::json;
/// # use ingest_mapping::value::Value;
/// assert_eq!(plain_text(&Value::from(json!(" Unknown\u{feff}"))).as_deref(), Some("Unknown"));
/// assert_eq!(plain_text(&Value::from(json!(404))).as_deref(), Some("404"));
/// assert_eq!(plain_text(&Value::from(json!("\u{200b}"))), None);
/// ```
#[must_use]
pub fn plain_text(value: &Value<'_>) -> Option<String> {
    match value {
        Value::String(text) => {
            let text = cleaned(text);
            (!text.is_empty()).then(|| text.into_owned())
        }
        Value::Number(number) => whole_number(number),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The external id of a customer: a text or whole number of at most 256 characters.
///
/// A longer one is dropped, not cut: two long ids that begin alike may belong to two people.
///
/// ```
/// # use ingest_mapping::identity::{Unusable, external_id};
/// # use serde_json::json;
/// # use ingest_mapping::value::Value;
/// assert_eq!(external_id(&Value::from(json!(4711))), Ok(Some("4711".into())));
/// assert_eq!(external_id(&Value::from(json!("shopify-admin"))), Err(Unusable::Nobody));
/// assert_eq!(external_id(&Value::from(json!(0))), Err(Unusable::Nobody));
/// assert_eq!(external_id(&Value::from(json!(" "))), Ok(None));
/// ```
///
/// # Errors
/// [`Unusable`] with the reason.
pub fn external_id(value: &Value<'_>) -> Key {
    let Some(text) = key_text(value)? else {
        return Ok(None);
    };
    if nobody::names_nobody(&text) {
        return Err(Unusable::Nobody);
    }
    if text.chars().count() > MAX_ID_CHARS {
        return Err(Unusable::Illegal);
    }
    Ok(Some(text))
}

/// A Kustomer id: 24 hexadecimal digits, returned in lower case.
///
/// # Errors
/// [`Unusable`] with the reason.
pub fn kustomer_id(value: &Value<'_>) -> Key {
    let Some(text) = key_text(value)? else {
        return Ok(None);
    };
    if nobody::names_nobody(&text) {
        return Err(Unusable::Nobody);
    }
    if text.len() != 24 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Unusable::Illegal);
    }
    Ok(Some(text.to_ascii_lowercase()))
}

/// An e-mail address, cleaned and in lower case. A leading `mailto:` is dropped.
///
/// `docs/kustomer-api.md`, section 6, says what is legal. A `+` suffix is kept, because it may be part of somebody's real
/// address.
///
/// ```
/// # use ingest_mapping::identity::{Unusable, email};
/// # use serde_json::json;
/// # use ingest_mapping::value::Value;
/// assert_eq!(email(&Value::from(json!(" Ann+Shop@Example.COM\u{200b} "))), Ok(Some("ann+shop@example.com".into())));
/// assert_eq!(email(&Value::from(json!("a@b@c.example"))), Err(Unusable::Illegal));
/// assert_eq!(email(&Value::from(json!("zoë@shop.example"))), Err(Unusable::Illegal));
/// assert_eq!(email(&Value::from(json!("undefined"))), Err(Unusable::Nobody));
/// ```
///
/// # Errors
/// [`Unusable`] with the reason.
pub fn email(value: &Value<'_>) -> Key {
    let Some(text) = key_text(value)? else {
        return Ok(None);
    };
    if nobody::names_nobody(&text) {
        return Err(Unusable::Nobody);
    }
    let text = text.to_lowercase();
    let address = text.strip_prefix("mailto:").unwrap_or(&text);
    if !email::is_legal(address) {
        return Err(Unusable::Illegal);
    }
    Ok(Some(address.to_owned()))
}

/// An international phone number in E.164 form.
///
/// It must begin with `+`, `00`, or Australia's `0011`. Blanks, dots, hyphens, slashes and brackets are dropped, and 8 to
/// 15 digits without a leading zero must remain. A national number is illegal: its country is not known.
///
/// ```
/// # use ingest_mapping::identity::{Unusable, phone};
/// # use serde_json::json;
/// # use ingest_mapping::value::Value;
/// assert_eq!(phone(&Value::from(json!("+49 (30) 123-456"))), Ok(Some("+4930123456".into())));
/// assert_eq!(phone(&Value::from(json!("0049 30 123456"))), Ok(Some("+4930123456".into())));
/// assert_eq!(phone(&Value::from(json!("030 123456"))), Err(Unusable::Illegal));
/// ```
///
/// # Errors
/// [`Unusable`] with the reason.
pub fn phone(value: &Value<'_>) -> Key {
    let Some(text) = key_text(value)? else {
        return Ok(None);
    };
    if nobody::names_nobody(&text) {
        return Err(Unusable::Nobody);
    }
    e164(&text).map(Some).ok_or(Unusable::Illegal)
}

/// The text of a key of any kind; `None` if the value is empty.
fn key_text(value: &Value<'_>) -> Key {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => {
            let text = cleaned(text);
            if text.contains(REPLACEMENT) {
                return Err(Unusable::Illegal);
            }
            Ok((!text.is_empty()).then(|| text.into_owned()))
        }
        Value::Number(number) => whole_number(number).map(Some).ok_or(Unusable::Illegal),
        Value::Bool(_) => Err(Unusable::Nobody),
        Value::Array(_) | Value::Object(_) => Err(Unusable::Illegal),
    }
}

fn e164(text: &str) -> Option<String> {
    let rest = text.strip_prefix('+').or_else(|| text.strip_prefix("00"))?;
    // "+49 (0)30 …": the zero in brackets is dialled only inside the country
    let rest = rest.replacen("(0)", "", 1);
    let mut digits = String::with_capacity(16);
    digits.push('+');
    for c in rest.chars() {
        match c {
            '0'..='9' => digits.push(c),
            ' ' | '.' | '-' | '/' | '(' | ')' => {}
            // the hyphens and dashes of word processors
            '\u{2010}'..='\u{2015}' | '\u{2212}' => {}
            _ => return None,
        }
    }
    if !text.starts_with('+') && digits.starts_with("+11") {
        // Australians dial `0011` to call abroad; no country code begins with 11
        digits.drain(1..3);
    }
    let count = digits.len() - 1;
    ((8..=15).contains(&count) && !digits.starts_with("+0")).then_some(digits)
}

/// A whole number as decimal digits; `None` for a fraction.
///
/// ```
/// # use ingest_mapping::identity::whole_number;
/// assert_eq!(whole_number(&12.into()).as_deref(), Some("12"));
/// ```
#[must_use]
pub fn whole_number(number: &Number) -> Option<String> {
    if number.is_i64() || number.is_u64() {
        return Some(number.to_string());
    }
    let float = number.as_f64()?;
    // up to 2^53 a float names one integer exactly
    (float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0).then(|| format!("{float:.0}"))
}

#[cfg(test)]
mod tests;
