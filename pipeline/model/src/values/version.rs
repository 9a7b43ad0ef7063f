//! Versions: which state of an object is the newer one.
//!
//! A version is a number, a time or a text. Numbers compare by value, however they are written (`9.0` is below `10`,
//! `1e3` is `1000`, and no digit of a long one is lost); times by their instant, whatever their zone; texts character by
//! character. Versions of different kinds have no order: a klass that has both is a mistake in the mapping, and the
//! comparison says so.
//!
//! Two versions may be equal where the states are not: a producer that counts whole seconds can write several states in
//! one.

use std::cmp::Ordering;
use std::sync::Arc;

use jiff::civil::DateTime;
use jiff::{Timestamp, tz::TimeZone};

/// The reserved attribute that holds the version written last.
pub const VERSION_ATTRIBUTE: &str = "ingestVersionStr";

/// The version of an object's state, to be compared with that of another write of the same object.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Version(pub Arc<str>);

/// The kind of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A number, of any length, with or without a fraction or an exponent.
    Number,
    /// A time; without a zone it is UTC.
    Time,
    /// Anything else.
    Text,
}

/// A number of any length: `0.digits` times ten to the power of `point`. Zero has no digits.
struct Decimal {
    negative: bool,
    /// Without zeros at either end.
    digits: String,
    point: i64,
}

enum Parsed {
    Number(Decimal),
    Time(DateTime),
    Text,
}

/// The most digits of an exponent; a longer one is not a number that anybody meant.
const EXPONENT_DIGITS: usize = 9;
/// From this many hexadecimal digits on, two texts of equal length are counters and not numbers.
const COUNTER_DIGITS: usize = 8;

// === impl Version ===

impl Version {
    /// The version with that text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match parse(&self.0) {
            Parsed::Number(_) => Kind::Number,
            Parsed::Time(_) => Kind::Time,
            Parsed::Text => Kind::Text,
        }
    }

    /// How this state compares to the other; `None` where the two are of different kinds, which have no order.
    ///
    /// ```
    /// # use std::cmp::Ordering;
    /// # use ingest_model::version::Version;
    /// let compare = |a, b| Version::new(a).compare(&Version::new(b));
    /// assert_eq!(compare("9.0", "10"), Some(Ordering::Less));
    /// assert_eq!(compare("1e3", "1000.0"), Some(Ordering::Equal));
    /// assert_eq!(compare("2026-01-01T00:00:00Z", "2026-01-01T01:30:00+01:00"), Some(Ordering::Less));
    /// assert_eq!(compare("17", "2026-01-01"), None);
    /// ```
    #[must_use]
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        if let (Ok(a), Ok(b)) = (self.0.parse::<i128>(), other.0.parse::<i128>()) {
            return Some(a.cmp(&b));
        }
        if is_counter(&self.0, &other.0) {
            let lower = |text: &str| text.to_ascii_lowercase();
            return Some(lower(&self.0).cmp(&lower(&other.0)));
        }
        match (parse(&self.0), parse(&other.0)) {
            (Parsed::Number(a), Parsed::Number(b)) => Some(a.compare(&b)),
            (Parsed::Time(a), Parsed::Time(b)) => Some(a.cmp(&b)),
            (Parsed::Text, Parsed::Text) => Some(self.0.cmp(&other.0)),
            (Parsed::Number(_) | Parsed::Time(_) | Parsed::Text, _) => None,
        }
    }

    /// Whether this state is older than the other.
    #[must_use]
    pub fn is_older_than(&self, other: &Self) -> bool {
        self.compare(other) == Some(Ordering::Less)
    }

    /// Whether the two versions are equal. The states may still differ.
    #[must_use]
    pub fn ties_with(&self, other: &Self) -> bool {
        self.compare(other) == Some(Ordering::Equal)
    }
}

// === impl Kind ===

impl Kind {
    /// The kind in words, for messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Time => "a time",
            Self::Text => "a text",
        }
    }
}

// === impl Decimal ===

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent_of(exponent)?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !is_digits(fraction) || whole.len() + fraction.len() == 0 {
            return None;
        }
        let all = format!("{whole}{fraction}");
        let stripped = all.trim_start_matches('0');
        let leading = all.len() - stripped.len();
        let point = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()? + exponent;
        Some(Self {
            negative,
            digits: stripped.trim_end_matches('0').to_owned(),
            point,
        })
    }

    fn compare(&self, other: &Self) -> Ordering {
        // The sign first: this puts zero between the negative and the positive numbers.
        let sign = |one: &Self| match (one.digits.is_empty(), one.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let by_sign = sign(self).cmp(&sign(other));
        if by_sign.is_ne() || self.digits.is_empty() {
            return by_sign;
        }
        let magnitude = (self.point, &self.digits).cmp(&(other.point, &other.digits));
        if self.negative {
            magnitude.reverse()
        } else {
            magnitude
        }
    }
}

fn exponent_of(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sound = (1..=EXPONENT_DIGITS).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    sound.then(|| text.parse().ok()).flatten()
}

fn parse(text: &str) -> Parsed {
    let text = text.trim();
    if let Some(number) = Decimal::parse(text) {
        return Parsed::Number(number);
    }
    time_of(text).map_or(Parsed::Text, Parsed::Time)
}

