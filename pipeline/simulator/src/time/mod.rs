//! Points in time on the simulator's own clock.
//!
//! The simulator never reads a clock: every call carries the time. All windows, job durations and
//! time stamps are computed from it, so the same code runs at real time, at a multiple of it, or in
//! a test that decides the time itself.

pub(crate) mod clock;

use serde::{Deserialize, Serialize};

/// A point in time on the simulator's clock, in milliseconds since the Unix epoch.
///
/// ```
/// use kustomer_sim::SimTime;
/// let start = SimTime::from_millis(1_735_787_045_000);
/// assert_eq!(start.rfc3339(), "2025-01-02T03:04:05.000Z");
/// assert_eq!(start.plus_millis(60_000).since(start), 60_000);
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(transparent)]
pub struct SimTime(i64);

impl SimTime {
    /// The given number of milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// A point that lies `millis` later (earlier when negative); saturates.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this point; negative when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The API's form of times: RFC 3339 in UTC with three fractional digits.
    #[must_use]
    pub fn rfc3339(self) -> String {
        jiff::Timestamp::from_millisecond(self.0)
            .map(|instant| format!("{instant:.3}"))
            .unwrap_or_default()
    }

    /// The form of a `Date` header.
    #[must_use]
    pub fn http_date(self) -> String {
        jiff::Timestamp::from_millisecond(self.0)
            .map(|instant| instant.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
            .unwrap_or_default()
    }

    /// Reads an RFC 3339 date-time; `None` when `text` is anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        parse_instant(text).map(|instant| Self(instant.as_millisecond()))
    }
}

/// Reads an RFC 3339 date-time at full precision.
///
/// The parser behind it is more liberal than the API (a space instead of `T`, zone names in
/// brackets), so the characters are checked first.
pub(crate) fn parse_instant(text: &str) -> Option<jiff::Timestamp> {
    let bytes = text.as_bytes();
    let separated = bytes.get(10) == Some(&b'T');
    let plain = bytes.len() >= 20
        && bytes.iter().all(|byte| {
            byte.is_ascii_digit() || matches!(byte, b'T' | b'Z' | b':' | b'.' | b'+' | b'-')
        });
    if separated && plain {
        text.parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_as_the_api_does() {
        let time = SimTime::from_millis(1_735_787_045_120);
        assert_eq!(time.rfc3339(), "2025-01-02T03:04:05.120Z");
        assert_eq!(time.http_date(), "Thu, 02 Jan 2025 03:04:05 GMT");
    }

    #[test]
    fn reads_only_full_date_times() {
        assert_eq!(
            SimTime::parse("2025-01-02T04:04:05.120+01:00"),
            Some(SimTime::from_millis(1_735_787_045_120))
        );
        assert_eq!(SimTime::parse("2025-01-02 03:04:05.120Z"), None);
        assert_eq!(SimTime::parse("2025-01-02"), None);
        assert_eq!(SimTime::parse("2025-13-02T03:04:05Z"), None);
        assert_eq!(SimTime::parse("yesterday"), None);
    }
}
