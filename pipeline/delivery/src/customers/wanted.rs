//! A customer that something waits for, and how far it is.

use std::time::Instant;

use smallvec::SmallVec;

use super::line::{Line, Place};
use ingest_model::batch::OperationId;
use ingest_model::operation::CustomerRef;

#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) customer: CustomerRef,
    pub(super) waiting: SmallVec<[OperationId; 2]>,
    pub(super) phase: Phase,
    /// Questions that came to nothing.
    pub(super) failures: u32,
    /// Those of them since whose predecessor a question of the same kind succeeded.
    pub(super) sick: u32,
    /// The last of them.
    pub(super) failed_at: Option<Instant>,
    /// Times it was found missing while it is waited for.
    pub(super) looks: u32,
    /// Which key is read next.
    pub(super) next_key: usize,
    /// A create met somebody who has one of the keys.
    pub(super) exists: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    In(Line, Place),
    Read,
    Alone,
    UnderWay,
    /// Nobody has the keys; looked at again then.
    Parked(Instant),
    /// The last question failed; asked again then.
    Delayed(Instant),
}

impl Wanted {
    /// The lowest operation that waits; the highest there can be if none does any more.
    pub(super) fn lowest(&self) -> OperationId {
        let lowest = self.waiting.iter().min().copied();
        lowest.unwrap_or(OperationId(u64::MAX))
    }
}
