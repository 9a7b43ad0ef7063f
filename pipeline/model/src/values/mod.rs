//! What operations are made of.

pub mod body;
pub mod digest;
pub mod version;
