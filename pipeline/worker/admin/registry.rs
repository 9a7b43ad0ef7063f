//! The schema registry for people: whether it answers, and what waits for it.

use std::time::Instant;

use ingest_delivery::machine::PartitionView;
use ingest_model::outcome::Waits;
use ingest_registry::{RegistryStatus, Trouble};
use serde::Serialize;

use crate::observe::words::plural;

/// Schemas that a text for people names.
const NAMED: usize = 3;

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
    /// The bytes of memory that they take, about.
    pub kept_bytes: u64,
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
    /// How many schemas it does not give.
    pub failing_schemas: u64,
    /// Those that are waited for longest.
    pub schemas: Vec<FailingSchema>,
}

/// A schema that is not given. Of others, the registry may answer all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailingSchema {
    /// Its number or GUID.
    pub id: String,
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
        let seconds = |trouble: &Trouble| {
            let since = trouble.since.into_std();
            now.saturating_duration_since(since).as_secs()
        };
        let schemas = status.failing.iter().map(|one| FailingSchema {
            id: one.id.to_string(),
            for_seconds: seconds(&one.trouble),
            errors: one.trouble.failures,
            last_error: one.trouble.why.to_string(),
        });
        Self {
            address: status.place.to_string(),
            failing: status.trouble.as_ref().map(|trouble| Failing {
                for_seconds: seconds(trouble),
                errors: trouble.failures,
                last_error: trouble.why.to_string(),
                failing_schemas: status.failing_schemas as u64,
                schemas: schemas.collect(),
            }),
            waiting_partitions: waiting.count() as u64,
            wanted_schemas: status.wanted as u64,
            kept_schemas: status.kept.schemas as u64,
            kept_bytes: status.kept.bytes as u64,
        }
    }

    /// Why the worker is not ready, if it is because of the registry: records wait for it.
    pub(super) fn cause(&self) -> Option<String> {
        let failing = self
            .failing
            .as_ref()
            .filter(|_| self.waiting_partitions > 0)?;
        let waiting = plural(self.waiting_partitions, "partition");
        let named = failing.schemas.iter().take(NAMED);
        let named: Vec<&str> = named.map(|one| one.id.as_str()).collect();
        let more = failing.failing_schemas.saturating_sub(named.len() as u64);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        Some(format!(
            "schema registry {}: {}; for {} s, {} errors, schema {}{more}; {waiting} wait for it, lose nothing and go on by themselves when it answers",
            self.address,
            failing.last_error,
            failing.for_seconds,
            failing.errors,
            named.join(", ")
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
            kept_bytes: 0,
        };
        assert_eq!(view.cause(), None, "it was only asked a moment ago");
        view.failing = Some(Failing {
            for_seconds: 5,
            errors: 3,
            last_error: "no answer in time".to_owned(),
            failing_schemas: 7,
            schemas: (1..=5)
                .map(|id| FailingSchema {
                    id: id.to_string(),
                    for_seconds: 5,
                    errors: 3,
                    last_error: "no answer in time".to_owned(),
                })
                .collect(),
        });
        let cause = view.cause().expect("partitions wait");
        assert_eq!(
            cause,
            "schema registry https://registry: no answer in time; for 5 s, 3 errors, schema 1, 2, 3 and 4 more; 2 partitions wait for it, lose nothing and go on by themselves when it answers"
        );
        view.waiting_partitions = 0;
        assert_eq!(view.cause(), None, "what waited is another replica's now");
    }
}
