//! The seam: what the poll thread reports, and what it can be asked to do.
//!
//! Plain values in both directions. An [`Epoch`] identifies one life of one partition's log within one assignment to this
//! process. It grows with every assignment and every new life, so whatever belongs to an older one can be recognised.

use std::fmt;

use ingest_model::reading::Gap;
use ingest_model::reading::LifeCause;
use ingest_model::record::{Epoch, Offset, Record, Topic, TopicPartition};

/// What the poll thread reports, in the order in which it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceEvent {
    /// Partitions now belong to this process, and their committed offsets are known. Their records follow.
    ///
    /// A partition whose committed offset cannot be read yet is reported later, in an event of its own, and delivers
    /// nothing before. A new partition is not paused, even if it was before; but with a state topic it is, until it is
    /// resumed.
    Assigned(Vec<Assigned>),
    /// The group wants these partitions back. No more of their records follow.
    ///
    /// Settle or drop what is in hand, commit, then answer with [`SourceCommand::HandBack`]. Until all partitions of all
    /// open revocations are handed back, the client delivers no records of *any* partition.
    Revoking(Vec<(TopicPartition, Epoch)>),
    /// These partitions are already gone (or the drain deadline has passed): another process may be working on them.
    /// Nothing may be sent or committed for them any more. Comes with or without an earlier [`SourceEvent::Revoking`].
    Lost(Vec<(TopicPartition, Epoch)>),
    /// All partitions that are not read because their position was lost, each time that changes. They are assigned when a person
    /// has decided ([`SourceCommand::BeginAnew`]), or never: they may leave.
    PositionsLost(Vec<LostPosition>),
    /// A partition that is held begins a new life: its topic was recreated, or its log lost its end. It is read from
    /// there on, in an epoch of its own.
    NewLife {
        /// The partition.
        partition: TopicPartition,
        /// The epoch from here on.
        epoch: Epoch,
        /// The offset at which reading starts.
        from: Offset,
        /// What ended the old life.
        cause: LifeCause,
        /// What was left unread of the old life and cannot be read any more, as far as its end was known.
        unread: Option<Gap>,
    },
    /// Records of a partition were deleted before they were read: the start of its log has passed the position.
    Vanished {
        /// The partition.
        partition: TopicPartition,
        /// The epoch in which it was read.
        epoch: Epoch,
        /// The deleted offsets.
        gap: Gap,
    },
    /// These offsets follow the last record, hold none, and lie below the start of the log: none will come, and they may be committed.
    Empty {
        /// The partition.
        partition: TopicPartition,
        /// The epoch in which it was read.
        epoch: Epoch,
        /// The offsets.
        gap: Gap,
    },
    /// Records in the order in which they were read, each with the epoch in which it was delivered.
    Records(Vec<(Record, Epoch)>),
    /// A commit was answered.
    ///
    /// A waiting commit is replaced by a newer one of the same partition, and only the newer one is answered: success
    /// covers every lower offset of the partition and epoch.
    Committed {
        /// What was committed: the *next* offset to read of each partition.
        entries: Vec<(TopicPartition, Epoch, Offset)>,
        /// Whether the group's coordinator accepted it.
        result: Result<(), CommitFailure>,
    },
    /// What the group has committed for partitions of others, as far as it could be read.
    CommittedByOthers(Vec<(TopicPartition, CommittedOffset)>),
    /// Offsets as the brokers see them, at the statistics interval.
    Statistics(Statistics),
    /// An error that the client handles by itself. At most one of a kind in ten seconds, and in a minute if the words are
    /// the same.
    Error(SourceError),
    /// The client cannot go on. [`SourceEvent::Stopped`] follows.
    Fatal(FatalError),
    /// The last event: the consumer has left the group (or will, as soon as a hanging commit returns).
    Stopped,
}

/// What the poll thread can be asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceCommand {
    /// Deliver no more records of these partitions. Records already on their way still arrive.
    Pause(Vec<TopicPartition>),
    /// Deliver their records again.
    Resume(Vec<TopicPartition>),
    /// Commit these offsets; answered by [`SourceEvent::Committed`].
    Commit {
        /// One entry per partition.
        entries: Vec<CommitEntry>,
    },
    /// Read the partitions of this topic whose position was lost from the start of their logs.
    BeginAnew(Topic),
    /// Read what the group has committed for these partitions, which others own; answered by
    /// [`SourceEvent::CommittedByOthers`].
    ReadCommitted(Vec<TopicPartition>),
    /// These revoked partitions are drained. Commits asked for before are finished first.
    ///
    /// Pairs that name no open revocation are ignored, so a late answer is harmless.
    HandBack(Vec<(TopicPartition, Epoch)>),
    /// Finish the commits asked for so far, leave the group, end. Partitions not handed back are released.
    Stop,
}

/// A partition that now belongs to this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// The partition.
    pub partition: TopicPartition,
    /// The epoch of this assignment.
    pub epoch: Epoch,
    /// What the group has committed; `None` if nothing, and then `kafka.on_lost_position` says where to start.
    pub committed: Option<CommittedOffset>,
    /// Start and end of the log, if nothing is committed, or nothing in the log that is read from its end; and if they could be read.
    pub log: Option<Gap>,
}

