//! What requests bring: the records confirmed for each, and how much of what is allowed they use.
//!
//! Figures of the last minutes, not since the start: a worker that has run for a week would hide what has changed today.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ingest_delivery::machine::Snapshot;

/// The time that the figures cover.
const COVERED: Duration = Duration::from_secs(300);
/// How often what they are made of is noted.
const EVERY: Duration = Duration::from_secs(5);

/// Notes what was confirmed and spent.
#[derive(Debug, Default)]
pub struct Account {
    notes: VecDeque<Note>,
    last: Option<Instant>,
    allowed: f64,
}

#[derive(Debug, Clone, Copy)]
struct Note {
    at: Instant,
    confirmed: u64,
    spent: u64,
    /// Requests that this replica was allowed since the start.
    allowed: f64,
}

/// The figures of the last five minutes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    /// Records whose every operation was confirmed, for each request; `None` without a request.
    pub records_per_request: Option<f64>,
    /// The part of what this replica was allowed that it used; `None` without an allowance.
    pub used: Option<f64>,
    /// The part of what all replicas together may send that they send now, as far as they said.
    pub fleet_used: Option<f64>,
}

impl Account {
    /// Takes in a snapshot and the number of records confirmed since the start. Returns the figures.
    pub fn figures(&mut self, at: Instant, snapshot: &Snapshot, confirmed: u64) -> Figures {
        let passed = self.last.replace(at);
        let passed = passed.map_or(0.0, |last| at.saturating_duration_since(last).as_secs_f64());
        self.allowed += snapshot.allowed_per_second * passed;
        let spent = snapshot.progress.spent;
        let now = Note {
            at,
            confirmed,
            spent: spent.sum(),
            allowed: self.allowed,
        };
        let first = self.notes.front().copied().unwrap_or(now);
        let newest = self.notes.back();
        if newest.is_none_or(|note| at.saturating_duration_since(note.at) >= EVERY) {
            self.notes.push_back(now);
        }
        // The oldest is as old as the time covered, or the next one is younger.
        while let Some(second) = self.notes.get(1)
            && at.saturating_duration_since(second.at) >= COVERED
        {
            self.notes.pop_front();
        }
        let confirmed = whole(now.confirmed.saturating_sub(first.confirmed));
        let spent = whole(now.spent.saturating_sub(first.spent));
        let allowed = now.allowed - first.allowed;
        let fleet = snapshot.fleet;
        Figures {
            records_per_request: (spent > 0.0).then(|| confirmed / spent),
            used: (allowed >= 1.0).then(|| spent / allowed),
            fleet_used: (fleet.target > 0)
                .then(|| f64::from(fleet.spends) / f64::from(fleet.target)),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "exact up to 2^53, which no count here reaches"
)]
fn whole(count: u64) -> f64 {
    count as f64
}
