//! What goes into the delivery machine, and what comes out.

use crate::seam::fact::Fact;
use crate::seam::hold::LetterTopic;
use ingest_model::call::{Call, Reply};
use ingest_model::outcome::{DroppedField, Held, Rejected, Verdict};
use ingest_model::reading::{Gap, LifeCause};
use ingest_model::record::{Epoch, Offset, Record, Topic, TopicPartition};
use ingest_model::state_log::StateRecord;
use ingest_model::state_log::reduce::Slice;
use ingest_model::trouble::Trouble;

/// Names a request until it is answered.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub struct RequestId(pub(crate) u64);

/// Names a dead letter until it is acknowledged.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub struct LetterId(pub(crate) RecordId);

/// Names a batch for the state topic until it is acknowledged.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub struct StateWriteId(pub(crate) u64);

/// An unsettled record.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub(crate) struct RecordId(pub(crate) u64);

/// What reaches the machine.
#[derive(serde::Serialize, serde::Deserialize, Debug)]
pub enum Input {
    /// How many partitions each subscribed topic has: the base of this replica's share.
    Topology(Vec<(Topic, u32)>),
    /// A partition is this process's from now on.
    Assigned {
        /// Which.
        partition: TopicPartition,
        /// The assignment.
        epoch: Epoch,
        /// What the group has committed for it, if anything.
        committed: Option<Committed>,
    },
    /// A partition is to be handed back: answer with [`Effect::HandBack`] when drained.
    Revoked {
        /// Which.
        partition: TopicPartition,
        /// The assignment.
        epoch: Epoch,
    },
    /// A partition belongs to somebody else already: let go at once.
    Lost {
        /// Which.
        partition: TopicPartition,
        /// The assignment.
        epoch: Epoch,
    },
    /// A partition that is held begins a new life: offsets of the old one mean nothing in it.
    NewLife {
        /// Which.
        partition: TopicPartition,
        /// The epoch of the new life; records that are still to come of the old one carry the old one.
        epoch: Epoch,
        /// Where it is read from.
        from: Offset,
        /// What ended the old one.
        cause: LifeCause,
    },
    /// Records of a partition were deleted before they were read.
    Vanished {
        /// Which.
        partition: TopicPartition,
        /// The epoch that it was read under.
        epoch: Epoch,
        /// Their offsets.
        gap: Gap,
    },
    /// A record, decoded and mapped.
    Record {
        /// The record, kept until it is settled.
        record: Record,
        /// The assignment that it was read under.
        epoch: Epoch,
        /// The event's time, epoch milliseconds.
        event_ms: Option<i64>,
        /// What decoding and mapping said.
        verdict: Verdict,
        /// The optional fields that mapping left out.
        dropped: Vec<DroppedField>,
    },
    /// The answer to [`Effect::Send`].
    Replied {
        /// Which request.
        request: RequestId,
        /// What it came to.
        reply: Reply,
    },
    /// The answer to [`Effect::DeadLetter`] and [`Effect::Divert`].
    DeadLettered {
        /// Which.
        letter: LetterId,
        /// Whether the broker acknowledged it, or why not.
        result: Result<(), Trouble>,
    },
    /// Letters to that topic have been under way for longer than brokers need, and this is why.
    LettersStuck {
        /// To which.
        to: LetterTopic,
        /// What the brokers say of it.
        trouble: Trouble,
    },
    /// The answer to [`Effect::Commit`].
    Committed {
        /// What this answer is about: all of the commit, or part of it.
        entries: Vec<(TopicPartition, Epoch, Offset)>,
        /// What the broker said.
        answer: CommitAnswer,
    },
    /// The answer to [`Effect::Restore`]: what the slice of the partition holds.
    Restored {
        /// Which partition.
        partition: TopicPartition,
        /// Under which assignment it was asked for.
        epoch: Epoch,
        /// Its slice.
        slice: Box<Slice>,
    },
    /// The answer to [`Effect::Restore`] when the slice could not be read; it is asked for again.
    RestoreFailed {
        /// Which partition.
        partition: TopicPartition,
        /// Under which assignment it was asked for.
        epoch: Epoch,
        /// Why.
        trouble: Trouble,
    },
    /// The answer to [`Effect::WriteState`].
    StateWritten {
        /// Which batch.
        write: StateWriteId,
        /// Whether the brokers acknowledged all of it, or why not.
        result: Result<(), Trouble>,
    },
    /// A person released the hold of this number.
    ReleaseHold(u64),
    /// Stop: drain everything, then [`Effect::Drained`].
    Shutdown,
    /// Time has passed.
    Wake,
}

/// What the machine wants done, in this order.
#[derive(Debug)]
pub enum Effect {
    /// Send this request.
    Send {
        /// Names it in the answer.
        request: RequestId,
        /// The request.
        call: Call,
    },
    /// Put this record on the dead-letter topic.
    DeadLetter {
        /// Names it in the answer.
        letter: LetterId,
        /// The record as it came.
        record: Record,
        /// Why.
        rejected: Rejected,
        /// Attempts that were made.
        attempts: u32,
    },
    /// Put this record on the hold topic. The answer is [`Input::DeadLettered`].
    Divert {
        /// Names it in the answer.
        letter: LetterId,
        /// The record as it came.
        record: Record,
        /// What kept it back.
        held: Held,
        /// Attempts that were made.
        attempts: u32,
    },
    /// Commit these offsets.
    Commit(Vec<CommitEntry>),
    /// Deliver no more records of these partitions.
    Pause(Vec<TopicPartition>),
    /// Deliver records of these partitions again.
    Resume(Vec<TopicPartition>),
    /// Give this partition back to the group.
    HandBack {
        /// Which.
        partition: TopicPartition,
        /// The assignment that ends.
        epoch: Epoch,
    },
    /// Read the slice of this input partition from the state topic. The partition is paused until it is resumed.
    Restore {
        /// Which.
        partition: TopicPartition,
        /// Under which assignment.
        epoch: Epoch,
    },
    /// Write these to the partition of the state topic that belongs to the slice of an input partition.
    WriteState {
        /// Names the batch in the answer.
        write: StateWriteId,
        /// Whose slice.
        partition: TopicPartition,
        /// The batch, in its order.
        records: Vec<StateRecord>,
    },
    /// Everything is handed back after [`Input::Shutdown`].
    Drained,
    /// Something happened that people may want to know.
    Fact(Fact),
}

/// An offset that was found committed, and the text beside it.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The next offset to be read.
    pub offset: Offset,
    /// The text.
    pub metadata: Metadata,
}

/// What a commit was found to carry.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Default, PartialEq, Eq)]
pub enum Metadata {
    /// Nothing.
    #[default]
    None,
    /// This text.
    Text(String),
    /// Something that is no text.
    Unreadable,
}

/// What became of a commit.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitAnswer {
    /// The broker took it.
    Accepted,
    /// It did not, or did not answer; later it may.
    Failed,
    /// The text is longer than the broker allows.
    MetadataTooLarge,
}

/// One offset to commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitEntry {
    /// Of which partition.
    pub partition: TopicPartition,
    /// Under which assignment.
    pub epoch: Epoch,
    /// The next offset to be read.
    pub offset: Offset,
    /// What is settled above it, as text, if anything is.
    pub metadata: Option<String>,
}
