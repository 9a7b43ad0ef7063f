//! Delays, counted by size: percentiles within one per cent, whatever their number.

use std::time::Duration;

/// Counts of delays.
#[derive(Debug, Clone)]
pub(in crate::simulated::forecast) struct Delays {
    counts: Vec<u64>,
    all: u64,
    longest: Duration,
}

/// Some percentiles, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Percentiles {
    /// Half are at most that long.
    pub median: f64,
    /// The 95th percentile.
    pub p95: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// Each size is so much larger than the one before.
const GROWTH: f64 = 1.01;
/// The smallest size that is told from zero, in seconds.
const SMALLEST: f64 = 0.001;
/// Enough sizes for a year.
const SIZES: usize = 2_450;

// === impl Delays ===

impl Default for Delays {
    fn default() -> Self {
        Self {
            counts: vec![0; SIZES],
            all: 0,
            longest: Duration::ZERO,
        }
    }
}

impl Delays {
    pub(super) fn add(&mut self, delay: Duration) {
        let place = place_of(delay).min(SIZES - 1);
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
        self.all += 1;
        self.longest = self.longest.max(delay);
    }

    /// `None` if there were none.
    pub(in crate::simulated::forecast) fn percentiles(&self) -> Option<Percentiles> {
        (self.all > 0).then(|| Percentiles {
            median: self.at(50),
            p95: self.at(95),
            p99: self.at(99),
            max: milliseconds(self.longest.as_secs_f64()),
        })
    }

    /// The delay that this many of a hundred do not exceed, in seconds, to the millisecond.
    fn at(&self, percent: u64) -> f64 {
        let wanted = (self.all * percent).div_ceil(100);
        let mut sum = 0;
        for (place, count) in self.counts.iter().enumerate() {
            sum += count;
            if sum >= wanted {
                return milliseconds(size_of(place)).min(self.longest.as_secs_f64());
            }
        }
        self.longest.as_secs_f64()
    }
}

fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1_000.0).round() / 1_000.0
}

fn place_of(delay: Duration) -> usize {
    let seconds = delay.as_secs_f64();
    if seconds <= SMALLEST {
        return 0;
    }
    let place = (seconds / SMALLEST).ln() / GROWTH.ln();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "above zero, and far below the largest"
    )]
    let place = place.ceil() as usize;
    place
}

/// The longest delay of a size, in seconds.
fn size_of(place: usize) -> f64 {
    let place = i32::try_from(place).unwrap_or(i32::MAX);
    if place == 0 {
        0.0
    } else {
        SMALLEST * GROWTH.powi(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_a_hundredth() {
        let mut delays = Delays::default();
        assert_eq!(delays.percentiles(), None);
        for number in 1..=10_000 {
            delays.add(Duration::from_millis(number * 7));
        }
        let found = delays.percentiles().unwrap();
        for (is, exact) in [(found.median, 35.0), (found.p95, 66.5), (found.p99, 69.3)] {
            assert!((is / exact - 1.0).abs() <= 0.0101, "{is} for {exact}");
        }
        assert!((found.max - 70.0).abs() < 1e-9);
    }

    #[test]
    fn nothing_is_too_long() {
        let mut delays = Delays::default();
        delays.add(Duration::from_secs(400 * 86_400));
        delays.add(Duration::ZERO);
        let found = delays.percentiles().unwrap();
        assert!(
            found.median < 0.001 && found.p99 > 30_000_000.0,
            "{found:?}"
        );
    }
}
