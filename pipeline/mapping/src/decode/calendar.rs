//! Days, and times after the last instant that the time library has.

use ingest_model::time::rfc3339;
use jiff::fmt::temporal::Pieces;
use jiff::{SignedDuration, civil};

use super::time::parse;
use crate::value::Value;

/// A time in the form that the API takes, if the value is one.
///
/// Unlike [`parse`] it reads the last day of the year 9999, which shops write for "never". That day is after the last
/// [`jiff::Timestamp`]: in some time zone the year 10,000 has begun by then.
///
/// ```
/// # use ingest_mapping::decode::calendar::text_of;
/// # use serde_json::json;
/// # use ingest_mapping::value::Value;
/// assert_eq!(text_of(&Value::from(json!("9999-12-31"))).as_deref(), Some("9999-12-31T00:00:00.000Z"));
/// assert_eq!(text_of(&Value::from(json!(1_767_355_200))).as_deref(), Some("2026-01-02T12:00:00.000Z"));
/// ```
#[must_use]
pub fn text_of(value: &Value<'_>) -> Option<String> {
    if let Some(time) = parse(value) {
        return Some(rfc3339(time));
    }
    let text = value.as_str()?.trim();
    let pieces = Pieces::parse(text).ok()?;
    if !text.starts_with("9999-") || pieces.time_zone_annotation().is_some() {
        return None;
    }
    let time = pieces.time().unwrap_or_else(civil::Time::midnight);
    let ahead = match pieces.offset() {
        Some(offset) => offset.to_numeric_offset().seconds(),
        None => 0,
    };
    let local = pieces.date().to_datetime(time);
    let utc = local
        .checked_sub(SignedDuration::from_secs(i64::from(ahead)))
        .ok()?;
    // cut off after milliseconds, as in [`rfc3339`]
    let nanosecond = i32::from(utc.millisecond()) * 1_000_000;
    let utc = utc.with().subsec_nanosecond(nanosecond).build().ok()?;
    Some(format!("{utc:.3}Z"))
}

/// The calendar day of a value: a birthday is the same day everywhere.
///
/// It is the day as written, whatever time and offset follow it. Without a written day, as in an epoch number, it is the
/// day in UTC.
///
/// ```
/// # use ingest_mapping::decode::calendar::day_of;
/// # use serde_json::json;
/// # use ingest_mapping::value::Value;
/// let day = day_of(&Value::from(json!("1982-05-17T23:30:00-05:00")));
/// assert_eq!(day.map(|day| day.to_string()).as_deref(), Some("1982-05-17"));
/// assert_eq!(day_of(&Value::from(json!("1982-02-30"))), None);
/// ```
#[must_use]
pub fn day_of(value: &Value<'_>) -> Option<civil::Date> {
    if let Some(written) = value.as_str().and_then(|text| text.trim().get(..10))
        && let Ok(day) = written.parse::<civil::Date>()
    {
        // what follows the day must be a valid time
        return text_of(value).map(|_| day);
    }
    let time = parse(value)?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).date())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    #[test]
    fn the_last_day_of_the_calendar_is_a_time() {
        for (value, wanted) in [
            (json!("9999-12-31"), Some("9999-12-31T00:00:00.000Z")),
            (
                json!("9999-12-31T23:59:59Z"),
                Some("9999-12-31T23:59:59.000Z"),
            ),
            (
                json!("9999-12-31 23:59:59.9999999"),
                Some("9999-12-31T23:59:59.999Z"),
            ),
            (
                json!("9999-12-31T23:59:59+01:00"),
                Some("9999-12-31T22:59:59.000Z"),
            ),
            (json!("9999-12-31T23:59:59-01:00"), None),
            (json!("9999-12-32"), None),
            (json!("2026-02-30"), None),
            (json!("0000-00-00"), None),
            (json!("2026-03-04"), Some("2026-03-04T00:00:00.000Z")),
            (json!(true), None),
        ] {
            assert_eq!(text_of(&value).as_deref(), wanted, "{value}");
        }
    }

    #[test]
    fn a_day_is_the_one_that_is_written() {
        for (value, wanted) in [
            (json!("1990-07-01"), Some("1990-07-01")),
            (json!("1990-07-01T00:00:00+12:00"), Some("1990-07-01")),
            (json!("1990-07-01T23:59:59.999-08:00"), Some("1990-07-01")),
            (json!(" 1990-07-01 12:00 "), Some("1990-07-01")),
            (json!(646_790_400), Some("1990-07-01")),
            (json!("1990-07-01, a Sunday"), None),
            (json!("1990-06-31"), None),
            (json!("0000-00-00"), None),
            (json!(""), None),
            (json!("in July"), None),
        ] {
            let found = day_of(&value).map(|day| day.to_string());
            assert_eq!(found.as_deref(), wanted, "{value}");
        }
    }
}
