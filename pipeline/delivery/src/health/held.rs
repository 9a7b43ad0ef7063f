//! Held work: what it costs, and when it is counted anew.

use std::time::{Duration, Instant};

use crate::seam::charge::{Charge, add};

/// Held work is counted anew after this time, or after a part of the budget came in.
const PAUSE: Duration = Duration::from_secs(1);
/// The part of the budget.
const PART: u64 = 64;

/// What is set aside beyond the limit, so that not every record that comes in leads to a count.
pub(crate) fn margin(cap: Charge) -> Charge {
    Charge {
        records: cap.records / PART * 2,
        bytes: cap.bytes / PART * 2,
    }
}

/// What is known of held work.
#[derive(Debug, Default)]
pub(crate) struct HeldWork {
    /// What it costs.
    charge: Charge,
    /// Count anew at once.
    changed: bool,
    /// Something happened since the last count.
    stale: bool,
    counted_at: Option<Instant>,
    /// What came in since.
    since: Charge,
}

impl HeldWork {
    /// A record came in.
    pub(crate) fn came_in(&mut self, charge: Charge) {
        add(&mut self.since, charge);
    }

    /// Holds began or ended: what they hold is to be counted anew.
    pub(crate) fn changed(&mut self) {
        self.changed = true;
    }

    /// Whether it is to be counted now; if not, something has happened that the next count may tell of.
    pub(crate) fn is_due(&self, now: Instant, cap: Charge) -> bool {
        // Half of the way to the limit at most comes in between two counts.
        let part = |cap: u64, held: u64| (cap / PART).max((cap / 2).saturating_sub(held) / 2);
        let many = self.since.records >= part(cap.records, self.charge.records)
            || self.since.bytes >= part(cap.bytes, self.charge.bytes);
        let late = self.counted_at.is_none_or(|at| now >= at + PAUSE);
        self.changed || many || late
    }

    /// It is not counted in this step.
    pub(crate) fn not_counted(&mut self) {
        self.stale = true;
    }

    /// It is counted now.
    pub(crate) fn begin_count(&mut self, now: Instant) {
        self.stale = false;
        self.changed = false;
        self.counted_at = Some(now);
        self.since = Charge::default();
    }

    /// What it costs, as counted.
    pub(crate) fn counted(&mut self, charge: Charge) {
        self.charge = charge;
    }

    /// What it cost when it was counted last.
    pub(crate) fn charge(&self) -> Charge {
        self.charge
    }

    /// When it is to be counted although nothing happens.
    pub(crate) fn next_count(&self) -> Option<Instant> {
        let due = self.counted_at.map(|at| at + PAUSE);
        due.filter(|_| self.stale)
    }
}
