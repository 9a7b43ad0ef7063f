//! One assignment of a partition to this process.

use std::time::Instant;

use super::commit_metadata::{self, Restored, TextLimit};
use super::former::FormerLives;
use super::ledger::Ledger;
use super::room::CommitRoom;
use ingest_model::record::{Epoch, Offset, TopicPartition};

#[derive(Debug)]
pub(in crate::partitions) struct Assignment {
    pub(in crate::partitions) epoch: Epoch,
    pub(in crate::partitions) ledger: Ledger,
    /// Records of this epoch that are held.
    pub(in crate::partitions) live: u64,
    /// What is in hand of lives that ended under this assignment.
    pub(in crate::partitions) former: FormerLives,
    pub(in crate::partitions) issued: Option<Offset>,
    pub(in crate::partitions) acked: Option<Offset>,
    /// How many records were settled when the last commit was issued, and when the last acknowledged one was.
    pub(in crate::partitions) issued_settled: u64,
    pub(in crate::partitions) acked_settled: u64,
    /// The room that its commits have for what is settled above the frontier.
    pub(in crate::partitions) room: CommitRoom,
    /// Whether the partition is known to be still this process's.
    pub(in crate::partitions) membership: Membership,
    pub(in crate::partitions) drain: Option<Drain>,
    /// Its slice of the state topic is not restored yet; it delivers nothing.
    pub(in crate::partitions) restoring: bool,
    /// The last try to restore it failed.
    pub(in crate::partitions) restore_failed: bool,
    /// When to try again.
    pub(in crate::partitions) restore_at: Option<Instant>,
    /// The source was told to deliver no records of it.
    pub(in crate::partitions) paused: bool,
    /// Where its frontier stands.
    pub(in crate::partitions) standing: Standing,
}

/// A frontier, and since when it stands there.
#[derive(Debug, Default)]
pub(in crate::partitions) struct Standing {
    pub(in crate::partitions) at: Option<(Offset, Instant)>,
}

/// What is known of a partition's ownership after a sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::partitions) enum Membership {
    /// It is this process's.
    Sure,
    /// It may be another's: a commit has to tell.
    InDoubt,
    /// A commit is under way that will tell.
    Asked,
}

#[derive(Debug)]
pub(in crate::partitions) struct Drain {
    pub(in crate::partitions) deadline: Instant,
    pub(in crate::partitions) commits_failed: u32,
}

impl Assignment {
    pub(in crate::partitions) fn new(epoch: Epoch) -> Self {
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

    pub(in crate::partitions) fn committed_at(epoch: Epoch, offset: Offset) -> Self {
        Self {
            ledger: Ledger::committed_at(offset),
            ..Self::new(epoch)
        }
    }

    pub(in crate::partitions) fn restored(epoch: Epoch, restored: Restored) -> Self {
        Self {
            ledger: Ledger::restored(restored),
            ..Self::new(epoch)
        }
    }

    /// The offset to commit, if more is settled than the broker knows.
    pub(in crate::partitions) fn uncommitted(&self) -> Option<Offset> {
        self.ledger.frontier().filter(|frontier| {
            self.acked.is_none_or(|acked| *frontier > acked)
                || self.ledger.settled() > self.acked_settled
                || self.membership == Membership::InDoubt
        })
    }

    /// Records in hand, of all lives.
    pub(in crate::partitions) fn in_hand(&self) -> u64 {
        self.live + self.former.live()
    }

    /// The ledger of an epoch of this assignment and its count of records in hand; `None` if it is of another assignment.
    pub(in crate::partitions) fn life(&mut self, epoch: Epoch) -> Option<(&mut Ledger, &mut u64)> {
        if epoch == self.epoch {
            return Some((&mut self.ledger, &mut self.live));
        }
        self.former.find(epoch)
    }

    /// The text beside a commit of this offset; notes how much room is left.
    pub(in crate::partitions) fn metadata(
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
