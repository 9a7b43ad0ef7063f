//! What the headers of an answer say about the request limit.
//!
//! All headers are optional, and none is trusted: the reset comes as epoch seconds, epoch milliseconds or a small number
//! of seconds; on every answer, on refusals only, or never (`docs/kustomer-api.md`, section 10). A point in time is taken
//! relative to the answer's own `Date`, so that a wrong clock on this side changes nothing; without a `Date` it is
//! ignored. Waits are limited to between one second and two minutes: a wrong header must neither make the worker spin nor
//! stop it for an hour.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ingest_model::call::Limits;

/// The shortest wait that a header can ask for.
pub const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait that a header can ask for: two windows.
pub const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// From this value on, a reset is a point in time in epoch seconds (the year 2001); below it, a number of seconds.
const EPOCH_SECONDS_FROM: f64 = 1e9;
/// From this value on, a reset is a point in time in epoch milliseconds.
const EPOCH_MILLIS_FROM: f64 = 1e11;

/// Reads the limits from an answer's headers; `header` finds a value by lower-case name.
///
/// ```
/// # use ingest_kustomer::limits::read;
/// let limits = read(|name| match name {
///     "x-ratelimit-remaining" => Some("7"),
///     "x-ratelimit-reset" => Some("30"),
///     _ => None,
/// });
/// assert_eq!(limits.remaining, Some(7));
/// assert_eq!(limits.resets_in, Some(std::time::Duration::from_secs(30)));
/// ```
#[must_use]
pub fn read<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Limits {
    let date_ms = header("date").and_then(http_date_ms);
    Limits {
        limit: header("x-ratelimit-limit")
            .and_then(count)
            .filter(|limit| *limit > 0),
        remaining: header("x-ratelimit-remaining").and_then(count),
        resets_in: header("x-ratelimit-reset").and_then(|text| reset(text, date_ms)),
        retry_after: header("retry-after").and_then(|text| retry_after(text, date_ms)),
        date_ms,
    }
}

/// A whole number; a negative one counts as zero. A list (`100, 100;w=60`) counts by its first entry.
fn count(text: &str) -> Option<u32> {
    let first = text.split([',', ';']).next().unwrap_or_default().trim();
    if let Some(digits) = first.strip_prefix('-') {
        return digits
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then_some(0)
            .filter(|_| !digits.is_empty());
    }
    let number = plain_number(first)?;
    if number >= f64::from(u32::MAX) {
        return Some(u32::MAX);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked above and by `plain_number`"
    )]
    Some(number as u32)
}

/// A decimal number without sign or exponent; always finite and not negative.
fn plain_number(text: &str) -> Option<f64> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    text.parse::<f64>()
        .ok()
        .filter(|number| plain && number.is_finite())
}

fn reset(text: &str, date_ms: Option<i64>) -> Option<Duration> {
    let number = plain_number(text.trim())?;
    if number >= EPOCH_MILLIS_FROM {
        until(number, date_ms)
    } else if number >= EPOCH_SECONDS_FROM {
        until(number * 1_000.0, date_ms)
    } else {
        Some(clamp_seconds(number))
    }
}

fn retry_after(text: &str, date_ms: Option<i64>) -> Option<Duration> {
    let text = text.trim();
    if let Some(seconds) = plain_number(text) {
        return Some(clamp_seconds(seconds));
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of a date need 43 bits"
    )]
    http_date_ms(text).and_then(|at| until(at as f64, date_ms))
}

/// The time from the answer's date to a point in time; if that is past, the shortest wait.
fn until(at_ms: f64, date_ms: Option<i64>) -> Option<Duration> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of a date need 43 bits"
    )]
    let now_ms = date_ms? as f64;
    Some(clamp_seconds((at_ms - now_ms) / 1_000.0))
}

fn clamp_seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(SHORTEST_WAIT.as_secs_f64(), LONGEST_WAIT.as_secs_f64()))
}

