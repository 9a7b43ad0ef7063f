//! What the simulator counted, independently of the program it judges.

pub(crate) mod journal;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::SimTime;

/// The account of everything since the start or the last reset. `GET /_sim/account` gives it as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Every request below `/v1`, answered or not.
    pub requests: Requests,
    /// Windows of the organisation's budget, oldest first, the open one last.
    pub windows: Vec<WindowAccount>,
    /// What was written.
    pub accepted: Accepted,
    /// Refused requests and why: `unauthorized`, `forbidden`, `not_found`, `invalid`, `too_large`,
    /// `conflict`, `org_limit`, `search_limit`, `customer_limit`, `object_limit`, `fault`.
    pub refused: BTreeMap<String, u64>,
    /// Tracking events whose `meta.eventKey` was accepted before; objects created beside another of
    /// the same klass and external id.
    pub repeated: Judged,
    /// Tracking events whose `meta.occurredAt` is lower than that of an earlier accepted event of the
    /// customer; updates that lower the stored `custom.ingestVersionStr`.
    pub out_of_order: Judged,
    /// The part of `out_of_order.tracking` that is also a repeat: an event sent again after later ones.
    pub out_of_order_repeats: u64,
    /// What was written once, replaced, and written again: see [`SetBack`].
    #[serde(default)]
    pub set_back: SetBack,
    /// Events without `eventKey` or `occurredAt`; writes of objects without version or external id, or
    /// with a version that cannot be compared with the stored one.
    pub unjudged: Judged,
    /// Bulk jobs.
    pub bulk: BulkAccount,
    /// Objects that exist.
    pub kobjects_total: u64,
    /// Customers that exist.
    pub customers_total: u64,
    /// Identifications whose identifiers belong to different customers.
    pub identity_conflicts: u64,
    /// How often each rule of the fault script took effect, by its name.
    pub faults: BTreeMap<String, u64>,
}

/// Counts of requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// All.
    pub total: u64,
    /// By the endpoint's name.
    pub by_endpoint: BTreeMap<String, u64>,
    /// By status; 0 stands for a dropped connection.
    pub by_status: BTreeMap<u16, u64>,
}

/// One window of the organisation's budget.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowAccount {
    /// When it began, in milliseconds since the Unix epoch on the simulator's clock.
    pub start: SimTime,
    /// Requests admitted.
    pub spent: u64,
    /// Requests of others (the `drain` and `drain-random` switches, the `drain` fault).
    pub foreign: u64,
    /// Requests of others that found the budget spent.
    #[serde(default)]
    pub foreign_refused: u64,
    /// Requests refused because the budget was spent.
    pub refused: u64,
}

impl WindowAccount {
    pub(crate) const fn starting(start: SimTime) -> Self {
        Self {
            start,
            spent: 0,
            foreign: 0,
            foreign_refused: 0,
            refused: 0,
        }
    }
}

/// Counts of accepted writes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// `event` and `identityEvent` requests.
    pub tracking: u64,
    /// `identity` requests.
    pub identities: u64,
    /// Customers that were created, by whatever request.
    pub customers_created: u64,
    /// Updates of customers through the customer endpoints.
    pub customers_updated: u64,
    /// Objects that were created.
    pub kobjects_created: u64,
    /// Updates of objects.
    pub kobjects_updated: u64,
}

/// A count for each of the two kinds of items.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// Tracking events.
    pub tracking: u64,
    /// Objects.
    pub kobjects: u64,
}

/// Something older that was written over something newer, although no version or time shows it. A customer who takes a former
/// name again counts, too, so tests use every name and state only once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetBack {
    /// Identifications that repeat an earlier one of the customer, after one that said something else.
    pub identities: u64,
    /// Updates of an object that write what was already written under the same version, and has been replaced since.
    pub kobjects: u64,
}

/// Counts of bulk work.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkAccount {
    /// Jobs accepted.
    pub jobs: u64,
    /// Items in them.
    pub items: u64,
    /// Reads of a job or its batches that were answered.
    pub reads: u64,
    /// Jobs that have not completed yet.
    pub unfinished: u64,
    /// Items that failed, by their error.
    pub item_errors: BTreeMap<String, u64>,
}

/// Adds one to the count under `name`; beyond a thousand names, under `other`.
pub(crate) fn count(counts: &mut BTreeMap<String, u64>, name: &str) {
    if let Some(known) = counts.get_mut(name) {
        *known += 1;
    } else {
        let name = if counts.len() < 1_000 { name } else { "other" };
        *counts.entry(name.to_owned()).or_default() += 1;
    }
}
