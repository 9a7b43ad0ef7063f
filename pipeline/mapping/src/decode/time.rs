//! Reading times as producers write them.
//!
//! These forms are read:
//!
//! - RFC 3339 with any offset (`2026-01-02T03:04:05Z`, `…+0100`). A blank may replace the `T` or precede the offset, and
//!   `UTC` or `GMT` may replace the offset (`2026-01-02 03:04:05 UTC`, `… +0000`, `… +0000 UTC`). Without an offset it is
//!   read as UTC.
//! - A date alone: midnight UTC.
//! - RFC 2822, as in mail and HTTP (`Fri, 02 Jan 2026 03:04:05 GMT`), also with the American zones that it defines (`EST`).
//! - What JavaScript, Java and `date` print (`Fri Jan 02 2026 03:04:05 GMT+0100`, `Fri Jan 02 03:04:05 UTC 2026`).
//! - Epoch numbers, as a number or a text. Their size decides the unit: seconds below 10^11, milliseconds below 10^14,
//!   microseconds below 10^17, otherwise nanoseconds; with a fraction, seconds or milliseconds. Numbers below 10^8 are not
//!   times: they would be before 1973-03-03, and are more likely a count or a date such as `20260102`.
//!
//! Nothing is guessed: other names of zones (`CET`) and dates whose day and month could be confused (`02/01/2026`) are not
//! read.
//!
//! A time in an envelope must also be *plausible*: not before 2000, and not more than a day after the record reached
//! Kafka (or after 2100-01-01, if the record has no time). Some runtimes write the year 0001 for "no time", and a
//! wrong clock can say 2099. Such times are passed over, and the next source of the time is used.

use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp, civil};

use crate::event::{BadTime, Notes};
use crate::identity::cleaned;
use crate::value::Value;

/// How far a producer's clock may be ahead of the broker's.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// The time in a JSON value, if it is one.
///
/// ```
/// # use ingest_mapping::decode::time::parse;
/// # use serde_json::json;
/// # use ingest_mapping::value::Value;
/// let noon = "2026-01-02T12:00:00Z".parse().ok();
/// assert_eq!(parse(&Value::from(json!("2026-01-02T13:00:00+01:00"))), noon);
/// assert_eq!(parse(&Value::from(json!("2026-01-02 12:00:00"))), noon);
/// assert_eq!(parse(&Value::from(json!("2026-01-02 12:00:00 UTC"))), noon);
/// assert_eq!(parse(&Value::from(json!("Fri, 02 Jan 2026 13:00:00 +0100"))), noon);
/// assert_eq!(parse(&Value::from(json!(1_767_355_200))), noon);
/// assert_eq!(parse(&Value::from(json!("1767355200000"))), noon);
/// assert_eq!(parse(&Value::from(json!("yesterday"))), None);
/// ```
#[must_use]
pub fn parse(value: &Value<'_>) -> Option<Timestamp> {
    match value {
        Value::String(text) => parse_text(text),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => epoch(whole),
            None => epoch_seconds(number.as_f64()?),
        },
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The time in a text, if it is one.
#[must_use]
pub fn parse_text(text: &str) -> Option<Timestamp> {
    let text = cleaned(text);
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'-') && is_number(&text) {
        return epoch(text.parse().ok()?);
    }
    if is_number(&text) {
        return epoch_seconds(text.parse().ok()?);
    }
    without_offset(&text)
        .or_else(|| with_zone(&text))
        .or_else(|| as_in_mail(&text))
}

/// Whether a text is a number of at most 19 digits before an optional fraction.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    whole.len() <= 19 && plain(whole) && plain(fraction)
}

