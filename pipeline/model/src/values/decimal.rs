//! Decimals as Avro, Connect and Debezium write them: a whole number in bytes, and how many of its digits stand after the point.

/// The most digits after the point.
pub const MAX_SCALE: usize = 1_000;
/// The longest number in bytes: some 300 digits.
pub const MAX_BYTES: usize = 128;

/// What fits into a part of nine decimal digits.
const NINE_DIGITS: u64 = 1_000_000_000;

/// The text of a number in two's complement, the highest byte first, with so many digits after the point.
///
/// `None` if it has no byte, more than [`MAX_BYTES`], or more than [`MAX_SCALE`] digits after the point.
///
/// ```
/// # use ingest_model::decimal::text;
/// assert_eq!(text(&[0x07, 0xcf], 2).as_deref(), Some("19.99"));
/// ```
#[must_use]
pub fn text(bytes: &[u8], scale: usize) -> Option<String> {
    if bytes.is_empty() || bytes.len() > MAX_BYTES || scale > MAX_SCALE {
        return None;
    }
    let negative = bytes.first().is_some_and(|first| *first >= 0x80);
    let mut magnitude = bytes.to_vec();
    if negative {
        let mut carry = true;
        for byte in magnitude.iter_mut().rev() {
            let (sum, over) = (!*byte).overflowing_add(u8::from(carry));
            *byte = sum;
            carry = over;
        }
    }
    // in parts of 32 bits, the highest first, which give nine digits at a time
    let mut parts: Vec<u32> = magnitude
        .rchunks(4)
        .rev()
        .map(|part| part.iter().fold(0, |all, byte| all << 8 | u32::from(*byte)))
        .collect();
    let mut nines = Vec::new();
    while parts.iter().any(|part| *part != 0) {
        let mut rest = 0_u64;
        for part in &mut parts {
            let all = rest << 32 | u64::from(*part);
            *part = u32::try_from(all / NINE_DIGITS).unwrap_or_default();
            rest = all % NINE_DIGITS;
        }
        nines.push(format!("{rest:09}"));
    }
    let digits: String = nines.into_iter().rev().collect();
    let digits = digits.trim_start_matches('0');
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at_checked(digits.len() - scale)?;
    let sign = if negative { "-" } else { "" };
    let point = if scale == 0 { "" } else { "." };
    Some(format!("{sign}{whole}{point}{fraction}"))
}
