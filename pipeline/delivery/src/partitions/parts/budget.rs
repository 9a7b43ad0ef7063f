//! Back-pressure as one number: what unsettled records cost, and the gate that closes at the cap.
//!
//! A record costs the memory that it takes while it is unsettled: its bytes, its operations, and a constant. So the configured
//! number limits what the process needs, not what it reads from the topic.

use std::time::{Duration, Instant};

use crate::seam::charge::{Charge, Gate};

/// After a pause, the client fetches again what it had fetched ahead. So the gate opens at half of the cap at first, and nearly
/// as soon as there is room once it has been closed for so long.
const CLOSED: Duration = Duration::from_secs(3);

/// The cap on unsettled work, and how much of it is used.
#[derive(Debug)]
pub(crate) struct Budget {
    cap: Charge,
    used: Charge,
    /// The part of `used` that is held; it does not keep the gate closed.
    held: Charge,
    /// Bytes of the cap that are taken by what is kept apart from records.
    beside: u64,
    gate: Gate,
    /// When the gate was closed last.
    closed_at: Option<Instant>,
    /// The part of `used` that is backfill.
    old: Charge,
    /// Backfill has as much as it may while live records may come.
    old_full: bool,
}

impl Budget {
    /// An empty budget with that cap; both parts are at least 1.
    pub(crate) fn new(cap: Charge) -> Self {
        let cap = Charge {
            records: cap.records.max(1),
            bytes: cap.bytes.max(1),
        };
        Self {
            cap,
            used: Charge::default(),
            held: Charge::default(),
            beside: 0,
            gate: Gate::Open,
            closed_at: None,
            old: Charge::default(),
            old_full: false,
        }
    }

    /// Takes a charge, even beyond the cap, since the record is already here. Returns the gate if this closed it.
    pub(crate) fn charge(&mut self, now: Instant, charge: Charge) -> Option<Gate> {
        self.used.records += charge.records;
        self.used.bytes += charge.bytes;
        let cap = self.cap();
        let full = self.used.records >= cap.records || self.used.bytes >= cap.bytes;
        (full && self.gate == Gate::Open).then(|| {
            self.gate = Gate::Closed;
            self.closed_at = Some(now);
            self.gate
        })
    }

    /// Gives a charge back. Returns the gate if this opened it: that is at half of the cap, or at seven eighths once it has been
    /// closed for [`CLOSED`].
    pub(crate) fn refund(&mut self, now: Instant, charge: Charge) -> Option<Gate> {
        self.used.records = self.used.records.saturating_sub(charge.records);
        self.used.bytes = self.used.bytes.saturating_sub(charge.bytes);
        self.reopen(now)
    }

    /// The charge was for backfill. Returns whether that changed if it has as much as it may: three quarters, so that live
    /// records always find room.
    pub(crate) fn charged_old(&mut self, charge: Charge) -> bool {
        self.old.records += charge.records;
        self.old.bytes += charge.bytes;
        let cap = self.cap();
        let full = |used: u64, cap: u64| used >= cap - cap / 4;
        let full = full(self.old.records, cap.records) || full(self.old.bytes, cap.bytes);
        full && !std::mem::replace(&mut self.old_full, true)
    }

    /// The refund was for backfill. Returns whether it may have more again: from half of the cap on.
    pub(crate) fn refunded_old(&mut self, charge: Charge) -> bool {
        self.old.records = self.old.records.saturating_sub(charge.records);
        self.old.bytes = self.old.bytes.saturating_sub(charge.bytes);
        let cap = self.cap();
        let low = self.old.records <= cap.records / 2 && self.old.bytes <= cap.bytes / 2;
        low && std::mem::replace(&mut self.old_full, false)
    }

    /// Whether backfill has as much as it may while live records may come.
    pub(crate) fn is_full_of_old(&self) -> bool {
        self.old_full
    }

    /// What backfill uses.
    pub(crate) fn old(&self) -> Charge {
        self.old
    }

    /// Sets how much of `used` is held; the gate then opens by what is left of the cap. Returns the gate if this opened it.
    pub(crate) fn set_held(&mut self, now: Instant, held: Charge) -> Option<Gate> {
        self.held = held;
        self.reopen(now)
    }

    /// Sets how many bytes are kept apart from records. Records have that much less, but never less than half. Returns the
    /// gate if this opened it.
    pub(crate) fn set_beside(&mut self, now: Instant, bytes: u64) -> Option<Gate> {
        self.beside = bytes.min(self.cap.bytes / 2);
        self.reopen(now)
    }

