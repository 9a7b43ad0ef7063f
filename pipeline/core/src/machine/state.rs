//! What the machine remembers of records, operations, requests and partitions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;

use super::commit_room::CommitRoom;
use super::life::FormerLives;
use crate::call::Class;
use crate::charge::Charge;
use crate::commit_metadata::{Restored, TextLimit};
use crate::hold::{Family, LetterTopic};
use crate::job::JobId;
use crate::lane::{LaneId, OperationId};
use crate::ledger::Ledger;
use crate::operation::{CustomerKey, Operation};
use crate::outcome::{Held, HeldBy, HoldCause, Rejected, SkipReason};
use crate::pack::GroupKey;
use crate::port::RecordId;
use crate::record::{Epoch, Offset, Record, TopicPartition};
use crate::repeat::{ChangeKey, Changes};
use crate::revision::Revision;
use crate::said::Ages;
use crate::state_log::{Entity, OperationRef};

/// The obligation to settle one operation of one record. Not `Clone`: it ends in exactly one place, `settle`.
#[derive(Debug)]
#[must_use = "a receipt that is dropped leaves its record unsettled for ever"]
pub(super) struct Receipt {
    pub(super) record: RecordId,
    /// Its place among the operations of the record.
    pub(super) ordinal: u16,
    /// What the operation changes: the same for every repeat of it.
    pub(super) change: ChangeKey,
}

impl Receipt {
    /// The operation, as the state topic names it.
    pub(super) fn operation(&self, record: &Record) -> OperationRef {
        OperationRef {
            offset: record.position.offset,
            ordinal: self.ordinal,
            mark: self.change.mark(),
        }
    }
}

#[derive(Debug)]
pub(super) struct RecordState {
    pub(super) record: Record,
    pub(super) epoch: Epoch,
    pub(super) event_ms: Option<i64>,
    pub(super) charge: Charge,
    /// Operations that are not settled.
    pub(super) open: usize,
    pub(super) delivered: bool,
    pub(super) skipped: Option<SkipReason>,
    pub(super) rejected: Option<Rejected>,
    pub(super) attempts: u32,
    /// Its partition is being handed back: what is under way ends, then it is left to the next owner.
    pub(super) abandoned: bool,
    /// It is set aside on the hold topic.
    pub(super) diverted: Option<Held>,
    /// Its letter is under way, to that topic.
    pub(super) letter: Option<LetterTopic>,
    /// When its letter is sent, or sent again, if it waits for that.
    pub(super) letter_at: Option<Instant>,
    /// The broker has acknowledged its letter.
    pub(super) acknowledged: bool,
}

impl RecordState {
    /// Whether its letter goes to the hold topic: it is set aside, and nothing of it was rejected, or it is the rejection that
    /// waited for too long.
    pub(super) fn goes_aside(&self) -> bool {
        let kept_back = [HoldCause::DeadLetterGuard, HoldCause::DeadLetterTopic];
        self.diverted.as_ref().is_some_and(|held| {
            self.rejected.is_none() || kept_back.map(HeldBy::Hold).contains(&held.by)
        })
    }
}

#[derive(Debug)]
pub(super) struct OperationState {
    pub(super) lane: LaneId,
    pub(super) partition: TopicPartition,
    pub(super) route: Arc<str>,
    pub(super) work: Operation,
    pub(super) receipts: SmallVec<[Receipt; 1]>,
    /// Of an identity: when its fields were said.
    pub(super) ages: Ages,
    /// Another operation of its lane makes the same change; which of them is sent shows when it is its turn. Merges with none.
    pub(super) copy: bool,
    pub(super) stage: Stage,
    pub(super) attempts: u32,
    /// Failures while others succeeded.
    pub(super) sick: u32,
    pub(super) last_attempt: Option<Instant>,
    /// When a write of it left last: looks are attempts, too.
    pub(super) last_write: Option<Instant>,
    /// Bytes of its item in a bulk request.
    pub(super) bytes: usize,
    /// The customer's Kustomer id, once known.
    pub(super) customer_id: Option<Arc<str>>,
    /// The object's Kustomer id, once an update of it was decided.
    pub(super) object_id: Option<Arc<str>>,
    /// The object's revision when an update of it was decided: what was compared is what is locked.
    pub(super) decided: Revision,
    /// Looks at the object that led back to a write.
    pub(super) looks: u32,
    /// A write of it may have arrived.
    pub(super) ambiguous: bool,
    /// The write was refused because of its revision; whether that was somebody else's write is not known yet.
    pub(super) conflicted: bool,
    /// Look at the object before anything else is sent.
    pub(super) verify_first: bool,
    /// Never fused: a fused request with it was refused.
    pub(super) alone: bool,
    /// The customer's id led nowhere once and was looked up again.
    pub(super) resolved_again: bool,
    /// The journalled write that carries it, or carried it last.
    pub(super) intent: Option<Entity>,
    /// An earlier owner of the partition began to write it.
    pub(super) begun: bool,
    /// The object was read and not written since.
    pub(super) looked: bool,
    /// Its write names a revision that is known to be old: the answer tells whether the organisation minds.
    pub(super) tests_lock: bool,
    /// Such a write was refused, and not as a conflict: it is made with the right revision now.
    pub(super) refused_in_test: bool,
}

impl OperationState {
    /// Whether all that it changes was made before.
    pub(super) fn is_made(&self, made: &Changes) -> bool {
        self.receipts.iter().all(|one| made.contains(one.change))
    }

