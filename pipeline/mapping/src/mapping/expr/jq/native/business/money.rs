//! Amounts in the smallest unit of a currency.

use super::super::super::data::math::whole_or_float;
use super::super::super::data::value::Val;

/// The currencies of ISO 4217 whose smallest unit is not a hundredth: digits after the point, and codes.
const DIGITS: &[(i32, &[&str])] = &[
    (
        0,
        &[
            "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI",
            "VND", "VUV", "XAF", "XOF", "XPF",
        ],
    ),
    (3, &["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"]),
    (4, &["CLF", "UYW"]),
];

/// The digits after the point of a currency; `None` if it is no code of one.
pub(super) fn digits(currency: &str) -> Option<i32> {
    let code = currency.trim().to_ascii_uppercase();
    if code.len() != 3 || !code.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let other = DIGITS
        .iter()
        .find(|(_, codes)| codes.contains(&code.as_str()));
    Some(other.map_or(2, |(digits, _)| *digits))
}

/// An amount as text: digits, perhaps with a sign and a point.
pub(super) fn amount(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    plain.then(|| text.parse().ok()).flatten()
}

/// An amount in the currency itself.
pub(super) fn major<'a>(minor: f64, digits: i32) -> Val<'a> {
    whole_or_float(minor / 10_f64.powi(digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_unit_depends_on_the_currency() {
        for (code, wanted) in [
            ("EUR", Some(2)),
            ("usd", Some(2)),
            ("jpy", Some(0)),
            (" KWD ", Some(3)),
            ("CLF", Some(4)),
            ("", None),
            ("EU", None),
            ("EURO", None),
            ("12A", None),
        ] {
            assert_eq!(digits(code), wanted, "{code}");
        }
    }

    #[test]
    fn amounts_are_exact() {
        for minor in 0_i32..20_000 {
            let text = format!("{}.{:02}", minor / 100, minor % 100);
            let found = major(f64::from(minor), 2).as_f64().unwrap();
            assert_eq!(found, text.parse::<f64>().unwrap(), "{minor}");
        }
        assert_eq!(amount("-1999"), Some(-1999.0));
        assert_eq!(amount("19.5"), Some(19.5));
        for text in ["", "x", "1e3", "1,000", "-", "inf", "1.2.3"] {
            assert_eq!(amount(text), None, "{text}");
        }
    }
}
