//! A customer that operations wait for, and how far finding it has come.

use std::time::Instant;

use smallvec::SmallVec;

use super::line::{Line, Place};
use ingest_model::batch::OperationId;
use ingest_model::operation::CustomerRef;
use ingest_model::record::Traffic;

#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) customer: CustomerRef,
    pub(super) waiting: SmallVec<[OperationId; 2]>,
    pub(super) phase: Phase,
    /// The most urgent of what has waited for it.
    pub(super) traffic: Traffic,
    /// Questions about it that failed.
    pub(super) failures: u32,
    /// Those before which, since the previous failure, a question of the same kind had succeeded.
    pub(super) sick: u32,
    /// When the last one failed.
    pub(super) failed_at: Option<Instant>,
    /// How often it was found missing while it is waited for.
    pub(super) looks: u32,
    /// Which key is read next.
    pub(super) next_key: usize,
    /// A create was refused because somebody has one of the keys.
    pub(super) exists: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    In(Line, Place),
    Read,
    Alone,
    /// It is named by an object, which is to be read.
    Object,
    UnderWay,
    /// Nobody has the keys; it is looked up again then.
    Parked(Instant),
    /// The last question failed; it is asked again then.
    Delayed(Instant),
}

impl Wanted {
    /// It waits for something that more permits would not bring.
    pub(super) fn is_parked(&self) -> bool {
        self.looks > 0 || self.failures > 0
    }

    /// The lowest waiting operation; the highest possible id if none waits any more.
    pub(super) fn lowest(&self) -> OperationId {
        let lowest = self.waiting.iter().min().copied();
        lowest.unwrap_or(OperationId(u64::MAX))
    }
}
