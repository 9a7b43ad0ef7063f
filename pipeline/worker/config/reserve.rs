//! `kustomer.reserve_at`: how many requests of every minute are left alone at which time of day.
//!
//! Times are those of the clocks on the wall in a named zone: they follow its summer time. An entry holds from `from` on and no
//! longer at `to`; the first entry that holds counts. A larger reserve begins [`AHEAD_SECONDS`] earlier than written, so that at
//! the written time the API's minute has nothing in it that was sent with the smaller one.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

/// How much earlier a larger reserve begins: a minute, and some seconds in which clocks may differ.
pub const AHEAD_SECONDS: i64 = MINUTE + (MINUTE - LATE);
/// In the last seconds of a minute the one after the next counts, too.
const LATE: i64 = 55;
const MINUTE: i64 = 60;
/// So far ahead the next change is looked for: a week, and a day in which clocks may be set.
const MINUTES_AHEAD: i64 = 8 * 24 * 60;

/// The days of the week as they are written.
pub(super) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The reserve by the time of day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReserveSchedule {
    otherwise: u32,
    entries: Vec<ReserveEntry>,
}

/// One entry of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReserveEntry {
    /// On which days of the week it begins, from Monday on.
    pub days: [bool; 7],
    /// When it begins.
    pub from: DayTime,
    /// When it is over: on the next day if that is not after `from`.
    pub to: DayTime,
    /// Whose clocks.
    pub zone: Zone,
    /// Requests of every minute.
    pub reserve: u32,
}

/// A time of day, in whole minutes; 24:00 is the end of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DayTime(u16);

/// A time zone that is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

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
}

// === impl ReserveEntry ===

impl ReserveEntry {
    fn holds(&self, at: Timestamp) -> bool {
        let there = self.zone.0.to_datetime(at);
        let minute = DayTime::of(there.hour(), there.minute());
        self.holds_on(there.weekday(), minute)
    }

    fn holds_on(&self, day: Weekday, minute: DayTime) -> bool {
        let begins_on = |day: Weekday| {
            let place = usize::try_from(day.to_monday_zero_offset()).unwrap_or(0);
            self.days.get(place).copied().unwrap_or(false)
        };
        if self.from < self.to {
            return begins_on(day) && self.from <= minute && minute < self.to;
        }
        begins_on(day) && self.from <= minute || begins_on(day.previous()) && minute < self.to
    }

    /// Whether each of its minutes belongs to an earlier entry of the same zone, so that it never counts.
    pub(super) fn is_hidden_by(&self, earlier: &[Self]) -> bool {
        let mut day = Weekday::Monday;
        for _ in 0..7 {
            for minute in (0..DayTime::END.0).map(DayTime) {
                let taken = |one: &Self| one.zone == self.zone && one.holds_on(day, minute);
                if self.holds_on(day, minute) && !earlier.iter().any(taken) {
                    return false;
                }
            }
            day = day.next();
        }
        true
    }
}

// === impl DayTime ===

impl DayTime {
    /// The end of a day.
    pub(super) const END: Self = Self(24 * 60);

    fn of(hour: i8, minute: i8) -> Self {
        let part = |number: i8| u16::try_from(number).unwrap_or(0);
        Self(part(hour) * 60 + part(minute))
    }
}

/// `08:30`.
impl FromStr for DayTime {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (hour, minute) = text.split_once(':').ok_or(())?;
        let number = |text: &str, digits: std::ops::RangeInclusive<usize>| {
            let legal = digits.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
            text.parse::<u16>().ok().filter(|_| legal).ok_or(())
        };
        let (hour, minute) = (number(hour, 1..=2)?, number(minute, 2..=2)?);
        let time = Self(hour * 60 + minute);
        let legal = minute < 60 && time <= Self::END;
        legal.then_some(time).ok_or(())
    }
}

// === impl Zone ===

