//! Sums of money and quantities: decimal numbers that are added exactly.

use std::fmt;
use std::str::FromStr;

/// A decimal number of at most nine places, counted in its last place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(i128);

/// A text that is no amount: no decimal number, or one too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoAmount;

/// The places that are kept. What is behind them is an error of floating-point numbers, and is rounded.
const PLACES: u32 = 9;
/// One.
const ONE: i128 = 10_i128.pow(PLACES);
/// The most digits before the point.
const DIGITS: usize = 18;

// === impl Amount ===

impl Amount {
    /// The sum of both. Sums that no shop reaches stay at the largest.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Whether it is nothing.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl FromStr for Amount {
    type Err = NoAmount;

    /// Reads a number as JSON writes it.
    ///
    /// ```
    /// # use ingest_model::digest::Amount;
    /// let read = |text: &str| text.parse::<Amount>().map(|amount| amount.to_string());
    /// assert_eq!(read("-12.50").as_deref(), Ok("-12.5"));
    /// assert_eq!(read("1.5e3").as_deref(), Ok("1500"));
    /// assert_eq!(read("1e+3").as_deref(), Ok("1000"));
    /// assert_eq!(read("2e-10").as_deref(), Ok("0"));
    /// assert_eq!(read("0.30000000000000004").as_deref(), Ok("0.3"));
    /// assert!(read("1e++3").is_err() && read("1e+-3").is_err());
    /// assert!(read("1e19").is_err() && read("twelve").is_err() && read("").is_err());
    /// ```
    fn from_str(text: &str) -> Result<Self, NoAmount> {
        let (minus, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (number, exponent) = match text.split_once(['e', 'E']) {
            // With one sign at most.
            Some((number, exponent)) => {
                (number, exponent.parse::<i32>().map_err(|_none| NoAmount)?)
            }
            None => (text, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
            return Err(NoAmount);
        }
        let digits: String = [whole, fraction].concat();
        let before = i32::try_from(whole.len()).map_err(|_none| NoAmount)?;
        let point = before.saturating_add(exponent);
        let leading = digits.bytes().take_while(|b| *b == b'0').count();
        let significant = digits.get(leading..).unwrap_or_default();
        if significant.is_empty() {
            return Ok(Self(0));
        }
        let leading = i32::try_from(leading).map_err(|_none| NoAmount)?;
        // How many of the significant digits stand before the end of the last place that is kept.
        let kept = point.saturating_sub(leading).saturating_add(9);
        let most = i32::try_from(DIGITS).unwrap_or(i32::MAX).saturating_add(9);
        if kept > most {
            return Err(NoAmount);
        }
        let mut value = 0_i128;
        let mut next = significant.bytes();
        for _ in 0..kept.max(0) {
            let digit = next.next().map_or(0, |b| b.saturating_sub(b'0'));
            value = value * 10 + i128::from(digit);
        }
        if kept >= 0 && next.next().is_some_and(|b| b >= b'5') {
            value += 1;
        }
        Ok(Self(if minus { -value } else { value }))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.0.unsigned_abs();
        let one = ONE.unsigned_abs();
        let (whole, fraction) = (value / one, value % one);
        if self.0 < 0 {
            f.write_str("-")?;
        }
        write!(f, "{whole}")?;
        if fraction == 0 {
            return Ok(());
        }
        let digits = format!("{fraction:09}");
        write!(f, ".{}", digits.trim_end_matches('0'))
    }
}

impl serde::Serialize for Amount {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct("Amount", &self.to_string())
    }
}

impl<'de> serde::Deserialize<'de> for Amount {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let amount = text.parse();
        amount.map_err(|NoAmount| serde::de::Error::custom("not an amount"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cents_add_up() {
        let cent: Amount = "0.1".parse().unwrap();
        let sum = (0..10).fold(Amount::default(), |sum, _| sum.plus(cent));
        assert_eq!(sum.to_string(), "1");
        let minus: Amount = "-1".parse().unwrap();
        assert!(sum.plus(minus).is_zero());
    }

    #[test]
    fn a_digit_behind_the_last_place_rounds() {
        for (text, read) in [
            ("0.0000000005", "0.000000001"),
            ("0.00000000049", "0"),
            ("-19.9999999999", "-20"),
            ("999999999999999999", "999999999999999999"),
        ] {
            assert_eq!(text.parse::<Amount>().unwrap().to_string(), read);
        }
        assert_eq!("1000000000000000000".parse::<Amount>(), Err(NoAmount));
        assert_eq!(
            "1.".parse::<Amount>().map(|one| one.to_string()),
            Ok("1".to_owned())
        );
        assert_eq!("1-2".parse::<Amount>(), Err(NoAmount));
    }

    proptest! {
        #[test]
        fn sums_are_those_of_whole_numbers(cents in prop::collection::vec(-100_000_000_i64..100_000_000, 0..40)) {
            let amounts = cents.iter().map(|cents| {
                let (sign, cents) = (if *cents < 0 { "-" } else { "" }, cents.unsigned_abs());
                format!("{sign}{}.{:02}", cents / 100, cents % 100).parse::<Amount>().unwrap()
            });
            let sum = amounts.fold(Amount::default(), Amount::plus);
            let whole: i64 = cents.iter().sum();
            prop_assert_eq!(sum.0, i128::from(whole) * ONE / 100);
            prop_assert_eq!(sum.to_string().parse::<Amount>(), Ok(sum));
        }

        #[test]
        fn no_text_breaks_it(text in "[0-9.eE+-]{0,12}") {
            if let Ok(amount) = text.parse::<Amount>() {
                let shown: f64 = amount.to_string().parse().unwrap();
                let read: f64 = text.parse().unwrap();
                prop_assert!((shown - read).abs() <= 1e-9 + read.abs() * 1e-12, "{} {}", text, amount);
            }
        }
    }
}
