//! Maps that are only asked, and what values occupy.

pub mod lookup;
pub mod weight;