    fn reopen(&mut self, now: Instant) -> Option<Gate> {
        if self.gate == Gate::Open {
            return None;
        }
        let cap = self.cap();
        let closed_at = self.closed_at.unwrap_or(now);
        let long = now.saturating_duration_since(closed_at) >= CLOSED;
        let low = |used: u64, held: u64, cap: u64| {
            let free = cap.saturating_sub(held);
            let limit = if long { free - free / 8 } else { free / 2 };
            used.saturating_sub(held) <= limit
        };
        let low = low(self.used.records, self.held.records, cap.records)
            && low(self.used.bytes, self.held.bytes, cap.bytes);
        low.then(|| {
            self.gate = Gate::Open;
            self.gate
        })
    }

    /// What is used.
    pub(crate) fn used(&self) -> Charge {
        self.used
    }

    /// The cap, less the bytes kept apart from records.
    pub(crate) fn cap(&self) -> Charge {
        Charge {
            bytes: self.cap.bytes - self.beside,
            ..self.cap
        }
    }

    /// Whether records may come in.
    pub(crate) fn gate(&self) -> Gate {
        self.gate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::instants::start;

    const ONE: Charge = Charge {
        records: 1,
        bytes: 10,
    };

    #[test]
    fn the_gate_closes_at_the_cap_and_opens_at_half() {
        let now = start();
        let mut budget = Budget::new(Charge {
            records: 4,
            bytes: 1_000,
        });
        assert_eq!(budget.charge(now, ONE), None);
        assert_eq!(budget.charge(now, ONE), None);
        assert_eq!(budget.charge(now, ONE), None);
        assert_eq!(budget.charge(now, ONE), Some(Gate::Closed));
        assert_eq!(budget.charge(now, ONE), None, "closed once");
        assert_eq!(budget.refund(now, ONE), None);
        assert_eq!(budget.refund(now, ONE), None);
        assert_eq!(budget.refund(now, ONE), Some(Gate::Open));
        assert_eq!(
            budget.used(),
            Charge {
                records: 2,
                bytes: 20
            }
        );
    }

    #[test]
    fn after_a_while_the_gate_opens_as_soon_as_an_eighth_is_free() {
        let begin = start();
        let mut budget = Budget::new(Charge {
            records: 8,
            bytes: 1_000,
        });
        for _ in 0..9 {
            budget.charge(begin, ONE);
        }
        assert_eq!(budget.gate(), Gate::Closed);
        let soon = begin + CLOSED - Duration::from_millis(1);
        assert_eq!(budget.refund(soon, ONE), None, "8 of 8");
        assert_eq!(budget.refund(soon, ONE), None, "7 of 8, too soon");
        assert_eq!(budget.charge(soon, ONE), None);
        assert_eq!(
            budget.refund(begin + CLOSED, ONE),
            Some(Gate::Open),
            "7 of 8"
        );
        // The next time it counts from when it closed again.
        assert_eq!(budget.charge(begin + CLOSED, ONE), Some(Gate::Closed));
        assert_eq!(budget.refund(begin + CLOSED, ONE), None);
    }

    #[test]
    fn bytes_close_the_gate_too() {
        let now = start();
        let mut budget = Budget::new(Charge {
            records: 100,
            bytes: 25,
        });
        assert_eq!(budget.charge(now, ONE), None);
        assert_eq!(budget.charge(now, ONE), None);
        assert_eq!(budget.charge(now, ONE), Some(Gate::Closed));
    }

    #[test]
    fn backfill_leaves_a_quarter_to_live_records() {
        let mut budget = Budget::new(Charge {
            records: 8,
            bytes: 1_000,
        });
        let full: Vec<bool> = (0..7).map(|_| budget.charged_old(ONE)).collect();
        assert_eq!(full, [false, false, false, false, false, true, false]);
        assert!(budget.is_full_of_old());
        assert!(!budget.refunded_old(ONE) && !budget.refunded_old(ONE));
        assert!(budget.is_full_of_old(), "5 of 8");
        assert!(budget.refunded_old(ONE) && !budget.is_full_of_old());
        assert_eq!(budget.old().records, 4);
    }

    #[test]
    fn what_is_kept_beside_records_takes_of_their_bytes() {
        let now = start();
        let mut budget = Budget::new(Charge {
            records: 100,
            bytes: 40,
        });
        assert_eq!(budget.set_beside(now, 15), None);
        assert_eq!(budget.cap().bytes, 25);
        assert_eq!(budget.charge(now, ONE), None);
        assert_eq!(budget.charge(now, ONE), None);
        assert_eq!(budget.charge(now, ONE), Some(Gate::Closed), "30 of 25");
        assert_eq!(budget.refund(now, ONE), None, "20 of 25");
        assert_eq!(budget.set_beside(now, 0), Some(Gate::Open), "20 of 40");
        budget.set_beside(now, 1_000);
        assert_eq!(budget.cap().bytes, 20, "half is always theirs");
    }
}
