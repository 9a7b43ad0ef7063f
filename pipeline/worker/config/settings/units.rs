//! Durations and sizes as people write them: a number and its unit, such as `5s` or `64MiB`.

use std::time::Duration;

/// Reads a duration: a number with `ms`, `s`, `m` or `h`.
///
/// The error says what is wrong with the text and how to write it.
///
/// ```
/// # use kustomer_ingest::config::parse_duration;
/// # use std::time::Duration;
/// assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
/// assert_eq!(parse_duration("1.5m"), Ok(Duration::from_secs(90)));
/// assert!(parse_duration("5").is_err());
/// ```
///
/// # Errors
///
/// When the number or the unit is missing or unknown.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "" => {
            return Err(format!(
                "`{text}` has no unit: write ms, s, m or h after the number, such as 5s"
            ));
        }
        _ => {
            return Err(format!(
                "`{unit}` is not a unit of time: use ms, s, m or h, such as 250ms"
            ));
        }
    };
    let number: f64 = number
        .parse()
        .map_err(|_not_a_number: std::num::ParseFloatError| {
            format!("`{text}` is not a duration: write it like 5s or 250ms")
        })?;
    Duration::try_from_secs_f64(number * seconds)
        .map_err(|_out_of_range| format!("`{text}` is out of range for a duration"))
}

/// Reads a size in bytes: a number with `B`, `KiB`, `MiB` or `GiB`, or with the decimal `kB`, `MB`, `GB`.
///
/// ```
/// # use kustomer_ingest::config::parse_size;
/// assert_eq!(parse_size("64MiB"), Ok(64 * 1024 * 1024));
/// assert_eq!(parse_size("1MB"), Ok(1_000_000));
/// assert!(parse_size("64").is_err());
/// ```
///
/// # Errors
///
/// When the number or the unit is missing or unknown, or the number is not whole.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let factor: u64 = match unit {
        "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "" => {
            return Err(format!(
                "`{text}` has no unit: write B, KiB, MiB or GiB after the number, such as 64MiB"
            ));
        }
        _ => {
            return Err(format!(
                "`{unit}` is not a unit of size: use B, KiB, MiB or GiB, such as 64MiB"
            ));
        }
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(factor))
        .ok_or_else(|| {
            format!("`{text}` is not a size: write a whole number and its unit, such as 64MiB")
        })
}

/// A duration in the notation of the configuration.
#[must_use]
pub fn show_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    match ms {
        0 => "0s".to_owned(),
        _ if ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
        _ if ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        _ if ms.is_multiple_of(1000) => format!("{}s", ms / 1000),
        _ => format!("{ms}ms"),
    }
}

/// A size in the notation of the configuration.
#[must_use]
pub fn show_size(bytes: u64) -> String {
    match bytes {
        0 => "0B".to_owned(),
        _ if bytes.is_multiple_of(1 << 30) => format!("{}GiB", bytes >> 30),
        _ if bytes.is_multiple_of(1 << 20) => format!("{}MiB", bytes >> 20),
        _ if bytes.is_multiple_of(1 << 10) => format!("{}KiB", bytes >> 10),
        _ => format!("{bytes}B"),
    }
}

/// The number and the unit, without white space.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "5",
            "s",
            "-5s",
            "5 days",
            "1e3s",
            "5S",
            "..s",
            "99999999999999999999h",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in [
            "",
            "64",
            "MiB",
            "-1MiB",
            "1.5MiB",
            "64mib",
            "99999999999GiB",
        ] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_duration_survives_being_shown(ms in 0u64..100_000_000) {
            let duration = Duration::from_millis(ms);
            prop_assert_eq!(parse_duration(&show_duration(duration)), Ok(duration));
        }

        #[test]
        fn a_size_survives_being_shown(bytes in 0u64..1 << 40) {
            prop_assert_eq!(parse_size(&show_size(bytes)), Ok(bytes));
        }

        #[test]
        fn any_text_is_answered(text in ".{0,12}") {
            // Neither parser panics, whatever the input.
            prop_assert!(parse_duration(&text).is_ok() || parse_duration(&text).is_err());
            prop_assert!(parse_size(&text).is_ok() || parse_size(&text).is_err());
        }
    }
}
