//! What one more request costs, by how much of the quota waits for work, or work for the quota.

use std::time::{Duration, Instant};

use super::Sending;
use super::quota::Used;
use crate::common::price::Price;
use ingest_model::record::Traffic;

/// The part of the burst that may be used before a request costs anything.
const FREE: f64 = 0.125;
/// The part of the burst that may be missing where all of it has to be there. What comes to a full burst is lost, and nobody is
/// woken at the very moment: this is 75 ms early, whatever the limit.
const NEARLY: f64 = 0.0625;

impl Sending {
    /// The price of a live request while so many of those could be sent at once. What backfill took of the burst comes back while
    /// backfill waits, so it makes nobody wait.
    pub(crate) fn live_price(&self, now: Instant, waiting: usize) -> Price {
        let Some(mut used) = self.quota.used(now) else {
            return self.price(now, waiting);
        };
        if used.refills && self.lag_of(self.taken.backfill, now) > 0.0 {
            used.permits = used.permits.min(self.lag_of(self.taken.live, now));
        }
        price(now, used, waiting)
    }

    /// A request of such traffic got a permit.
    pub(super) fn spent(&mut self, now: Instant, traffic: Traffic) {
        let place = match traffic {
            Traffic::Live => self.taken.live,
            Traffic::Backfill => self.taken.backfill,
        };
        let taken = Some((self.lag_of(place, now) + 1.0, now));
        match traffic {
            Traffic::Live => self.taken.live = taken,
            Traffic::Backfill => self.taken.backfill = taken,
        }
    }

    /// How many of the permits taken by then have not come again, if a permit comes with each turn.
    fn lag_of(&self, taken: Option<(f64, Instant)>, now: Instant) -> f64 {
        let turn = self.quota.turn().as_secs_f64();
        taken.filter(|_| turn > 0.0).map_or(0.0, |(permits, at)| {
            let passed = now.saturating_duration_since(at).as_secs_f64();
            (permits - passed / turn).max(0.0)
        })
    }

    /// The price of a request while so many could be sent at once.
    pub(crate) fn price(&self, now: Instant, waiting: usize) -> Price {
        let Some(used) = self.quota.used(now) else {
            return Price::new(now, 0.0, Duration::ZERO, false);
        };
        price(now, used, waiting)
    }

    /// The price of a request that may take nothing of what is saved up: it is nothing only when nearly all permits are there.
    pub(crate) fn price_beyond(&self, now: Instant, waiting: usize) -> Price {
        let Some(used) = self.quota.used(now) else {
            return Price::new(now, 0.0, Duration::ZERO, false);
        };
        priced(now, used, waiting, used.of * NEARLY)
    }
}

fn price(now: Instant, used: Used, waiting: usize) -> Price {
    priced(now, used, waiting, used.of * FREE)
}

fn priced(now: Instant, used: Used, waiting: usize, free: f64) -> Price {
    let waiting = f64::from(u32::try_from(waiting).unwrap_or(u32::MAX));
    Price::new(
        now,
        used.permits + waiting - free,
        used.one_takes,
        used.refills,
    )
}
