//! Times without a zone, which are those of a clock somewhere.

use std::sync::OnceLock;

use jiff::civil::{Date, DateTime};
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// The zones that come with the program, so that every replica has the same.
fn zones() -> &'static TimeZoneDatabase {
    static ZONES: OnceLock<TimeZoneDatabase> = OnceLock::new();
    ZONES.get_or_init(TimeZoneDatabase::bundled)
}

/// The zone of that name.
pub(super) fn named(name: &str) -> Option<TimeZone> {
    zones().get(name).ok()
}

/// The names of all zones.
pub(super) fn names() -> Vec<&'static str> {
    static NAMES: OnceLock<Vec<String>> = OnceLock::new();
    let all = NAMES.get_or_init(|| zones().available().map(|name| name.to_string()).collect());
    all.iter().map(String::as_str).collect()
}

/// The instant that a clock in the zone shows, as RFC 3339 in UTC; `None` if the text names a zone itself, or is no time. A
/// time that the clock skips is as much later as it skips; of one that it shows twice, it is the first.
pub(super) fn instant(text: &str, zone: &TimeZone) -> Option<String> {
    let text = text.trim();
    let civil: DateTime = match text.parse::<Date>() {
        Ok(date) if text.len() <= "2026-01-02".len() => {
            date.to_datetime(jiff::civil::Time::midnight())
        }
        Ok(_) | Err(_) => without_zone(text)?,
    };
    let instant = civil.to_zoned(zone.clone()).ok()?.timestamp();
    Some(instant.to_string())
}

/// A date and a time, and nothing else.
fn without_zone(text: &str) -> Option<DateTime> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let time = time.trim_start();
    let plain = |c: char| c.is_ascii_digit() || matches!(c, ':' | '.' | ',');
    if !time.chars().all(plain) {
        return None;
    }
    format!("{date}T{time}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_somewhere_shows_an_instant() {
        for (text, zone, wanted) in [
            (
                "2026-01-02 03:04:05",
                "Europe/Berlin",
                Some("2026-01-02T02:04:05Z"),
            ),
            (
                "2026-07-02T03:04:05.25",
                "Europe/Berlin",
                Some("2026-07-02T01:04:05.25Z"),
            ),
            (
                "2026-07-02 03:04",
                "America/New_York",
                Some("2026-07-02T07:04:00Z"),
            ),
            ("2026-07-02", "Asia/Tokyo", Some("2026-07-01T15:00:00Z")),
            // skipped by the clock, and shown twice
            (
                "2026-03-29 02:30:00",
                "Europe/Berlin",
                Some("2026-03-29T01:30:00Z"),
            ),
            (
                "2026-10-25 02:30:00",
                "Europe/Berlin",
                Some("2026-10-25T00:30:00Z"),
            ),
            // these name their zone
            ("2026-01-02T03:04:05Z", "Europe/Berlin", None),
            ("2026-01-02T03:04:05+05:00", "Europe/Berlin", None),
            ("2026-01-02 03:04:05 UTC", "Europe/Berlin", None),
            ("Wed, 04 Mar 2026 05:06:07 GMT", "Europe/Berlin", None),
            ("yesterday", "Europe/Berlin", None),
            ("", "Europe/Berlin", None),
        ] {
            let zone = named(zone).unwrap();
            assert_eq!(instant(text, &zone).as_deref(), wanted, "{text}");
        }
        assert!(named("Europe/Berlln").is_none());
        assert!(names().contains(&"Europe/Berlin"));
    }
}