fn http_date_ms(text: &str) -> Option<i64> {
    let at: SystemTime = httpdate::parse_http_date(text.trim()).ok()?;
    i64::try_from(at.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

    use super::{LONGEST_WAIT, SHORTEST_WAIT, read};

    const DATE: &str = "Tue, 14 Nov 2023 22:13:20 GMT"; // 1,700,000,000

    fn read_all(pairs: &[(&str, &str)]) -> ingest_model::call::Limits {
        read(|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| *v))
    }

    #[test]
    fn nothing_is_known_without_headers() {
        assert_eq!(read(|_| None), ingest_model::call::Limits::default());
    }

    #[test]
    fn counts_are_read_and_nonsense_is_left_out() {
        for (text, remaining) in [
            ("999", Some(999)),
            (" 7 ", Some(7)),
            ("0", Some(0)),
            ("-3", Some(0)),
            ("100, 100;w=60", Some(100)),
            ("12.9", Some(12)),
            ("99999999999", Some(u32::MAX)),
            ("", None),
            ("-", None),
            ("many", None),
            ("1e3", None),
            ("NaN", None),
        ] {
            assert_eq!(
                read_all(&[("x-ratelimit-remaining", text)]).remaining,
                remaining,
                "{text}"
            );
        }
        assert_eq!(read_all(&[("x-ratelimit-limit", "0")]).limit, None);
        assert_eq!(read_all(&[("x-ratelimit-limit", "1000")]).limit, Some(1000));
    }

    #[test]
    fn resets_in_every_unit_mean_the_same() {
        for text in ["1700000042", "1700000042000", "42", "42.0", " 42 "] {
            let limits = read_all(&[("x-ratelimit-reset", text), ("date", DATE)]);
            assert_eq!(limits.resets_in, Some(Duration::from_secs(42)), "{text}");
        }
    }

    #[test]
    fn resets_are_clamped_and_a_point_in_time_needs_a_date() {
        for (text, seconds) in [
            ("0", 1),
            ("1600000000", 1),
            ("1700009999", 120),
            ("86400", 120),
        ] {
            let limits = read_all(&[("x-ratelimit-reset", text), ("date", DATE)]);
            assert_eq!(
                limits.resets_in,
                Some(Duration::from_secs(seconds)),
                "{text}"
            );
        }
        assert_eq!(
            read_all(&[("x-ratelimit-reset", "1700000042")]).resets_in,
            None
        );
        assert_eq!(
            read_all(&[("x-ratelimit-reset", "42")]).resets_in,
            Some(Duration::from_secs(42))
        );
        assert_eq!(
            read_all(&[("x-ratelimit-reset", "soon"), ("date", DATE)]).resets_in,
            None
        );
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        for (text, seconds) in [
            ("7", Some(7)),
            ("0", Some(1)),
            ("3600", Some(120)),
            ("Tue, 14 Nov 2023 22:13:50 GMT", Some(30)),
            ("Tue, 14 Nov 2023 21:00:00 GMT", Some(1)),
            ("later", None),
            ("-5", None),
        ] {
            let limits = read_all(&[("retry-after", text), ("date", DATE)]);
            assert_eq!(
                limits.retry_after,
                seconds.map(Duration::from_secs),
                "{text}"
            );
        }
        assert_eq!(
            read_all(&[("retry-after", "Tue, 14 Nov 2023 22:13:50 GMT")]).retry_after,
            None
        );
    }

    #[test]
    fn the_date_is_epoch_milliseconds() {
        assert_eq!(read_all(&[("date", DATE)]).date_ms, Some(1_700_000_000_000));
        assert_eq!(read_all(&[("date", "yesterday")]).date_ms, None);
    }

    fn any_value() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            any::<i64>().prop_map(|n| n.to_string()),
            any::<f64>().prop_map(|n| n.to_string()),
            "[0-9]{1,400}",
            "[0-9.,;eE+-]{0,20}",
            Just(DATE.to_owned()),
        ]
    }

    proptest! {
        #[test]
        fn no_header_breaks_it_and_waits_stay_in_bounds(
            limit in any_value(), remaining in any_value(), reset in any_value(),
            retry in any_value(), date in any_value(),
        ) {
            let limits = read_all(&[
                ("x-ratelimit-limit", &limit), ("x-ratelimit-remaining", &remaining),
                ("x-ratelimit-reset", &reset), ("retry-after", &retry), ("date", &date),
            ]);
            for wait in [limits.resets_in, limits.retry_after].into_iter().flatten() {
                assert!((SHORTEST_WAIT..=LONGEST_WAIT).contains(&wait));
            }
            assert_ne!(limits.limit, Some(0));
        }
    }
}
