//! Passes the client library's log lines to `tracing` without flooding it.
//!
//! When a broker is down, the client reports it for every connection and every attempt. Each facility (the client's word
//! for the origin of a line, such as `FAIL` or `CONFWARN`) may log five lines a minute at a level; the next line after
//! that says how many were suppressed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;

use crate::client::diagnosis::Diagnosis;
use crate::clock;

const WINDOW: Duration = Duration::from_secs(60);
const LINES_PER_WINDOW: u32 = 5;
/// The client has a fixed set of facilities; this only guards the map.
const FACILITIES_MAX: usize = 256;

/// Passes lines on, a few per facility and minute.
#[derive(Default)]
pub(crate) struct ClientLog {
    /// `debug` was set in the properties: debug lines pass.
    debug: bool,
    facilities: Mutex<BTreeMap<String, Window>>,
}

struct Window {
    began: Instant,
    lines: u32,
    suppressed: u64,
}

// === impl ClientLog ===

impl ClientLog {
    /// With `debug`, passes debug lines on too.
    pub(crate) fn new(debug: bool) -> Self {
        Self {
            debug,
            ..Self::default()
        }
    }

    /// Passes one line on, or counts it.
    pub(crate) fn line(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        if is_expected(facility, text) {
            return;
        }
        if facility == "FAIL" && Diagnosis::of(text).is_some() {
            // Told as a sentence, with what to do, by whoever watches over the brokers.
            tracing::debug!(facility, "kafka client: {text}");
            return;
        }
        if matches!(level, RDKafkaLogLevel::Debug) {
            if self.debug {
                tracing::debug!(facility, "kafka client: {text}");
            }
            return;
        }
        let Some(suppressed) = self.admit(facility, clock::now()) else {
            return;
        };
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error => {
                tracing::error!(facility, suppressed, "kafka client: {text}");
            }
            RDKafkaLogLevel::Warning => {
                tracing::warn!(facility, suppressed, "kafka client: {text}");
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(facility, suppressed, "kafka client: {text}");
            }
            RDKafkaLogLevel::Debug => {}
        }
    }

    /// `Some(lines suppressed before)` if the line may pass.
    fn admit(&self, facility: &str, now: Instant) -> Option<u64> {
        let mut facilities = self
            .facilities
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if facilities.len() >= FACILITIES_MAX && !facilities.contains_key(facility) {
            return None;
        }
        let window = facilities.entry(facility.to_owned()).or_insert(Window {
            began: now,
            lines: 0,
            suppressed: 0,
        });
        if now.duration_since(window.began) >= WINDOW {
            window.began = now;
            window.lines = 0;
        }
        if window.lines >= LINES_PER_WINDOW {
            window.suppressed = window.suppressed.saturating_add(1);
            return None;
        }
        window.lines += 1;
        Some(std::mem::take(&mut window.suppressed))
    }
}

impl fmt::Debug for ClientLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientLog").finish_non_exhaustive()
    }
}

/// Consumer and producer get the same map of properties, so the client warns each about the other's.
fn is_expected(facility: &str, text: &str) -> bool {
    facility == "CONFWARN"
        && (text.contains("is a consumer property") || text.contains("is a producer property"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_facility_speaks_five_times_a_minute_and_then_says_how_often_it_was_left_out() {
        let log = ClientLog::default();
        let start = clock::now();
        let passed = (0..20)
            .filter(|_| log.admit("FAIL", start).is_some())
            .count();
        assert_eq!(passed, 5);
        assert_eq!(
            log.admit("OTHER", start),
            Some(0),
            "each facility has its own allowance"
        );
        assert_eq!(log.admit("FAIL", start + WINDOW), Some(15));
    }

    #[test]
    fn the_other_clients_properties_are_not_worth_a_line() {
        assert!(is_expected(
            "CONFWARN",
            "Configuration property x is a consumer property and …"
        ));
        assert!(!is_expected(
            "CONFWARN",
            "Configuration property x is deprecated"
        ));
    }
}
