//! One assignment of a partition to this process.

use std::time::Instant;

use super::commit_metadata::{self, Restored, TextLimit};
use super::former::FormerLives;
use super::ledger::Ledger;
use super::room::CommitRoom;
use crate::seam::rider::Rider;
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
    /// Its next record waits for its schema.
    pub(in crate::partitions) schema_missing: bool,
    /// The bytes of that record and of those behind it that were read.
    pub(in crate::partitions) parked: u64,
    /// The source was told to deliver none of its records.
    pub(in crate::partitions) paused: bool,
    /// The last record read from it was backfill.
    pub(in crate::partitions) brings_old: bool,
    /// Where its frontier is, and since when.
    pub(in crate::partitions) standing: Standing,
    /// Its next commit is due although nothing may have settled: it carries a rider that others wait for.
    pub(in crate::partitions) rider_due: bool,
    /// What was committed when it was assigned, if nothing was settled above.
    pub(in crate::partitions) begun: Option<Offset>,
}

/// A frontier, and since when it is there.
#[derive(Debug, Default)]
pub(in crate::partitions) struct Standing {
    pub(in crate::partitions) at: Option<(Offset, Instant)>,
    /// When a stall there was reported last.
    pub(in crate::partitions) reported: Option<Instant>,
}

// === impl Standing ===

impl Standing {
    /// Since when it is there, if a stall was reported.
    pub(in crate::partitions) fn stuck_since(&self) -> Option<Instant> {
        let (_, since) = self.at?;
        self.reported.map(|_| since)
    }
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
            schema_missing: false,
            parked: 0,
            paused: false,
            brings_old: false,
            standing: Standing::default(),
            rider_due: false,
            begun: None,
        }
    }

    pub(in crate::partitions) fn committed_at(epoch: Epoch, offset: Offset) -> Self {
        Self {
            ledger: Ledger::committed_at(offset),
            begun: Some(offset),
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
        let position = self.position().filter(|_| self.rider_due);
        let frontier = self.ledger.frontier().filter(|frontier| {
            self.acked.is_none_or(|acked| *frontier > acked)
                || self.ledger.settled() > self.acked_settled
                || self.membership == Membership::InDoubt
        });
        frontier.or(position)
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

    /// The offset that a commit names although nothing may have settled since the last one. Before the first record there is none
    /// if a former owner has settled something above the frontier: such a commit would lose it.
    fn position(&self) -> Option<Offset> {
        self.ledger.frontier().or(self.begun)
    }

    /// Whether a commit of it can carry a lease: its offset is known, and it stays.
    pub(in crate::partitions) fn may_lend(&self) -> bool {
        let known = self.position().is_some();
        known && self.drain.is_none() && self.membership == Membership::Sure
    }

    /// The text for a commit of this offset; notes how much room is left. A rider with leases goes before what is settled, any
    /// other only where there is room for both.
    pub(in crate::partitions) fn metadata(
        &mut self,
        partition: &TopicPartition,
        offset: Offset,
        limit: TextLimit,
        rider: Option<&Rider>,
    ) -> commit_metadata::Encoded {
        let head = rider.map(Rider::text).unwrap_or_default();
        let room = limit.characters();
        let lends = rider.is_some_and(|rider| !rider.leases.is_empty());
        let reserved = if lends { head.len().min(room) } else { 0 };
        let mut encoded = commit_metadata::encode(
            partition,
            offset,
            self.ledger.frontier_stamp(),
            self.ledger.settled_above(),
            room - reserved,
        );
        if !head.is_empty() && head.len() + encoded.characters.min(room - reserved) <= room {
            encoded.characters += head.len();
            encoded.text = Some(head + encoded.text.as_deref().unwrap_or_default());
        }
        self.room.note(&encoded, limit);
        encoded
    }
}
