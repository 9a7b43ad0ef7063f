//! The schema registry for people: whether it answers, and what waits for it.

use std::time::Instant;

use ingest_registry::RegistryStatus;
use serde::Serialize;

/// The schema registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegistryView {
    /// Its address.
    pub address: String,
    /// What is wrong with it; `null` if it answers, or was not asked yet.
    pub failing: Option<Failing>,
    /// Schemas that records wait for.
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
    pub fn new(status: &RegistryStatus, now: Instant) -> Self {
        Self {
            address: status.place.to_string(),
            failing: status.trouble.as_ref().map(|trouble| Failing {
                for_seconds: now
                    .saturating_duration_since(trouble.since.into_std())
                    .as_secs(),
                errors: trouble.failures,
                last_error: trouble.why.to_string(),
            }),
            wanted_schemas: status.wanted as u64,
            kept_schemas: status.kept as u64,
        }
    }

    /// Why the worker is not ready, if it is because of the registry: records wait for it.
    pub(super) fn cause(&self) -> Option<String> {
        let failing = self.failing.as_ref().filter(|_| self.wanted_schemas > 0)?;
        Some(format!(
            "schema registry {}: {}; for {} s, {} errors; records wait for {} schemas and go on by themselves when it answers",
            self.address,
            failing.last_error,
            failing.for_seconds,
            failing.errors,
            self.wanted_schemas
        ))
    }
}
