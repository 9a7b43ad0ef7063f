//! A customer that operations wait for, and how far finding it has come.

use std::time::Instant;

use smallvec::SmallVec;

use super::line::{Line, Place};
use ingest_model::batch::OperationId;
use ingest_model::operation::{CustomerRef, MissingCustomer};
use ingest_model::record::Traffic;

#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) customer: CustomerRef,
    pub(super) waiting: SmallVec<[OperationId; 2]>,
    /// Those of them that do not wait for somebody who was found missing.
    pub(super) hasty: SmallVec<[OperationId; 2]>,
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
    /// Nothing waits for it yet.
    pub(super) fn new(customer: CustomerRef, traffic: Traffic) -> Self {
        Self {
            customer,
            waiting: SmallVec::new(),
            hasty: SmallVec::new(),
            phase: Phase::UnderWay,
            traffic,
            failures: 0,
            sick: 0,
            failed_at: None,
            looks: 0,
            next_key: 0,
            exists: false,
        }
    }

    /// One more operation waits. It is looked for as long as the most patient one says.
    pub(super) fn wait(&mut self, operation: OperationId, missing: MissingCustomer) {
        let patience = |missing| match missing {
            MissingCustomer::Create => 2,
            MissingCustomer::Park => 1,
            MissingCustomer::Reject | MissingCustomer::Skip => 0,
        };
        self.waiting.push(operation);
        if patience(missing) == 0 {
            self.hasty.push(operation);
        }
        if patience(missing) > patience(self.customer.missing) {
            self.customer.missing = missing;
        }
    }

    /// An operation no longer waits.
    pub(super) fn leave(&mut self, operation: OperationId) {
        self.waiting.retain(|id| *id != operation);
        self.hasty.retain(|id| *id != operation);
    }

    /// Those that do not wait for somebody who was found missing; they are taken out.
    pub(super) fn take_hasty(&mut self) -> Vec<OperationId> {
        let hasty = std::mem::take(&mut self.hasty).into_vec();
        self.waiting.retain(|id| !hasty.contains(id));
        hasty
    }

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
