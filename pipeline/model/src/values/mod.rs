//! What operations are made of.

pub mod body;
pub mod version;
