//! Counts of what came in and what was spent on it since the start: the basis for estimating when the backlog is done.

use std::ops::Add;

use crate::sending::SentKind;
use ingest_model::batch::{JobId, OperationId};
use ingest_model::operation::Operation;

/// One value for each kind of work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PerKind<T> {
    /// Events: about a request each.
    pub tracking: T,
    /// Identities: many of them merge, or ride on an event.
    pub identities: T,
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
    /// Those of them that found or made customers, the reads of such jobs included; they are among `spent.objects`.
    pub asked: u64,
    /// Those that read the results of other jobs; they are among `spent.objects`, too.
    pub read_jobs: u64,
    /// Customers whose ids were wanted.
    pub customers: u64,
    /// Those of them that are not known yet.
    pub customers_open: u64,
    /// Operations that wait now, except those that a hold keeps back.
    pub waiting: PerKind<u64>,
    /// Operations that are in flight now.
    pub under_way: PerKind<u64>,
}

impl<T: Add<Output = T>> PerKind<T> {
    /// All of them.
    pub fn sum(self) -> T {
        self.tracking + self.identities + self.objects
    }
}

impl<T> PerKind<T> {
    /// Applies a function to each value.
    pub fn map<U>(self, mut function: impl FnMut(T) -> U) -> PerKind<U> {
        PerKind {
            tracking: function(self.tracking),
            identities: function(self.identities),
            objects: function(self.objects),
        }
    }

    /// Pairs the values with those of another.
    pub fn zip<U>(self, other: PerKind<U>) -> PerKind<(T, U)> {
        PerKind {
            tracking: (self.tracking, other.tracking),
            identities: (self.identities, other.identities),
            objects: (self.objects, other.objects),
        }
    }

    pub(in crate::machine) fn of(&mut self, work: &Operation) -> &mut T {
        match work {
            Operation::Track(_) => &mut self.tracking,
            Operation::Identify(_) => &mut self.identities,
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

    /// A request is sent. `is_event`: whether an operation is an event; `makes_customers`: whether a job does.
    pub(in crate::machine) fn spent(
        &mut self,
        what: &SentKind,
        is_event: impl Fn(&OperationId) -> bool,
        makes_customers: impl Fn(JobId) -> bool,
    ) {
        match what {
            SentKind::Tracking(carried) if carried.iter().any(is_event) => {
                self.spent.tracking += 1;
            }
            SentKind::Tracking(_) => self.spent.identities += 1,
            SentKind::Search(_)
            | SentKind::ResolveIdentify(_)
            | SentKind::ReadCustomer { .. }
            | SentKind::ReadOwner(_)
            | SentKind::CreateCustomers { .. } => {
                self.spent.objects += 1;
                self.asked += 1;
            }
            SentKind::ReadJob { job, .. } if makes_customers(*job) => {
                self.spent.objects += 1;
                self.asked += 1;
            }
            SentKind::ReadJob { .. } => {
                self.spent.objects += 1;
                self.read_jobs += 1;
            }
            SentKind::Write(_) | SentKind::Verify(_) => self.spent.objects += 1,
            SentKind::Probe => {}
        }
    }
}
