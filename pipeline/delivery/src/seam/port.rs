//! What goes into the delivery machine, and what comes out.

use std::sync::Arc;

use crate::seam::fact::Fact;
use crate::seam::hold::{LetterTopic, Pause, PausedBy, Scope};
use crate::seam::settled::SettledRecord;
use ingest_model::call::{Call, Reply};
use ingest_model::operation::CustomerKey;
use ingest_model::outcome::{DroppedField, Held, Rejected, SkipReason, Verdict};
use ingest_model::reading::{Gap, LifeCause};
use ingest_model::record::{Epoch, EventIds, Offset, Record, Topic, TopicPartition, Traffic};
use ingest_model::state_log::StateRecord;
use ingest_model::state_log::reduce::Slice;
use ingest_model::trouble::Trouble;
use smallvec::SmallVec;

/// Identifies a request until it is answered.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub struct RequestId(pub(crate) u64);

/// Identifies a dead letter until it is acknowledged.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub struct LetterId(pub(crate) RecordId);

/// Identifies a batch for the state topic until it is acknowledged.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub struct StateWriteId(pub(crate) u64);

/// Identifies an unsettled record.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub(crate) struct RecordId(pub(crate) u64);

/// Whether the next record of a partition waits for its schema. Until it does not, nothing more is to be read from there.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct SchemaMissing {
    /// The partition.
    pub partition: TopicPartition,
    /// The assignment under which the record was read.
    pub epoch: Epoch,
    /// It does.
    pub waits: bool,
    /// The bytes of memory that it takes, with what was read behind it.
    #[serde(default)]
    pub bytes: u64,
}

/// Records of a partition that were read one after the other and that the mapping skipped. Nothing of them is kept, so that
/// many cost no more than one.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct SkippedRun {
    /// The partition.
    pub partition: TopicPartition,
    /// The assignment under which they were read.
    pub epoch: Epoch,
    /// The offset of the first.
    pub first: Offset,
    /// The time of the first, epoch milliseconds, if the broker gave one.
    pub first_ms: Option<i64>,
    /// The offset of the last; there is a record at each offset between.
    pub last: Offset,
    /// How many were skipped for each reason.
    pub reasons: SmallVec<[(SkipReason, u64); 2]>,
}

