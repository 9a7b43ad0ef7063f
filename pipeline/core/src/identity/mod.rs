//! Hygiene of what names a customer: e-mail addresses, phone numbers and external ids.
//!
//! Producers write `"null"`, `"undefined"` or `0` where they know nobody. Kustomer would make a customer of each and
//! put the events of strangers on one timeline, so such values are dropped here, once, for every format. What remains
//! is in the one spelling that look-ups and lanes compare: e-mail in lower case, phone in E.164, ids as trimmed text.
//!
//! Nothing is ever guessed: a phone number without a country code identifies nobody.

use serde_json::Value;

/// The longest external id or user name in characters (Kustomer's limit).
pub const MAX_ID_CHARS: usize = 256;

/// The longest e-mail address in characters (the limit of the mail protocols).
const MAX_EMAIL_CHARS: usize = 254;

/// What producers write where they have nothing; compared in lower case.
const NOTHING: &[&str] = &[
    "null",
    "undefined",
    "nil",
    "none",
    "nan",
    "(null)",
    "[object object]",
];

/// Ids that stand for the shop itself, not for a customer; compared in lower case.
const NOBODY: &[&str] = &["0", "-1", "shopify-admin", "anonymous", "guest"];

/// The text of an id that may have been sent as a number: trimmed, and `None` when it says nothing.
///
/// Whole numbers become their decimal digits; fractions, booleans, arrays and objects are no ids.
///
/// ```
/// # use ingest_core::identity::id_text;
/// # use serde_json::json;
/// assert_eq!(id_text(&json!(9007199254740993_i64)).as_deref(), Some("9007199254740993"));
/// assert_eq!(id_text(&json!(" o-1 ")).as_deref(), Some("o-1"));
/// assert_eq!(id_text(&json!("undefined")), None);
/// assert_eq!(id_text(&json!(1.5)), None);
/// ```
#[must_use]
pub fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => {
            let text = text.trim();
            let folded = text.to_ascii_lowercase();
            let empty = text.is_empty() || NOTHING.contains(&folded.as_str());
            (!empty).then(|| text.to_owned())
        }
        Value::Number(number) => whole_number_text(number),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The external id of a customer: as [`id_text`], without values that stand for nobody, at most 256 characters.
///
/// A longer one is dropped, not cut: two long ids with one beginning are two people.
///
/// ```
/// # use ingest_core::identity::external_id;
/// # use serde_json::json;
/// assert_eq!(external_id(&json!(4711)).as_deref(), Some("4711"));
/// assert_eq!(external_id(&json!("shopify-admin")), None);
/// assert_eq!(external_id(&json!(0)), None);
/// ```
#[must_use]
pub fn external_id(value: &Value) -> Option<String> {
    let text = id_text(value)?;
    let folded = text.to_ascii_lowercase();
    let nobody = NOBODY.contains(&folded.as_str());
    (!nobody && text.chars().count() <= MAX_ID_CHARS).then_some(text)
}

/// A Kustomer id: 24 hexadecimal digits, in lower case.
#[must_use]
pub fn kustomer_id(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim().to_ascii_lowercase();
    (text.len() == 24 && text.bytes().all(|b| b.is_ascii_hexdigit())).then_some(text)
}

/// An e-mail address in the spelling for comparison: trimmed and in lower case.
///
/// Plausible means: one `@` with something on both sides, a dot within the domain, no blanks or control characters, at
/// most 254 characters. A `+` suffix stays, because it may be somebody's real address.
///
/// ```
/// # use ingest_core::identity::email;
/// assert_eq!(email(" Ann+Shop@Example.COM ").as_deref(), Some("ann+shop@example.com"));
/// assert_eq!(email("a@b@c.org"), None);
/// assert_eq!(email("undefined"), None);
/// ```
#[must_use]
pub fn email(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text.strip_prefix("mailto:").unwrap_or(text).to_lowercase();
    let (local, domain) = text.split_once('@')?;
    let odd =
        |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',' | ';' | '"');
    let dotted = domain.split('.').count() >= 2 && domain.split('.').all(|label| !label.is_empty());
    let plausible = !local.is_empty()
        && !domain.contains('@')
        && dotted
        && !text.contains(odd)
        && text.chars().count() <= MAX_EMAIL_CHARS;
    plausible.then_some(text)
}

