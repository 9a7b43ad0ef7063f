//! Tests of the schedule.

use super::*;

fn entry(days: &str, from: &str, to: &str, zone: &str, reserve: u32) -> ReserveEntry {
    ReserveEntry {
        when: Weekly {
            days: DAYS.map(|day| days.contains(day)),
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            zone: Zone::named(zone).unwrap(),
        },
        reserve,
        spot: None,
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
fn an_entry_that_those_of_other_zones_hide_never_counts() {
    let now = ms("2026-01-05T00:00:00Z");
    let all = "mon tue wed thu fri sat sun";
    let hidden = |first: ReserveEntry, second: ReserveEntry| {
        ReserveSchedule::new(0, vec![first, second]).never_count(now)
    };
    let always = entry(all, "00:00", "24:00", "UTC", 7);
    let berlin = entry("mon", "08:00", "18:00", "Europe/Berlin", 9);
    assert_eq!(hidden(always.clone(), berlin.clone()), [1]);
    assert!(hidden(berlin.clone(), always).is_empty());
    // An hour behind in winter, two in summer.
    let in_utc = |from, to| entry("mon", from, to, "UTC", 7);
    assert_eq!(hidden(in_utc("06:00", "17:00"), berlin.clone()), [1]);
    assert!(hidden(in_utc("06:01", "17:00"), berlin.clone()).is_empty());
    assert!(hidden(in_utc("06:00", "16:59"), berlin.clone()).is_empty());
    // In the middle, between two that are before it.
    let two = vec![in_utc("00:00", "10:00"), in_utc("10:01", "24:00"), berlin];
    assert!(ReserveSchedule::new(0, two).never_count(now).is_empty());
    // On some days only.
    let more = entry("mon sat", "08:00", "18:00", "Europe/Berlin", 9);
    assert!(hidden(in_utc("00:00", "24:00"), more).is_empty());
    // What begins on another day there.
    let tokyo = entry("sun", "15:00", "24:00", "UTC", 7);
    let monday = entry("mon", "00:00", "09:00", "Asia/Tokyo", 9);
    assert_eq!(hidden(tokyo, monday), [1]);
}

#[test]
fn entries_are_shown_as_people_write_them() {
    for (days, from, to, shown) in [
        (
            "mon tue wed thu fri",
            "8:00",
            "18:00",
            "mon-fri 08:00-18:00, Europe/Berlin",
        ),
        (
            "sat sun",
            "00:00",
            "24:00",
            "sat, sun, all day, Europe/Berlin",
        ),
        (
            "mon tue thu sat sun",
            "22:00",
            "06:30",
            "mon, tue, thu, sat, sun 22:00-06:30 of the next day, Europe/Berlin",
        ),
        (
            "mon tue wed thu fri sat sun",
            "18:00",
            "00:00",
            "every day 18:00-00:00, Europe/Berlin",
        ),
    ] {
        let entry = entry(days, from, to, "Europe/Berlin", 1);
        assert_eq!(entry.to_string(), shown);
    }
}

#[test]
fn the_nearest_zone_is_found() {
    for (name, near) in [
        ("America/NewYork", "America/New_York"),
        ("America/New York", "America/New_York"),
        ("Europe/Berlino", "Europe/Berlin"),
        ("berlin", "Europe/Berlin"),
        ("Kolkata", "Asia/Kolkata"),
    ] {
        assert_eq!(Zone::nearest_to(name).as_deref(), Some(near), "{name}");
    }
    assert_eq!(Zone::nearest_to("at the office"), None);
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
