//! Times as the API takes them.

use jiff::Timestamp;
use jiff::tz::Offset;

/// A time in the form that the API takes: RFC 3339 in UTC with milliseconds.
///
/// ```
/// # use ingest_model::time::rfc3339;
/// assert_eq!(rfc3339("2026-01-02T13:00:00.123456789+01:00".parse().unwrap()), "2026-01-02T12:00:00.123Z");
/// ```
#[must_use]
pub fn rfc3339(time: Timestamp) -> String {
    // cut off, not rounded: rounding could move an event into the next second
    let whole = Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time);
    let civil = Offset::UTC.to_datetime(whole);
    let Ok(year) = u16::try_from(civil.year()) else {
        return format!("{whole:.3}");
    };
    // Nearly every record has a time or two, and a printer for all kinds of times takes four times as long.
    let parts = [
        (i64::from(year), 4, '-'),
        (i64::from(civil.month()), 2, '-'),
        (i64::from(civil.day()), 2, 'T'),
        (i64::from(civil.hour()), 2, ':'),
        (i64::from(civil.minute()), 2, ':'),
        (i64::from(civil.second()), 2, '.'),
        (i64::from(civil.millisecond()), 3, 'Z'),
    ];
    let mut text = String::with_capacity("2026-01-02T03:04:05.678Z".len());
    for (number, digits, after) in parts {
        let mut unit = 10_i64.pow(digits - 1);
        while unit > 0 {
            let digit = u8::try_from(number / unit % 10).unwrap_or_default();
            text.push(char::from(b'0' + digit));
            unit /= 10;
        }
        text.push(after);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_the_printer_for_all_times_does() {
        let (first, last) = (Timestamp::MIN, Timestamp::MAX);
        let steps = (0..=20_000_i128).map(|step| {
            let span = last.as_nanosecond() - first.as_nanosecond();
            Timestamp::from_nanosecond(first.as_nanosecond() + span * step / 20_000).unwrap()
        });
        let near = [
            -62_167_219_200_000,
            -62_167_219_200_001,
            -1,
            0,
            999,
            1_772_611_199_999,
        ];
        let near = near.map(|ms| Timestamp::from_millisecond(ms).unwrap());
        for time in steps.chain(near) {
            let whole = Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time);
            assert_eq!(rfc3339(time), format!("{whole:.3}"));
        }
    }
}
