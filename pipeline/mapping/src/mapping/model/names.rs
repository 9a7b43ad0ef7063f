//! The names of events, and when two of them are the same.

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
    let name = crate::identity::cleaned(name);
    let kept = name
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '_' | '-'));
    kept.flat_map(char::to_lowercase).collect()
}
