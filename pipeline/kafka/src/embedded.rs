//! A broker inside the process, for the demo and for tests: the client library's mock cluster.
//!
//! It speaks the real protocol over loopback, with consumer groups, commits and their metadata. But it keeps only 5 MiB
//! or 100,000 records of a partition and **silently drops the oldest**, committed or not ([`MAX_PARTITION_BYTES`],
//! [`MAX_PARTITION_RECORDS`]). Whoever writes to it has to stay close to its reader: [`EmbeddedBroker::free_records`]
//! says how much may be written before a record is dropped.
//!
//! The cluster is never torn down, on purpose: closing a consumer hangs once its cluster is gone. Its threads and the
//! contents of its topics live until the process ends.
//!
//! Group joins are slow: about three seconds for the first member, then the session time-out less a second for each
//! further rebalance. Session time-outs below four seconds fail.

use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use ingest_model::record::{Offset, Topic};
use rdkafka::error::KafkaResult;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use thiserror::Error;

use crate::error::ReadError;
use crate::reader;
use crate::settings::KafkaSettings;

/// How many bytes of a partition the embedded broker keeps; older records are dropped.
pub const MAX_PARTITION_BYTES: usize = 5 * 1024 * 1024;
/// How many records of a partition it keeps; older ones are dropped.
pub const MAX_PARTITION_RECORDS: u64 = 100_000;

type Cluster = MockCluster<'static, DefaultProducerContext>;
type Control = Box<dyn FnOnce(&Cluster) + Send>;

/// A running embedded broker. Dropping it leaves the broker running until the process ends.
#[derive(Debug)]
pub struct EmbeddedBroker {
    bootstrap_servers: String,
    controls: Sender<Control>,
}

/// A request to the embedded broker that failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("embedded broker: {detail}")]
pub struct EmbeddedError {
    /// The client library's words.
    pub detail: String,
}

/// The reason for which the embedded broker refuses commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitRefusal {
    /// The member is not known.
    UnknownMember,
    /// The member's generation is not the group's.
    IllegalGeneration,
    /// The metadata is too large.
    MetadataTooLarge,
    /// The group may not be used.
    NotAuthorized,
}

// === impl EmbeddedBroker ===

impl EmbeddedBroker {
    /// Starts a broker with these topics and their partition counts.
    ///
    /// # Errors
    /// There is no thread or no port, or a topic cannot be created.
    pub fn start(topics: &[(&str, i32)]) -> Result<Self, EmbeddedError> {
        let (controls, requests) = mpsc::channel::<Control>();
        let (started, start) = mpsc::channel();
        std::thread::Builder::new()
            .name("embedded-broker".to_owned())
            .spawn(move || match Cluster::new(1) {
                Ok(cluster) => {
                    let cluster: &'static Cluster = Box::leak(Box::new(cluster));
                    if started.send(Ok(cluster.bootstrap_servers())).is_err() {
                        return;
                    }
                    while let Ok(control) = requests.recv() {
                        control(cluster);
                    }
                }
                Err(error) => drop(started.send(Err(EmbeddedError {
                    detail: error.to_string(),
                }))),
            })
            .map_err(|error| EmbeddedError {
                detail: error.to_string(),
            })?;
        let bootstrap_servers = start.recv().map_err(|_dead| gone())??;
        let broker = Self {
            bootstrap_servers,
            controls,
        };
        for (topic, partitions) in topics {
            broker.create_topic(topic, *partitions)?;
        }
        Ok(broker)
    }

    /// Its address, in the format of `kafka.brokers`.
    #[must_use]
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// Creates a topic.
    ///
    /// # Errors
    /// It exists, or the name or count is invalid.
    pub fn create_topic(&self, topic: &str, partitions: i32) -> Result<(), EmbeddedError> {
        let topic = topic.to_owned();
        self.control(move |cluster| cluster.create_topic(&topic, partitions, 1))
    }

    /// Refuses all connections, as if the broker were down, or accepts them again.
    ///
    /// # Errors
    /// The broker's thread has died.
    pub fn set_down(&self, down: bool) -> Result<(), EmbeddedError> {
        self.control(move |cluster| {
            if down {
                cluster.broker_down(-1)
            } else {
                cluster.broker_up(-1)
            }
        })
    }

    /// Answers every request only after this delay.
    ///
    /// # Errors
    /// The broker's thread has died.
    pub fn set_round_trip_time(&self, time: Duration) -> Result<(), EmbeddedError> {
        self.control(move |cluster| cluster.broker_round_trip_time(-1, time))
    }

    /// Refuses the next commits for this reason.
    ///
    /// # Errors
    /// The broker's thread has died.
    pub fn refuse_commits(&self, reason: CommitRefusal, count: usize) -> Result<(), EmbeddedError> {
        let error = match reason {
            CommitRefusal::UnknownMember => RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
            CommitRefusal::IllegalGeneration => {
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION
            }
            CommitRefusal::MetadataTooLarge => {
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE
            }
            CommitRefusal::NotAuthorized => {
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED
            }
        };
        self.control(move |cluster| {
            cluster.request_errors(RDKafkaApiKey::OffsetCommit, &vec![error; count]);
            Ok(())
        })
    }

    /// From now on nobody may see or use this topic.
    ///
    /// # Errors
    /// The broker's thread has died.
    pub fn forbid_topic(&self, topic: &str) -> Result<(), EmbeddedError> {
        let topic = topic.to_owned();
        let error = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
        self.control(move |cluster| cluster.topic_error(&topic, error))
    }

    /// How many more records may be written to every partition of a topic before one is dropped that the group of the
    /// settings has not committed; zero if one was dropped already. Counts records only: keep their bytes below
    /// [`MAX_PARTITION_BYTES`] per partition, too. Blocks.
    ///
    /// # Errors
    /// The topic does not exist or the broker does not answer in time.
    pub fn free_records(
        settings: &KafkaSettings,
        topic: &Topic,
        timeout: Duration,
    ) -> Result<u64, ReadError> {
        let watermarks = reader::fetch_watermarks(settings, topic, timeout)?;
        let committed = reader::fetch_committed(settings, topic, timeout)?;
        let mut free = MAX_PARTITION_RECORDS;
        for (partition, marks) in watermarks {
            let done = committed.get(&partition).copied().unwrap_or(Offset(0));
            if marks.low > done {
                return Ok(0);
            }
            let lag = u64::try_from(marks.high.0.saturating_sub(done.0)).unwrap_or(0);
            free = free.min(MAX_PARTITION_RECORDS.saturating_sub(lag));
        }
        Ok(free)
    }

    fn control(
        &self,
        act: impl FnOnce(&Cluster) -> KafkaResult<()> + Send + 'static,
    ) -> Result<(), EmbeddedError> {
        let (done, outcome) = mpsc::channel();
        self.controls
            .send(Box::new(move |cluster| drop(done.send(act(cluster)))))
            .map_err(|_dead| gone())?;
        outcome
            .recv()
            .map_err(|_dead| gone())?
            .map_err(|error| EmbeddedError {
                detail: error.to_string(),
            })
    }
}

fn gone() -> EmbeddedError {
    EmbeddedError {
        detail: "its thread has died".to_owned(),
    }
}
