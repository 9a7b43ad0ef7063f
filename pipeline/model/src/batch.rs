//! Batches: operations, the bulk requests that carry several of them, and their identifiers.

use std::time::Duration;

use crate::operation::Klass;

/// An operation of this process, numbered in the order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperationId(pub u64);

impl OperationId {
    /// Its name in a job's results.
    #[must_use]
    pub fn reference(self) -> String {
        self.0.to_string()
    }

    /// The operation with that name.
    ///
    /// ```
    /// # use ingest_model::batch::OperationId;
    /// assert_eq!(OperationId::of_reference(&OperationId(907).reference()), Some(OperationId(907)));
    /// for other in ["", "+907", "0907", "907 ", "c907", "18446744073709551616"] {
    ///     assert_eq!(OperationId::of_reference(other), None);
    /// }
    /// ```
    #[must_use]
    pub fn of_reference(reference: &str) -> Option<Self> {
        // A number can be written in other ways, too.
        let ours = reference == "0" || !reference.starts_with(['0', '+']);
        reference.parse().ok().filter(|_| ours).map(Self)
    }
}

/// A job of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// The most items in one bulk request (`docs/kustomer-api.md`, bulk jobs).
pub const MAX_ITEMS: usize = 100;

/// The most bytes in one bulk body. The API refuses bodies above 100 kB; the margin is for whatever else it may count.
pub const MAX_BYTES: usize = 95_000;

/// What an item takes in a bulk body besides its own JSON: reference, customer or object id, commas and quotes.
pub const ITEM_OVERHEAD: usize = 130;

/// What a write does.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub enum Verb {
    /// The object is not known to exist.
    Create,
    /// Its Kustomer id is known.
    Update,
    /// Its Kustomer id is known, and it is to go. Always sent alone.
    Delete,
}

impl Verb {
    /// The most items in one request.
    #[must_use]
    pub fn most_items(self) -> usize {
        match self {
            Self::Create | Self::Update => MAX_ITEMS,
            Self::Delete => 1,
        }
    }
}

/// What operations must have in common to share a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKey {
    /// The klass in the path.
    pub klass: Klass,
    /// The method.
    pub verb: Verb,
}

/// How long a bulk request that is not full waits for more operations, whatever a request costs.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Copy)]
pub struct Patience {
    /// At least so long: others come in with it.
    pub linger: Duration,
    /// At most so long.
    pub max_delay: Duration,
}

/// Objects that are written with one request.
#[derive(Debug)]
pub struct Batch {
    /// What they have in common.
    pub group: GroupKey,
    /// The operations in the request.
    pub operations: Vec<OperationId>,
    /// Each item is named in the answer.
    pub with_refs: bool,
    /// They are sent together, and with nothing else.
    pub forced: bool,
    /// The other half of a refused request: if `operations` are accepted, the item that caused the refusal is among
    /// these.
    pub rest: Vec<OperationId>,
}

impl Batch {
    /// Whether an operation is in this batch or waits for its result.
    #[must_use]
    pub fn carries(&self, operation: OperationId) -> bool {
        self.operations.contains(&operation) || self.rest.contains(&operation)
    }
}