/// The time in a text, as civil time in UTC, so that it covers the last day of the year 9999 too.
fn time_of(text: &str) -> Option<DateTime> {
    // With its zone first: without it, whatever follows the seconds would be ignored.
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at.to_zoned(TimeZone::UTC).datetime());
    }
    let plain = text
        .strip_suffix(['Z', 'z'])
        .or_else(|| text.strip_suffix(" UTC"))
        .unwrap_or(text);
    if let Ok(at) = plain.parse::<DateTime>() {
        return Some(at);
    }
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text);
    Some(at.ok()?.to_zoned(TimeZone::UTC).datetime())
}

/// Whether the two are fixed-width counters in hexadecimal. Each may look like a number on its own, but as a pair they
/// sort by their characters.
fn is_counter(one: &str, other: &str) -> bool {
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let letter = |text: &str| text.bytes().any(|byte| byte.is_ascii_alphabetic());
    one.len() == other.len()
        && one.len() >= COUNTER_DIGITS
        && hex(one)
        && hex(other)
        && (letter(one) || letter(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(one: &str, other: &str) -> Option<Ordering> {
        let (one, other) = (Version::new(one), Version::new(other));
        let said = one.compare(&other);
        assert_eq!(
            other.compare(&one),
            said.map(Ordering::reverse),
            "{one:?} {other:?}"
        );
        said
    }

    #[test]
    fn numbers_compare_by_value_however_they_are_written() {
        let rising = [
            "-170141183460469231731687303715884105729",
            "-1e30",
            "-12",
            "-3.5",
            "-0.02",
            "0",
            "1e-7",
            "0.00002",
            ".5",
            "4.0",
            "0007",
            "9.75",
            "10.0",
            "11",
            "1.2E2",
            "999",
            "1e3",
            "1764291723.25",
            "1764291723.5",
            "340282366920938463463374607431768211456",
            "340282366920938463463374607431768211457.0",
            "+1e+40",
        ];
        for (place, low) in rising.iter().enumerate() {
            assert_eq!(Version::new(low).kind(), Kind::Number, "{low}");
            assert_eq!(compare(low, low), Some(Ordering::Equal), "{low}");
            for high in rising.iter().skip(place + 1) {
                assert_eq!(compare(low, high), Some(Ordering::Less), "{low} {high}");
            }
        }
        for (one, other) in [
            ("7", "7.000"),
            ("-0.0", "0"),
            ("2500", "2.5e3"),
            ("0e9", "-0"),
        ] {
            assert_eq!(compare(one, other), Some(Ordering::Equal), "{one} {other}");
        }
    }

    #[test]
    fn times_compare_by_instant_and_are_utc_without_a_zone() {
        let rising = [
            "2026-03-04",
            "2026-03-04 00:00:01",
            "2026-03-04T00:00:01.000001Z",
            "2026-03-04T02:00:02+02:00",
            "2026-03-04 00:00:03 UTC",
            "Wed, 04 Mar 2026 00:00:04 GMT",
            "2026-03-04T00:00:05+0000",
            "9999-12-31",
            "9999-12-31T23:59:59Z",
        ];
        for (place, low) in rising.iter().enumerate() {
            assert_eq!(Version::new(low).kind(), Kind::Time, "{low}");
            for high in rising.iter().skip(place + 1) {
                assert_eq!(compare(low, high), Some(Ordering::Less), "{low} {high}");
            }
        }
        assert_eq!(
            compare("2026-03-04T12:00:00Z", "2026-03-04 12:00:00.000"),
            Some(Ordering::Equal)
        );
    }

    #[test]
    fn texts_compare_by_their_characters() {
        for (low, high) in [
            ("r10", "r9"),
            ("00/1A", "00/1B"),
            ("v1", "v1.1"),
            // Fixed-width counters, some of which look like numbers.
            ("00000000000001e5", "0000000000000200"),
            ("0000000000000019", "000000000000001A"),
        ] {
            assert_eq!(compare(low, high), Some(Ordering::Less), "{low} {high}");
        }
        for text in ["", "e5", "1e", "1e99999999999", "0x10", "NaN", "1_000", "."] {
            assert_eq!(Version::new(text).kind(), Kind::Text, "{text}");
        }
    }

    #[test]
    fn two_kinds_have_no_order() {
        for (one, other) in [
            ("12", "2026-03-04T00:00:00Z"),
            ("12", "twelve"),
            ("2026-03-04T00:00:00Z", "yesterday"),
            ("1764291723", "2026-03-04"),
        ] {
            assert_eq!(compare(one, other), None, "{one} {other}");
            assert!(!Version::new(one).is_older_than(&Version::new(other)));
            assert!(!Version::new(one).ties_with(&Version::new(other)));
        }
    }

    proptest::proptest! {
        #[test]
        fn whole_numbers_agree_with_the_machines_own(a: i128, b: i128) {
            let slow = |n: i128| Decimal::parse(&n.to_string()).unwrap();
            proptest::prop_assert_eq!(slow(a).compare(&slow(b)), a.cmp(&b));
        }

        #[test]
        fn fractions_agree_with_floating_point(a: f32, b: f32) {
            proptest::prop_assume!(a.is_finite() && b.is_finite());
            let said = compare(&a.to_string(), &format!("{b:e}"));
            proptest::prop_assert_eq!(said, a.partial_cmp(&b));
        }

        #[test]
        fn any_two_texts_compare_without_harm(a in ".{0,40}", b in "[-+0-9eE.TZ: ]{0,40}") {
            compare(&a, &b);
        }
    }
}
