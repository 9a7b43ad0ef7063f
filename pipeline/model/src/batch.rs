//! What travels together: operations, the requests that carry several of them, and their names.

use std::time::Duration;

use crate::operation::Klass;

/// An operation of this process, in the order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperationId(pub u64);

impl OperationId {
    /// Its name in a job's results.
    #[must_use]
    pub fn reference(self) -> String {
        self.0.to_string()
    }
}

/// A job of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// Items of one bulk request (`docs/kustomer-api.md`, bulk jobs).
pub const MAX_ITEMS: usize = 100;

/// Bytes of one bulk body. The API refuses bodies above 100 kB; this leaves room for what it may count besides.
pub const MAX_BYTES: usize = 95_000;

/// What a bulk request does.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub enum Verb {
    /// The object is not known to exist.
    Create,
    /// Its Kustomer id is known.
    Update,
}

/// Which operations may share a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKey {
    /// The klass in the path.
    pub klass: Klass,
    /// The method.
    pub verb: Verb,
}

/// When a bulk request leaves that is not full.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Copy)]
pub struct Patience {
    /// While permits are plenty.
    pub linger: Duration,
    /// While they are scarce.
    pub max_delay: Duration,
}

/// Objects that are written with one request.
#[derive(Debug)]
pub struct Batch {
    /// What they have in common.
    pub group: GroupKey,
    /// Which.
    pub operations: Vec<OperationId>,
    /// Each item is named in the answer.
    pub with_refs: bool,
    /// They go together, whatever else could go with them.
    pub forced: bool,
    /// If these operations are accepted, the guilty one of a refused request stands among those of `rest`.
    pub rest: Vec<OperationId>,
}

impl Batch {
    /// Whether an operation goes with it, or waits for what comes of it.
    #[must_use]
    pub fn carries(&self, operation: OperationId) -> bool {
        self.operations.contains(&operation) || self.rest.contains(&operation)
    }
}
