//! Objects that are written: what is known of them, and what a write may do next.

pub(crate) mod decide;
pub(crate) mod history;
