//! How much is left alone now, by the server's clock.
//!
//! The schedule is for people, and the minute in which requests count is the server's: so its clock decides, as the `Date` of its
//! answers tells it. This machine's own may be wrong. Before the first answer the largest reserve counts; where answers do not say
//! the time, this machine's clock does.

use std::time::{Duration, Instant};

use ingest_model::call::Limits;

use crate::config::reserve::{Planned, ReserveSchedule};

/// Watches the time of day.
#[derive(Debug)]
pub struct ReserveWatch {
    schedule: ReserveSchedule,
    /// How many times faster the server's clock runs.
    scale: f64,
    /// The server's time at some moment, epoch milliseconds.
    server: Option<(Instant, i64)>,
    /// There was an answer.
    answered: bool,
    /// The last look at the schedule, and at what time, by whatever clock counts.
    looked: Option<(i64, Planned)>,
    told: Option<u32>,
}

/// When the reserve changes, and to how many requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReserveChange {
    /// When.
    pub at: Instant,
    /// How many requests of every minute then.
    pub then: u32,
}

/// `Date` has whole seconds, the servers behind one name differ a little, and answers take their time: not every second of
/// difference is a clock that was set.
const NOISE_MS: i64 = 3_000;
/// A schedule that does not change is looked at again after this time.
const LOOK_AGAIN_MS: i64 = 86_400_000;

impl ReserveWatch {
    /// A watch for a server whose clock runs so many times faster.
    #[must_use]
    pub fn new(schedule: ReserveSchedule, scale: f64) -> Self {
        Self {
            schedule,
            scale,
            server: None,
            answered: false,
            looked: None,
            told: None,
        }
    }

    /// An answer came.
    pub fn heard(&mut self, now: Instant, limits: &Limits) {
        self.answered |= *limits != Limits::default();
        let Some(date_ms) = limits.date_ms else {
            return;
        };
        let known = self.server_ms(now);
        if known.is_none_or(|known| known.abs_diff(date_ms) > NOISE_MS.unsigned_abs()) {
            self.server = Some((now, date_ms));
        }
    }

    /// What the machine has to be told, if that is news; `wall_ms` is this machine's clock.
    pub fn news(&mut self, now: Instant, wall_ms: i64) -> Option<u32> {
        if !self.schedule.changes() {
            return None; // the machine's settings have it
        }
        let requests = match self.time_ms(now, wall_ms) {
            Some(at) => self.planned(at).requests,
            None => self.schedule.largest(),
        };
        (self.told.replace(requests) != Some(requests)).then_some(requests)
    }

    /// When it changes next, as far as it is known.
    #[must_use]
    pub fn next(&self, now: Instant, wall_ms: i64) -> Option<ReserveChange> {
        let at_ms = self.time_ms(now, wall_ms)?;
        let (_, planned) = self.looked?;
        let left = u64::try_from(planned.until_ms?.saturating_sub(at_ms)).unwrap_or(0);
        let left = Duration::from_millis(left).div_f64(self.scale);
        Some(ReserveChange {
            at: now.checked_add(left)?,
            then: planned.then,
        })
    }

    fn planned(&mut self, at: i64) -> Planned {
        let still = self.looked.filter(|(since, planned)| {
            let until = planned.until_ms.unwrap_or(since + LOOK_AGAIN_MS);
            (*since..until).contains(&at)
        });
        match still {
            Some((_, planned)) => planned,
            None => {
                let planned = self.schedule.at(at);
                self.looked = Some((at, planned));
                planned
            }
        }
    }

    fn time_ms(&self, now: Instant, wall_ms: i64) -> Option<i64> {
        self.server_ms(now)
            .or_else(|| self.answered.then_some(wall_ms))
    }

