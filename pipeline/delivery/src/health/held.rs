//! Held work: what it costs, and when to count it again.

use std::time::{Duration, Instant};

use crate::seam::charge::{Charge, add};

/// Held work is counted again after this time, or when this part of the budget came in.
const PAUSE: Duration = Duration::from_secs(1);
/// One part in this many of the budget.
const PART: u64 = 64;

/// How much more than necessary is set aside at the limit, so that not every further record leads to a count.
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
    /// It has to be counted at once.
    changed: bool,
    /// Something happened since the last count.
    stale: bool,
    counted_at: Option<Instant>,
    /// What came in since the last count.
    since: Charge,
}

impl HeldWork {
    /// A record came in.
    pub(crate) fn came_in(&mut self, charge: Charge) {
        add(&mut self.since, charge);
    }

    /// Holds began or ended: what they hold has to be counted again.
    pub(crate) fn changed(&mut self) {
        self.changed = true;
    }

    /// Whether it has to be counted now.
    pub(crate) fn is_due(&self, now: Instant, cap: Charge) -> bool {
        // Between two counts, at most half of what is left to the limit comes in.
        let part = |cap: u64, held: u64| (cap / PART).max((cap / 2).saturating_sub(held) / 2);
        let many = self.since.records >= part(cap.records, self.charge.records)
            || self.since.bytes >= part(cap.bytes, self.charge.bytes);
        let late = self.counted_at.is_none_or(|at| now >= at + PAUSE);
        self.changed || many || late
    }

    /// It is not counted in this step, although something may have happened.
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

    /// Sets what it costs.
    pub(crate) fn counted(&mut self, charge: Charge) {
        self.charge = charge;
    }

    /// What it cost at the last count.
    pub(crate) fn charge(&self) -> Charge {
        self.charge
    }

    /// When it has to be counted even if nothing else happens.
    pub(crate) fn next_count(&self) -> Option<Instant> {
        let due = self.counted_at.map(|at| at + PAUSE);
        due.filter(|_| self.stale)
    }
}
