//! The price of a request: for how long, in all, one more request now makes others wait.
//!
//! It decides when those that wait to share a request stop waiting for more: once the time that they have waited, added up,
//! reaches the price of their requests. For arrivals at an even rate that is the cheapest moment, whatever the rate: as much is
//! spent on waiting as on requests.

use std::time::{Duration, Instant};

use ingest_model::batch::Patience;

/// Others that wait a turn longer because of one more request, for each that is behind squared. Two would do for a queue of its
/// usual length; near the quota a queue takes much longer to run empty, and eight makes the records of a shop wait least.
const OTHERS: f64 = 8.0;

/// What a bulk request takes, the reads of its job included.
pub(crate) const BULK: f64 = 2.1;

/// What one request costs, in seconds of waiting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Price {
    at: Instant,
    behind: f64,
    turn: f64,
    falls: bool,
}

impl Price {
    /// So many requests are behind at that time, and one takes a turn. If it falls, one less is behind after each turn, as long
    /// as nothing else happens.
    ///
    /// One more request makes each that is behind wait a turn longer, and those that come before none is behind any more: that
    /// is the longer, the longer the queue.
    pub(crate) fn new(at: Instant, behind: f64, turn: Duration, falls: bool) -> Self {
        Self {
            at,
            behind: behind.max(0.0),
            turn: turn.as_secs_f64(),
            falls,
        }
    }

    /// The waiting that it is worth.
    pub(crate) fn seconds(self) -> f64 {
        OTHERS * self.turn * self.behind * self.behind
    }

    /// Whether permits lie idle.
    pub(crate) fn is_nothing(self) -> bool {
        self.behind <= 0.0
    }

    /// When it will be nothing, if it falls and is not nothing now.
    pub(crate) fn nothing_at(self) -> Option<Instant> {
        // Rounded up: at that very moment it is nothing.
        let left = seconds(self.behind * self.turn)? + Duration::from_micros(1);
        (self.falls && self.behind > 0.0).then(|| self.at + left)
    }

    /// Whether so many requests cost no more than that waiting.
    pub(crate) fn is_worth(self, requests: f64, waiting: Duration) -> bool {
        requests * self.seconds() <= waiting.as_secs_f64()
    }

    /// How long from now until so many that wait, who have waited that long in all, have waited enough for so many requests.
    fn reached_in(self, requests: f64, count: f64, waited: f64) -> Option<Duration> {
        if !self.falls || self.turn <= 0.0 {
            return seconds((requests * self.seconds() - waited) / count);
        }
        // waited + count × turn × (behind − then) = requests × OTHERS × turn × then², with `then` behind at that time.
        let (a, b) = (OTHERS * requests * self.turn, count * self.turn);
        let then = ((b * b + 4.0 * a * (b * self.behind + waited)).sqrt() - b) / (2.0 * a);
        seconds((self.behind - then) * self.turn)
    }
}

fn seconds(number: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(number.max(0.0)).ok()
}

/// Since when some wait, added up.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    count: u32,
    /// Since when the first of them waited.
    from: Option<Instant>,
    /// How much later the others came, added up.
    later: Duration,
}

impl Waiting {
    /// One more waits since then; nobody has waited longer.
    pub(crate) fn add(&mut self, since: Instant) {
        if self.count == 0 {
            self.from = Some(since);
            self.later = Duration::ZERO;
        }
        self.count += 1;
        self.later += self.after(since);
    }

    /// One that waited since then is gone.
    pub(crate) fn remove(&mut self, since: Instant) {
        self.count = self.count.saturating_sub(1);
        self.later = self.later.saturating_sub(self.after(since));
    }

    /// When those that wait have waited enough for so many requests. `oldest`: since when the first one waits.
    pub(crate) fn due_at(
        &self,
        oldest: Instant,
        patience: Patience,
        price: Price,
        requests: f64,
    ) -> Instant {
        let latest = oldest + patience.max_delay;
        let soonest = (oldest + patience.linger).min(latest);
        let Some(from) = self.from.filter(|_| self.count > 0) else {
            return soonest;
        };
        let count = f64::from(self.count);
        let waited = count * price.at.saturating_duration_since(from).as_secs_f64()
            - self.later.as_secs_f64();
        if requests * price.seconds() <= waited {
            return soonest;
        }
        let left = price.reached_in(requests, count, waited);
        // Rounded up: at that very moment they have waited enough.
        let left = left.map_or(patience.max_delay, |left| left + Duration::from_nanos(100));
        (price.at + left.min(patience.max_delay)).clamp(soonest, latest)
    }

