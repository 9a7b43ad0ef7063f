//! What is left alone follows the time of day, by the simulated Kustomer's clock.

use std::time::{Duration, Instant};

use crate::config::reserve::{Planned, ReserveSchedule};
use crate::config::settings::QuotaSettings;

/// What is left alone, and what that was on average in the time that was played.
pub(super) struct Reserve<'p> {
    schedule: &'p ReserveSchedule,
    origin: Instant,
    start_ms: i64,
    /// Now, and until when.
    planned: Option<Planned>,
    since: Instant,
    /// Requests of every minute that were left alone, and that were allowed, times seconds.
    sum: (f64, f64),
    /// The most that was left alone.
    most: u32,
}

/// Requests of every minute on average, and the fewest that were allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::simulated::forecast) struct Mean {
    pub(in crate::simulated::forecast) reserve: u32,
    pub(in crate::simulated::forecast) allowance: u32,
    pub(in crate::simulated::forecast) lowest: u32,
    /// The fewest that are allowed at any time, also beyond what was played.
    pub(in crate::simulated::forecast) lowest_ever: u32,
}

impl<'p> Reserve<'p> {
    pub(super) fn new(schedule: &'p ReserveSchedule, origin: Instant, start_ms: i64) -> Self {
        Self {
            schedule,
            origin,
            start_ms,
            planned: None,
            since: origin,
            sum: (0.0, 0.0),
            most: 0,
        }
    }

    /// When it changes next.
    pub(super) fn next(&self) -> Option<Instant> {
        let until = self.planned?.until_ms?;
        let after = u64::try_from(until.saturating_sub(self.start_ms)).unwrap_or(0);
        self.origin.checked_add(Duration::from_millis(after))
    }

    /// What the workers have to be told.
    pub(super) fn news(&mut self, now: Instant, quota: QuotaSettings) -> Option<u32> {
        let known = self.planned.is_some();
        if !self.schedule.changes() || known && self.next().is_none_or(|at| at > now) {
            return None;
        }
        let elapsed = now.saturating_duration_since(self.origin).as_millis();
        let elapsed = i64::try_from(elapsed).unwrap_or(i64::MAX);
        self.sum = self.sum_until(now, quota);
        self.since = now;
        let planned = self.schedule.at(self.start_ms.saturating_add(elapsed));
        self.planned = Some(planned);
        self.most = self.most.max(planned.requests);
        Some(planned.requests)
    }

    fn sum_until(&self, now: Instant, quota: QuotaSettings) -> (f64, f64) {
        let seconds = now.saturating_duration_since(self.since).as_secs_f64();
        let reserve = self.planned.map_or(0, |planned| planned.requests);
        let allowance = quota.with_reserve(reserve).allowance();
        let (reserved, allowed) = self.sum;
        (
            reserved + f64::from(reserve) * seconds,
            allowed + f64::from(allowance) * seconds,
        )
    }

    /// On average up to now; `None` if it does not follow the time of day.
    pub(super) fn mean(&self, now: Instant, quota: QuotaSettings) -> Option<Mean> {
        self.planned?;
        let seconds = now.saturating_duration_since(self.origin).as_secs_f64();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a mean of numbers of that type"
        )]
        let mean = |sum: f64| (sum / seconds.max(1e-6)).round() as u32;
        let (reserved, allowed) = self.sum_until(now, quota);
        Some(Mean {
            reserve: mean(reserved),
            allowance: mean(allowed),
            lowest: quota.with_reserve(self.most).allowance(),
            lowest_ever: quota.with_reserve(self.schedule.largest()).allowance(),
        })
    }
}