/// What reaches the machine.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone)]
pub enum Input {
    /// How many partitions each subscribed topic has, which this replica's share is measured by.
    Topology(Vec<(Topic, u32)>),
    /// A partition is owned from now on.
    Assigned {
        /// The partition.
        partition: TopicPartition,
        /// The epoch of the assignment.
        epoch: Epoch,
        /// What the group has committed for it, if anything.
        committed: Option<Committed>,
    },
    /// A partition is to be handed back: answer with [`Effect::HandBack`] when drained.
    Revoked {
        /// The partition.
        partition: TopicPartition,
        /// The epoch of the assignment.
        epoch: Epoch,
    },
    /// A partition already belongs to another member: release it at once.
    Lost {
        /// The partition.
        partition: TopicPartition,
        /// The epoch of the assignment.
        epoch: Epoch,
    },
    /// An owned partition begins a new life, in which offsets of the old one mean nothing.
    NewLife {
        /// The partition.
        partition: TopicPartition,
        /// The epoch of the new life; records of the old one that still arrive carry the old epoch.
        epoch: Epoch,
        /// Where reading begins.
        from: Offset,
        /// What ended the old one.
        cause: LifeCause,
    },
    /// Records of a partition were deleted before they were read.
    Vanished {
        /// The partition.
        partition: TopicPartition,
        /// The epoch under which it was read.
        epoch: Epoch,
        /// Their offsets.
        gap: Gap,
    },
    /// Offsets that hold no records and lie below the start of the log.
    Empty {
        /// The partition.
        partition: TopicPartition,
        /// The epoch under which it was read.
        epoch: Epoch,
        /// The offsets.
        gap: Gap,
    },
    /// All topics with partitions that are not read because their position was lost, each time that changes. Those partitions are
    /// assigned when somebody has decided.
    PositionsLost(Vec<Topic>),
    /// A record, decoded and mapped.
    Record {
        /// The record, kept until it is settled.
        record: Record,
        /// The assignment under which it was read.
        epoch: Epoch,
        /// The event's time, epoch milliseconds.
        event_ms: Option<i64>,
        /// How urgent it is.
        #[serde(default)]
        traffic: Traffic,
        /// The result of decoding and mapping.
        verdict: Verdict,
        /// The optional fields that the mapping left out.
        dropped: Vec<DroppedField>,
        /// What its producer calls its events, if that is wanted for receipts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event_ids: Option<Box<EventIds>>,
    },
    /// Neighbouring records of a partition that the mapping skipped.
    Skipped(SkippedRun),
    /// Whether the next record of a partition waits for its schema.
    SchemaMissing(SchemaMissing),
    /// The answer to [`Effect::Send`].
    Replied {
        /// Which request.
        request: RequestId,
        /// The answer; shared, so that a recording of the step costs no copy of it.
        reply: Arc<Reply>,
    },
    /// The answer to [`Effect::DeadLetter`] and [`Effect::Divert`].
    DeadLettered {
        /// Which.
        letter: LetterId,
        /// Whether the broker acknowledged it, or why not.
        result: Result<(), Trouble>,
    },
    /// Letters to that topic have been in flight for longer than brokers need, for this reason.
    LettersStuck {
        /// The topic.
        to: LetterTopic,
        /// What the brokers report.
        trouble: Trouble,
    },
    /// The answer to [`Effect::Commit`].
    Committed {
        /// What this answer is about: all of the commit, or part of it.
        entries: Vec<(TopicPartition, Epoch, Offset)>,
        /// What the broker said.
        answer: CommitAnswer,
    },
    /// The answer to [`Effect::Restore`]: the slice of the partition.
    Restored {
        /// The partition.
        partition: TopicPartition,
        /// The assignment under which it was requested.
        epoch: Epoch,
        /// Its slice.
        slice: Box<Slice>,
    },
    /// The answer to [`Effect::Restore`] if the slice could not be read; it is requested again.
    RestoreFailed {
        /// The partition.
        partition: TopicPartition,
        /// The assignment under which it was requested.
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
    /// The answer to [`Effect::ReadRiders`]: the texts beside the offsets that the group has committed for partitions of others.
    /// Those that could not be read are not there.
    Riders(Vec<(TopicPartition, Metadata)>),
    /// So many requests of every minute are left to others from now on.
    Reserve(u32),
    /// A person released the hold with this number, or ended the pause.
    ReleaseHold(u64),
    /// Something is paused from now on, or its pause gets another end.
    Pause(Pause),
    /// Pauses of this scope end: all of them, or the one that was begun so.
    Resume {
        /// The scope.
        scope: Scope,
        /// Whose pause.
        by: Option<PausedBy>,
    },
    /// Nothing is sent of customers with these keys from now on, and of no others.
    Suppressed(Vec<CustomerKey>),
    /// The API key was replaced by another one.
    KeyReplaced,
    /// Stop: drain everything, then [`Effect::Drained`].
    Shutdown,
    /// Time has passed.
    Wake,
}

/// What the machine asks for, to be done in this order.
#[derive(Debug)]
pub enum Effect {
    /// Send this request.
    Send {
        /// Identifies it in the answer.
        request: RequestId,
        /// The request; shared, so that a recording of the step costs no copy of it.
        call: Arc<Call>,
    },
    /// Put this record on the dead-letter topic.
    DeadLetter {
        /// Identifies it in the answer.
        letter: LetterId,
        /// The record as it came.
        record: Record,
        /// Why.
        rejected: Rejected,
        /// How often it was attempted.
        attempts: u32,
    },
    /// Put this record on the hold topic. The answer is [`Input::DeadLettered`].
    Divert {
        /// Identifies it in the answer.
        letter: LetterId,
        /// The record as it came.
        record: Record,
        /// What kept it back.
        held: Held,
        /// How often it was attempted.
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
        /// The partition.
        partition: TopicPartition,
        /// The assignment that ends.
        epoch: Epoch,
    },
    /// Read the slice of this input partition from the state topic. The partition stays paused until it is resumed.
    Restore {
        /// The partition.
        partition: TopicPartition,
        /// The epoch of the assignment.
        epoch: Epoch,
    },
    /// Write these to the state topic's partition for the slice of an input partition.
    WriteState {
        /// Identifies the batch in the answer.
        write: StateWriteId,
        /// The partition that the slice belongs to.
        partition: TopicPartition,
        /// The batch, in order.
        records: Vec<StateRecord>,
    },
    /// Read the texts beside the committed offsets of these partitions, which others own.
    ReadRiders(Vec<TopicPartition>),
    /// A record was settled, and its receipt is wanted. It is settled whether or not that is written.
    Receipt(Box<SettledRecord>),
    /// Everything was handed back after [`Input::Shutdown`].
    Drained,
    /// Something happened that people may want to know.
    Fact(Fact),
}

/// A committed offset that was found, and the text beside it.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The next offset to read.
    pub offset: Offset,
    /// The text.
    pub metadata: Metadata,
}

