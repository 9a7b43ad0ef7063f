//! Words in messages that depend on a number.

use std::fmt::Display;

/// A number and its noun: `1 letter`, `2 letters`.
pub(crate) fn plural(number: impl Display, word: &str) -> String {
    let number = number.to_string();
    let s = if number == "1" { "" } else { "s" };
    format!("{number} {word}{s}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        assert_eq!(plural(0, "route"), "0 routes");
        assert_eq!(plural(1_u64, "route"), "1 route");
        assert_eq!(plural(21_usize, "route"), "21 routes");
    }
}
