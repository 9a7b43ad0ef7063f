//! Holds for people: what went wrong, when it is tried again, and what to do, as a command where there is one.

pub(super) mod pauses;

use std::time::{Duration, Instant};

use ingest_delivery::hold::PausedBy;
use ingest_delivery::machine::{HoldView, PauseView};
use ingest_model::outcome::HoldCause;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
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
    /// More of it, if it is a planned pause; else `null`.
    pub pause: Option<PauseStatus>,
}

/// What a planned pause has that other holds do not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseStatus {
    /// The name of the entry of `pauses` in the configuration; `null` if a person paused it.
    pub window: Option<String>,
    /// When it ends, by this machine's clock; `null` if only a person ends it.
    pub until: Option<String>,
    /// Seconds until then.
    pub ends_in_seconds: Option<u64>,
    /// Why, in the words of whoever paused it.
    pub reason: Option<String>,
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
    pub(in crate::admin) fn new(hold: &HoldView, now: Instant, places: &Places) -> Self {
        let pause = hold.pause.as_ref().map(PauseStatus::of);
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
            pause,
        }
    }

    /// Whether the worker as a whole, or all records of a topic, wait for it.
    pub(in crate::admin) fn makes_unready(&self) -> bool {
        let whole = [
            HoldCause::DeadLetterGuard,
            HoldCause::StateTopic,
            HoldCause::DeadLetterTopic,
            HoldCause::HoldTopic,
            HoldCause::LostPosition,
        ];
        let planned = self.pause.is_some();
        let all = self.scope == "destination" && !planned;
        all || whole.iter().any(|cause| self.cause == cause.as_str())
    }

    /// The hold in one line.
    pub(in crate::admin) fn in_words(&self) -> String {
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
        if let Some(pause) = &self.pause {
            line.push_str(&format!("; {}", pause.in_words()));
        }
        line.push_str("; ");
        line.push_str(&self.what_to_do);
        line
    }
}

// === impl PauseStatus ===

impl PauseStatus {
    fn of(pause: &PauseView) -> Self {
        let ends = pause.ends_in.map(|left| end_of(Clock.unix_ms(), left));
        Self {
            window: match &pause.by {
                PausedBy::Window(name) => Some(name.to_string()),
                PausedBy::Person => None,
            },
            until: ends.map(|at| at.to_string()),
            ends_in_seconds: pause.ends_in.map(|left| left.as_secs()),
            reason: pause.reason.as_deref().map(str::to_owned),
        }
    }

    /// Until when, by whom and why.
    /// The pause in words: until when, by whom, why.
    #[must_use]
    pub fn in_words(&self) -> String {
        let until = self.until.as_deref();
        let until = until.map_or_else(|| "without an end".to_owned(), |at| format!("until {at}"));
        let by = self.window.as_deref();
        let by = by.map_or_else(
            || "by hand".to_owned(),
            |name| format!("by `{name}` of pauses"),
        );
        let why = self.reason.as_deref();
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        format!("{until}, {by}{why}")
    }
}

/// The time that much later, to the second.
pub(super) fn end_of(unix_ms: i64, left: Duration) -> Timestamp {
    let left = i64::try_from(left.as_millis()).unwrap_or(i64::MAX);
    let at = unix_ms
        .saturating_add(left)
        .saturating_add(500)
        .div_euclid(1_000);
    Timestamp::from_second(at).unwrap_or(Timestamp::MAX)
}