/// What was found beside a committed offset.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Default, PartialEq, Eq)]
pub enum Metadata {
    /// Nothing.
    #[default]
    None,
    /// This text.
    Text(String),
    /// Something that is not text.
    Unreadable,
}

/// The result of a commit.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitAnswer {
    /// The broker took it.
    Accepted,
    /// It did not, or did not answer; it may later.
    Failed,
    /// The text is longer than the broker allows.
    MetadataTooLarge,
}

/// One offset to commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitEntry {
    /// The partition.
    pub partition: TopicPartition,
    /// The epoch of the assignment.
    pub epoch: Epoch,
    /// The next offset to read.
    pub offset: Offset,
    /// What is settled above it, as text, if anything is.
    pub metadata: Option<String>,
}

// === impl SkippedRun ===

impl SkippedRun {
    /// A run of one record.
    #[must_use]
    pub fn of(record: &Record, epoch: Epoch, reason: SkipReason) -> Self {
        Self {
            partition: record.position.partition.clone(),
            epoch,
            first: record.position.offset,
            first_ms: record.timestamp_ms,
            last: record.position.offset,
            reasons: SmallVec::from_iter([(reason, 1)]),
        }
    }

    /// Adds a record if it is the next one of the partition.
    #[must_use]
    pub fn add(&mut self, record: &Record, epoch: Epoch, reason: SkipReason) -> bool {
        let position = &record.position;
        let follows = position.offset == self.last.next()
            && epoch == self.epoch
            && position.partition == self.partition;
        if follows {
            self.last = position.offset;
            match self.reasons.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, records)) => *records += 1,
                None => self.reasons.push((reason, 1)),
            }
        }
        follows
    }

    /// How many records there are.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.reasons.iter().map(|(_, records)| records).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ingest_model::record::Position;

    fn record(partition: i32, offset: i64) -> Record {
        Record {
            position: Position {
                partition: TopicPartition::new("shop.events", partition),
                offset: Offset(offset),
            },
            key: None,
            value: None,
            headers: Vec::new(),
            timestamp_ms: Some(offset * 10),
        }
    }

    #[test]
    fn a_run_takes_neighbours_of_one_partition_and_life() {
        let (one, other) = (SkipReason::NoRoute, SkipReason::Dropped);
        let mut run = SkippedRun::of(&record(0, 7), Epoch(2), one);
        assert!(run.add(&record(0, 8), Epoch(2), other));
        assert!(run.add(&record(0, 9), Epoch(2), one));
        for (record, epoch) in [
            (record(0, 11), 2),
            (record(0, 9), 2),
            (record(1, 10), 2),
            (record(0, 10), 3),
        ] {
            assert!(!run.add(&record, Epoch(epoch), one), "{record:?}");
        }
        assert_eq!((run.first, run.last), (Offset(7), Offset(9)));
        assert_eq!((run.first_ms, run.records()), (Some(70), 3));
        assert_eq!(run.reasons.as_slice(), [(one, 2), (other, 1)]);
    }
}