/// A partition that is not read because its committed offset lies below the start of its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostPosition {
    /// The partition.
    pub partition: TopicPartition,
    /// The committed offset.
    pub committed: Offset,
    /// Start and end of the log.
    pub log: Gap,
}

/// A committed offset and the text that was stored with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The next offset to read.
    pub offset: Offset,
    /// The metadata; `None` if empty or unreadable.
    pub metadata: Option<String>,
    /// There is metadata, but it is not UTF-8, so it is not ours.
    pub metadata_unreadable: bool,
}

/// One partition's part of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitEntry {
    /// The partition.
    pub partition: TopicPartition,
    /// The epoch it belongs to. An entry of an older epoch is refused, not sent.
    pub epoch: Epoch,
    /// The *next* offset to read.
    pub offset: Offset,
    /// Text to store with it. Brokers accept 4,096 bytes by default.
    pub metadata: Option<String>,
}

/// Why a commit was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitFailure {
    /// How to go on.
    pub kind: CommitFailureKind,
    /// The client's own words, for people.
    pub detail: String,
}

/// How to go on after a failed commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommitFailureKind {
    /// The group no longer knows this member: its partitions are lost, or will soon be reported as lost.
    Fenced,
    /// The commit had an older generation of the group: a rebalance is under way. The partition may still be ours.
    IllegalGeneration,
    /// The partition does not belong to this process in that epoch, or no longer does. Nothing was sent.
    NotOwned,
    /// The metadata is longer than the broker allows. The offset was not committed either.
    MetadataTooLarge,
    /// No answer in time, or no coordinator to ask. It may have been accepted.
    Timeout,
    /// The credentials do not allow using the group or a topic.
    NotAuthorized,
    /// Anything else.
    Other,
}

/// Offsets as the brokers see them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Statistics {
    /// The group was joined and has handed out its partitions; this process may have received none.
    pub joined: bool,
    /// One entry per assigned partition, ordered by partition.
    pub partitions: Vec<PartitionStatistics>,
    /// Records fetched and waiting inside the client.
    pub prefetched_records: u64,
    /// Their bytes.
    pub prefetched_bytes: u64,
}

/// Offsets of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionStatistics {
    /// The partition.
    pub partition: TopicPartition,
    /// The first offset that the broker still has.
    pub low_watermark: Option<Offset>,
    /// The offset after the last record.
    pub high_watermark: Option<Offset>,
    /// Records between the committed offset and the high watermark.
    pub lag: Option<u64>,
    /// Whether the client reads it: it has a leader that the client knows, and a position.
    pub readable: bool,
}

/// An error that the client handles by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceError {
    /// The kind of error.
    pub kind: SourceErrorKind,
    /// The client's own words, for people.
    pub detail: String,
    /// How many errors of this kind were suppressed since the last report.
    pub suppressed: u64,
}

/// The kind of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SourceErrorKind {
    /// No broker can be reached.
    BrokersDown,
    /// One connection failed.
    Connection,
    /// TLS or SASL was refused.
    Authentication,
    /// The credentials do not allow using a topic or the group.
    NotAuthorized,
    /// A subscribed topic does not exist.
    UnknownTopic,
    /// The member was removed from the group, or could not join it.
    Group,
    /// The broker no longer has the committed offset, or it cannot be read.
    Offsets,
    /// A record could not be read completely (headers that are not UTF-8, a damaged batch).
    Record,
    /// Anything else.
    Other,
}

/// Why the client cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FatalError {
    /// The client's own words, for people.
    pub detail: String,
}

// === impl CommitFailureKind ===

impl CommitFailureKind {
    /// Every kind, for tables.
    pub const ALL: [Self; 7] = [
        Self::Fenced,
        Self::IllegalGeneration,
        Self::NotOwned,
        Self::MetadataTooLarge,
        Self::Timeout,
        Self::NotAuthorized,
        Self::Other,
    ];

    /// The stable label for metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fenced => "fenced",
            Self::IllegalGeneration => "illegal_generation",
            Self::NotOwned => "not_owned",
            Self::MetadataTooLarge => "metadata_too_large",
            Self::Timeout => "timeout",
            Self::NotAuthorized => "not_authorized",
            Self::Other => "other",
        }
    }

    /// Whether the same commit may be accepted later, in the same epoch.
    #[must_use]
    pub fn is_retriable(self) -> bool {
        match self {
            Self::IllegalGeneration | Self::Timeout | Self::NotAuthorized | Self::Other => true,
            Self::Fenced | Self::NotOwned | Self::MetadataTooLarge => false,
        }
    }
}

impl fmt::Display for CommitFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.as_str(), self.detail)
    }
}

// === impl SourceErrorKind ===

impl SourceErrorKind {
    /// Every kind, for tables.
    pub const ALL: [Self; 9] = [
        Self::BrokersDown,
        Self::Connection,
        Self::Authentication,
        Self::NotAuthorized,
        Self::UnknownTopic,
        Self::Group,
        Self::Offsets,
        Self::Record,
        Self::Other,
    ];

    /// The stable label for metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BrokersDown => "brokers_down",
            Self::Connection => "connection",
            Self::Authentication => "authentication",
            Self::NotAuthorized => "not_authorized",
            Self::UnknownTopic => "unknown_topic",
            Self::Group => "group",
            Self::Offsets => "offsets",
            Self::Record => "record",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.as_str(), self.detail)
    }
}

impl fmt::Display for FatalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}
