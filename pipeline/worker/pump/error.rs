//! Why a pump ended although nobody asked it to.

use super::state::StateTopicError;

/// Why a pump ended although nobody asked it to.
#[derive(Debug, thiserror::Error)]
pub enum PumpError {
    /// A client could not be created.
    #[error(transparent)]
    Start(#[from] ingest_kafka::StartError),
    /// The Kafka client cannot go on.
    #[error("the Kafka client cannot go on: {0}")]
    Source(String),
    /// The state topic cannot be used as it is.
    #[error(transparent)]
    State(#[from] StateTopicError),
    /// The threads that decode and map ended.
    #[error("a mapper thread ended")]
    Mapper,
    /// A mapper thread could not be started.
    #[error("a mapper thread could not be started: {0}")]
    Thread(#[from] std::io::Error),
}
