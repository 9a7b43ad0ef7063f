//! When this replica's own requests were sent.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The requests of the last two minutes, numbered from 1.
#[derive(Debug, Default)]
pub(super) struct Sends {
    times: VecDeque<Instant>,
    /// How many were sent before the first of `times`.
    before: u64,
}

impl Sends {
    /// A request is sent. Returns its number.
    pub(super) fn add(&mut self, now: Instant, minute: Duration) -> u64 {
        while let Some(first) = self.times.front()
            && now.saturating_duration_since(*first) > minute * 2
        {
            self.times.pop_front();
            self.before += 1;
        }
        self.times.push_back(now);
        self.total()
    }

    /// How many were sent: the number of the last.
    pub(super) fn total(&self) -> u64 {
        self.before + count(self.times.len())
    }

    /// The number of the last request that was sent by then.
    pub(super) fn number_at(&self, at: Instant) -> u64 {
        self.before + count(self.times.partition_point(|time| *time <= at))
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