/// A phone number in E.164 form, if it is international already.
///
/// It must begin with `+` or `00`; blanks, dots, hyphens, slashes and brackets between the digits go, and 8 to 15
/// digits without a leading zero must remain. A national number is `None`: its country is not known.
///
/// ```
/// # use ingest_core::identity::phone;
/// assert_eq!(phone("+49 (30) 123-456").as_deref(), Some("+4930123456"));
/// assert_eq!(phone("0049 30 123456").as_deref(), Some("+4930123456"));
/// assert_eq!(phone("030 123456"), None);
/// ```
#[must_use]
pub fn phone(text: &str) -> Option<String> {
    let text = text.trim();
    let rest = text.strip_prefix('+').or_else(|| text.strip_prefix("00"))?;
    // "+49 (0)30 …": the bracketed zero is dialled inside the country only
    let rest = rest.replacen("(0)", "", 1);
    let mut digits = String::with_capacity(16);
    digits.push('+');
    for c in rest.chars() {
        match c {
            '0'..='9' => digits.push(c),
            ' ' | '\u{a0}' | '.' | '-' | '/' | '(' | ')' => {}
            _ => return None,
        }
    }
    let count = digits.len() - 1;
    ((8..=15).contains(&count) && !digits.starts_with("+0")).then_some(digits)
}

/// A whole number as decimal digits; `None` for a fraction.
fn whole_number_text(number: &serde_json::Number) -> Option<String> {
    if number.is_i64() || number.is_u64() {
        return Some(number.to_string());
    }
    let float = number.as_f64()?;
    // up to 2^53 a float names one integer exactly
    (float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0).then(|| format!("{float:.0}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_that_identify_nobody_are_dropped() {
        for value in [
            json!("null"),
            json!(" "),
            json!("undefined"),
            json!(null),
            json!(true),
            json!({}),
            json!([1]),
        ] {
            assert_eq!(id_text(&value), None, "{value}");
        }
        for value in [
            json!("0"),
            json!(0),
            json!("Shopify-Admin"),
            json!("x".repeat(257)),
            json!("NaN"),
        ] {
            assert_eq!(external_id(&value), None, "{value}");
        }
        assert_eq!(
            external_id(&json!("x".repeat(256))).map(|s| s.len()),
            Some(256)
        );
    }

    #[test]
    fn large_ids_stay_exact() {
        assert_eq!(
            id_text(&json!(u64::MAX)).as_deref(),
            Some("18446744073709551615")
        );
        assert_eq!(id_text(&json!(123.0)).as_deref(), Some("123"));
        assert_eq!(id_text(&json!(1e300)), None);
    }

    #[test]
    fn emails_are_plausible_or_nothing() {
        assert_eq!(
            email("grün@müller.example").as_deref(),
            Some("grün@müller.example")
        );
        for text in [
            "",
            "@",
            "a@",
            "@b.c",
            "a@b",
            "a b@c.de",
            "a@b..de",
            "a@.de",
            "a@b.de,c@d.de",
            "a@@b.de",
        ] {
            assert_eq!(email(text), None, "{text}");
        }
    }

    #[test]
    fn phones_are_international_or_nothing() {
        assert_eq!(phone("+49 (0)30 123456").as_deref(), Some("+4930123456"));
        for text in [
            "",
            "+",
            "123456789",
            "+0123456789",
            "+1234567",
            "+1234567890123456",
            "+49 30 x",
            "call me",
        ] {
            assert_eq!(phone(text), None, "{text}");
        }
    }
}
