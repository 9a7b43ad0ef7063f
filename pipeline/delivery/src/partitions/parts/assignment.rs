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
    /// Unsettled records of this epoch.
    pub(in crate::partitions) live: u64,
    /// Unsettled records of the lives that ended under this assignment.
    pub(in crate::partitions) former: FormerLives,
    pub(in crate::partitions) issued: Option<Offset>,
    pub(in crate::partitions) acked: Option<Offset>,
    /// How many records were settled at the time of the last commit issued, and of the last one acknowledged.
    pub(in crate::partitions) issued_settled: u64,
    pub(in crate::partitions) acked_settled: u64,
    /// The room in its commits for what is settled above the frontier.
    pub(in crate::partitions) room: CommitRoom,
    /// Whether this process is known to own the partition still.
    pub(in crate::partitions) membership: Membership,
    pub(in crate::partitions) drain: Option<Drain>,
    /// Its slice of the state topic is not restored yet; nothing is read from it.
    pub(in crate::partitions) restoring: bool,
    /// The last attempt to restore it failed.
    pub(in crate::partitions) restore_failed: bool,
    /// When to try again.
    pub(in crate::partitions) restore_at: Option<Instant>,
    /// The source was told to deliver none of its records.
    pub(in crate::partitions) paused: bool,
    /// Where its frontier is, and since when.
    pub(in crate::partitions) standing: Standing,
}

/// A frontier, and since when it is there.
#[derive(Debug, Default)]
pub(in crate::partitions) struct Standing {
    pub(in crate::partitions) at: Option<(Offset, Instant)>,
    /// When a stall there was reported last.
    pub(in crate::partitions) reported: Option<Instant>,
}

/// What is known of a partition's ownership after a sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::partitions) enum Membership {
    /// This process owns it.
    Sure,
    /// Another member may own it; a commit will tell.
    InDoubt,
    /// The commit that will tell is in flight.
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

    /// Unsettled records, of all lives.
    pub(in crate::partitions) fn in_hand(&self) -> u64 {
        self.live + self.former.live()
    }

    /// The ledger of an epoch and its count of unsettled records; `None` if the epoch is not of this assignment.
    pub(in crate::partitions) fn life(&mut self, epoch: Epoch) -> Option<(&mut Ledger, &mut u64)> {
        if epoch == self.epoch {
            return Some((&mut self.ledger, &mut self.live));
        }
        self.former.find(epoch)
    }

    /// The text for a commit of this offset; notes how much room is left.
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
