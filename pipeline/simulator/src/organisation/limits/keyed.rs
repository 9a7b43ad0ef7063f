//! A number per minute for each of many keys: creates per customer, updates per object, searches.

use std::collections::HashMap;
use std::hash::Hash;

use super::MINUTE;
use crate::time::SimTime;

/// Fixed windows per key, each beginning with the key's first use after its last window.
#[derive(Debug)]
pub(crate) struct KeyedLimit<K> {
    per_minute: u64,
    windows: HashMap<K, (SimTime, u64)>,
    swept_at: SimTime,
}

impl<K: Hash + Eq> KeyedLimit<K> {
    /// 0 stands for no limit.
    pub(crate) fn new(per_minute: u64) -> Self {
        Self {
            per_minute,
            windows: HashMap::new(),
            swept_at: SimTime::default(),
        }
    }

    /// Counts one use of `key`. If its minute is full, returns when that minute ends.
    pub(crate) fn admit(&mut self, now: SimTime, key: K) -> Result<(), SimTime> {
        if self.per_minute == 0 {
            return Ok(());
        }
        self.sweep(now);
        let window = self.windows.entry(key).or_insert((now, 0));
        if now.since(window.0) >= MINUTE {
            *window = (now, 0);
        }
        if window.1 < self.per_minute {
            window.1 += 1;
            Ok(())
        } else {
            Err(window.0.plus_millis(MINUTE))
        }
    }

    // Windows that have ended do not matter any more.
    fn sweep(&mut self, now: SimTime) {
        if now.since(self.swept_at) >= MINUTE {
            self.windows
                .retain(|_, (start, _)| now.since(*start) < MINUTE);
            self.swept_at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_do_not_share() {
        let mut limit = KeyedLimit::new(2);
        let start = SimTime::from_millis(1_000_000);
        assert_eq!(limit.admit(start, 'a'), Ok(()));
        assert_eq!(limit.admit(start.plus_millis(5), 'a'), Ok(()));
        assert_eq!(
            limit.admit(start.plus_millis(9), 'a'),
            Err(start.plus_millis(MINUTE))
        );
        assert_eq!(limit.admit(start, 'b'), Ok(()));
        assert_eq!(limit.admit(start.plus_millis(MINUTE), 'a'), Ok(()));
    }

    #[test]
    fn zero_is_no_limit() {
        let mut limit = KeyedLimit::new(0);
        assert!((0..1_000).all(|_| limit.admit(SimTime::from_millis(0), ()).is_ok()));
    }

    proptest! {
        #[test]
        fn no_window_admits_more_than_its_number(
            per_minute in 1_u64..20,
            steps in prop::collection::vec((0_i64..20_000, 0_u8..3), 1..200),
        ) {
            let mut limit = KeyedLimit::new(per_minute);
            let mut now = SimTime::from_millis(5_000_000);
            let mut admitted: HashMap<u8, Vec<SimTime>> = HashMap::new();
            for (pause, key) in steps {
                now = now.plus_millis(pause);
                if limit.admit(now, key).is_ok() {
                    admitted.entry(key).or_default().push(now);
                }
            }
            // two windows may touch, so any minute holds at most two windows' worth
            for times in admitted.values() {
                for first in times {
                    let within = times.iter().filter(|time| {
                        **time >= *first && time.since(*first) < MINUTE
                    });
                    prop_assert!(within.count() as u64 <= 2 * per_minute);
                }
            }
        }
    }
}
