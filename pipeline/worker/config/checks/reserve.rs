//! The checks of `kustomer.reserve_at`.

use super::checker::Checker;
use crate::config::raw::{At, RawReserve, RawTimes, Scalar};
use crate::config::reserve::{DAYS, DayTime, ReserveEntry, ReserveSchedule, Zone};
use crate::config::settings::QuotaSettings;

/// The most entries: their times are compared with each other.
const MOST: usize = 64;
const FROM: &str =
    "give a time of day such as 08:00, up to 23:59; what begins later begins on the day after";
pub(super) const TO: &str = "give a time of day such as 18:00, up to 24:00; a time that is not after from is on the day after";

impl Checker<'_> {
    /// The reserve by the time of day; a quota that is wrong has been reported.
    pub(super) fn reserve_at(
        &mut self,
        raw: &[RawReserve],
        quota: Option<QuotaSettings>,
    ) -> Option<ReserveSchedule> {
        if let Some(one) = raw.get(MOST) {
            let problem = format!("has more than {MOST} entries");
            self.fault(
                one.times.place.spot,
                &one.times.place.key,
                &problem,
                "leave out those that hold least",
            );
            return None;
        }
        let read: Vec<Option<ReserveEntry>> = raw
            .iter()
            .map(|one| self.reserve_entry(one, quota))
            .collect();
        let entries: Vec<ReserveEntry> = read.into_iter().collect::<Option<_>>()?;
        let mut sound = true;
        for (place, (entry, raw)) in entries.iter().zip(raw).enumerate() {
            let earlier = entries.get(..place).unwrap_or_default();
            if entry.is_hidden_by(earlier) {
                sound = false;
                self.fault(
                    raw.times.place.spot,
                    &raw.times.place.key,
                    "never counts: the entries before it hold at all of its times, and the first one that holds counts",
                    "put it before them, or leave it out",
                );
            }
        }
        sound.then(|| ReserveSchedule::new(quota.map_or(0, QuotaSettings::reserve), entries))
    }

    fn reserve_entry(
        &mut self,
        raw: &RawReserve,
        quota: Option<QuotaSettings>,
    ) -> Option<ReserveEntry> {
        let when = self.weekly_times(&raw.times);
        let reserve = self.reserve_of(raw, quota);
        Some(ReserveEntry {
            when: when?,
            reserve: reserve?,
            spot: Some(raw.times.place.spot),
        })
    }

    /// All days if none is named.
    pub(super) fn days(&mut self, raw: &RawTimes) -> Option<[bool; 7]> {
        let Some(named) = &raw.days else {
            return raw.days_sound.then_some([true; 7]);
        };
        if named.is_empty() {
            let (spot, key) = (raw.place.spot, format!("{}.days", raw.place.key));
            let way_out =
                "name days of the week, or leave the key out: then it holds on all of them";
            self.fault(spot, &key, "names no day", way_out);
            return None;
        }
        let mut days = Some([false; 7]);
        for leaf in named {
            let day = self.one_of(leaf, &DAYS);
            let place = day.and_then(|day| DAYS.iter().position(|one| *one == day));
            days = match (days, place) {
                (Some(mut days), Some(place)) => {
                    if let Some(day) = days.get_mut(place) {
                        *day = true;
                    }
                    Some(days)
                }
                (None, _) | (_, None) => None,
            };
        }
        days
    }

    pub(super) fn begins(&mut self, raw: &RawTimes, days: Option<[bool; 7]>) -> Option<DayTime> {
        let leaf = raw.from.as_ref();
        let time = self.day_time(raw, leaf, "from", FROM)?;
        if time < DayTime::END {
            return Some(time);
        }
        let way_out = match (&raw.days, days) {
            (None, _) => "write 00:00".to_owned(),
            // The same instant, and not a day earlier.
            (Some(_), Some(mut days)) => {
                days.rotate_right(1);
                let after = DAYS.iter().zip(days).filter(|(_, named)| *named);
                let after: Vec<&str> = after.map(|(day, _)| *day).collect();
                format!(
                    "write 00:00 of the day after, such as days: [{}], from: \"00:00\"",
                    after.join(", ")
                )
            }
            (Some(_), None) => {
                "write 00:00, and in days the day after: 24:00 on mon is 00:00 on tue".to_owned()
            }
        };
        self.at(leaf?, "is the end of a day, not a beginning", &way_out);
        None
    }

    pub(super) fn day_time(
        &mut self,
        raw: &RawTimes,
        leaf: Option<&At<Scalar>>,
        name: &str,
        way_out: &str,
    ) -> Option<DayTime> {
        let Some(leaf) = leaf else {
            self.missing(&raw.place, name, way_out);
            return None;
        };
        let text = self.text(leaf)?;
        let time = text.parse().ok();
        if time.is_none() {
            self.at(leaf, &format!("`{text}` is no time of day"), way_out);
        }
        time
    }

    pub(super) fn zone(&mut self, raw: &RawTimes) -> Option<Zone> {
        let way_out = "give a name of the time zone database, such as Europe/Berlin, or UTC";
        let Some(leaf) = &raw.zone else {
            self.missing(&raw.place, "zone", way_out);
            return None;
        };
        let name = self.text(leaf)?;
        let zone = Zone::named(&name);
        if zone.is_none() {
            let way_out = Zone::nearest_to(&name).map_or_else(
                || way_out.to_owned(),
                |near| format!("did you mean {near}? otherwise {way_out}"),
            );
            self.at(
                leaf,
                &format!("`{name}` is not a known time zone"),
                &way_out,
            );
        }
        zone
    }

    fn reserve_of(&mut self, raw: &RawReserve, quota: Option<QuotaSettings>) -> Option<u32> {
        let Some(leaf) = &raw.reserve else {
            let way_out = "give the requests of every minute that are left alone then";
            self.missing(&raw.times.place, "reserve", way_out);
            return None;
        };
        let most = u64::from(QuotaSettings::MAX_LIMIT);
        let reserve = self.whole(&raw.reserve, 0, 0..=most)?;
        let reserve = u32::try_from(reserve).ok()?;
        let quota = quota?;
        match QuotaSettings::try_new(quota.limit(), quota.share(), reserve) {
            Ok(_) => Some(reserve),
            Err((_, problem, way_out)) => {
                self.at(leaf, &problem, &way_out);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Settings;
    use crate::config::tests::{MINIMAL, check};

    #[test]
    fn the_reserve_may_follow_the_time_of_day() {
        let with = |entries: &str| {
            let limit = "limit: 1000";
            check(&MINIMAL.replace(limit, &format!("{limit}\n  reserve_at: {entries}"))).unwrap()
        };
        let at = |settings: &Settings, text: &str| {
            let at: jiff::Timestamp = text.parse().unwrap();
            settings
                .kustomer
                .reserve_at
                .at(at.as_millisecond())
                .requests
        };
        let settings = with(
            "\n    - { days: [sat, sun], from: \"00:00\", to: \"24:00\", zone: Europe/Berlin, reserve: 0 }\n    \
             - { from: 08:00, to: 18:00, zone: Europe/Berlin, reserve: 400 }",
        );
        assert_eq!(settings.kustomer.reserve_at.largest(), 400);
        // A Monday, in winter.
        for (time, reserve) in [
            ("2026-01-05T06:58:54Z", 50),
            ("2026-01-05T06:58:55Z", 400),
            ("2026-01-05T16:59:59Z", 400),
            ("2026-01-05T17:00:00Z", 50),
            ("2026-01-10T12:00:00Z", 0),
        ] {
            assert_eq!(at(&settings, time), reserve, "{time}");
        }
        let never = check(MINIMAL).unwrap().kustomer.reserve_at;
        assert!(!never.changes());
        assert!(!with("[]").kustomer.reserve_at.changes());
    }

    #[test]
    fn impossible_entries_are_refused() {
        for (entries, expected) in [
            (
                "[{ from: '08:00', to: '18:00', zone: Europe/Berlin, reserve: 1000 }]",
                "kustomer.reserve_at[0].reserve: 1000 leaves nothing of the limit of 1000",
            ),
            (
                "[{ from: '08:00', to: '18:00', zone: Europe/Berlino, reserve: 1 }]",
                "kustomer.reserve_at[0].zone: `Europe/Berlino` is not a known time zone\n    did you mean Europe/Berlin?",
            ),
            (
                "[{ from: '08:00', to: '18:00', zone: America/NewYork, reserve: 1 }]",
                "did you mean America/New_York?",
            ),
            (
                "[{ days: [mon, sun], from: '24:00', to: '02:00', zone: UTC, reserve: 1 }]",
                "is the end of a day, not a beginning\n    write 00:00 of the day after, such as days: [mon, tue], from: \"00:00\"",
            ),
            (
                "[{ days: [fri, satt], from: '24:00', to: '02:00', zone: UTC, reserve: 1 }]",
                "24:00 on mon is 00:00 on tue",
            ),
            (
                "[{ from: '24:00', to: '02:00', zone: UTC, reserve: 1 }]",
                "is the end of a day, not a beginning\n    write 00:00",
            ),
            (
                "[{ from: '25:00', to: '02:00', zone: UTC, reserve: 1 }]",
                "`25:00` is no time of day\n    give a time of day such as 08:00, up to 23:59",
            ),
            (
                "[{ from: '18:00', to: '18:00', zone: UTC, reserve: 1 }]",
                "kustomer.reserve_at[0].to: is the same as from, which is no time at all\n    for a whole day write from: \"00:00\", to: \"24:00\"; for 24 \
                 hours from 18:00 on write two entries",
            ),
            (
                "[{ days: [mon, tues], from: '08:00', to: '18:00', zone: UTC, reserve: 1 }]",
                "kustomer.reserve_at[0].days[1]: `tues` is unknown",
            ),
            (
                "[{ days: mon, from: '24:00', to: '8', reserve: 1 }]",
                "kustomer.reserve_at[0].days: is a text, not a list",
            ),
            (
                "[{ from: '08:00', to: '18:00', zone: UTC, reserve: 1 }, { days: [sun], from: '09:00', to: '18:00', zone: UTC, reserve: 2 }]",
                "kustomer.reserve_at[1]: never counts",
            ),
        ] {
            let limit = "limit: 1000";
            let text = MINIMAL.replace(limit, &format!("{limit}\n  reserve_at: {entries}"));
            let faults = check(&text).expect_err("a fault");
            assert!(faults.contains(expected), "{entries}: {faults}");
            assert!(faults.contains("\n    "), "no way out: {faults}");
        }
    }
}
