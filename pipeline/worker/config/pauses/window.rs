//! `pauses` of the configuration: when something is paused by itself.
//!
//! Times are those of this machine's clock, in a named zone or at an instant. An entry holds from its beginning on and no longer
//! at its end.

use std::fmt;
use std::sync::Arc;

use ingest_delivery::hold::Scope;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};

use crate::config::reserve::Weekly;

/// So many days ahead the next change is looked for: a week, and a day on either side.
const DAYS_AHEAD: i64 = 8;
/// A clock may be set, and hours may come twice: so often, at least, the entries are looked at again.
const LOOK_AGAIN_MS: i64 = 3_600_000;

/// All entries, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PauseSchedule(Vec<PauseWindow>);

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PauseWindow {
    /// Its name, which no other has.
    pub name: Arc<str>,
    /// What is paused.
    pub scope: Scope,
    /// When.
    pub times: Times,
    /// Why, for people.
    pub reason: Option<Arc<str>>,
}

/// When an entry holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Times {
    /// Every week.
    Weekly(Weekly),
    /// Once.
    Once {
        /// From then on.
        from: Timestamp,
        /// Until then.
        until: Timestamp,
    },
}

// === impl PauseSchedule ===

impl PauseSchedule {
    /// These entries.
    #[must_use]
    pub fn new(windows: Vec<PauseWindow>) -> Self {
        Self(windows)
    }

    /// The entries, in their order.
    #[must_use]
    pub fn windows(&self) -> &[PauseWindow] {
        &self.0
    }

    /// Until when nothing changes at that time, epoch milliseconds, at most an hour.
    #[must_use]
    pub fn unchanged_until(&self, unix_ms: i64) -> i64 {
        let changes = self.0.iter().filter_map(|one| one.next_change(unix_ms));
        let latest = unix_ms.saturating_add(LOOK_AGAIN_MS);
        changes.fold(latest, i64::min)
    }
}

// === impl PauseWindow ===

impl PauseWindow {
    /// When it ends if it holds at that time, epoch milliseconds.
    #[must_use]
    pub fn ends(&self, unix_ms: i64) -> Option<i64> {
        self.times.holds(unix_ms).then_some(())?;
        self.next_change(unix_ms)
    }

    /// Whether it never holds again.
    #[must_use]
    pub fn is_over(&self, unix_ms: i64) -> bool {
        matches!(&self.times, Times::Once { until, .. } if until.as_millisecond() <= unix_ms)
    }

    /// The next time at which it begins or ends.
    fn next_change(&self, unix_ms: i64) -> Option<i64> {
        let holds = self.times.holds(unix_ms);
        let changes = self.times.candidates(unix_ms).into_iter();
        let after = changes.filter(|at| *at > unix_ms && self.times.holds(*at) != holds);
        after.min()
    }
}

/// `night: topic:shop.imports, mon-fri 22:00-06:00 of the next day, Europe/Berlin`.
impl fmt::Display for PauseWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, ", self.name, self.scope)?;
        match &self.times {
            Times::Weekly(weekly) => weekly.fmt(f),
            Times::Once { from, until } => write!(f, "{from} to {until}"),
        }
    }
}

// === impl Times ===

impl Times {
    fn holds(&self, unix_ms: i64) -> bool {
        let at = Timestamp::from_millisecond(unix_ms).unwrap_or_default();
        match self {
            Self::Weekly(weekly) => weekly.holds(at),
            Self::Once { from, until } => *from <= at && at < *until,
        }
    }

    /// All times around that one at which it may begin or end.
    fn candidates(&self, unix_ms: i64) -> Vec<i64> {
        let all: Vec<Timestamp> = match self {
            Self::Once { from, until } => vec![*from, *until],
            Self::Weekly(weekly) => {
                let at = Timestamp::from_millisecond(unix_ms).unwrap_or_default();
                let today: Date = weekly.zone.date(at);
                let days = (-1..=DAYS_AHEAD).filter_map(|day| today.checked_add(day.days()).ok());
                days.flat_map(|day| [weekly.from, weekly.to].map(|time| time.on(day, &weekly.zone)))
                    .flatten()
                    .collect()
            }
        };
        all.into_iter().map(Timestamp::as_millisecond).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::reserve::Zone;

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn window(times: Times) -> PauseWindow {
        PauseWindow {
            name: "night".into(),
            scope: Scope::Destination,
            times,
            reason: None,
        }
    }

    fn weekly(days: [bool; 7], from: &str, to: &str) -> PauseWindow {
        window(Times::Weekly(Weekly {
            days,
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            zone: Zone::named("Europe/Berlin").unwrap(),
        }))
    }

    const MONDAY: [bool; 7] = [true, false, false, false, false, false, false];

    #[test]
    fn a_night_ends_on_the_day_after_by_the_clocks_of_its_zone() {
        // 2026-11-30 is a Monday; Berlin is an hour ahead.
        let night = weekly(MONDAY, "22:00", "06:00");
        assert_eq!(night.ends(ms("2026-11-30T20:59:59Z")), None);
        let end = ms("2026-12-01T05:00:00Z");
        assert_eq!(night.ends(ms("2026-11-30T21:00:00Z")), Some(end));
        assert_eq!(night.ends(end - 1), Some(end));
        assert_eq!(night.ends(end), None);
        let schedule = PauseSchedule::new(vec![night]);
        let noon = ms("2026-11-30T20:30:00Z");
        assert_eq!(schedule.unchanged_until(noon), ms("2026-11-30T21:00:00Z"));
        assert_eq!(schedule.unchanged_until(end), end + LOOK_AGAIN_MS);
    }

    #[test]
    fn days_that_follow_each_other_are_one_pause() {
        let mut days = MONDAY;
        days[1] = true;
        let both = weekly(days, "00:00", "24:00");
        let end = ms("2026-12-01T23:00:00Z");
        assert_eq!(both.ends(ms("2026-11-30T10:00:00Z")), Some(end));
    }

    #[test]
    fn a_night_in_which_clocks_go_back_is_an_hour_longer() {
        let sunday = [false, false, false, false, false, true, false];
        let night = weekly(sunday, "22:00", "06:00");
        // 2026-10-25, a Sunday: Berlin goes back from 3 to 2.
        let (begin, end) = (ms("2026-10-24T20:00:00Z"), ms("2026-10-25T05:00:00Z"));
        assert_eq!(night.ends(begin), Some(end));
        assert_eq!(end - begin, 9 * 3_600_000);
    }

    #[test]
    fn what_happens_once_is_over_afterwards() {
        let (from, until) = ("2026-12-01T22:00:00Z", "2026-12-02T02:00:00Z");
        let once = window(Times::Once {
            from: from.parse().unwrap(),
            until: until.parse().unwrap(),
        });
        assert_eq!(once.ends(ms(from) - 1), None);
        assert_eq!(once.ends(ms(from)), Some(ms(until)));
        assert_eq!(once.ends(ms(until)), None);
        assert!(once.is_over(ms(until)) && !once.is_over(ms(until) - 1));
        assert_eq!(
            once.to_string(),
            "night: destination, 2026-12-01T22:00:00Z to 2026-12-02T02:00:00Z"
        );
    }
}
