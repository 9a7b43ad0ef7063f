//! Errors of this crate, named by what the caller does next.

use std::time::Duration;

use ingest_model::record::Topic;
use thiserror::Error;

/// A setting that cannot be used. The message names it and says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// A setting is missing, empty or malformed.
    #[error("kafka.{setting}: {problem}")]
    Invalid {
        /// The setting below `kafka`.
        setting: &'static str,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// A raw property that the worker relies on.
    #[error("kafka.properties.{property} cannot be set: {reason}")]
    Refused {
        /// The property.
        property: String,
        /// Why, and the way out.
        reason: String,
    },
    /// A raw property that the client does not know.
    #[error("kafka.properties.{property} is not a setting of the kafka client; check its spelling")]
    Unknown {
        /// The property.
        property: String,
    },
    /// A raw property with a value that the client does not take.
    #[error("kafka.properties.{property} has a value that the kafka client refuses{detail}")]
    Value {
        /// The property.
        property: String,
        /// The client's words, left out where they could show a secret.
        detail: String,
    },
    /// The drain deadline leaves no room before the group gives the member up.
    #[error(
        "the drain deadline ({drain:?}) must be shorter than kafka.properties.max.poll.interval.ms ({max_poll:?}); \
         shorten the one or lengthen the other"
    )]
    DrainTooLong {
        /// The drain deadline.
        drain: Duration,
        /// What the client has for `max.poll.interval.ms`.
        max_poll: Duration,
    },
    /// The client takes no session time-out that is longer than the time between polls.
    #[error(
        "the session time-out ({session:?}) must not be longer than kafka.properties.max.poll.interval.ms \
         ({max_poll:?}); shorten the one or lengthen the other"
    )]
    SessionTooLong {
        /// The session time-out.
        session: Duration,
        /// What the client has for `max.poll.interval.ms`.
        max_poll: Duration,
    },
}

/// A client that could not be created.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StartError {
    /// The client refuses the settings as a whole.
    #[error("the kafka client refuses the settings: {detail}")]
    Client {
        /// The client's words.
        detail: String,
    },
    /// The operating system gave no thread.
    #[error("no thread for the kafka client: {detail}")]
    Thread {
        /// The system's words.
        detail: String,
    },
}

/// The poll thread has ended; no command reaches it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the kafka poll thread has ended")]
pub struct SourceGone;

/// Topics or records that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReadError {
    /// A topic that does not exist.
    #[error("topic {topic} does not exist on these brokers, or these credentials may not see it")]
    UnknownTopic {
        /// The topic.
        topic: Topic,
    },
    /// A topic that these credentials may not read.
    #[error("topic {topic} may not be read with these credentials")]
    NotAuthorized {
        /// The topic.
        topic: Topic,
    },
    /// No answer in time.
    #[error("no answer from the kafka brokers: {detail}")]
    Unreachable {
        /// The client's words.
        detail: String,
    },
    /// The reading client could not be created.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// A record that was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}: {detail}", kind.as_str())]
pub struct SendError {
    /// What it means for what happens next.
    pub kind: SendErrorKind,
    /// The client's words.
    pub detail: String,
}

/// What an unacknowledged record means for what happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SendErrorKind {
    /// Not acknowledged within the delivery time-out. It may have been written.
    Timeout,
    /// The producer's queue stayed full.
    QueueFull,
    /// The record is larger than the topic takes.
    TooLarge,
    /// The record's time is further from now than the topic takes.
    Timestamp,
    /// The topic or partition does not exist.
    UnknownTopic,
    /// The topic may not be written with these credentials.
    NotAuthorized,
    /// Anything else.
    Other,
}

// === impl SendErrorKind ===

impl SendErrorKind {
    /// Every kind, for tables.
    pub const ALL: [Self; 7] = [
        Self::Timeout,
        Self::QueueFull,
        Self::TooLarge,
        Self::Timestamp,
        Self::UnknownTopic,
        Self::NotAuthorized,
        Self::Other,
    ];

    /// The stable label for metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::QueueFull => "queue_full",
            Self::TooLarge => "too_large",
            Self::Timestamp => "timestamp",
            Self::UnknownTopic => "unknown_topic",
            Self::NotAuthorized => "not_authorized",
            Self::Other => "other",
        }
    }

    /// Whether trying again can help without a person. A missing topic, a missing right, a record that is too
    /// large and one from another time stay as they are until somebody changes something.
    #[must_use]
    pub fn is_retriable(self) -> bool {
        match self {
            Self::Timeout | Self::QueueFull | Self::Other => true,
            Self::TooLarge | Self::Timestamp | Self::UnknownTopic | Self::NotAuthorized => false,
        }
    }
}
