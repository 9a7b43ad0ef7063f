//! Counts as numbers to calculate with.

#[expect(
    clippy::cast_precision_loss,
    reason = "exact up to 2^53, which no count here reaches"
)]
pub(super) fn number(count: u64) -> f64 {
    count as f64
}

/// With so many digits behind the point.
pub(super) fn rounded(value: f64, digits: i32) -> f64 {
    let factor = 10_f64.powi(digits);
    (value * factor).round() / factor
}

pub(super) fn ratio(part: u64, of: u64) -> f64 {
    number(part) / number(of)
}