/// A time or date without an offset, read as UTC.
fn without_offset(text: &str) -> Option<Timestamp> {
    let local = match text.parse::<civil::DateTime>() {
        Ok(local) => local,
        Err(_) => text
            .parse::<civil::Date>()
            .ok()?
            .to_datetime(civil::Time::midnight()),
    };
    // jiff's civil parser ignores an offset, which would then be lost
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

/// A time whose offset is separate or named: `2026-01-02 03:04:05 +0000 UTC`.
fn with_zone(text: &str) -> Option<Timestamp> {
    // Go appends the reading of its monotonic clock
    let text = text.split(" m=").next().unwrap_or_default();
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    let (date, time, zone) = match *words.as_slice() {
        [both] => {
            let (date, rest) = both.split_once(['T', 't'])?;
            let (time, zone) = split_name(rest)?;
            (date, time, zone)
        }
        [date, rest] if date.contains([':', 'T', 't']) => {
            let (date, time) = date.split_once(['T', 't'])?;
            (date, time, rest)
        }
        [date, rest] => {
            let (time, zone) = split_name(rest)?;
            (date, time, zone)
        }
        [date, time, zone] => (date, time, zone),
        [date, time, offset, name] if is_offset(offset) && (is_name(name) || name == offset) => {
            (date, time, offset)
        }
        _ => return None,
    };
    let offset = offset_of(zone)?;
    format!("{date}T{time}{offset}").parse().ok()
}

/// A time as in mail and HTTP, or as programs print it, with the weekday first.
fn as_in_mail(text: &str) -> Option<Timestamp> {
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    let text = match *words.as_slice() {
        // JavaScript: `Fri Jan 02 2026 03:04:05 GMT+0100 (CET)`
        [weekday, month, day, year, time, zone, ..]
            if zone.starts_with("GMT") && !weekday.ends_with(',') =>
        {
            let zone = zone.strip_prefix("GMT").filter(|zone| is_offset(zone));
            let zone = zone.unwrap_or("GMT");
            format!("{weekday}, {day} {month} {year} {time} {zone}")
        }
        // Java, `date`: `Fri Jan 02 03:04:05 UTC 2026`
        [weekday, month, day, time, zone, year] if time.contains(':') => {
            let zone = offset_of(zone)?;
            let zone = if zone == "Z" { "GMT" } else { zone };
            format!("{weekday}, {day} {month} {year} {time} {zone}")
        }
        [.., "UTC"] => {
            let (rest, _) = text.rsplit_once(' ')?;
            format!("{rest} GMT")
        }
        // the parser would read any other zone name as UTC
        _ => {
            let before_comment = words.iter().take_while(|word| !word.starts_with('('));
            let zone = before_comment.last()?;
            if offset_of(zone).is_none() && !MAIL_ZONES.contains(zone) {
                return None;
            }
            text.to_owned()
        }
    };
    rfc2822::DateTimeParser::new().parse_timestamp(&text).ok()
}

/// The zone names whose offset RFC 2822 defines.
const MAIL_ZONES: &[&str] = &["EST", "EDT", "CST", "CDT", "MST", "MDT", "PST", "PDT"];

/// Splits `03:04:05UTC` before the zone.
fn split_name(time: &str) -> Option<(&str, &str)> {
    let letters = time.find(|c: char| c.is_ascii_alphabetic())?;
    time.split_at_checked(letters)
}

/// The offset of a zone, as RFC 3339 accepts it. Of names, only those that mean the same everywhere.
fn offset_of(zone: &str) -> Option<&str> {
    match zone {
        "UTC" | "GMT" | "UT" | "Z" | "utc" | "gmt" => Some("Z"),
        offset if is_offset(offset) => Some(offset),
        _ => None,
    }
}

/// Whether a text is an offset: `+01`, `+0100` or `+01:00`.
fn is_offset(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or_default();
    let plain = digits.bytes().all(|b| b.is_ascii_digit() || b == b':');
    plain && matches!(digits.len(), 2 | 4 | 5)
}

/// Whether a text looks like a zone's abbreviation, which may follow its offset.
fn is_name(text: &str) -> bool {
    let name = text.trim_matches(['(', ')']);
    (1..=5).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphabetic())
}

/// The time in a field of an envelope, if it is plausible. What is odd about it is noted.
pub(super) fn noted(
    field: &'static str,
    value: &Value<'_>,
    reference: Option<Timestamp>,
    notes: &mut Notes,
) -> Option<Timestamp> {
    match plausible(value, reference) {
        Ok(time) => {
            if value.as_str().is_some_and(is_zoneless) && !field.ends_with("_gmt") {
                notes.zoneless(field);
            }
            Some(time)
        }
        Err(why) => {
            notes.time(field, why);
            None
        }
    }
}

/// Whether a text is a time or a date that names no zone.
fn is_zoneless(text: &str) -> bool {
    !text.ends_with('Z') && !is_number(text) && without_offset(&cleaned(text)).is_some()
}

