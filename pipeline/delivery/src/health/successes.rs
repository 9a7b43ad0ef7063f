//! When requests of each kind last succeeded.
//!
//! If all requests of one kind fail, that says nothing against their records: a record is given up only while others of its
//! kind succeed. A kind is narrower than a [`Family`](crate::seam::hold::Family), which is what a role permits: the endpoints
//! of one role can fail one by one.

use std::collections::BTreeMap;
use std::time::Instant;

use ingest_model::batch::GroupKey;
use ingest_model::operation::Klass;

/// Requests that succeed or fail together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Endpoint {
    Identity,
    Event,
    CustomerSearch,
    CustomerRead,
    CustomerCreate,
    /// Creates or updates of a klass, one by one or in bulk.
    Write {
        group: GroupKey,
        bulk: bool,
    },
    Look(Klass),
    JobRead,
}

impl Endpoint {
    /// Whether one role permits both.
    pub(crate) fn same_role(&self, other: &Self) -> bool {
        let tracking = |one: &Self| matches!(one, Self::Identity | Self::Event);
        let write = |one: &Self| match one {
            Self::Write { group, .. } => Some(group.clone()),
            Self::Identity
            | Self::Event
            | Self::CustomerSearch
            | Self::CustomerRead
            | Self::CustomerCreate
            | Self::Look(_)
            | Self::JobRead => None,
        };
        let written = write(self).is_some() && write(self) == write(other);
        self == other || written || (tracking(self) && tracking(other))
    }
}

/// When each endpoint last succeeded.
#[derive(Debug, Default)]
pub(crate) struct Successes {
    any: Option<Instant>,
    of: BTreeMap<Endpoint, Instant>,
}

impl Successes {
    /// The destination has answered well.
    pub(crate) fn note_any(&mut self, now: Instant) {
        self.any = Some(now);
    }

    /// An endpoint has done what was requested.
    pub(crate) fn note(&mut self, now: Instant, endpoint: Endpoint) {
        self.of.insert(endpoint, now);
    }

    pub(crate) fn any(&self) -> Option<Instant> {
        self.any
    }

    pub(crate) fn of(&self, endpoint: &Endpoint) -> Option<Instant> {
        self.of.get(endpoint).copied()
    }
}
