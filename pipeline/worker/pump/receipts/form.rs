//! The form of a receipt: JSON, keyed by the position of the record that it is for. `schemas/receipt.schema.json` describes it.

use std::str::FromStr;
use std::time::Instant;

use bytes::Bytes;
use ingest_delivery::fact::Settlement;
use ingest_delivery::settled::{OperationEnd, SettledRecord, Units};
use ingest_kafka::OutgoingRecord;
use ingest_model::batch::Verb;
use ingest_model::record::{Offset, Position, Topic, TopicPartition};
use serde::{Deserialize, Serialize};

/// The version of the form: it grows when an older reader would misread it.
const VERSION: u32 = 1;

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// The version of the form.
    pub version: u32,
    /// Where the record stood.
    pub origin: Origin,
    /// `delivered`, `skipped`, `dead_lettered` or `diverted`.
    pub verdict: String,
    /// Why it was skipped, rejected or held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What its producer calls its events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub event_ids: Vec<String>,
    /// How many more ids a batch has.
    #[serde(default, skip_serializing_if = "is_none")]
    pub event_ids_left_out: u32,
    /// `live` or `backfill`.
    pub traffic: String,
    /// The most attempts that one of its operations took.
    pub attempts: u32,
    /// What it cost: its part of the requests that carried its operations, or looked at their objects.
    pub units: f64,
    /// When what happened.
    pub times: Times,
    /// What became of its operations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<Done>,
    /// The version of the worker that wrote it.
    pub worker: String,
}

/// A position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

/// Times, in epoch milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// The event's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<i64>,
    /// The record's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<i64>,
    /// When the worker took it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub came_in: Option<i64>,
    /// When it was settled.
    pub settled: i64,
}

/// What became of an operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// The route that made it.
    pub route: String,
    /// Its kind, as mappings name it.
    pub kind: String,
    /// The klass of its object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub klass: Option<String>,
    /// What its last write did: `create`, `update` or `delete`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verb: Option<String>,
    /// `delivered`, `skipped`, `rejected` or `diverted`.
    pub verdict: String,
    /// Why it was skipped, rejected or held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The object's id in Kustomer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_id: Option<String>,
    /// The customer's id in Kustomer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// The id of the bulk job that carried it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// How often it was attempted, looks at its object included.
    pub attempts: u32,
    /// This record's part of what it cost.
    pub units: f64,
    /// The operations of records that were merged into one, this one included.
    pub merged: u32,
    /// When it was last sent, in epoch milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<i64>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes what it may skip by reference"
)]
fn is_none(count: &u32) -> bool {
    *count == 0
}

/// A clock of the machine and one of people that show the same moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) at: Instant,
    pub(super) ms: i64,
}

/// The receipt as a record; its key is the position, so that all receipts of a record are in one partition.
pub(super) fn outgoing(topic: &Topic, settled: &SettledRecord, when: Moment) -> OutgoingRecord {
    let receipt = Receipt::of(settled, when);
    // Numbers and texts always become JSON.
    let value = serde_json::to_vec(&receipt).unwrap_or_default();
    OutgoingRecord {
        topic: topic.clone(),
        partition: None,
        key: Some(Bytes::from(receipt.origin.to_string())),
        value: Some(Bytes::from(value)),
        headers: Vec::new(),
        timestamp_ms: None,
    }
}

// === impl Receipt ===

