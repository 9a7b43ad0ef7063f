//! The commits in flight, when the next is due, and how long their texts may be.

use std::time::Instant;

use super::commit_metadata::TextLimit;
use ingest_model::record::{Epoch, Offset, TopicPartition};

#[derive(Debug, Default)]
pub(in crate::partitions) struct Commits {
    pub(in crate::partitions) under_way: Vec<(TopicPartition, Epoch, Offset)>,
    pub(in crate::partitions) next_at: Option<Instant>,
    /// Some partition may have settled more than was committed.
    pub(in crate::partitions) wanted: bool,
    /// The longest text that brokers are known to accept.
    pub(in crate::partitions) limit: TextLimit,
}
