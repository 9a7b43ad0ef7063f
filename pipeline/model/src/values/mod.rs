//! What operations are made of.

pub mod body;
pub mod decimal;
pub mod digest;
pub(crate) mod keys;
pub(crate) mod name_id;
pub(crate) mod party;
pub mod time;
pub mod version;
