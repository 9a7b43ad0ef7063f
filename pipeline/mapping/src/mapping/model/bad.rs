//! What happens to a field whose value cannot be computed, or is not allowed.
//!
//! A field is required if it identifies the thing: the customer; an object's external id, title and version, if it has one;
//! the name of a tracking event. Without it there is nothing to write, and the record is rejected. Every other field is
//! *optional*: a bad one is left out and counted, because an order without its coupon is better for an agent than none.
//! `onBad` can say otherwise for one field, an operation, a route or the whole file; the one nearest to the field counts.
//!
//! Fields are named by their path within an operation (`custom.totalNum`, `data.products`, `identify.name`), down to where
//! the mapping file has an expression.

/// What happens to an optional field whose value is bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnBad {
    /// It is left out and counted.
    #[default]
    Drop,
    /// The record is rejected.
    Reject,
}

/// What one operation says of its bad fields.
#[derive(Debug, Clone, Default)]
pub(crate) struct BadFields {
    /// For all fields that are not named.
    rest: OnBad,
    /// For these fields and everything within them.
    own: Vec<(String, OnBad)>,
}

// === impl OnBad ===

impl OnBad {
    /// The words in mapping files.
    pub(crate) const WORDS: &'static [(&'static str, Self)] =
        &[("drop", Self::Drop), ("reject", Self::Reject)];
}

// === impl BadFields ===

impl BadFields {
    pub(crate) fn new(rest: OnBad, own: Vec<(String, OnBad)>) -> Self {
        Self { rest, own }
    }

    /// The word for a field: the one with the longest path that names the field or something around it.
    pub(crate) fn of(&self, field: &str) -> OnBad {
        let naming = self.own.iter().filter(|(path, _)| covers(path, field));
        naming
            .max_by_key(|(path, _)| path.len())
            .map_or(self.rest, |(_, word)| *word)
    }
}

/// Whether a path names a field or something around it.
pub(crate) fn covers(path: &str, field: &str) -> bool {
    field
        .strip_prefix(path)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_path_decides() {
        let own = vec![
            ("data".to_owned(), OnBad::Reject),
            ("data.lines".to_owned(), OnBad::Drop),
            ("custom.totalNum".to_owned(), OnBad::Reject),
        ];
        let words = BadFields::new(OnBad::Drop, own);
        for (field, wanted) in [
            ("data", OnBad::Reject),
            ("data.notes[2].text", OnBad::Reject),
            ("data.lines", OnBad::Drop),
            ("data.lines[0]", OnBad::Drop),
            ("custom.totalNum", OnBad::Reject),
            ("custom.totalNumStr", OnBad::Drop),
            ("database", OnBad::Drop),
        ] {
            assert_eq!(words.of(field), wanted, "{field}");
        }
    }
}
