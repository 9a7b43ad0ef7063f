//! The schema registry for people: whether it answers, and what waits for it.

use std::time::Instant;

use ingest_delivery::machine::PartitionView;
use ingest_model::outcome::Waits;
use ingest_registry::RegistryStatus;
use serde::Serialize;

use crate::observe::words::plural;

/// The schema registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegistryView {
    /// Its address.
    pub address: String,
    /// What is wrong with it; `null` if it answers, or was not asked yet.
    pub failing: Option<Failing>,
    /// Partitions of this replica whose next record waits for its schema.
    pub waiting_partitions: u64,
    /// Schemas that were asked for and are not here.
    pub wanted_schemas: u64,
    /// Schemas that are kept.
    pub kept_schemas: u64,
}

/// A registry that gives no schemas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failing {
    /// How long, in seconds.
    pub for_seconds: u64,
    /// Requests that failed in a row.
    pub errors: u64,
    /// The last one, in words.
    pub last_error: String,
}

// === impl RegistryView ===

impl RegistryView {
    /// How it is at that time.
    #[must_use]
    pub fn new(status: &RegistryStatus, partitions: &[PartitionView], now: Instant) -> Self {
        let waiting = partitions
            .iter()
            .filter(|one| one.waits == Some(Waits::Schema));
        Self {
            address: status.place.to_string(),
            failing: status.trouble.as_ref().map(|trouble| Failing {
                for_seconds: now
                    .saturating_duration_since(trouble.since.into_std())
                    .as_secs(),
                errors: trouble.failures,
                last_error: trouble.why.to_string(),
            }),
            waiting_partitions: waiting.count() as u64,
            wanted_schemas: status.wanted as u64,
            kept_schemas: status.kept as u64,
        }
    }

    /// Why the worker is not ready, if it is because of the registry: records wait for it.
    pub(super) fn cause(&self) -> Option<String> {
        let failing = self
            .failing
            .as_ref()
            .filter(|_| self.waiting_partitions > 0)?;
        let waiting = plural(self.waiting_partitions, "partition");
        Some(format!(
            "schema registry {}: {}; for {} s, {} errors; {waiting} wait for it, lose nothing and go on by themselves when it answers",
            self.address, failing.last_error, failing.for_seconds, failing.errors
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_makes_unready_only_where_something_waits_for_it() {
        let mut view = RegistryView {
            address: "https://registry".to_owned(),
            failing: None,
            waiting_partitions: 2,
            wanted_schemas: 1,
            kept_schemas: 0,
        };
        assert_eq!(view.cause(), None, "it was only asked a moment ago");
        view.failing = Some(Failing {
            for_seconds: 5,
            errors: 3,
            last_error: "no answer in time".to_owned(),
        });
        let cause = view.cause().expect("partitions wait");
        assert_eq!(
            cause,
            "schema registry https://registry: no answer in time; for 5 s, 3 errors; 2 partitions wait for it, lose nothing and go on by themselves when it answers"
        );
        view.waiting_partitions = 0;
        assert_eq!(view.cause(), None, "what waited is another replica's now");
    }
}
