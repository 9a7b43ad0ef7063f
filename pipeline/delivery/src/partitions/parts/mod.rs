//! The parts that partitions are made of. No part knows the owner, or decides about more than itself.

pub mod commit_metadata;
pub mod ledger;

pub(in crate::partitions) mod assignment;
pub(in crate::partitions) mod budget;
pub(in crate::partitions) mod commits;
pub(in crate::partitions) mod guard;
pub(in crate::partitions) mod letters;
pub(in crate::partitions) mod receipts;
pub(in crate::partitions) mod record;

mod former;
mod room;
