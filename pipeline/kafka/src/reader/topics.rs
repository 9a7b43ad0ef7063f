//! Partition counts: the basis of a replica's share of the quota, and what `check --online` looks at.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use ingest_model::record::Topic;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::Metadata;
use rdkafka::types::RDKafkaRespErr;

use super::client::{ReaderContext, ask, reading_client, unheard_client};
use crate::clock;
use crate::error::{ReadError, StartError};
use crate::settings::KafkaSettings;

/// The partition counts of all consumed topics. Blocks: not for an async task.
///
/// # Errors
/// A topic does not exist or may not be seen, or no broker answered in time.
pub fn fetch_partition_counts(
    settings: &KafkaSettings,
    timeout: Duration,
) -> Result<BTreeMap<Topic, usize>, ReadError> {
    fetch_partition_counts_of(settings, settings.topics(), timeout)
}

/// Creates a client from these settings and drops it, without contacting a broker. Only then does the client report some
/// bad combinations, and files that cannot be read.
///
/// # Errors
/// The client's error.
pub fn check_client(settings: &KafkaSettings) -> Result<(), StartError> {
    unheard_client(settings).map(drop)
}

/// Queries topics repeatedly with one client.
pub struct TopicLook {
    client: BaseConsumer<ReaderContext>,
}

// === impl TopicLook ===

impl TopicLook {
    /// A client that queries topics of these brokers.
    ///
    /// # Errors
    /// The client refuses the settings as a whole.
    pub fn new(settings: &KafkaSettings) -> Result<Self, StartError> {
        let client = reading_client(settings)?;
        Ok(Self { client })
    }

    /// How many partitions each of these topics has, or why it cannot be used. Blocks: not for an async task. Does not
    /// create topics.
    ///
    /// # Errors
    /// No broker answered in time, with the reason in the client's words.
    pub fn look(
        &self,
        topics: &[Topic],
        timeout: Duration,
    ) -> Result<BTreeMap<Topic, Result<usize, ReadError>>, String> {
        let deadline = clock::now() + timeout;
        let mut found = BTreeMap::new();
        for topic in topics {
            match partition_count(&self.client, topic, deadline) {
                Err(ReadError::Unreachable { detail }) => return Err(detail),
                answer => drop(found.insert(topic.clone(), answer)),
            }
        }
        Ok(found)
    }
}

impl fmt::Debug for TopicLook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicLook").finish_non_exhaustive()
    }
}

/// The partition counts of any topics. Blocks: not for an async task. Does not create topics.
///
/// # Errors
/// A topic does not exist or may not be seen, or no broker answered in time.
pub fn fetch_partition_counts_of(
    settings: &KafkaSettings,
    topics: &[Topic],
    timeout: Duration,
) -> Result<BTreeMap<Topic, usize>, ReadError> {
    let client = reading_client(settings)?;
    let deadline = clock::now() + timeout;
    let mut counts = BTreeMap::new();
    for topic in topics {
        counts.insert(topic.clone(), partition_count(&client, topic, deadline)?);
    }
    Ok(counts)
}

pub(crate) fn partition_count(
    client: &BaseConsumer<ReaderContext>,
    topic: &Topic,
    deadline: Instant,
) -> Result<usize, ReadError> {
    let metadata = ask(client, deadline, |timeout| {
        client.fetch_metadata(Some(topic.as_str()), timeout)
    })?;
    count_in(&metadata, topic)
}

fn count_in(metadata: &Metadata, topic: &Topic) -> Result<usize, ReadError> {
    let found = metadata
        .topics()
        .iter()
        .find(|found| found.name() == topic.as_str());
    let Some(found) = found else {
        return Err(ReadError::UnknownTopic {
            topic: topic.clone(),
        });
    };
    match found.error() {
        Some(error) => Err(topic_error(topic, error)),
        None if found.partitions().is_empty() => Err(ReadError::UnknownTopic {
            topic: topic.clone(),
        }),
        None => Ok(found.partitions().len()),
    }
}

fn topic_error(topic: &Topic, error: RDKafkaRespErr) -> ReadError {
    let code = RDKafkaErrorCode::from(error);
    let topic = topic.clone();
    if matches!(
        code,
        RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::InvalidTopic
    ) {
        ReadError::UnknownTopic { topic }
    } else if code == RDKafkaErrorCode::TopicAuthorizationFailed {
        ReadError::NotAuthorized { topic }
    } else {
        ReadError::Unreachable {
            detail: format!("topic {topic}: {code}"),
        }
    }
}
