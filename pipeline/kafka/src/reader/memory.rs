//! What a command remembers in Kafka between two runs: an offset and a text for each partition of a topic, committed for
//! a group that has no consumers.
//!
//! It needs no further infrastructure, and everybody who uses the same group name shares it. Brokers forget it when it
//! has not been written for `offsets.retention.minutes` (seven days by default).

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
    /// The memory of a topic under this group name; the group must have no members.
    ///
    /// # Errors
    /// The client refuses the settings as a whole.
    pub fn new(settings: &KafkaSettings, group: &str, topic: &Topic) -> Result<Self, StartError> {
        Ok(Self {
            client: client_of_group(settings, group)?,
            topic: topic.clone(),
        })
    }

    /// What is remembered of these partitions; those for which nothing was written are missing.
    ///
    /// # Errors
    /// The credentials do not allow using the group or the topic, or no broker answered in time.
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

    /// Remembers an offset and a text for a partition, replacing earlier ones.
    ///
    /// # Errors
    /// The credentials do not allow using the group, the text is longer than the brokers accept (4,096 bytes by default),
    /// or no broker answered.
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
