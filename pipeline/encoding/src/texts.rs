//! Decimals, days and times as texts.

use ingest_model::decimal::{self, MAX_BYTES, MAX_SCALE};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::fault::Fault;
use crate::json::Out;

/// A number in two's complement, the highest byte first, with so many digits after the point.
pub(crate) fn decimal(bytes: &[u8], scale: usize) -> Result<String, Fault> {
    decimal::text(bytes, scale).ok_or_else(|| {
        Fault::invalid(format!(
            "a decimal of {} bytes with {scale} digits after the point: 1 to {MAX_BYTES} and at most {MAX_SCALE} are read",
            bytes.len()
        ))
    })
}

/// A decimal whose scale may be anything.
pub(crate) fn scaled(bytes: &[u8], scale: i64, out: &mut Out) -> Result<(), Fault> {
    let Ok(scale) = usize::try_from(scale) else {
        // hundreds and thousands: the digits and as many zeros
        let zeros = usize::try_from(scale.unsigned_abs()).unwrap_or(usize::MAX);
        let digits = decimal(bytes, 0)?;
        if zeros > MAX_SCALE {
            return Err(Fault::invalid("a decimal has too many zeros"));
        }
        let zeros = if digits == "0" { 0 } else { zeros };
        return out.string(&format!("{digits}{}", "0".repeat(zeros)));
    };
    out.string(&decimal(bytes, scale)?)
}

/// The day so many days after 1970 began; null beyond the calendar, as PostgreSQL's `infinity` is.
pub(crate) fn date(days: i64, out: &mut Out) -> Result<(), Fault> {
    let midnight = days
        .checked_mul(86_400)
        .and_then(|at| Timestamp::from_second(at).ok());
    match midnight {
        Some(at) => out.string(&day_of(at).to_string()),
        None => out.raw("null"),
    }
}

fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// An instant, or the reading of a clock without a zone.
pub(crate) fn instant(nanoseconds: i128, zone: bool, out: &mut Out) -> Result<(), Fault> {
    match Timestamp::from_nanosecond(nanoseconds) {
        Ok(at) if zone => out.string(&at.to_string()),
        Ok(at) => out.string(&at.to_zoned(TimeZone::UTC).datetime().to_string()),
        Err(_) => out.raw("null"),
    }
}

/// A time of day, or a span of hours.
pub(crate) fn time_of_day(nanoseconds: i128, out: &mut Out) -> Result<(), Fault> {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let size = nanoseconds.unsigned_abs();
    let (seconds, fraction) = (size / 1_000_000_000, size % 1_000_000_000);
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    let mut text = format!("{sign}{hours:02}:{minutes:02}:{:02}", seconds % 60);
    if fraction > 0 {
        let fraction = format!("{fraction:09}");
        text = format!("{text}.{}", fraction.trim_end_matches('0'));
    }
    out.string(&text)
}

/// A UUID in its usual form.
pub(crate) fn uuid(bytes: &[u8], out: &mut Out) -> Result<(), Fault> {
    let mut text = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    out.string(&text)
}

/// Months, days and milliseconds, each in four bytes, the lowest first: `P1M2DT3.5S`.
pub(crate) fn duration(bytes: &[u8], out: &mut Out) -> Result<(), Fault> {
    let mut parts = bytes.chunks_exact(4).map(|part| {
        part.iter()
            .rev()
            .fold(0_u32, |all, byte| all << 8 | u32::from(*byte))
    });
    let mut part = || parts.next().unwrap_or_default();
    let (months, days, milliseconds) = (part(), part(), part());
    let (seconds, fraction) = (milliseconds / 1_000, milliseconds % 1_000);
    out.string(&format!("P{months}M{days}DT{seconds}.{fraction:03}S"))
}