    fn server_ms(&self, now: Instant) -> Option<i64> {
        let (at, ms) = self.server?;
        let passed = now.saturating_duration_since(at).mul_f64(self.scale);
        let passed = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
        Some(ms.saturating_add(passed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::config::reserve::{ReserveEntry, Weekly, Zone};

    const HOUR: i64 = 3_600_000;
    /// 2026-01-05, a Monday.
    const MONDAY: i64 = 1_767_571_200_000;

    /// 400 from 8 to 18, else 50.
    fn watch(scale: f64) -> ReserveWatch {
        let day = ReserveEntry {
            when: Weekly {
                days: [true; 7],
                from: "08:00".parse().unwrap(),
                to: "18:00".parse().unwrap(),
                zone: Zone::named("UTC").unwrap(),
            },
            reserve: 400,
            spot: None,
        };
        ReserveWatch::new(ReserveSchedule::new(50, vec![day]), scale)
    }

    fn at(date_ms: i64) -> Limits {
        Limits {
            date_ms: Some(date_ms),
            ..Limits::default()
        }
    }

    #[test]
    fn the_servers_clock_counts_and_before_it_is_known_the_largest_reserve() {
        let now = Clock.now();
        let mut watch = watch(1.0);
        // By this machine it is noon, by the server seven in the evening.
        let wall = MONDAY + 12 * HOUR;
        assert_eq!(watch.news(now, wall), Some(400));
        assert_eq!(watch.news(now, wall), None, "it is no news any more");
        assert_eq!(watch.next(now, wall), None);
        watch.heard(now, &at(MONDAY + 19 * HOUR));
        assert_eq!(watch.news(now, wall), Some(50));
        let change = watch.next(now, wall).unwrap();
        assert_eq!(change.then, 400);
        assert_eq!(change.at - now, Duration::from_secs(13 * 3_600 - 65));
        assert_eq!(watch.news(change.at, wall), Some(400));
    }

    #[test]
    fn where_answers_do_not_say_the_time_this_machines_clock_counts() {
        let now = Clock.now();
        let mut watch = watch(1.0);
        let wall = MONDAY + 19 * HOUR;
        watch.heard(now, &Limits::default());
        assert_eq!(watch.news(now, wall), Some(400), "no answer at all");
        let limits = Limits {
            remaining: Some(900),
            ..Limits::default()
        };
        watch.heard(now, &limits);
        assert_eq!(watch.news(now, wall), Some(50));
        assert_eq!(watch.news(now, wall + 13 * HOUR), Some(400));
    }

    #[test]
    fn a_clock_that_is_set_is_followed_and_one_that_trembles_is_not() {
        let now = Clock.now();
        let mut watch = watch(1.0);
        let evening = MONDAY + 18 * HOUR;
        watch.heard(now, &at(evening - 1_000));
        assert_eq!(watch.news(now, 0), Some(400));
        let later = now + Duration::from_secs(2);
        assert_eq!(watch.news(later, 0), Some(50));
        watch.heard(later, &at(evening - 1_000));
        assert_eq!(watch.news(later, 0), None);
        watch.heard(later, &at(evening - HOUR));
        assert_eq!(watch.news(later, 0), Some(400));
    }

    #[test]
    fn a_servers_clock_that_runs_faster_is_followed_faster() {
        let now = Clock.now();
        let mut watch = watch(60.0);
        watch.heard(now, &at(MONDAY + 17 * HOUR));
        assert_eq!(watch.news(now, 0), Some(400));
        let change = watch.next(now, 0).unwrap();
        assert_eq!(change.at - now, Duration::from_secs(60));
        assert_eq!(watch.news(change.at, 0), Some(50));
    }

    #[test]
    fn without_a_schedule_there_is_never_news() {
        let now = Clock.now();
        let mut watch = ReserveWatch::new(ReserveSchedule::always(50), 1.0);
        watch.heard(now, &at(MONDAY));
        assert_eq!(watch.news(now, MONDAY), None);
        assert_eq!(watch.next(now, MONDAY), None);
    }
}
