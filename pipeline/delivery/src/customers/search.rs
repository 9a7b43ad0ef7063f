//! The searches that this replica may send: how many a minute, how large, or none at all.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ingest_model::batch::MAX_ITEMS;

/// The limit on searches of customers, which is separate from that on all requests.
#[derive(Debug)]
pub(super) struct SearchLimit {
    /// Searches a minute.
    cap: usize,
    minute: Duration,
    recent: VecDeque<Instant>,
    terms: usize,
    off: bool,
}

/// Whether a search may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Searches {
    Now,
    /// The limit is used up for now.
    Later,
    /// Searches are of no use, or not allowed.
    Never,
}

impl SearchLimit {
    pub(super) fn new(minute: Duration) -> Self {
        Self {
            cap: 0,
            minute,
            recent: VecDeque::new(),
            terms: MAX_ITEMS,
            off: false,
        }
    }

    pub(super) fn set_cap(&mut self, cap: usize) {
        self.cap = cap;
    }

    /// How many terms a search may have.
    pub(super) fn terms(&self) -> usize {
        self.terms
    }

    /// From now on half as many terms. `false` if that leaves only one.
    pub(super) fn halve(&mut self) -> bool {
        self.terms = (self.terms / 2).max(1);
        self.terms > 1
    }

    pub(super) fn turn_off(&mut self) {
        self.off = true;
    }

    pub(super) fn turn_on(&mut self) {
        self.off = false;
    }

    pub(super) fn is_off(&self) -> bool {
        self.off
    }

    /// Backfill leaves a quarter of the searches to live records.
    pub(super) fn state(&self, now: Instant, live_only: bool) -> Searches {
        let cap = if live_only {
            self.cap
        } else {
            self.cap - self.cap / 4
        };
        let is_recent = |at: &&Instant| now.saturating_duration_since(**at) < self.minute;
        if self.off {
            Searches::Never
        } else if self.recent.iter().filter(is_recent).count() < cap {
            Searches::Now
        } else {
            Searches::Later
        }
    }

    /// A search is sent.
    pub(super) fn sent(&mut self, now: Instant) {
        while self
            .recent
            .front()
            .is_some_and(|at| now.saturating_duration_since(*at) >= self.minute)
        {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
    }

    /// When the next search may be sent, if the limit is used up.
    pub(super) fn next(&self) -> Option<Instant> {
        let first = self.recent.len().checked_sub(self.cap)?;
        self.recent.get(first).map(|at| *at + self.minute)
    }
}
