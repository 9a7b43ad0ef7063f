//! The questions themselves: what is sent for each, and what an answer means.

pub(super) mod events;
pub(super) mod kept;
pub(super) mod limit;
pub(super) mod many;
pub(super) mod objects;
