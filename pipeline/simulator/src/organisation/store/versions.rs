//! Versions of objects, as writers keep them in an attribute, and which of two is higher.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use crate::time::parse_instant;

/// The attribute in which writers keep the version of an object.
const VERSION: &str = "ingestVersionStr";

/// How far an exponent may shift the decimal point.
const MAX_SHIFT: i32 = 400;

/// The version in custom attributes.
pub(crate) fn version_of(custom: &Map<String, Value>) -> Option<String> {
    custom
        .get(VERSION)
        .and_then(Value::as_str)
        .map(str::to_owned)
}

/// Compares versions: as numbers if both are numbers, as times if both are times, and as texts if neither is anything else. Versions
/// of different kinds cannot be judged.
pub(crate) fn compare_versions(left: &str, right: &str) -> Option<Ordering> {
    match (number(left), number(right)) {
        (Some(left), Some(right)) => return Some(left.compare(&right)),
        (None, None) => {}
        (Some(_), None) | (None, Some(_)) => return None,
    }
    match (instant(left), instant(right)) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        (None, None) => Some(left.cmp(right)),
        (Some(_), None) | (None, Some(_)) => None,
    }
}

/// A time with a zone, or one without, which counts as UTC; a day stands for its beginning.
fn instant(text: &str) -> Option<jiff::Timestamp> {
    let full = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        _ => text.replacen(' ', "T", 1),
    };
    parse_instant(&full).or_else(|| parse_instant(&format!("{full}Z")))
}

/// A number written out, without an exponent.
struct Written {
    negative: bool,
    whole: String,
    fraction: String,
}

fn number(text: &str) -> Option<Written> {
    let (mantissa, shift) = match text.split_once(['e', 'E']) {
        Some((mantissa, shift)) => (mantissa, shift.parse::<i32>().ok()?),
        None => (text, 0),
    };
    if shift.abs() > MAX_SHIFT {
        return None;
    }
    let negative = mantissa.starts_with('-');
    let mantissa = mantissa.trim_start_matches(['-', '+']);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.chars().all(|one| one.is_ascii_digit());
    if !digits(whole)
        || !digits(fraction)
        || mantissa.len() < 1 + usize::from(mantissa.contains('.'))
    {
        return None;
    }
    let (mut whole, mut fraction) = (whole.to_owned(), fraction.to_owned());
    for _ in 0..shift.abs() {
        if shift > 0 {
            whole.push(if fraction.is_empty() {
                '0'
            } else {
                fraction.remove(0)
            });
        } else {
            fraction.insert(0, whole.pop().unwrap_or('0'));
        }
    }
    Some(Written {
        negative,
        whole: whole.trim_start_matches('0').to_owned(),
        fraction: fraction.trim_end_matches('0').to_owned(),
    })
}

impl Written {
    fn is_zero(&self) -> bool {
        self.whole.is_empty() && self.fraction.is_empty()
    }

    fn compare(&self, other: &Self) -> Ordering {
        let below = |one: &Self| one.negative && !one.is_zero();
        match (below(self), below(other)) {
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (true, true) => other.size(self),
            (false, false) => self.size(other),
        }
    }

    /// Compares without the signs.
    fn size(&self, other: &Self) -> Ordering {
        let longer = self.whole.len().cmp(&other.whole.len());
        let higher = longer.then_with(|| self.whole.cmp(&other.whole));
        higher.then_with(|| self.fraction.cmp(&other.fraction))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_what_they_are() {
        for (low, high) in [
            ("9", "10"),
            ("9.0", "10.0"),
            ("9.5", "9.75"),
            ("999", "1e3"),
            ("-2", "-1.5"),
            ("-0.5", "0"),
            ("2.5e-3", "0.01"),
            ("18446744073709551616", "18446744073709551617.5"),
            ("2025-01-02T04:04:05+02:00", "2025-01-02T03:04:05Z"),
            ("2025-01-02", "2025-01-02 00:00:01"),
            (
                "2025-01-02T03:04:05.000000001Z",
                "2025-01-02T03:04:05.000000002Z",
            ),
            ("a", "b"),
        ] {
            let said = compare_versions(low, high);
            assert_eq!(said, Some(Ordering::Less), "{low} {high}");
            let said = compare_versions(high, low);
            assert_eq!(said, Some(Ordering::Greater), "{low} {high}");
        }
        for (one, other) in [("007", "7"), ("12.0", "12"), ("1.5e3", "1500"), ("-0", "0")] {
            assert_eq!(compare_versions(one, other), Some(Ordering::Equal));
        }
    }

    #[test]
    fn two_sorts_of_versions_are_not_judged() {
        for (one, other) in [("10", "9a"), ("10", "2025-01-02"), ("2025-01-02", "later")] {
            assert_eq!(compare_versions(one, other), None, "{one} {other}");
            assert_eq!(compare_versions(other, one), None, "{one} {other}");
        }
    }
}
