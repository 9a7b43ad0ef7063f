//! What one more request costs, by how much of the quota waits for work, or work for the quota.

use std::time::{Duration, Instant};

use super::Sending;
use crate::common::price::Price;

/// The part of the burst that may be used before a request costs anything.
const FREE: f64 = 0.125;

impl Sending {
    /// The price of a request while so many could be sent at once.
    pub(crate) fn price(&self, now: Instant, waiting: usize) -> Price {
        let Some(used) = self.quota.used(now) else {
            return Price::new(now, 0.0, Duration::ZERO, false);
        };
        let waiting = f64::from(u32::try_from(waiting).unwrap_or(u32::MAX));
        let behind = used.permits + waiting - used.of * FREE;
        Price::new(now, behind, used.one_takes, used.refills)
    }
}
