//! A bounded journal of requests: what was asked and what the answer was, without bodies.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::api::endpoint::Endpoint;
use crate::time::SimTime;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// Its number; the first request has 1.
    pub n: u64,
    /// When it arrived, in milliseconds since the Unix epoch on the simulator's clock.
    pub time: SimTime,
    /// The endpoint's name.
    pub endpoint: String,
    /// The status; 0 when the connection was dropped.
    pub status: u16,
    /// Items written or, for bulk, submitted; 0 for reads and refusals.
    pub items: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    time: SimTime,
    endpoint: Endpoint,
    status: u16,
    items: u32,
}

/// The last requests, oldest first.
#[derive(Debug)]
pub(crate) struct Journal {
    entries: VecDeque<Entry>,
    capacity: usize,
    written: u64,
}

impl Journal {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            capacity: capacity.max(1),
            written: 0,
        }
    }

    pub(crate) fn write(&mut self, time: SimTime, endpoint: Endpoint, status: u16, items: u32) {
        if self.entries.len() == self.capacity {
            self.entries.pop_front();
        }
        self.entries.push_back(Entry {
            time,
            endpoint,
            status,
            items,
        });
        self.written += 1;
    }

    /// Entries whose number is above `since`.
    pub(crate) fn since(&self, since: u64) -> impl Iterator<Item = JournalEntry> {
        let forgotten = self.written - self.entries.len() as u64;
        let skipped = usize::try_from(since.saturating_sub(forgotten)).unwrap_or(usize::MAX);
        (forgotten + 1..)
            .zip(&self.entries)
            .skip(skipped)
            .map(|(n, entry)| JournalEntry {
                n,
                time: entry.time,
                endpoint: entry.endpoint.as_str().to_owned(),
                status: entry.status,
                items: u64::from(entry.items),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_the_oldest_and_keeps_numbering() {
        let mut journal = Journal::new(3);
        for status in 200..205 {
            journal.write(SimTime::default(), Endpoint::BulkGet, status, 0);
        }
        let all: Vec<(u64, u16)> = journal
            .since(0)
            .map(|entry| (entry.n, entry.status))
            .collect();
        assert_eq!(all, [(3, 202), (4, 203), (5, 204)]);
        assert_eq!(journal.since(4).count(), 1);
        assert_eq!(journal.since(5).count(), 0);
        assert_eq!(journal.since(99).count(), 0);
    }
}
