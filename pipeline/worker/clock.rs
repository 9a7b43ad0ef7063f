//! Time: the only place in the worker that reads a clock.
//!
//! Everything else takes `now` as an argument. There are two clocks. [`Clock::now`] only moves forward, and the delivery
//! machine counts in it; [`Clock::unix_ms`] is the wall clock, for the age of events and for people.
//!
//! A [`TimeScale`] shortens durations that mirror the API's, so that a test against the simulator sees an hour in a few
//! minutes. The clocks themselves are never scaled.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The process's clock. It has no state: all copies are the same clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock;

/// How much durations that mirror the API's are shortened; 1 leaves them as they are.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct TimeScale(f64);

impl Clock {
    /// The monotonic time.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the monotonic clock"
    )]
    pub fn now(self) -> Instant {
        Instant::now()
    }

    /// The wall clock, in milliseconds since 1970; 0 if it is set to an earlier time.
    #[must_use]
    pub fn unix_ms(self) -> i64 {
        i64::try_from(self.since_1970().as_millis()).unwrap_or_default()
    }

    /// The same in nanoseconds.
    #[must_use]
    pub fn unix_ns(self) -> u64 {
        u64::try_from(self.since_1970().as_nanos()).unwrap_or_default()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    fn since_1970(self) -> Duration {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.unwrap_or_default()
    }
}

impl TimeScale {
    /// Real time.
    pub const REAL: Self = Self(1.0);

    /// The largest factor: beyond it, the API's minute would be shorter than a millisecond.
    pub const MAX: f64 = 60_000.0;

    /// A factor of at least 1 and at most [`Self::MAX`].
    #[must_use]
    pub fn new(factor: f64) -> Option<Self> {
        (1.0..=Self::MAX).contains(&factor).then_some(Self(factor))
    }

    /// The factor.
    #[must_use]
    pub fn factor(self) -> f64 {
        self.0
    }

    /// The duration divided by the factor.
    #[must_use]
    pub fn shorten(self, duration: Duration) -> Duration {
        duration.div_f64(self.0)
    }
}

impl Default for TimeScale {
    fn default() -> Self {
        Self::REAL
    }
}

impl std::str::FromStr for TimeScale {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse()
            .ok()
            .and_then(Self::new)
            .ok_or_else(|| format!("give a number from 1 to {}", Self::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_shortens_and_never_lengthens() {
        let scale: TimeScale = "60".parse().unwrap();
        assert_eq!(
            scale.shorten(Duration::from_secs(60)),
            Duration::from_secs(1)
        );
        for text in ["0", "0.5", "-1", "x", "NaN", "inf", "60001"] {
            assert!(text.parse::<TimeScale>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_wall_clock_is_after_this_was_written() {
        assert!(Clock.unix_ms() > 1_760_000_000_000);
        assert!(Clock.now() <= Clock.now());
    }
}
