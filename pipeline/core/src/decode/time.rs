//! Reading times as producers write them.
//!
//! Understood are RFC 3339 with any offset (`2026-01-02T03:04:05Z`, `…+0100`), the same with a blank for the `T`,
//! without an offset (read as UTC), a date alone (midnight UTC), and epoch numbers, as number or as text. The unit of an
//! epoch number follows from its size: below 10^11 seconds, below 10^14 milliseconds, below 10^17 microseconds, else
//! nanoseconds. Numbers below 10^8 are no times: they would be days in 1970, and are more likely a count or a date such
//! as `20260102`.
//!
//! A time in an envelope must also be *plausible*: not before 2000, and not more than a day after the record reached
//! Kafka (before 2100 where the record has no time). Year 0001 is what some runtimes write for "no time", year 2099 what
//! a wrong clock says; both are passed over and the next source of the time is taken.

use jiff::{SignedDuration, Timestamp, civil};
use serde_json::Value;

/// How far the clocks of a producer may be ahead of the broker's.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// The time that a JSON value says, if it says one.
///
/// ```
/// # use ingest_core::decode::time::parse;
/// # use serde_json::json;
/// let noon = "2026-01-02T12:00:00Z".parse().ok();
/// assert_eq!(parse(&json!("2026-01-02T13:00:00+01:00")), noon);
/// assert_eq!(parse(&json!("2026-01-02 12:00:00")), noon);
/// assert_eq!(parse(&json!(1_767_355_200)), noon);
/// assert_eq!(parse(&json!("1767355200000")), noon);
/// assert_eq!(parse(&json!("yesterday")), None);
/// ```
#[must_use]
pub fn parse(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => parse_text(text),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => epoch(whole),
            None => epoch_seconds(number.as_f64()?),
        },
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The time that a text says, if it says one.
#[must_use]
pub fn parse_text(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    let plain_number = text.len() <= 19
        && text
            .bytes()
            .enumerate()
            .all(|(i, b)| b.is_ascii_digit() || (i == 0 && b == b'-'));
    if plain_number {
        return epoch(text.parse().ok()?);
    }
    let local = match text.parse::<civil::DateTime>() {
        Ok(local) => local,
        Err(_) => text
            .parse::<civil::Date>()
            .ok()?
            .to_datetime(civil::Time::midnight()),
    };
    // an offset that jiff's civil parser would pass over must not be lost
    let has_offset = text.contains(['Z', 'z', '['])
        || text.get(10..).is_some_and(|rest| rest.contains(['+', '-']));
    if has_offset {
        return None;
    }
    local
        .to_zoned(jiff::tz::TimeZone::UTC)
        .ok()
        .map(|zoned| zoned.timestamp())
}

/// A plausible time of an event, seen from the time at which the record reached Kafka.
#[must_use]
pub fn plausible(value: &Value, reference: Option<Timestamp>) -> Option<Timestamp> {
    let time = parse(value)?;
    let earliest = Timestamp::from_second(946_684_800).ok()?; // 2000-01-01
    let latest = match reference {
        Some(reference) => reference.checked_add(AHEAD).unwrap_or(Timestamp::MAX),
        None => Timestamp::from_second(4_102_444_800).ok()?, // 2100-01-01
    };
    (earliest <= time && time <= latest).then_some(time)
}

/// The text of a time as the API takes it: RFC 3339 in UTC with milliseconds.
///
/// ```
/// # use ingest_core::decode::time::rfc3339;
/// assert_eq!(rfc3339("2026-01-02T13:00:00.123456789+01:00".parse().unwrap()), "2026-01-02T12:00:00.123Z");
/// ```
#[must_use]
pub fn rfc3339(time: Timestamp) -> String {
    // cut, not rounded: rounding could move an event into the next second
    let whole = Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time);
    format!("{whole:.3}")
}

fn epoch(number: i64) -> Option<Timestamp> {
    let size = number.unsigned_abs();
    match size {
        0..100_000_000 => None,
        100_000_000..100_000_000_000 => Timestamp::from_second(number).ok(),
        100_000_000_000..100_000_000_000_000 => Timestamp::from_millisecond(number).ok(),
        100_000_000_000_000..100_000_000_000_000_000 => Timestamp::from_microsecond(number).ok(),
        100_000_000_000_000_000.. => Timestamp::from_nanosecond(i128::from(number)).ok(),
    }
}

/// Fractional epoch seconds, or milliseconds, by size.
fn epoch_seconds(number: f64) -> Option<Timestamp> {
    let size = number.abs();
    let seconds = match size {
        _ if (1e8..1e11).contains(&size) => number,
        _ if (1e11..1e14).contains(&size) => number / 1e3,
        _ => return None,
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "below 1e11 seconds, 1e14 milliseconds fit"
    )]
    let millis = (seconds * 1e3).round() as i64;
    Timestamp::from_millisecond(millis).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> Option<Timestamp> {
        text.parse().ok()
    }

    #[test]
    fn odd_spellings_are_read() {
        for (value, wanted) in [
            (json!("2026-01-02T03:04:05"), "2026-01-02T03:04:05Z"),
            (json!("2026-01-02 03:04:05Z"), "2026-01-02T03:04:05Z"),
            (json!("2026-01-02 03:04:05+02:00"), "2026-01-02T01:04:05Z"),
            (json!("2026-01-02T03:04:05+0200"), "2026-01-02T01:04:05Z"),
            (
                json!("2026-01-02T03:04:05.123456789Z"),
                "2026-01-02T03:04:05.123456789Z",
            ),
            (json!("2026-01-02"), "2026-01-02T00:00:00Z"),
            (json!(" 2026-01-02t03:04:05z "), "2026-01-02T03:04:05Z"),
            (json!(1_767_323_045), "2026-01-02T03:04:05Z"),
            (json!(1_767_323_045_000_i64), "2026-01-02T03:04:05Z"),
            (json!(1_767_323_045_000_000_i64), "2026-01-02T03:04:05Z"),
            (json!(1_767_323_045_000_000_000_i64), "2026-01-02T03:04:05Z"),
            (json!(1_767_323_045.5), "2026-01-02T03:04:05.5Z"),
            (json!("0001-01-01T00:00:00Z"), "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(parse(&value), at(wanted), "{value}");
        }
        for value in [
            json!(""),
            json!("now"),
            json!(0),
            json!(20_260_102),
            json!(true),
            json!(1e30),
            json!("2026-13-01"),
            json!("2026-01-02T25:00:00Z"),
            json!("99999999999999999999"),
        ] {
            assert_eq!(parse(&value), None, "{value}");
        }
    }

    #[test]
    fn implausible_times_are_passed_over() {
        let reference = at("2026-01-02T00:00:00Z");
        for (value, good) in [
            (json!("2026-01-02T20:00:00Z"), true),
            (json!("2026-01-04T00:00:00Z"), false),
            (json!("2099-01-01T00:00:00Z"), false),
            (json!("0001-01-01T00:00:00Z"), false),
            (json!("1970-01-01T00:00:00Z"), false),
            (json!("2001-01-01T00:00:00Z"), true),
        ] {
            assert_eq!(plausible(&value, reference).is_some(), good, "{value}");
        }
        assert!(plausible(&json!("2099-01-01T00:00:00Z"), None).is_some());
    }
}
