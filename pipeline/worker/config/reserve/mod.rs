//! `kustomer.reserve_at`: how many requests of every minute are left alone at which time of day.
//!
//! Times are those of the clocks on the wall in a named zone: they follow its summer time. An entry holds from `from` on and no
//! longer at `to`; the first entry that holds counts. A larger reserve begins [`AHEAD_SECONDS`] earlier than written, so that at
//! the written time the API's minute has nothing in it that was sent with the smaller one.

mod clock;

use std::fmt;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

pub(super) use self::clock::DAYS;
pub use self::clock::{DayTime, Weekly, Zone};
use super::fault::Spot;

/// How much earlier a larger reserve begins: a minute, and some seconds in which clocks may differ.
pub const AHEAD_SECONDS: i64 = MINUTE + (MINUTE - LATE);
/// In the last seconds of a minute the one after the next counts, too.
const LATE: i64 = 55;
const MINUTE: i64 = 60;
/// So far ahead the next change is looked for: a week, and a day in which clocks may be set.
const MINUTES_AHEAD: i64 = 8 * 24 * 60;

/// A year: each entry's days fall on both sides of each change of summer time.
const DAYS_AHEAD: i64 = 366;

/// The reserve by the time of day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReserveSchedule {
    otherwise: u32,
    entries: Vec<ReserveEntry>,
}

/// One entry of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReserveEntry {
    /// When it holds.
    pub when: Weekly,
    /// Requests of every minute.
    pub reserve: u32,
    /// Where in the configuration it is written.
    pub spot: Option<Spot>,
}

/// The reserve at some time, and when it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// Requests of every minute.
    pub requests: u32,
    /// Until when, epoch milliseconds; `None` if it does not change within a week.
    pub until_ms: Option<i64>,
    /// How many then.
    pub then: u32,
}

// === impl ReserveSchedule ===

impl ReserveSchedule {
    /// The same at all times.
    #[must_use]
    pub fn always(requests: u32) -> Self {
        Self::new(requests, Vec::new())
    }

    /// The first of the entries that holds, or else that many.
    #[must_use]
    pub fn new(otherwise: u32, entries: Vec<ReserveEntry>) -> Self {
        Self { otherwise, entries }
    }

    /// Whether it follows the time of day.
    #[must_use]
    pub fn changes(&self) -> bool {
        !self.entries.is_empty()
    }

    /// The most that it ever is.
    #[must_use]
    pub fn largest(&self) -> u32 {
        let entries = self.entries.iter().map(|entry| entry.reserve);
        entries.fold(self.otherwise, u32::max)
    }

    /// The entries, in their order.
    #[must_use]
    pub fn entries(&self) -> &[ReserveEntry] {
        &self.entries
    }

    /// The reserve at that time, epoch milliseconds.
    #[must_use]
    pub fn at(&self, unix_ms: i64) -> Planned {
        let seconds = unix_ms.div_euclid(1_000);
        let (minute, second) = (seconds.div_euclid(MINUTE), seconds.rem_euclid(MINUTE));
        let mut ahead = [0, 1, 2].map(|later| self.by_clock(minute + later));
        let late = |ahead: [u32; 3]| ahead.into_iter().fold(0, u32::max);
        let early = |[this, next, _]: [u32; 3]| this.max(next);
        let requests = if second < LATE {
            early(ahead)
        } else {
            late(ahead)
        };
        let planned = |at: i64, then| Planned {
            requests,
            until_ms: Some(at * 1_000),
            then,
        };
        if second < LATE && late(ahead) != requests {
            return planned(minute * MINUTE + LATE, late(ahead));
        }
        let minutes = if self.changes() { MINUTES_AHEAD } else { 0 };
        for next in minute + 1..=minute + minutes {
            let [_, this, following] = ahead;
            ahead = [this, following, self.by_clock(next + 2)];
            if early(ahead) != requests {
                return planned(next * MINUTE, early(ahead));
            }
            if late(ahead) != requests {
                return planned(next * MINUTE + LATE, late(ahead));
            }
        }
        Planned {
            requests,
            until_ms: None,
            then: requests,
        }
    }

    /// As it is written, for a minute since 1970.
    fn by_clock(&self, minute: i64) -> u32 {
        let at = Timestamp::from_second(minute.saturating_mul(MINUTE)).unwrap_or_default();
        let holds = self.entries.iter().find(|entry| entry.holds(at));
        holds.map_or(self.otherwise, |entry| entry.reserve)
    }

    /// The places of entries that do not count at any time in the year from then on, epoch milliseconds, because those before
    /// them do. Whose clocks those are does not matter.
    #[must_use]
    pub fn never_count(&self, from_ms: i64) -> Vec<usize> {
        let from = Timestamp::from_millisecond(from_ms).unwrap_or_default();
        let date = from.to_zoned(TimeZone::UTC).date();
        (1..self.entries.len())
            .filter(|place| !self.counts(*place, date))
            .collect()
    }

    /// It begins to count when it begins, or when one before it ends.
    fn counts(&self, place: usize, from: Date) -> bool {
        let Some((entry, earlier)) = self
            .entries
            .get(..=place)
            .and_then(|entries| entries.split_last())
        else {
            return false;
        };
        let counts = |at: Option<Timestamp>| {
            at.is_some_and(|at| entry.holds(at) && !earlier.iter().any(|one| one.holds(at)))
        };
        (0..DAYS_AHEAD).any(|day| {
            let Ok(date) = from.checked_add(day.days()) else {
                return false;
            };
            counts(entry.when.from.on(date, &entry.when.zone))
                || earlier
                    .iter()
                    .any(|one| counts(one.when.to.on(date, &one.when.zone)))
        })
    }
}

// === impl ReserveEntry ===

impl ReserveEntry {
    fn holds(&self, at: Timestamp) -> bool {
        self.when.holds(at)
    }

    /// Whether each of its minutes belongs to an earlier entry of the same zone, so that it never counts.
    pub(super) fn is_hidden_by(&self, earlier: &[Self]) -> bool {
        let mut day = Weekday::Monday;
        for _ in 0..7 {
            for minute in (0..DayTime::END.0).map(DayTime) {
                let taken =
                    |one: &Self| one.when.zone == self.when.zone && one.when.holds_on(day, minute);
                if self.when.holds_on(day, minute) && !earlier.iter().any(taken) {
                    return false;
                }
            }
            day = day.next();
        }
        true
    }
}

/// `mon-fri 08:00-18:00 Europe/Berlin`.
impl fmt::Display for ReserveEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.when.fmt(f)
    }
}

#[cfg(test)]
mod tests;
