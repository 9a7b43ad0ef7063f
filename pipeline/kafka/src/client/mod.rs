//! What the client library reports, translated into this crate's types: callbacks, log, statistics, error codes.

pub(crate) mod certificate;
pub(crate) mod context;
pub(crate) mod convert;
pub mod diagnosis;
pub(crate) mod log;
pub(crate) mod stats;
pub(crate) mod tokens;
pub(crate) mod topic_ids;
