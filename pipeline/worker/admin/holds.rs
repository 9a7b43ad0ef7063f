//! Holds for people: what went wrong, when it is tried again, and what to do, as a command where there is one.

use std::time::Instant;

use ingest_delivery::machine::HoldView;
use ingest_model::outcome::HoldCause;
use serde::Serialize;

use crate::observe::advice::Places;

/// One hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HoldStatus {
    /// Its number, for `POST /holds/{id}/release`.
    pub id: u64,
    /// What is held, for example `destination` or `kobject_write:order`.
    pub scope: String,
    /// Why: the label of a [`HoldCause`].
    pub cause: &'static str,
    /// How long it has lasted, in seconds.
    pub for_seconds: u64,
    /// How often its cause has occurred.
    pub errors: u64,
    /// The last occurrence.
    pub last_error: Option<LastError>,
    /// Seconds until it is tried again; `null` during a try, and if only a person ends it.
    pub next_try_seconds: Option<u64>,
    /// What to do about it.
    pub what_to_do: String,
}

/// What went wrong last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastError {
    /// The label of the kind of trouble.
    pub kind: &'static str,
    /// In the words of whoever reported it, without personal data.
    pub words: String,
    /// How many seconds ago.
    pub seconds_ago: u64,
}

// === impl HoldStatus ===

impl HoldStatus {
    pub(super) fn new(hold: &HoldView, now: Instant, places: &Places) -> Self {
        let last = hold.seen.last.as_ref();
        Self {
            id: hold.id,
            scope: hold.scope.to_string(),
            cause: hold.cause.as_str(),
            for_seconds: now.saturating_duration_since(hold.since).as_secs(),
            errors: hold.seen.times,
            last_error: last.map(|(at, trouble)| LastError {
                kind: trouble.kind.as_str(),
                words: trouble.to_string(),
                seconds_ago: now.saturating_duration_since(*at).as_secs(),
            }),
            next_try_seconds: hold.next_try.map(|after| after.as_secs()),
            what_to_do: places
                .way_out(hold.cause, last.map(|(_, trouble)| trouble))
                .into_owned(),
        }
    }

    /// Whether the worker as a whole, or all records of a topic, wait for it.
    pub(super) fn makes_unready(&self) -> bool {
        let whole = [
            HoldCause::DeadLetterGuard,
            HoldCause::StateTopic,
            HoldCause::DeadLetterTopic,
            HoldCause::HoldTopic,
        ];
        self.scope == "destination" || whole.iter().any(|cause| self.cause == cause.as_str())
    }

    /// The hold in one line.
    pub(super) fn in_words(&self) -> String {
        let mut line = format!("hold {} of {}: {}", self.id, self.scope, self.cause);
        if let Some(last) = &self.last_error {
            line.push_str(&format!(
                "; last error {} s ago, {} in all: {}",
                last.seconds_ago, self.errors, last.words
            ));
        }
        if let Some(seconds) = self.next_try_seconds {
            line.push_str(&format!("; next try in {seconds} s"));
        }
        line.push_str("; ");
        line.push_str(&self.what_to_do);
        line
    }
}
