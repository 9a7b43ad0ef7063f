//! One assignment of a partition to this process.

use std::time::Instant;

use super::commit_metadata::{self, Restored, TextLimit};
use super::frontiers::Standing;
use super::ledger::Ledger;
use super::lives::FormerLives;
use super::room::CommitRoom;
use ingest_model::record::{Epoch, Offset, TopicPartition};

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
    /// Where its frontier stands.
    pub(super) standing: Standing,
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
            standing: Standing::default(),
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

    /// Records in hand, of all lives.
    pub(super) fn in_hand(&self) -> u64 {
        self.live + self.former.live()
    }

    /// The ledger of an epoch of this assignment and its count of records in hand; `None` if it is of another assignment.
    pub(super) fn life(&mut self, epoch: Epoch) -> Option<(&mut Ledger, &mut u64)> {
        if epoch == self.epoch {
            return Some((&mut self.ledger, &mut self.live));
        }
        self.former.find(epoch)
    }

    /// The text beside a commit of this offset; notes how much room is left.
    pub(super) fn metadata(
        &mut self,
        partition: &TopicPartition,
        offset: Offset,
        limit: TextLimit,
    ) -> commit_metadata::Encoded {
        let encoded = commit_metadata::encode(
            partition,
            offset,
            self.ledger.frontier_stamp(),
            self.ledger.settled_above(),
            limit.characters(),
        );
        self.room.note(&encoded, limit);
        encoded
    }
}
