//! Writing entries: a batch counts as written when all in-sync replicas have all of it.

use bytes::Bytes;
use ingest_model::record::{Partition, Topic};
use ingest_model::state_log::StateRecord;

use crate::error::{SendError, StartError};
use crate::producer::{OutgoingRecord, RecordProducer};
use crate::settings::KafkaSettings;

/// Writes batches to the state topic. Share it.
#[derive(Debug)]
pub struct StateProducer {
    producer: RecordProducer,
}

// === impl StateProducer ===

impl StateProducer {
    /// A producer for these brokers. Connects when the first batch is written.
    ///
    /// # Errors
    /// The client refuses the settings as a whole.
    pub fn new(settings: &KafkaSettings) -> Result<Self, StartError> {
        Ok(Self {
            producer: RecordProducer::new(settings)?,
        })
    }

    /// Goes on with these settings, once the batches under way have ended; see [`RecordProducer::renew`].
    ///
    /// # Errors
    /// The client refuses the settings, and the old ones stay.
    pub async fn renew(&self, settings: &KafkaSettings) -> Result<(), StartError> {
        self.producer.renew(settings).await
    }

    /// Writes a batch, in its order, to one partition.
    ///
    /// # Errors
    /// Part of it was not acknowledged; any part of it may have been written.
    pub async fn write(
        &self,
        topic: &Topic,
        partition: i32,
        records: Vec<StateRecord>,
    ) -> Result<(), SendError> {
        let outgoing: Vec<OutgoingRecord> = records
            .into_iter()
            .map(|record| OutgoingRecord {
                topic: topic.clone(),
                partition: Some(Partition(partition)),
                key: Some(Bytes::from(record.key)),
                value: record.value.map(Bytes::from),
                headers: Vec::new(),
                timestamp_ms: None,
            })
            .collect();
        self.producer.send_all(&outgoing).await
    }

    pub(super) fn records(&self) -> &RecordProducer {
        &self.producer
    }
}
