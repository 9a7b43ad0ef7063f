//! When requests of each kind succeeded last.
//!
//! What fails everywhere in one kind says nothing against its records: a record is given up only while others of its kind
//! succeed. A kind is narrower than a [`Family`](crate::hold::Family), which is what a role opens: the endpoints of one
//! role fail one by one.

use std::collections::BTreeMap;
use std::time::Instant;

use super::Machine;
use super::state::SentKind;
use crate::batch::OperationId;
use crate::batch::{GroupKey, Verb};
use crate::objects::history::History;
use crate::operation::{Klass, Operation};
use crate::work::Entry;

/// Requests that stand and fall together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Endpoint {
    Identity,
    Event,
    CustomerSearch,
    CustomerRead,
    CustomerCreate,
    /// Creates or updates of a klass, singly and in bulk.
    Write(GroupKey),
    Look(Klass),
    JobRead,
}

impl Endpoint {
    /// Whether a key that may call one may call the other.
    pub(super) fn same_role(&self, other: &Self) -> bool {
        let tracking = |one: &Self| matches!(one, Self::Identity | Self::Event);
        self == other || (tracking(self) && tracking(other))
    }
}

/// The last success of each.
#[derive(Debug, Default)]
pub(super) struct Successes {
    any: Option<Instant>,
    of: BTreeMap<Endpoint, Instant>,
}

impl Successes {
    /// The destination has answered well.
    pub(super) fn note_any(&mut self, now: Instant) {
        self.any = Some(now);
    }

    /// An endpoint has done what it was asked.
    pub(super) fn note(&mut self, now: Instant, endpoint: Endpoint) {
        self.of.insert(endpoint, now);
    }

    pub(super) fn any(&self) -> Option<Instant> {
        self.any
    }

    pub(super) fn of(&self, endpoint: &Endpoint) -> Option<Instant> {
        self.of.get(endpoint).copied()
    }
}

/// What an operation's next request asks, or its last one asked, and when that left.
pub(super) fn endpoint(entry: &Entry, history: &History) -> (Endpoint, Option<Instant>) {
    match &entry.operation {
        Operation::Identify(_) => (Endpoint::Identity, entry.last_attempt),
        Operation::Track(_) => (Endpoint::Event, entry.last_attempt),
        Operation::KObject(object) if history.is_to_look() => {
            (Endpoint::Look(object.klass.clone()), entry.last_attempt)
        }
        Operation::KObject(object) => {
            let verb = match history.object_id {
                Some(_) => Verb::Update,
                None => Verb::Create,
            };
            let klass = object.klass.clone();
            let group = GroupKey { klass, verb };
            (Endpoint::Write(group), history.last_write)
        }
    }
}

impl Machine {
    /// What a request asks; `None` for a probe.
    pub(super) fn endpoint_of(&self, what: &SentKind) -> Option<Endpoint> {
        let work = |id: &OperationId| self.work.get(*id).map(|state| &state.operation);
        Some(match what {
            SentKind::Tracking(operations) => {
                let event = operations
                    .iter()
                    .any(|id| matches!(work(id), Some(Operation::Track(_))));
                if event {
                    Endpoint::Event
                } else {
                    Endpoint::Identity
                }
            }
            SentKind::ResolveIdentify(_) => Endpoint::Identity,
            SentKind::Search(_) => Endpoint::CustomerSearch,
            SentKind::ReadCustomer { .. } => Endpoint::CustomerRead,
            SentKind::CreateCustomers { .. } => Endpoint::CustomerCreate,
            SentKind::Write(batch) => Endpoint::Write(batch.group.clone()),
            SentKind::Verify(id) => match work(id) {
                Some(Operation::KObject(object)) => Endpoint::Look(object.klass.clone()),
                Some(Operation::Identify(_) | Operation::Track(_)) | None => return None,
            },
            SentKind::ReadJob { .. } => Endpoint::JobRead,
            SentKind::Probe => return None,
        })
    }
}
