//! What the client library says, in words of this crate: its callbacks, its log, its statistics, its codes.

pub(crate) mod context;
pub(crate) mod convert;
pub(crate) mod log;
pub(crate) mod stats;
pub(crate) mod topic_ids;