    fn after(&self, since: Instant) -> Duration {
        let from = self.from.unwrap_or(since);
        since.saturating_duration_since(from)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::common::instants::start;

    const PATIENCE: Patience = Patience {
        linger: Duration::from_millis(20),
        max_delay: Duration::from_secs(5),
    };

    /// A request costs so many seconds, and goes on to.
    pub(crate) fn price(now: Instant, seconds: f64) -> Price {
        let behind = (seconds / OTHERS).sqrt();
        Price::new(now, behind, Duration::from_secs(1), false)
    }

    fn due_after(now: Instant, ages: &[f64], price: Price, requests: f64) -> f64 {
        let mut waiting = Waiting::default();
        let mut sorted = ages.to_vec();
        sorted.sort_by(|one, other| other.total_cmp(one));
        let since = |age: &f64| now - Duration::from_secs_f64(*age);
        for age in &sorted {
            waiting.add(since(age));
        }
        let oldest = since(&sorted[0]);
        let due = waiting.due_at(oldest, PATIENCE, price, requests);
        due.saturating_duration_since(oldest).as_secs_f64() - sorted[0]
    }

    #[test]
    fn those_that_wait_go_when_they_have_waited_as_long_as_it_costs() {
        let now = start();
        for (ages, costs, left) in [
            // Alone: as long as one request costs.
            (&[0.0][..], 1.5, 1.5),
            // Two have waited 0.6 s and gain two more each second.
            (&[0.4, 0.2], 1.5, 0.45),
            (&[0.4, 0.2], 0.6, 0.0),
            // What is fetched together leaves together.
            (&[0.01, 0.0, 0.0], 0.0, 0.01),
            // Nobody waits longer than any may.
            (&[0.0], 100.0, 5.0),
            (&[1.0, 0.5], 100.0, 4.0),
        ] {
            let due = due_after(now, ages, price(now, costs), 1.0);
            assert!(
                (due - left).abs() < 1e-3 || (left == 0.0 && due <= 0.0),
                "{ages:?}: {due}"
            );
        }
    }

    #[test]
    fn one_that_is_gone_has_not_waited() {
        let now = start();
        let mut waiting = Waiting::default();
        let later = now + Duration::from_secs(1);
        waiting.add(now);
        waiting.add(later);
        waiting.remove(now);
        let due = waiting.due_at(later, PATIENCE, price(later, 2.0), 1.0);
        let left = due.duration_since(later).as_secs_f64();
        assert!((left - 2.0).abs() < 1e-3, "{left}");
    }

    #[test]
    fn a_price_that_falls_is_nothing_when_none_is_behind() {
        let now = start();
        let turn = Duration::from_millis(75);
        let falls = Price::new(now, 4.0, turn, true);
        let left = falls
            .nothing_at()
            .unwrap()
            .duration_since(now)
            .as_secs_f64();
        assert!((left - 0.3).abs() < 1e-3, "{left}");
        assert!(!falls.is_nothing() && Price::new(now, -1.0, turn, true).is_nothing());
        assert_eq!(Price::new(now, 4.0, turn, false).nothing_at(), None);
        assert_eq!(Price::new(now, 0.0, turn, true).nothing_at(), None);
    }

    proptest! {
        /// At the time that is told, and not before, what the price has come to by then is reached.
        #[test]
        fn the_time_is_the_same_whenever_it_is_asked(
            behind in 0.0_f64..60.0,
            ages in prop::collection::vec(0.0_f64..4.0, 1..50),
            part in 0.0_f64..1.0,
        ) {
            let now = start();
            let turn = 0.075;
            let first = Price::new(now, behind, Duration::from_secs_f64(turn), true);
            let due = due_after(now, &ages, first, BULK);
            prop_assume!(due > 0.0);
            let passed = due * part;
            let left = (behind - passed / turn).max(0.0);
            let then = now + Duration::from_secs_f64(passed);
            let later = Price::new(then, left, Duration::from_secs_f64(turn), true);
            let older: Vec<f64> = ages.iter().map(|age| age + passed).collect();
            let again = due_after(then, &older, later, BULK) + passed;
            prop_assert!((again - due).abs() < 1e-4, "{} {}", due, again);
        }
    }
}
