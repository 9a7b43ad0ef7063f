//! The names of events, and when two of them are the same.

use smallvec::SmallVec;

/// The name that stands for every event.
pub(crate) const EVERY: &str = "*";

/// An event name, to be compared: cleaned, in lower case, without blanks, `_` and `-`.
///
/// ```
/// # use ingest_mapping::mapping::fold;
/// assert_eq!(fold("Order Completed"), fold("order_completed"));
/// assert_eq!(fold("order-completed"), fold("OrderCompleted"));
/// ```
#[must_use]
pub fn fold(name: &str) -> String {
    with_folded(name, str::to_owned)
}

/// What `f` makes of a folded name. A name of ordinary length and letters is folded without a copy on the heap.
pub(crate) fn with_folded<R>(name: &str, f: impl FnOnce(&str) -> R) -> R {
    let name = crate::identity::cleaned(name);
    let mut ascii = SmallVec::<[u8; 64]>::new();
    if name.is_ascii() {
        let kept = name
            .bytes()
            .filter(|byte| !byte.is_ascii_whitespace() && !matches!(byte, b'_' | b'-'));
        ascii.extend(kept.map(|byte| byte.to_ascii_lowercase()));
        if let Ok(folded) = std::str::from_utf8(&ascii) {
            return f(folded);
        }
    }
    let kept = name
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '_' | '-'));
    f(&kept.flat_map(char::to_lowercase).collect::<String>())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn plain_names_are_folded_as_all_others(name in "[ -~]{0,80}") {
            // a letter that is not ASCII makes it one of the others
            let other = fold(&format!("{name}\u{f8}"));
            prop_assert_eq!(format!("{}\u{f8}", fold(&name)), other);
        }
    }
}
