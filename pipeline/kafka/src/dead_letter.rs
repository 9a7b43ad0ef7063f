//! Writing dead letters: either acknowledged or not sent (I4).

use bytes::Bytes;
use ingest_model::record::{Header, Topic};

use crate::error::{SendError, SendErrorKind, StartError};
use crate::producer::{OutgoingRecord, RecordProducer};
use crate::settings::KafkaSettings;

/// A record on its way to the dead-letter or hold topic: the original bytes, the original headers and the added ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The topic to write to.
    pub topic: Topic,
    /// The original key.
    pub key: Option<Bytes>,
    /// The original value; a null value stays null.
    pub value: Option<Bytes>,
    /// All headers, in the order in which they are written.
    pub headers: Vec<Header>,
    /// The original time in epoch milliseconds. The time of writing is used for `None`, and for a time that the topic
    /// refuses.
    pub timestamp_ms: Option<i64>,
}

/// Sends dead letters.
#[derive(Debug)]
pub struct DeadLetterProducer {
    producer: RecordProducer,
}

// === impl DeadLetterProducer ===

impl DeadLetterProducer {
    /// A producer for these brokers. Connects when the first letter is sent.
    ///
    /// # Errors
    /// The client refuses the settings as a whole.
    pub fn new(settings: &KafkaSettings) -> Result<Self, StartError> {
        Ok(Self {
            producer: RecordProducer::new(settings)?,
        })
    }

    /// Goes on with these settings, once the letters under way have ended; see [`RecordProducer::renew`].
    ///
    /// # Errors
    /// The client refuses the settings, and the old ones stay.
    pub async fn renew(&self, settings: &KafkaSettings) -> Result<(), StartError> {
        self.producer.renew(settings).await
    }

    /// Writes a letter. Completes only when all in-sync replicas have it, or when it failed.
    ///
    /// Even where the input topic accepted a record's time, this topic may refuse it as too far from now
    /// (`message.timestamp.after.max.ms`: an hour ahead by default). Such a letter is written with the time of writing,
    /// so that one odd record does not stop its partition; the original time is in the headers.
    ///
    /// # Errors
    /// The letter was not acknowledged, so its record is not settled;
    /// [`SendErrorKind::is_retriable`](crate::SendErrorKind::is_retriable) says whether trying again can help.
    pub async fn send(&self, letter: DeadLetter) -> Result<(), SendError> {
        let DeadLetter {
            topic,
            key,
            value,
            headers,
            timestamp_ms,
        } = letter;
        let mut record = OutgoingRecord {
            topic,
            partition: None,
            key,
            value,
            headers,
            timestamp_ms,
        };
        let mut sent = self.producer.send(&record).await;
        if matches!(&sent, Err(error) if error.kind == SendErrorKind::Timestamp)
            && record.timestamp_ms.take().is_some()
        {
            sent = self.producer.send(&record).await;
        }
        sent.map(drop)
    }
}