impl Zone {
    /// The zone with a name of the IANA database, as the system knows it, or else as it was when this was built.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        TimeZone::get(name).ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(days: &str, from: &str, to: &str, zone: &str, reserve: u32) -> ReserveEntry {
        ReserveEntry {
            days: DAYS.map(|day| days.contains(day)),
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            zone: Zone::named(zone).unwrap(),
            reserve,
        }
    }

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    /// All changes from one time to another: when, and to how many.
    fn changes(schedule: &ReserveSchedule, from: &str, to: &str) -> Vec<(String, u32)> {
        let mut at = ms(from);
        let mut found = Vec::new();
        loop {
            let planned = schedule.at(at);
            let Some(until) = planned.until_ms.filter(|until| *until < ms(to)) else {
                return found;
            };
            assert!(until > at);
            assert_eq!(
                schedule.at(until - 1).requests,
                planned.requests,
                "up to the end"
            );
            at = until;
            assert_eq!(schedule.at(at).requests, planned.then);
            let when = Timestamp::from_millisecond(at).unwrap();
            found.push((when.to_string(), planned.then));
        }
    }

    fn list(found: &[(String, u32)]) -> Vec<(&str, u32)> {
        found
            .iter()
            .map(|(when, then)| (when.as_str(), *then))
            .collect()
    }

    #[test]
    fn a_larger_reserve_begins_early_and_ends_on_time() {
        let day = entry("mon tue wed thu fri", "08:00", "18:00", "UTC", 400);
        let schedule = ReserveSchedule::new(50, vec![day]);
        // A Friday to a Monday.
        let found = changes(&schedule, "2026-01-02T00:00:00Z", "2026-01-05T12:00:00Z");
        assert_eq!(
            list(&found),
            [
                ("2026-01-02T07:58:55Z", 400),
                ("2026-01-02T18:00:00Z", 50),
                ("2026-01-05T07:58:55Z", 400),
            ]
        );
        assert_eq!(schedule.largest(), 400);
    }

    #[test]
    fn summer_time_moves_it_with_the_clocks_on_the_wall() {
        let day = entry("sat sun mon", "08:00", "18:00", "Europe/Berlin", 400);
        let schedule = ReserveSchedule::new(0, vec![day]);
        let spring = changes(&schedule, "2026-03-28T00:00:00Z", "2026-03-30T00:00:00Z");
        assert_eq!(
            list(&spring),
            [
                ("2026-03-28T06:58:55Z", 400),
                ("2026-03-28T17:00:00Z", 0),
                ("2026-03-29T05:58:55Z", 400),
                ("2026-03-29T16:00:00Z", 0),
            ]
        );
        let autumn = changes(&schedule, "2026-10-25T00:00:00Z", "2026-10-26T00:00:00Z");
        assert_eq!(
            list(&autumn),
            [("2026-10-25T06:58:55Z", 400), ("2026-10-25T17:00:00Z", 0)]
        );
    }

    #[test]
    fn a_time_that_is_left_out_begins_when_the_clock_jumps_and_one_that_comes_twice_holds_twice() {
        let night = entry("sun", "02:30", "03:30", "Europe/Berlin", 300);
        let schedule = ReserveSchedule::new(0, vec![night]);
        // 02:00 is 03:00.
        let spring = changes(&schedule, "2026-03-29T00:00:00Z", "2026-03-29T12:00:00Z");
        assert_eq!(
            list(&spring),
            [("2026-03-29T00:58:55Z", 300), ("2026-03-29T01:30:00Z", 0)]
        );
        // 03:00 is 02:00 again.
        let autumn = changes(&schedule, "2026-10-24T22:00:00Z", "2026-10-25T12:00:00Z");
        assert_eq!(
            list(&autumn),
            [
                ("2026-10-25T00:28:55Z", 300),
                ("2026-10-25T01:00:00Z", 0),
                ("2026-10-25T01:28:55Z", 300),
                ("2026-10-25T02:30:00Z", 0),
            ]
        );
    }

    #[test]
    fn a_range_over_midnight_belongs_to_the_day_on_which_it_begins() {
        let night = entry("fri", "22:00", "06:00", "America/New_York", 10);
        let schedule = ReserveSchedule::new(200, vec![night]);
        let found = changes(&schedule, "2026-01-02T00:00:00Z", "2026-01-09T00:00:00Z");
        assert_eq!(
            list(&found),
            [("2026-01-03T03:00:00Z", 10), ("2026-01-03T10:58:55Z", 200)]
        );
    }

    #[test]
    fn the_first_entry_that_holds_counts() {
        let schedule = ReserveSchedule::new(
            0,
            vec![
                entry("mon", "12:00", "12:01", "UTC", 700),
                entry("mon", "08:00", "24:00", "UTC", 300),
            ],
        );
        let found = changes(&schedule, "2026-01-05T00:00:00Z", "2026-01-06T12:00:00Z");
        assert_eq!(
            list(&found),
            [
                ("2026-01-05T07:58:55Z", 300),
                ("2026-01-05T11:58:55Z", 700),
                ("2026-01-05T12:01:00Z", 300),
                ("2026-01-06T00:00:00Z", 0),
            ]
        );
    }

    #[test]
    fn what_never_changes_says_so() {
        let planned = ReserveSchedule::always(50).at(ms("2026-01-05T00:00:00Z"));
        assert_eq!((planned.requests, planned.until_ms), (50, None));
        let whole = entry(
            "mon tue wed thu fri sat sun",
            "00:00",
            "24:00",
            "Asia/Kolkata",
            7,
        );
        let schedule = ReserveSchedule::new(50, vec![whole.clone()]);
        assert_eq!(schedule.at(0).requests, 7);
        assert_eq!(schedule.at(0).until_ms, None);
        let later = entry("tue", "10:00", "11:00", "Asia/Kolkata", 9);
        assert!(later.is_hidden_by(std::slice::from_ref(&whole)));
        assert!(!whole.is_hidden_by(&[later]));
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, minutes) in [("00:00", 0), ("8:05", 485), ("24:00", 1_440)] {
            assert_eq!(text.parse(), Ok(DayTime(minutes)));
        }
        for text in [
            "", "8", "08:60", "24:01", "25:00", "-1:00", "08:5", "08:00:00",
        ] {
            assert_eq!(text.parse::<DayTime>(), Err(()), "{text}");
        }
    }
}
