//! A text with paths in it, in parts.

/// A part of a text with paths in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::mapping) enum Part {
    Text(String),
    /// The names along a path from `.`.
    Path(Vec<String>),
}
