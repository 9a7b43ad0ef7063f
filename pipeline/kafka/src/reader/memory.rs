//! What a command remembers at the brokers between two runs: an offset and a text for each partition of a topic, committed
//! for a group that nobody consumes with.
//!
//! It needs no further infrastructure and is shared by everybody who uses the same group's name. Brokers forget it when it
//! was not written for `offsets.retention.minutes` (seven days by default).

use std::collections::BTreeMap;
use std::time::Duration;

use ingest_model::record::{Epoch, Offset, Partition, Topic, TopicPartition};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;

use super::client::{ReaderContext, client_of_group, unreachable};
use crate::client::convert;
use crate::error::{ReadError, StartError};
use crate::port::{CommitEntry, CommitFailure, CommittedOffset};
use crate::settings::KafkaSettings;

/// An offset and a text for each partition of one topic. Every call blocks.
pub struct GroupMemory {
    client: BaseConsumer<ReaderContext>,
    topic: Topic,
}

// === impl GroupMemory ===

impl GroupMemory {
    /// What is remembered of a topic under this group's name; the group must have no members.
    ///
    /// # Errors
    /// The client refuses the settings as a whole.
    pub fn new(settings: &KafkaSettings, group: &str, topic: &Topic) -> Result<Self, StartError> {
        Ok(Self {
            client: client_of_group(settings, group)?,
            topic: topic.clone(),
        })
    }

    /// What is remembered of these partitions; nothing of those that nothing was written for.
    ///
    /// # Errors
    /// The group or the topic may not be used, or no broker answered in time.
    pub fn read(
        &self,
        partitions: impl IntoIterator<Item = Partition>,
        timeout: Duration,
    ) -> Result<BTreeMap<Partition, CommittedOffset>, ReadError> {
        let partitions: Vec<TopicPartition> = partitions
            .into_iter()
            .map(|partition| self.place(partition))
            .collect();
        let list = self
            .client
            .committed_offsets(convert::client_list(&partitions), timeout)
            .map_err(|error| unreachable(&error))?;
        let mut remembered = BTreeMap::new();
        for element in list.elements() {
            element.error().map_err(|error| unreachable(&error))?;
            if let Some(committed) = convert::committed(&element) {
                remembered.insert(Partition(element.partition()), committed);
            }
        }
        Ok(remembered)
    }

    /// Remembers an offset and a text for a partition, in place of what was remembered before.
    ///
    /// # Errors
    /// The group may not be used, the text is longer than the brokers take (4,096 bytes by default), or no broker answered.
    pub fn write(
        &self,
        partition: Partition,
        offset: Offset,
        text: String,
    ) -> Result<(), CommitFailure> {
        let failure = |error: KafkaError| CommitFailure {
            kind: convert::commit_failure(error.rdkafka_error_code()),
            detail: error.to_string(),
        };
        let entry = CommitEntry {
            partition: self.place(partition),
            epoch: Epoch(0),
            offset,
            metadata: Some(text),
        };
        let list = convert::commit_list(&[entry]).map_err(failure)?;
        self.client.commit(&list, CommitMode::Sync).map_err(failure)
    }

    fn place(&self, partition: Partition) -> TopicPartition {
        TopicPartition {
            topic: self.topic.clone(),
            partition,
        }
    }
}

impl std::fmt::Debug for GroupMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GroupMemory")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}
