//! Times of day, and whose clocks show them.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::config::fault::nearest;

/// The days of the week as they are written.
pub(in crate::config) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// A time of day, in whole minutes; 24:00 is the end of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DayTime(pub(super) u16);

/// A time zone that is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(pub(super) TimeZone);

/// A time that comes every week: on some days, from one time of day to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weekly {
    /// On which days of the week it begins, from Monday on.
    pub days: [bool; 7],
    /// When it begins.
    pub from: DayTime,
    /// When it is over: on the next day if that is not after `from`.
    pub to: DayTime,
    /// Whose clocks.
    pub zone: Zone,
}

// === impl DayTime ===

impl DayTime {
    /// The beginning of a day.
    pub(in crate::config) const START: Self = Self(0);
    /// The end of it.
    pub(in crate::config) const END: Self = Self(24 * 60);

    pub(super) fn of(hour: i8, minute: i8) -> Self {
        let part = |number: i8| u16::try_from(number).unwrap_or(0);
        Self(part(hour) * 60 + part(minute))
    }

    /// When it is on a day; if the clocks leave it out or show it twice, the first that comes near.
    pub(in crate::config) fn on(self, date: Date, zone: &Zone) -> Option<Timestamp> {
        let midnight = date.at(0, 0, 0, 0);
        let there = midnight.checked_add(i64::from(self.0).minutes()).ok()?;
        Some(there.to_zoned(zone.0.clone()).ok()?.timestamp())
    }
}

impl fmt::Display for DayTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
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

// === impl Weekly ===

impl Weekly {
    pub(in crate::config) fn holds(&self, at: Timestamp) -> bool {
        let there = self.zone.0.to_datetime(at);
        let minute = DayTime::of(there.hour(), there.minute());
        self.holds_on(there.weekday(), minute)
    }

    pub(super) fn holds_on(&self, day: Weekday, minute: DayTime) -> bool {
        let begins_on = |day: Weekday| {
            let place = usize::try_from(day.to_monday_zero_offset()).unwrap_or(0);
            self.days.get(place).copied().unwrap_or(false)
        };
        if self.from < self.to {
            return begins_on(day) && self.from <= minute && minute < self.to;
        }
        begins_on(day) && self.from <= minute || begins_on(day.previous()) && minute < self.to
    }
}

/// `mon-fri 08:00-18:00 Europe/Berlin`.
impl fmt::Display for Weekly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.days == [true; 7] {
            f.write_str("every day")?;
        } else {
            f.write_str(&days_in_words(self.days))?;
        }
        if (self.from, self.to) == (DayTime::START, DayTime::END) {
            write!(f, ", all day")?;
        } else {
            write!(f, " {}-{}", self.from, self.to)?;
        }
        if self.to < self.from && self.to > DayTime::START {
            f.write_str(" of the next day")?;
        }
        write!(f, ", {}", self.zone)
    }
}

/// Three or more in a row as a range.
fn days_in_words(days: [bool; 7]) -> String {
    let mut words: Vec<String> = Vec::new();
    let named: Vec<(usize, &str)> = (0..).zip(DAYS).collect();
    let runs = named.chunk_by(|(a, _), (b, _)| days.get(*a) == days.get(*b));
    for run in runs.filter(|run| run.iter().any(|(day, _)| days.get(*day) == Some(&true))) {
        match run {
            [(_, first), _, .., (_, last)] => words.push(format!("{first}-{last}")),
            few => words.extend(few.iter().map(|(_, day)| (*day).to_owned())),
        }
    }
    words.join(", ")
}

// === impl Zone ===

impl Zone {
    /// The zone with a name of the IANA database, as the system knows it, or else as it was when this was built.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        TimeZone::get(name).ok().map(Self)
    }

    /// The day that it is there.
    pub(in crate::config) fn date(&self, at: Timestamp) -> Date {
        self.0.to_datetime(at).date()
    }

    /// The known name that is nearest to one that is not known; a city alone is enough.
    #[must_use]
    pub fn nearest_to(name: &str) -> Option<String> {
        let known: Vec<String> = jiff::tz::db()
            .available()
            .map(|one| one.as_str().to_owned())
            .collect();
        let bare = |text: &str| -> String {
            let letters = text.chars().filter(|c| c.is_alphanumeric());
            letters.flat_map(char::to_lowercase).collect()
        };
        let city = known.iter().find(|one| {
            let city = one.rsplit_once('/').map(|(_, city)| bare(city));
            city.is_some_and(|city| city == bare(name))
        });
        let known = known.iter().map(String::as_str);
        city.map(String::as_str)
            .or_else(|| nearest(name, known))
            .map(str::to_owned)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("UTC"))
    }
}
