//! The one clock of the program: starts at the real time and runs `scale` times faster.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::time::SimTime;

/// A clock that started at the real time and runs a fixed number of times faster.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    origin: SimTime,
    scale: f64,
}

impl Clock {
    /// Starts a clock now. A `scale` that is not positive and finite counts as 1.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the only place where this program asks the machine for the time"
    )]
    pub fn start(scale: f64) -> Self {
        let scale = if scale.is_finite() && scale > 0.0 {
            scale
        } else {
            1.0
        };
        let real = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let millis = i64::try_from(real.as_millis()).unwrap_or(i64::MAX);
        Self {
            started: Instant::now(),
            origin: SimTime::from_millis(millis),
            scale,
        }
    }

    /// The time on this clock.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the only place where this program asks the machine for the time"
    )]
    pub fn now(&self) -> SimTime {
        let real = Instant::now().duration_since(self.started);
        let scaled = real.mul_f64(self.scale).as_millis();
        self.origin
            .plus_millis(i64::try_from(scaled).unwrap_or(i64::MAX))
    }

    /// The real time that passes while this clock advances by `millis`.
    #[must_use]
    pub fn real(&self, millis: u64) -> Duration {
        Duration::from_millis(millis).div_f64(self.scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_time_shrinks_by_the_scale() {
        let clock = Clock::start(100.0);
        assert_eq!(clock.real(60_000), Duration::from_millis(600));
        assert_eq!(Clock::start(0.0).real(1_000), Duration::from_secs(1));
    }

    #[test]
    fn never_runs_backwards() {
        let clock = Clock::start(1_000.0);
        let first = clock.now();
        assert!(clock.now() >= first);
    }
}
