//! What the machine remembers of records, operations, requests and partitions.

use std::collections::BTreeMap;
use std::time::Instant;

use smallvec::SmallVec;

use super::commit_room::CommitRoom;
use super::life::FormerLives;
use crate::batch::Batch;
use crate::batch::JobId;
use crate::batch::OperationId;
use crate::call::Class;
use crate::charge::Charge;
use crate::commit_metadata::{Restored, TextLimit};
use crate::hold::{Family, LetterTopic};
use crate::ledger::Ledger;
use crate::operation::CustomerKey;
use crate::outcome::{Held, HeldBy, HoldCause, Rejected, SkipReason};
use crate::record::{Epoch, Offset, Record, TopicPartition};
use crate::repeat::Changes;
use crate::state_log::Entity;

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
