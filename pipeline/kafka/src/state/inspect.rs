//! Checks the state topic: it exists, is compacted, and has the partitions for which it was laid out.

use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;
use ingest_model::record::{Partition, Topic, TopicPartition};
use ingest_model::state_log::format::{HEADER_KEY, decode_header, encode_header};

use super::StateProducer;
use crate::error::{ReadError, SendError};
use crate::producer::OutgoingRecord;
use crate::reader::configs::topic_configs;
use crate::reader::read_partitions;
use crate::reader::topics::fetch_partition_counts_of;
use crate::settings::KafkaSettings;

/// How long brokers may take to report the topic's cleanup policy; some never answer that request.
const POLICY_TIMEOUT: Duration = Duration::from_secs(5);

/// What is known of a state topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateTopic {
    /// How many partitions it has.
    pub partitions: u32,
    /// The partition count for which its entries were laid out; `None` before its first use.
    pub laid_out_for: Option<u32>,
    /// Whether it is compacted; `None` where the credentials do not allow asking.
    pub compacted: Option<bool>,
}

// === impl StateTopic ===

impl StateTopic {
    /// The partition count for which the entries were laid out, if it differs from the present one.
    #[must_use]
    pub fn was_laid_out_for(&self) -> Option<u32> {
        self.laid_out_for.filter(|count| *count != self.partitions)
    }
}

/// Asks the brokers about the topic. `timeout` applies to each of three requests.
///
/// # Errors
/// The topic does not exist or may not be read, or no broker answered in time.
pub async fn inspect(
    settings: &KafkaSettings,
    topic: &Topic,
    timeout: Duration,
) -> Result<StateTopic, ReadError> {
    let (asked, name) = (settings.clone(), topic.clone());
    let read = tokio::task::spawn_blocking(move || counts(&asked, &name, timeout));
    let (partitions, laid_out_for) = read.await.map_err(|error| ReadError::Unreachable {
        detail: error.to_string(),
    })??;
    Ok(StateTopic {
        partitions,
        laid_out_for,
        compacted: compacted(settings, topic, timeout.min(POLICY_TIMEOUT)).await?,
    })
}

/// Records in the topic for how many partitions it is laid out, before its first entry.
///
/// # Errors
/// The record was not acknowledged.
pub async fn lay_out(
    producer: &StateProducer,
    topic: &Topic,
    partitions: u32,
) -> Result<(), SendError> {
    let record = OutgoingRecord {
        topic: topic.clone(),
        partition: Some(Partition(0)),
        key: Some(Bytes::from_static(HEADER_KEY.as_bytes())),
        value: Some(Bytes::from(encode_header(partitions))),
        headers: Vec::new(),
        timestamp_ms: None,
    };
    producer.records().send(&record).await.map(drop)
}

/// The present partition count, and the one that the topic was laid out for. The latter is recorded at the beginning of
/// the first partition, where compaction leaves it. Blocks.
fn counts(
    settings: &KafkaSettings,
    topic: &Topic,
    timeout: Duration,
) -> Result<(u32, Option<u32>), ReadError> {
    let counts = fetch_partition_counts_of(settings, std::slice::from_ref(topic), timeout)?;
    let partitions = counts.get(topic).copied().unwrap_or_default();
    let first = TopicPartition {
        topic: topic.clone(),
        partition: Partition(0),
    };
    let mut laid_out_for = None;
    read_partitions(settings, &[first], timeout, |record| {
        if record.key.as_deref() != Some(HEADER_KEY.as_bytes()) {
            return ControlFlow::Continue(());
        }
        laid_out_for = record.value.as_deref().and_then(decode_header);
        ControlFlow::Break(())
    })?;
    Ok((u32::try_from(partitions).unwrap_or(u32::MAX), laid_out_for))
}

/// Whether the topic's cleanup policy includes `compact`; `None` if the brokers do not say.
async fn compacted(
    settings: &KafkaSettings,
    topic: &Topic,
    timeout: Duration,
) -> Result<Option<bool>, ReadError> {
    let configs = topic_configs(settings, std::slice::from_ref(topic), timeout).await?;
    Ok(configs
        .unwrap_or_default()
        .first()
        .and_then(|(_, config)| config.cleans_by("compact")))
}
