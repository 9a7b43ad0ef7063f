//! Everything the worker knows about Kafka, and the only crate that knows `rdkafka`.
//!
//! In short: a thread of its own polls the consumer and never stops polling, so the group never takes this process for
//! dead. It reports [`SourceEvent`]s and takes [`SourceCommand`]s. Commits are synchronous and run on a second thread,
//! because asynchronous commits report nothing and synchronous ones block while a broker is down. A revoked partition
//! stays with this process until the worker hands it back, the drain deadline passes or the assignment is lost. Nothing
//! is committed unless the worker asks for it. A dead letter counts as sent when the brokers have acknowledged it.
//!
//! | module | holds |
//! |---|---|
//! | [`settings`] | validated settings, and which raw properties are refused |
//! | [`port`] | events and commands: the seam between this crate and the worker |
//! | [`driver`] | the poll thread, the commit thread, the event channel |
//! | [`producer`] | a producer whose sends end with an acknowledgement |
//! | [`dead_letter`] | the producer of dead letters |
//! | [`diagnosis`] | what the client's words about a connection mean, and what to do |
//! | [`reader`] | everything read from the brokers outside the group: a topic's records, partition counts, what a command
//! remembers |
//! | [`state`] | the state topic: inspecting it, reading slices back, writing entries |
//! | [`embedded`] | a broker inside the process, for the demo and for tests |

pub mod dead_letter;
pub mod driver;
pub mod embedded;
pub mod error;
pub mod port;
pub mod producer;
pub mod reader;
pub mod settings;
pub mod state;

mod client;
mod clock;

pub use client::diagnosis;
pub use client::tokens::{BrokerToken, TokenSource};
pub use dead_letter::{DeadLetter, DeadLetterProducer};
pub use driver::{SourceEvents, SourceHandle, SourceRenewer, spawn};
pub use error::{
    ReadError, RenewError, SendError, SendErrorKind, SettingsError, SourceGone, StartError,
};
pub use port::{
    Assigned, CommitEntry, CommitFailure, CommitFailureKind, CommittedOffset, FatalError,
    LostPosition, PartitionStatistics, SourceCommand, SourceError, SourceErrorKind, SourceEvent,
    Statistics,
};
pub use producer::{OutgoingRecord, RecordProducer, partition_of};
pub use settings::{
    KafkaOptions, KafkaSettings, KnownStall, OnLostPosition, Prefetch, TOPOLOGY_INTERVAL,
};