    pub(super) fn changes(&self, change: ChangeKey) -> bool {
        self.receipts.iter().any(|one| one.change == change)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    Queued,
    WaitCustomer,
    ReadyTrack,
    /// Its partition's commits have no room for what it would settle.
    KeptBack,
    ReadyWrite(GroupKey),
    ReadyForced,
    /// Of a request that was refused as a whole, while another part of it is tried.
    Suspect,
    ReadyVerify,
    Parked(Instant),
    /// What became of an earlier owner's write of the object is not known yet.
    WaitInherited,
    /// The intent of its write is not acknowledged yet: nothing has left.
    Journalling,
    UnderWay,
    InJob(JobId),
}

impl Stage {
    /// Whether a request of it has left whose end is not known.
    pub(super) fn is_under_way(&self) -> bool {
        match self {
            Self::UnderWay | Self::InJob(_) => true,
            Self::Queued
            | Self::WaitCustomer
            | Self::ReadyTrack
            | Self::KeptBack
            | Self::ReadyWrite(_)
            | Self::ReadyForced
            | Self::Suspect
            | Self::ReadyVerify
            | Self::Parked(_)
            | Self::WaitInherited
            | Self::Journalling => false,
        }
    }
}

#[derive(Debug)]
pub(super) struct Sent {
    pub(super) what: SentKind,
    pub(super) class: Class,
    pub(super) family: Option<Family>,
    pub(super) at: Instant,
}

#[derive(Debug)]
pub(super) enum SentKind {
    /// One identify, one track, or both fused.
    Tracking(SmallVec<[OperationId; 2]>),
    Search(Vec<CustomerKey>),
    ResolveIdentify(CustomerKey),
    ReadCustomer {
        customer: CustomerKey,
    },
    CreateCustomers {
        keys: BTreeMap<String, CustomerKey>,
        with_refs: bool,
    },
    /// One object or several of one klass and verb.
    Write(Batch),
    Verify(OperationId),
    ReadJob {
        job: JobId,
        state_only: bool,
    },
    Probe,
}

/// Objects that are written with one request.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) group: GroupKey,
    pub(super) operations: Vec<OperationId>,
    /// Each item is named in the answer.
    pub(super) with_refs: bool,
    /// They go together, whatever else could go with them.
    pub(super) forced: bool,
    /// If these operations are accepted, the guilty one of a refused request stands among those of `rest`.
    pub(super) rest: Vec<OperationId>,
}

#[derive(Debug)]
pub(super) struct Assignment {
    pub(super) epoch: Epoch,
    pub(super) ledger: Ledger,
    /// Records of this epoch that are held.
    pub(super) live: u64,
    /// What is in hand of lives that ended under this assignment.
    pub(super) former: FormerLives,
    pub(super) issued: Option<Offset>,
    pub(super) acked: Option<Offset>,
    /// How many records were settled when the last commit was issued, and when the last acknowledged one was.
    pub(super) issued_settled: u64,
    pub(super) acked_settled: u64,
    /// The room that its commits have for what is settled above the frontier.
    pub(super) room: CommitRoom,
    /// Whether the partition is known to be still this process's.
    pub(super) membership: Membership,
    pub(super) drain: Option<Drain>,
    /// Its slice of the state topic is not restored yet; it delivers nothing.
    pub(super) restoring: bool,
    /// The last try to restore it failed.
    pub(super) restore_failed: bool,
    /// When to try again.
    pub(super) restore_at: Option<Instant>,
    /// The source was told to deliver no records of it.
    pub(super) paused: bool,
}

/// What is known of a partition's ownership after a sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Membership {
    /// It is this process's.
    Sure,
    /// It may be another's: a commit has to tell.
    InDoubt,
    /// A commit is under way that will tell.
    Asked,
}

#[derive(Debug)]
pub(super) struct Drain {
    pub(super) deadline: Instant,
    pub(super) commits_failed: u32,
}

#[derive(Debug, Default)]
pub(super) struct CommitState {
    pub(super) under_way: Vec<(TopicPartition, Epoch, Offset)>,
    pub(super) next_at: Option<Instant>,
    /// The longest text that the brokers are known to take.
    pub(super) limit: TextLimit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A parked operation may go on.
    Unpark(OperationId),
    /// A dead letter that was not acknowledged is sent again.
    Letter(RecordId),
}

impl Assignment {
    pub(super) fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            ledger: Ledger::default(),
            live: 0,
            former: FormerLives::default(),
            issued: None,
            acked: None,
            issued_settled: 0,
            acked_settled: 0,
            room: CommitRoom::default(),
            membership: Membership::Sure,
            drain: None,
            restoring: false,
            restore_failed: false,
            restore_at: None,
            paused: false,
        }
    }

    pub(super) fn committed_at(epoch: Epoch, offset: Offset) -> Self {
        Self {
            ledger: Ledger::committed_at(offset),
            ..Self::new(epoch)
        }
    }

    pub(super) fn restored(epoch: Epoch, restored: Restored) -> Self {
        Self {
            ledger: Ledger::restored(restored),
            ..Self::new(epoch)
        }
    }

    /// The offset to commit, if more is settled than the broker knows.
    pub(super) fn uncommitted(&self) -> Option<Offset> {
        self.ledger.frontier().filter(|frontier| {
            self.acked.is_none_or(|acked| *frontier > acked)
                || self.ledger.settled() > self.acked_settled
                || self.membership == Membership::InDoubt
        })
    }
}
