//! How long to wait before the next attempt.
//!
//! Full jitter: a random part of the cap of the attempt, at least a tenth of it, so that replicas and lanes do not retry in
//! step. A hint of the server wins. What waits is a lane, never a thread.

use std::time::Duration;

/// The delays between attempts.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
}

/// A small seeded random number generator (xorshift64*), so that schedules can be replayed.
#[derive(Debug, Clone)]
pub struct Jitter(u64);

impl Backoff {
    /// Delays from `base`, doubling, to `cap`. `None` unless `0 < base ≤ cap`.
    #[must_use]
    pub fn new(base: Duration, cap: Duration) -> Option<Self> {
        (!base.is_zero() && base <= cap).then_some(Self { base, cap })
    }

    /// The longest delay before attempt `attempt` (the first repetition is 1).
    #[must_use]
    pub fn ceiling(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(20);
        self.base.saturating_mul(1 << doublings).min(self.cap)
    }

    /// The delay before attempt `attempt`: the server's hint if there is one (at most four times the cap), otherwise a random
    /// part of the ceiling, at least a tenth of it.
    #[must_use]
    pub fn delay(&self, attempt: u32, hint: Option<Duration>, jitter: &mut Jitter) -> Duration {
        if let Some(hint) = hint {
            return hint.min(self.cap.saturating_mul(4));
        }
        let ceiling = self.ceiling(attempt);
        ceiling.mul_f64(0.9f64.mul_add(jitter.unit(), 0.1))
    }
}

impl Jitter {
    /// A generator with that seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// The next number in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D);
        let high = u32::try_from(mixed >> 32).unwrap_or(u32::MAX);
        f64::from(high) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_hint_wins_and_is_bounded() {
        let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60)).unwrap();
        let mut jitter = Jitter::new(1);
        let hint = Some(Duration::from_secs(17));
        assert_eq!(backoff.delay(1, hint, &mut jitter), Duration::from_secs(17));
        let silly = Some(Duration::from_secs(86_400));
        assert_eq!(
            backoff.delay(1, silly, &mut jitter),
            Duration::from_secs(240)
        );
    }

    #[test]
    fn wrong_bounds_are_refused() {
        assert!(Backoff::new(Duration::ZERO, Duration::from_secs(1)).is_none());
        assert!(Backoff::new(Duration::from_secs(2), Duration::from_secs(1)).is_none());
    }

    proptest! {
        #[test]
        fn delays_stay_within_their_ceiling(seed: u64, attempt in 0_u32..200) {
            let backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(60)).unwrap();
            let delay = backoff.delay(attempt, None, &mut Jitter::new(seed));
            prop_assert!(delay > Duration::ZERO);
            prop_assert!(delay <= backoff.ceiling(attempt));
            prop_assert!(backoff.ceiling(attempt) <= Duration::from_secs(60));
        }
    }
}
