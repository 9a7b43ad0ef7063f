//! Counts of what came in and what was spent on it since the start: the basis for estimating when the backlog is done.

use crate::sending::SentKind;
use ingest_model::operation::Operation;

/// One value for each kind of work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PerKind<T> {
    /// Events and identities: about a request each.
    pub tracking: T,
    /// Objects, and finding the customers that they need: many to a request.
    pub objects: T,
}

/// How far the work has come. Operations are counted as records planned them: a merged one counts too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Records that were read.
    pub read: u64,
    /// Their operations.
    pub planned: PerKind<u64>,
    /// Operations that have ended.
    pub ended: PerKind<u64>,
    /// Requests that were sent.
    pub spent: PerKind<u64>,
    /// Those of them that found or made customers; they are among `spent.objects`.
    pub asked: u64,
    /// Operations that wait now, except those that a hold keeps back.
    pub waiting: PerKind<u64>,
    /// Operations that are in flight now.
    pub under_way: PerKind<u64>,
}

impl<T> PerKind<T> {
    /// Applies a function to both values.
    pub fn map<U>(self, mut function: impl FnMut(T) -> U) -> PerKind<U> {
        PerKind {
            tracking: function(self.tracking),
            objects: function(self.objects),
        }
    }

    /// Pairs the values with those of another.
    pub fn zip<U>(self, other: PerKind<U>) -> PerKind<(T, U)> {
        PerKind {
            tracking: (self.tracking, other.tracking),
            objects: (self.objects, other.objects),
        }
    }

    pub(in crate::machine) fn of(&mut self, work: &Operation) -> &mut T {
        match work {
            Operation::Identify(_) | Operation::Track(_) => &mut self.tracking,
            Operation::KObject(_) => &mut self.objects,
        }
    }
}

impl Progress {
    pub(in crate::machine) fn read(&mut self, records: u64) {
        self.read += records;
    }

    pub(in crate::machine) fn planned(&mut self, work: &Operation) {
        *self.planned.of(work) += 1;
    }

    pub(in crate::machine) fn ended(&mut self, work: &Operation, planned: usize) {
        *self.ended.of(work) += planned as u64;
    }

    pub(in crate::machine) fn spent(&mut self, what: &SentKind) {
        match what {
            SentKind::Tracking(_) => self.spent.tracking += 1,
            SentKind::Search(_)
            | SentKind::ResolveIdentify(_)
            | SentKind::ReadCustomer { .. }
            | SentKind::ReadOwner(_)
            | SentKind::CreateCustomers { .. } => {
                self.spent.objects += 1;
                self.asked += 1;
            }
            SentKind::Write(_) | SentKind::Verify(_) | SentKind::ReadJob { .. } => {
                self.spent.objects += 1;
            }
            SentKind::Probe => {}
        }
    }
}