impl Receipt {
    fn of(settled: &SettledRecord, when: Moment) -> Self {
        let (verdict, reason) = in_words(settled.settlement);
        let ids = settled.event_ids.as_deref();
        let operations = settled.operations.iter();
        let units: Units = operations.clone().map(|one| share(one)).sum();
        Self {
            version: VERSION,
            origin: Origin::of(&settled.position),
            verdict: verdict.to_owned(),
            reason,
            event_ids: ids.map_or_else(Vec::new, |all| {
                all.ids.iter().map(ToString::to_string).collect()
            }),
            event_ids_left_out: ids.map_or(0, |all| all.left_out),
            traffic: settled.traffic.as_str().to_owned(),
            attempts: settled.attempts,
            units: units.requests(),
            times: Times {
                event: settled.event_ms,
                record: settled.record_ms,
                came_in: settled.came_in.map(|at| when.of(at)),
                settled: when.ms,
            },
            operations: operations.map(|one| Done::of(one, when)).collect(),
            worker: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Reads a receipt.
    ///
    /// # Errors
    /// What is wrong with it, in words without anything of its content.
    pub fn read(value: &[u8]) -> Result<Self, String> {
        let receipt: Self = serde_json::from_slice(value).map_err(|error| {
            format!(
                "it is no receipt (line {}, column {})",
                error.line(),
                error.column()
            )
        })?;
        if receipt.version > VERSION {
            return Err(format!(
                "a newer worker wrote it (version {} of the form; this program knows {VERSION})",
                receipt.version
            ));
        }
        Ok(receipt)
    }
}

// === impl Done ===

impl Done {
    fn of(end: &OperationEnd, when: Moment) -> Self {
        let (verdict, reason) = in_words(end.end);
        let rejected = matches!(end.end, Settlement::DeadLettered(_));
        let text = |id: &Option<std::sync::Arc<str>>| id.as_ref().map(ToString::to_string);
        Self {
            route: end.route.to_string(),
            kind: end.kind.to_owned(),
            klass: end.klass.as_ref().map(ToString::to_string),
            verb: end.verb.map(|verb| {
                let word = match verb {
                    Verb::Create => "create",
                    Verb::Update => "update",
                    Verb::Delete => "delete",
                };
                word.to_owned()
            }),
            verdict: if rejected { "rejected" } else { verdict }.to_owned(),
            reason,
            object_id: text(&end.object_id),
            customer_id: text(&end.customer_id),
            job: text(&end.job),
            attempts: end.attempts,
            units: share(end).requests(),
            merged: end.carried,
            sent: end.sent.map(|at| when.of(at)),
        }
    }
}

/// The part of an operation's cost that each of those has that were merged into it.
fn share(end: &OperationEnd) -> Units {
    Units(end.units.0 / u64::from(end.carried.max(1)))
}

/// The label of a verdict, and its reason.
fn in_words(settlement: Settlement) -> (&'static str, Option<String>) {
    (settlement.as_str(), settlement.reason().map(str::to_owned))
}

// === impl Moment ===

impl Moment {
    /// What the clock of people showed at an earlier instant.
    fn of(self, earlier: Instant) -> i64 {
        let ago = self.at.saturating_duration_since(earlier).as_millis();
        self.ms
            .saturating_sub(i64::try_from(ago).unwrap_or(i64::MAX))
    }
}

// === impl Origin ===

impl Origin {
    fn of(position: &Position) -> Self {
        Self {
            topic: position.partition.topic.as_str().to_owned(),
            partition: position.partition.partition.0,
            offset: position.offset.0,
        }
    }

    /// The position.
    #[must_use]
    pub fn position(&self) -> Position {
        Position {
            partition: TopicPartition::new(&self.topic, self.partition),
            offset: Offset(self.offset),
        }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('/').collect();
        let [topic, partition, offset] = parts.as_slice() else {
            return Err(wanted());
        };
        let (Ok(partition), Ok(offset)) = (partition.parse::<i32>(), offset.parse::<i64>()) else {
            return Err(wanted());
        };
        if topic.is_empty() || partition < 0 || offset < 0 {
            return Err(wanted());
        }
        Ok(Self {
            topic: (*topic).to_owned(),
            partition,
            offset,
        })
    }
}

fn wanted() -> String {
    "give the position of a record as TOPIC/PARTITION/OFFSET, such as shop.events/0/42".to_owned()
}
