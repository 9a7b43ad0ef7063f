//! The seam: what the poll thread reports, and what it can be asked to do.
//!
//! Plain values in both directions. An [`Epoch`] names one life of one partition's log within one assignment to this
//! process; it grows with every assignment and every new life, so whatever arrives with an older one can be told apart.

use std::fmt;

use ingest_model::reading::Gap;
use ingest_model::reading::LifeCause;
use ingest_model::record::{Epoch, Offset, Record, TopicPartition};

/// What the poll thread reports, in the order in which it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceEvent {
    /// Partitions are this process's now and their committed offsets are known. Their records follow.
    ///
    /// A partition whose committed offset cannot be read yet is reported later, in an event of its own; it delivers
    /// nothing before. A new partition is not paused, whatever was paused before; with a state topic it is, until it is
    /// resumed.
    Assigned(Vec<Assigned>),
    /// The group wants these partitions back. None of their records follows.
    ///
    /// Settle or drop what is in hand, commit, then answer with [`SourceCommand::HandBack`]. Until all partitions of
    /// all open revocations are handed back, the client delivers no records of *any* partition.
    Revoking(Vec<(TopicPartition, Epoch)>),
    /// These partitions are gone already (or the drain deadline has passed): another process may be working on them.
    /// Nothing may be sent or committed for them any more. Follows [`SourceEvent::Revoking`] or stands alone.
    Lost(Vec<(TopicPartition, Epoch)>),
    /// A partition that is held begins a new life: its topic was made again, or its log lost its end. It is read from
    /// there on, in an epoch of its own.
    NewLife {
        /// Which.
        partition: TopicPartition,
        /// The epoch from here on.
        epoch: Epoch,
        /// Where it is read from.
        from: Offset,
        /// What ended the old life.
        cause: LifeCause,
        /// What had not been read of the old life and cannot be read any more, as far as its end was known.
        unread: Option<Gap>,
    },
    /// Records of a partition were deleted before they were read: the start of its log has passed the position.
    Vanished {
        /// Which.
        partition: TopicPartition,
        /// The epoch that it was read under.
        epoch: Epoch,
        /// The offsets.
        gap: Gap,
    },
    /// One record.
    Record {
        /// The record.
        record: Record,
        /// The assignment under which it was delivered.
        epoch: Epoch,
    },
    /// A commit has an answer.
    ///
    /// A commit that waits is replaced by a newer one of the same partition, and only the newer one is answered:
    /// success covers every lower offset of the partition and epoch.
    Committed {
        /// What was committed: the *next* offset to read of each partition.
        entries: Vec<(TopicPartition, Epoch, Offset)>,
        /// Whether the group's coordinator took it.
        result: Result<(), CommitFailure>,
    },
    /// Offsets as the brokers see them, at the statistics interval.
    Statistics(Statistics),
    /// Something went wrong that the client deals with by itself. At most one of a kind in ten seconds.
    Error(SourceError),
    /// The client cannot go on. [`SourceEvent::Stopped`] follows.
    Fatal(FatalError),
    /// The last event: the consumer has left the group (or will as soon as a commit that hangs comes back).
    Stopped,
}

/// What the poll thread can be asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceCommand {
    /// Deliver no more records of these partitions. Records already on their way still arrive.
    Pause(Vec<TopicPartition>),
    /// Deliver their records again.
    Resume(Vec<TopicPartition>),
    /// Commit these offsets; [`SourceEvent::Committed`] answers.
    Commit {
        /// One entry per partition.
        entries: Vec<CommitEntry>,
    },
    /// The drain of these revoked partitions is over. Commits asked for before are finished first.
    ///
    /// Pairs that name no open revocation are ignored: an answer that comes too late is harmless.
    HandBack(Vec<(TopicPartition, Epoch)>),
    /// Finish the commits asked for so far, leave the group, end. What was not handed back is let go.
    Stop,
}

/// A partition that now belongs to this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// The partition.
    pub partition: TopicPartition,
    /// This assignment of it.
    pub epoch: Epoch,
    /// What the group has committed; `None` if nothing, and then `auto.offset.reset` says where it starts.
    pub committed: Option<CommittedOffset>,
    /// Start and end of the log, where nothing is committed and they could be read.
    pub log: Option<Gap>,
}

/// A committed offset and the text that was stored beside it.
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
    /// The assignment it belongs to. An entry of an older one is refused, not sent.
    pub epoch: Epoch,
    /// The *next* offset to read.
    pub offset: Offset,
    /// Text to store beside it. Brokers take 4,096 bytes by default.
    pub metadata: Option<String>,
}

/// Why a commit was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitFailure {
    /// What it means for what happens next.
    pub kind: CommitFailureKind,
    /// The client's own words, for a person.
    pub detail: String,
}

/// What a failed commit means for what happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommitFailureKind {
    /// The group no longer knows this member: its partitions are lost, or will be reported so soon.
    Fenced,
    /// The commit named an older generation of the group: a rebalance is under way. The partition may still be ours.
    IllegalGeneration,
    /// The partition is not, or no longer, this process's under that epoch. Nothing was sent.
    NotOwned,
    /// The metadata is longer than the broker allows. The offset was not committed either.
    MetadataTooLarge,
    /// No answer in time, or no coordinator to ask. It may have been taken.
    Timeout,
    /// The group or a topic may not be used with these credentials.
    NotAuthorized,
    /// Anything else.
    Other,
}

/// Offsets as the brokers see them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Statistics {
    /// The group was joined and has given out its partitions; this process may have got none.
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
}

/// Something that went wrong and that the client deals with by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceError {
    /// What sort of thing.
    pub kind: SourceErrorKind,
    /// The client's own words, for a person.
    pub detail: String,
    /// How many of this kind were left out since the last one reported.
    pub suppressed: u64,
}

/// What sort of thing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SourceErrorKind {
    /// No broker can be reached.
    BrokersDown,
    /// One connection failed.
    Connection,
    /// TLS or SASL was refused.
    Authentication,
    /// A topic or the group may not be used with these credentials.
    NotAuthorized,
    /// A subscribed topic does not exist.
    UnknownTopic,
    /// The member was put out of the group, or could not join it.
    Group,
    /// The committed offset is not on the broker any more, or cannot be read.
    Offsets,
    /// A record could not be read as it is (headers that are not UTF-8, a damaged batch).
    Record,
    /// Anything else.
    Other,
}

/// Why the client cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FatalError {
    /// The client's own words, for a person.
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

    /// Whether the same commit may be taken later, in the same epoch.
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
