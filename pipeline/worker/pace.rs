//! How fast the backlog shrinks, and when it will be gone.

use std::time::{Duration, Instant};

/// Over how long the pace is smoothed, and after which a worker that settles nothing has none.
const WINDOW: Duration = Duration::from_secs(60);

/// How fast records are settled, smoothed over about a minute.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    last: Option<(Instant, u64)>,
    moved: Option<Instant>,
    per_second: f64,
}

// === impl Pace ===

impl Pace {
    /// When a lag will be gone at the present pace, with so many records settled by now; `None` without lag, and while
    /// nothing moves.
    pub(crate) fn drain_estimate(
        &mut self,
        at: Instant,
        settled: u64,
        lag: u64,
    ) -> Option<Duration> {
        if let Some((before, had)) = self.last {
            let seconds = at.saturating_duration_since(before).as_secs_f64();
            let gained = u32::try_from(settled.saturating_sub(had)).unwrap_or(u32::MAX);
            if gained > 0 {
                self.moved = Some(at);
            }
            if seconds > 0.0 {
                let now = f64::from(gained) / seconds;
                let part = (seconds / WINDOW.as_secs_f64()).min(1.0);
                self.per_second = if self.per_second > 0.0 {
                    self.per_second.mul_add(1.0 - part, now * part)
                } else {
                    now
                };
            }
        }
        self.last = Some((at, settled));
        let moves = self
            .moved
            .is_some_and(|moved| at.saturating_duration_since(moved) < WINDOW);
        if !moves {
            // What comes after a pause is a pace of its own.
            self.per_second = 0.0;
        }
        if lag == 0 || self.per_second <= f64::EPSILON {
            return None;
        }
        let lag = f64::from(u32::try_from(lag).unwrap_or(u32::MAX));
        Duration::try_from_secs_f64(lag / self.per_second).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn a_steady_pace_tells_when_the_lag_is_gone_and_a_pause_tells_nothing() {
        let start = Clock.now();
        let mut pace = Pace::default();
        let mut estimate = None;
        for second in 0..120 {
            let at = start + Duration::from_secs(second);
            estimate = pace.drain_estimate(at, 10 * second, 500);
        }
        let left = estimate.expect("a pace").as_secs_f64();
        assert!((left - 50.0).abs() < 0.1, "{left} s");
        for second in 120..300 {
            let at = start + Duration::from_secs(second);
            estimate = pace.drain_estimate(at, 1_190, 500);
        }
        assert_eq!(estimate, None, "nothing moves");
        let at = start + Duration::from_secs(300);
        let left = pace.drain_estimate(at, 1_290, 400);
        assert_eq!(left, Some(Duration::from_secs(4)), "100 a second again");
        assert_eq!(pace.drain_estimate(at, 1_290, 0), None, "no lag");
    }
}
