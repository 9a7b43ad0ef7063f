//! A write that an earlier owner of a partition left open, item by item.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ingest_model::batch::{OperationId, Verb};
use ingest_model::known::{KnownObject, Revision};
use ingest_model::operation::Version;
use ingest_model::record::{Offset, TopicPartition};
use ingest_model::repeat::Changes;
use ingest_model::state_log::OperationRef;

/// A write that an earlier owner left open.
#[derive(Debug)]
pub(crate) struct Inherited {
    pub(crate) partition: TopicPartition,
    /// The highest offset among its records.
    pub(crate) at: Offset,
    pub(crate) verb: Verb,
    /// By the references that the job uses.
    pub(crate) items: BTreeMap<String, Item>,
}

/// What the write was to do to one object.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) object: u128,
    pub(crate) version: Option<Version>,
    pub(crate) operations: BTreeSet<OperationRef>,
    /// Operations of it have ended, or their records never come again. If its fate is in doubt, whoever writes the object next
    /// has to look.
    pub(crate) stray: bool,
    pub(crate) fate: Fate,
}

/// What became of an item, as far as known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The job has not shown it yet.
    Waiting,
    /// It was stored.
    Stored,
    /// It was not written.
    NotWritten,
    /// An object with this external id exists, or somebody else changed it: read it first.
    Look,
    /// It may or may not have been stored, and is no longer in flight: read it first.
    LookInDoubt,
    /// It may still be in flight.
    Doubt,
    /// It was in doubt, and this operation looks.
    Entrusted(OperationId),
    /// Refused for good.
    Refused(String),
}

impl Fate {
    /// Whether whoever writes the object next has to look first.
    pub(crate) fn is_in_doubt(&self) -> bool {
        match self {
            Self::Look | Self::LookInDoubt | Self::Doubt | Self::Entrusted(_) => true,
            Self::Waiting | Self::Stored | Self::NotWritten | Self::Refused(_) => false,
        }
    }
}

impl Item {
    /// The object as this write left it.
    pub(crate) fn stored(&self, id: Option<Arc<str>>, revision: Revision) -> KnownObject {
        KnownObject {
            id,
            version: self.version.clone(),
            fingerprint: None,
            revision,
            doubtful: false,
            gone: false,
            changes: Changes::default(),
            company: ingest_model::known::Affiliation::default(),
        }
    }

    /// Records below this offset never come again.
    pub(super) fn pass(&mut self, committed: Offset) {
        self.end(|one| one.offset < committed);
    }

    /// Whether its fate may still be needed.
    pub(super) fn is_of_interest(&self) -> bool {
        let open = !self.operations.is_empty() || self.fate == Fate::Waiting;
        open || (self.stray && self.fate.is_in_doubt())
    }

    /// These operations have ended. If nobody has looked, whoever writes the object next has to.
    pub(super) fn end(&mut self, is_over: impl Fn(&OperationRef) -> bool) {
        let named = self.operations.len();
        self.operations.retain(|one| !is_over(one));
        self.stray |= self.operations.len() < named;
    }
}
