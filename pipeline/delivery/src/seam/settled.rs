//! What became of a settled record, for its receipt.
//!
//! It names nobody: of customers and objects only the ids that Kustomer gave them, and of events those of their producer.

use std::sync::Arc;
use std::time::Instant;

use crate::seam::fact::Settlement;
use ingest_model::batch::Verb;
use ingest_model::operation::{Klass, Operation};
use ingest_model::record::{EventIds, Position, Traffic};

/// Which records have a receipt.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, Default, PartialEq, Eq, Hash,
)]
pub enum ReceiptsOf {
    /// None.
    #[default]
    Nothing,
    /// Those that led to operations or to a letter.
    Attempted,
    /// Those that the mapping skips, too. A run of them has to be skipped for one reason.
    All,
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct SettledRecord {
    /// Where it stood.
    pub position: Position,
    /// How it was settled.
    pub settlement: Settlement,
    /// How urgent it was.
    pub traffic: Traffic,
    /// What its producer calls its events.
    pub event_ids: Option<Box<EventIds>>,
    /// The event's time, epoch milliseconds.
    pub event_ms: Option<i64>,
    /// The record's time, epoch milliseconds.
    pub record_ms: Option<i64>,
    /// When it came in; `None` if it was settled at once.
    pub came_in: Option<Instant>,
    /// The most attempts that one of its operations took.
    pub attempts: u32,
    /// What became of its operations, in the mapping's order.
    pub operations: Vec<Arc<OperationEnd>>,
}

/// What became of an operation.
#[derive(Debug, Clone, PartialEq)]
pub struct OperationEnd {
    /// The route that made it; of several that were merged, the first.
    pub route: Arc<str>,
    /// Its kind.
    pub kind: &'static str,
    /// The klass of its object.
    pub klass: Option<Klass>,
    /// What its last write did.
    pub verb: Option<Verb>,
    /// How it ended; [`Settlement::DeadLettered`] if it was rejected.
    pub end: Settlement,
    /// The Kustomer id of its object, if it is known.
    pub object_id: Option<Arc<str>>,
    /// The Kustomer id of its customer, if it is known.
    pub customer_id: Option<Arc<str>>,
    /// The Kustomer id of the bulk job that carried its last write.
    pub job: Option<Arc<str>>,
    /// How often it was attempted, looks at its object included.
    pub attempts: u32,
    /// What it cost.
    pub units: Units,
    /// The operations of records that were merged into it, this one included.
    pub carried: u32,
    /// When it was last sent.
    pub sent: Option<Instant>,
}

/// A part of the organisation's quota: millionths of a request, because a request may carry a hundred operations of several
/// records each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Units(pub u64);

// === impl ReceiptsOf ===

impl ReceiptsOf {
    /// What can be chosen where there are receipts.
    pub const ALL: &'static [Self] = &[Self::Attempted, Self::All];

    /// The word for it in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Attempted => "attempted",
            Self::All => "all",
        }
    }
}

// === impl OperationEnd ===

impl OperationEnd {
    /// The end of an operation that has cost nothing yet.
    pub(crate) fn of(route: &Arc<str>, operation: &Operation) -> Self {
        let klass = match operation {
            Operation::KObject(object) => Some(object.klass.clone()),
            Operation::Identify(_) | Operation::Track(_) => None,
        };
        Self {
            route: Arc::clone(route),
            kind: operation.kind(),
            klass,
            verb: None,
            end: Settlement::Delivered,
            object_id: None,
            customer_id: None,
            job: None,
            attempts: 0,
            units: Units::default(),
            carried: 1,
            sent: None,
        }
    }
}

// === impl Units ===

impl Units {
    /// The part of one that each of so many has.
    #[must_use]
    pub fn shared(among: usize) -> Self {
        Self(1_000_000 / u64::try_from(among).unwrap_or(u64::MAX).max(1))
    }

    /// As a number of requests, to four digits: shares do not always come out even.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "no record costs 2^53 millionths of a request"
    )]
    pub fn requests(self) -> f64 {
        (self.0.saturating_add(50) / 100) as f64 / 1e4
    }
}

impl std::ops::AddAssign for Units {
    fn add_assign(&mut self, other: Self) {
        self.0 = self.0.saturating_add(other.0);
    }
}

impl std::iter::Sum for Units {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, one| {
            sum += one;
            sum
        })
    }
}
