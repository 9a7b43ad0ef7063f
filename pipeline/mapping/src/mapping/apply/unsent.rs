//! Operations of a route that an event does not lead to, although its others may.

use std::sync::Arc;

use jiff::SignedDuration;

use ingest_model::operation::Klass;

/// An operation in a route's `do` that an event does not lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsent {
    /// The route.
    pub route: Arc<str>,
    /// Its place in `do`, from 0.
    pub index: usize,
    /// Its kind, such as `track`.
    pub kind: &'static str,
    /// How many it would have been: one, or one for each item of its list.
    pub operations: usize,
    /// Why there is none.
    pub why: WhyUnsent,
}

/// Why there is no such operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhyUnsent {
    /// The event is older than this.
    TooOld(SignedDuration),
    /// The event is older than this, so it is counted in a digest of this klass.
    Late(SignedDuration, Klass),
    /// The list of its `each` is empty or null.
    NoItems,
}
