//! A client of somebody else, whose rate changes at random.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::time::SimTime;

/// A rate lasts between the first and the second of these, in milliseconds.
const LASTS: (i64, i64) = (5_000, 40_000);
/// After a longer silence it begins afresh: what it would have done meanwhile is of no interest.
const SILENCE: i64 = 3_600_000;

/// Spends at a rate between nothing and the most, for some seconds, then at another. The same seed gives the same rates.
#[derive(Debug)]
pub(crate) struct Stranger {
    most: u64,
    rate: u64,
    until: SimTime,
    rng: ChaCha8Rng,
}

impl Stranger {
    /// `most` is in requests per minute.
    pub(crate) fn new(most: u64, seed: u64) -> Self {
        let mut stranger = Self {
            most,
            rate: 0,
            until: SimTime::default(),
            rng: ChaCha8Rng::seed_from_u64(seed ^ 0x73_7472_616e_6765),
        };
        stranger.change();
        stranger
    }

    /// Requests per minute, until the next change.
    pub(crate) const fn rate(&self) -> u64 {
        self.rate
    }

    /// When the rate changes, if that is not after `now`.
    pub(crate) fn change_due(&mut self, now: SimTime) -> Option<SimTime> {
        if self.most == 0 || self.until > now {
            return None;
        }
        if now.since(self.until) > SILENCE {
            self.until = now;
        }
        Some(self.until)
    }

    /// The rate changes.
    pub(crate) fn change(&mut self) {
        self.rate = self.rng.random_range(0..=self.most);
        let lasts = self.rng.random_range(LASTS.0..=LASTS.1);
        self.until = self.until.plus_millis(lasts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rates of so many minutes, second by second.
    fn rates(seed: u64, seconds: i64) -> Vec<u64> {
        let start = SimTime::from_millis(1_767_225_600_000);
        let mut stranger = Stranger::new(600, seed);
        (0..seconds)
            .map(|second| {
                while stranger
                    .change_due(start.plus_millis(second * 1_000))
                    .is_some()
                {
                    stranger.change();
                }
                stranger.rate()
            })
            .collect()
    }

    #[test]
    fn the_rate_changes_within_its_bounds_and_by_its_seed_only() {
        let hour = rates(5, 3_600);
        assert_eq!(hour, rates(5, 3_600));
        assert_ne!(hour, rates(6, 3_600));
        assert!(hour.iter().all(|rate| *rate <= 600));
        assert!(hour.iter().any(|rate| *rate < 100) && hour.iter().any(|rate| *rate > 500));
        let changes = hour.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!((90..720).contains(&changes), "{changes}");
    }

    #[test]
    fn without_a_client_there_is_nothing_to_do() {
        let mut stranger = Stranger::new(0, 5);
        assert_eq!(
            stranger.change_due(SimTime::from_millis(1_767_225_600_000)),
            None
        );
        assert_eq!(stranger.rate(), 0);
    }
}