/// The time in a value, if it is plausible. `reference` is when the record reached Kafka.
///
/// # Errors
/// [`BadTime`] if it cannot be read or is not plausible.
pub fn plausible(value: &Value<'_>, reference: Option<Timestamp>) -> Result<Timestamp, BadTime> {
    let time = parse(value).ok_or(BadTime::Unreadable)?;
    let earliest = Timestamp::from_second(946_684_800).unwrap_or(Timestamp::MIN); // 2000-01-01
    let latest = match reference {
        Some(reference) => reference.checked_add(AHEAD).unwrap_or(Timestamp::MAX),
        None => Timestamp::from_second(4_102_444_800).unwrap_or(Timestamp::MAX), // 2100-01-01
    };
    if time < earliest || latest < time {
        return Err(BadTime::Implausible);
    }
    Ok(time)
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

/// An epoch number with a fraction: seconds or milliseconds, by its size.
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
    use super::*;
    use crate::value::json;

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
            (json!("2026-01-02T03:04"), "2026-01-02T03:04:00Z"),
            (json!("2026-01-02T03:04:05,25Z"), "2026-01-02T03:04:05.25Z"),
            (json!("\u{200e}2026-01-02 03:04:05"), "2026-01-02T03:04:05Z"),
            (json!("1767323045.25"), "2026-01-02T03:04:05.25Z"),
            (json!("1767323045250.0"), "2026-01-02T03:04:05.25Z"),
            (
                json!("2026-01-02T04:04:05+01:00[Europe/Paris]"),
                "2026-01-02T03:04:05Z",
            ),
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
            json!("1.2.3"),
            json!("1767323045."),
            json!("1e9"),
        ] {
            assert_eq!(parse(&value), None, "{value}");
        }
    }

    #[test]
    fn zones_apart_from_the_time_are_read() {
        for text in [
            "2026-03-01 08:30:00 UTC",
            "2026-03-01 08:30:00 GMT",
            "2026-03-01 08:30:00UTC",
            "2026-03-01T08:30:00 UTC",
            "2026-03-01T08:30:00UTC",
            "2026-03-01 08:30:00 Z",
            "2026-03-01 08:30:00 +0000",
            "2026-03-01 08:30:00 +00:00",
            "2026-03-01 10:00:00 +0130",
            "2026-03-01T03:30:00 -0500",
            "2026-03-01 09:30:00 +01",
            "2026-03-01 08:30:00 +0000 UTC",
            "2026-03-01 09:30:00 +0100 CET",
            "2026-03-01 11:30:00 +0300 +0300",
            "2026-03-01 08:30:00.000000 +0000 UTC m=+12.345678901",
        ] {
            assert_eq!(parse(&json!(text)), at("2026-03-01T08:30:00Z"), "{text}");
        }
        assert_eq!(
            parse(&json!("2026-03-01 08:30:00.125 UTC")),
            at("2026-03-01T08:30:00.125Z")
        );
    }

    #[test]
    fn times_as_mail_and_programs_write_them_are_read() {
        for text in [
            "Sun, 01 Mar 2026 08:30:00 GMT",
            "Sun, 01 Mar 2026 08:30:00 +0000",
            "Sun, 1 Mar 2026 03:30:00 -0500",
            "Sun, 01 Mar 2026 03:30:00 EST",
            "Sun, 01 Mar 2026 08:30:00 UTC",
            "01 Mar 2026 08:30:00 GMT",
            "Sun, 01 Mar 2026 08:30 +0000",
            "Sun, 01 Mar 2026 08:30:00 -0000 (UTC)",
            "Sun Mar 01 2026 09:30:00 GMT+0100 (Central European Standard Time)",
            "Sun Mar 01 2026 08:30:00 GMT+0000",
            "Sun Mar 01 08:30:00 UTC 2026",
            "Sun Mar  1 08:30:00 GMT 2026",
            "Sun Mar 01 09:30:00 +0100 2026",
        ] {
            assert_eq!(parse(&json!(text)), at("2026-03-01T08:30:00Z"), "{text}");
        }
    }

    #[test]
    fn nothing_is_guessed() {
        for text in [
            "2026-03-01 08:30:00 CET",
            "2026-03-01 08:30:00 EST",
            "2026-03-01 08:30:00 Europe/Berlin",
            "2026-03-01 08:30:00 +0100 +0200",
            "2026-03-01 08:30:00 UTC+1",
            "2026-03-01 08:30:00 PM",
            "01/03/2026 08:30:00",
            "01.03.2026",
            "Mon, 01 Mar 2026 08:30:00 GMT",
            "Sun, 01 Mar 2026 08:30:00 CET",
            "Sun, 01 Mar 2026 08:30:00 B",
            "Sun, 01 Mar 2026 08:30:00 +0100 CET",
            "Sun Mar 01 08:30:00 CET 2026",
            "Sun Mar 01 08:30:00 2026 UTC",
            "Sun, 32 Mar 2026 08:30:00 GMT",
            "UTC",
            "T UTC",
        ] {
            assert_eq!(parse(&json!(text)), None, "{text}");
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
            assert_eq!(plausible(&value, reference).is_ok(), good, "{value}");
        }
        for (text, why) in [
            ("2099-01-01T00:00:00Z", BadTime::Implausible),
            ("next week", BadTime::Unreadable),
        ] {
            assert_eq!(plausible(&json!(text), reference), Err(why));
        }
        assert!(plausible(&json!("2099-01-01T00:00:00Z"), None).is_ok());
    }
}
