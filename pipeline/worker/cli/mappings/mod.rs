//! The commands for those who write mappings: a first one, what it makes of records, and whether that is right.

pub mod diff;
mod drafts;
pub mod explain;
pub mod infer;
pub mod init;
pub mod test;
