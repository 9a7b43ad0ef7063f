//! The server's clock, as far as `Date` headers tell it.

use std::time::{Duration, Instant};

/// `Date` has whole seconds.
const RESOLUTION_MS: i64 = 1_000;
/// How far the clocks of servers behind one name may be apart.
const SKEW_MS: i64 = 2_000;

/// Two bounds between which the server's time lies.
#[derive(Debug, Default)]
pub(super) struct ServerClock {
    seen: Option<Bounds>,
    /// How many times faster it runs than this process's clock.
    scale: f64,
}

#[derive(Debug, Clone, Copy)]
struct Bounds {
    at: Instant,
    least_ms: i64,
    most_ms: i64,
}

impl ServerClock {
    pub(super) fn new(scale: f64) -> Self {
        Self { seen: None, scale }
    }

    /// An answer came to a request that was sent at `sent`; its header says `date_ms`, which was the time somewhere between.
    pub(super) fn observe(&mut self, sent: Instant, now: Instant, date_ms: i64) {
        let under_way = self.server_ms(now.saturating_duration_since(sent));
        let fresh = Bounds {
            at: now,
            least_ms: date_ms,
            most_ms: date_ms
                .saturating_add(RESOLUTION_MS)
                .saturating_add(under_way),
        };
        let known = self.bounds(now);
        self.seen = Some(match known {
            Some(known) if known.least_ms <= fresh.most_ms && fresh.least_ms <= known.most_ms => {
                Bounds {
                    at: now,
                    least_ms: known.least_ms.max(fresh.least_ms),
                    most_ms: known.most_ms.min(fresh.most_ms),
                }
            }
            // The first answer; or the clock was set, or this process's stood still.
            Some(_) | None => fresh,
        });
    }

    /// Another process says that it is at least that late.
    pub(super) fn told(&mut self, now: Instant, least_ms: i64) {
        let known = self.bounds(now).unwrap_or(Bounds {
            at: now,
            least_ms,
            most_ms: i64::MAX,
        });
        if (known.least_ms..=known.most_ms).contains(&least_ms) {
            self.seen = Some(Bounds { least_ms, ..known });
        }
    }

    /// Nothing is known any more.
    pub(super) fn forget(&mut self) {
        self.seen = None;
    }

    /// It is at least this late, by any of the servers' clocks.
    pub(super) fn least_ms(&self, now: Instant) -> Option<i64> {
        let bounds = self.bounds(now)?;
        Some(bounds.least_ms.saturating_sub(SKEW_MS))
    }

    /// It is at most this late, by any of the servers' clocks.
    pub(super) fn most_ms(&self, now: Instant) -> Option<i64> {
        let bounds = self.bounds(now)?;
        Some(bounds.most_ms.saturating_add(SKEW_MS))
    }

    /// A time of this process's clock as one of the server's, in milliseconds.
    pub(super) fn server_ms(&self, time: Duration) -> i64 {
        i64::try_from(time.mul_f64(self.scale.max(f64::MIN_POSITIVE)).as_millis())
            .unwrap_or(i64::MAX)
    }

    fn bounds(&self, now: Instant) -> Option<Bounds> {
        let seen = self.seen?;
        let passed = self.server_ms(now.saturating_duration_since(seen.at));
        Some(Bounds {
            at: now,
            least_ms: seen.least_ms.saturating_add(passed),
            // Two clocks drift apart: a second in five thousand.
            most_ms: seen
                .most_ms
                .saturating_add(passed)
                .saturating_add(passed / 5_000),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::instants::start;

    #[test]
    fn the_bounds_close_in_on_the_time_and_keep_it_between_them() {
        let origin = start();
        let mut clock = ServerClock::new(1.0);
        // The server's clock is at 5_000_700 when this one starts.
        for (at, rtt) in [(0_u64, 80_u64), (650, 40), (1_290, 20), (5_305, 30)] {
            let sent = origin + Duration::from_millis(at);
            let now = sent + Duration::from_millis(rtt);
            let truth = 5_000_700 + i64::try_from(at + rtt / 2).unwrap();
            clock.observe(sent, now, truth / 1_000 * 1_000);
            let real = 5_000_700 + i64::try_from(at + rtt).unwrap();
            assert!(clock.least_ms(now).unwrap() + SKEW_MS <= real);
            assert!(clock.most_ms(now).unwrap() - SKEW_MS >= real);
        }
        let now = origin + Duration::from_millis(5_335);
        let width = clock.most_ms(now).unwrap() - clock.least_ms(now).unwrap();
        assert!(width < 2 * SKEW_MS + 400, "{width}");
    }

    #[test]
    fn a_clock_that_was_set_is_learnt_anew() {
        let now = start();
        let mut clock = ServerClock::new(1.0);
        clock.observe(now, now, 100_000);
        clock.observe(now, now, 900_000);
        assert_eq!(clock.least_ms(now), Some(898_000));
        clock.forget();
        assert_eq!(clock.most_ms(now), None);
    }
}
