//! Errors of this crate, classified by what the caller should do next.

use std::time::Duration;

use ingest_model::record::Topic;
use thiserror::Error;

/// A setting that cannot be used. The message names it and says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// A setting is missing, empty or malformed.
    #[error("kafka.{setting}: {problem}")]
    Invalid {
        /// The setting under `kafka`.
        setting: &'static str,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// A raw property that the worker reserves for itself.
    #[error("kafka.properties.{property} cannot be set: {reason}")]
    Refused {
        /// The property.
        property: String,
        /// Why, and what to do instead.
        reason: String,
    },
    /// A raw property that the client does not know.
    #[error("kafka.properties.{property} is not a setting of the kafka client; check its spelling")]
    Unknown {
        /// The property.
        property: String,
    },
    /// A raw property with a value that the client does not accept.
    #[error("kafka.properties.{property} has a value that the kafka client refuses{detail}")]
    Value {
        /// The property.
        property: String,
        /// The client's words, left out where they could reveal a secret.
        detail: String,
    },
    /// Connections would not be as safe as somebody believes, or not come about.
    #[error("kafka.properties.{property}: {problem}; {way_out}")]
    Insecure {
        /// The property to look at, whether or not it is set.
        property: String,
        /// What is wrong.
        problem: String,
        /// What to do.
        way_out: String,
    },
    /// The drain deadline leaves no time before the group removes the member.
    #[error(
        "the drain deadline ({drain:?}) must be shorter than kafka.properties.max.poll.interval.ms ({max_poll:?}); \
         shorten the one or lengthen the other"
    )]
    DrainTooLong {
        /// The drain deadline.
        drain: Duration,
        /// The value of `max.poll.interval.ms`, or the client's default.
        max_poll: Duration,
    },
    /// The client accepts no session time-out longer than the time between polls.
    #[error(
        "the session time-out ({session:?}) must not be longer than kafka.properties.max.poll.interval.ms \
         ({max_poll:?}); shorten the one or lengthen the other"
    )]
    SessionTooLong {
        /// The session time-out.
        session: Duration,
        /// The value of `max.poll.interval.ms`, or the client's default.
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
    /// The operating system could not start a thread.
    #[error("no thread for the kafka client: {detail}")]
    Thread {
        /// The system's words.
        detail: String,
    },
}

/// The poll thread has ended and takes no more commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the kafka poll thread has ended")]
pub struct SourceGone;

/// A consumer that was not made anew.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RenewError {
    /// The old one goes on.
    #[error(transparent)]
    Start(StartError),
    /// There is none any more.
    #[error(transparent)]
    Gone(SourceGone),
}

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
    /// How to go on.
    pub kind: SendErrorKind,
    /// The client's words.
    pub detail: String,
}

/// How to go on after an unacknowledged record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SendErrorKind {
    /// Not acknowledged within the delivery time-out. It may have been written.
    Timeout,
    /// The producer's queue stayed full.
    QueueFull,
    /// The record is larger than the topic accepts.
    TooLarge,
    /// The record's time is further from now than the topic accepts.
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

    /// Whether a retry can help without a person's intervention. A missing topic, a missing right, a record that is too
    /// large or too far from now: these stay until somebody changes something.
    #[must_use]
    pub fn is_retriable(self) -> bool {
        match self {
            Self::Timeout | Self::QueueFull | Self::Other => true,
            Self::TooLarge | Self::Timestamp | Self::UnknownTopic | Self::NotAuthorized => false,
        }
    }
}
