//! Random durations.

use rand::Rng;

/// The 99th percentile of the standard normal distribution.
const Z99: f64 = 2.326_347_874;

/// A log-normal number of milliseconds with this median and 99th percentile.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "durations are far below 2^52 milliseconds and never negative"
)]
pub(crate) fn log_normal(rng: &mut impl Rng, median: u64, p99: u64) -> u64 {
    let (median, p99) = (median.max(1) as f64, p99.max(1) as f64);
    let sigma = (p99 / median).ln().max(0.0) / Z99;
    // Box and Muller's method; 1 - u keeps the logarithm finite
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    let normal = radius * (std::f64::consts::TAU * rng.random::<f64>()).cos();
    (median * (sigma * normal).exp()).round() as u64
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn median_and_tail_are_as_asked() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        let mut times: Vec<u64> = (0..20_000)
            .map(|_| log_normal(&mut rng, 5_000, 15_000))
            .collect();
        times.sort_unstable();
        assert!((4_800..5_200).contains(&times[10_000]), "{}", times[10_000]);
        assert!(
            (13_500..16_500).contains(&times[19_800]),
            "{}",
            times[19_800]
        );
        assert_eq!(log_normal(&mut rng, 100, 100), 100);
    }
}
