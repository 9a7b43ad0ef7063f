//! What survives a restart: the directory and the job journal, as entries of one compacted topic.
//!
//! Each input partition has its slice. An entry is keyed by slice, entity and owner, where the owner is one assignment of
//! the partition. Compaction keeps the last record of each key, and two owners never share a key, so an owner that does
//! not know yet that it lost the partition cannot wipe out what its successor wrote. Of all owners' entries of an entity,
//! a reader takes the one with the highest input offset (then the newest version), in whatever order they were written,
//! and has the others deleted.
//!
//! | module | holds |
//! |---|---|
//! | [`mod@format`] | entries as bytes, with a version tag; what another version wrote is counted and left alone |
//! | [`reduce`] | what a slice holds, from its entries in the order of the log |
//! | [`writer`] | what one owner has to write, in the order in which it may become visible |
//!
//! Customers, objects and events are identified by 128-bit hashes, so nothing here is about a person except Kustomer's
//! own ids.

pub mod format;
pub mod reduce;
#[cfg(test)]
mod tests;
pub mod writer;

use std::sync::Arc;

use uuid::Uuid;

use crate::batch::Verb;
use crate::name_id;
use crate::operation::{Klass, Version};
use crate::outcome::JobTicket;
use crate::record::{Offset, TopicPartition};
use crate::remembered::known::KnownObject;
use crate::remembered::said::Said;

/// The namespace of slices and owners. Fixed, so that every process and version agrees.
const NAMES: Uuid = Uuid::from_u128(0x6b75_7374_6f6d_6572_2d69_6e67_6573_7402);

/// The part of the topic that belongs to one input partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SliceId(u128);

/// One assignment of an input partition to one process.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub struct OwnerId(#[serde(with = "crate::record::content::name")] u128);

/// What an entry is about.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub enum Entity {
    /// The customer with the key that has this hash.
    Customer(#[serde(with = "crate::record::content::hash")] u128),
    /// The object whose klass and external id have this hash.
    Object(#[serde(with = "crate::record::content::hash")] u128),
    /// The occurrence with this `eventKey`.
    Event(#[serde(with = "crate::record::content::hash")] u128),
    /// What was said of the customer with this hash.
    Identity(#[serde(with = "crate::record::content::hash")] u128),
    /// The write with this number: one request.
    Intent(#[serde(with = "crate::record::content::name")] u128),
}

/// The key of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryKey {
    /// The slice it belongs to.
    pub slice: SliceId,
    /// What it is about.
    pub entity: Entity,
    /// Who wrote it.
    pub owner: OwnerId,
}

/// An entry: what was known, and after which record.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The offset in the input partition that it comes from. Of two owners' entries, the one with the higher offset
    /// holds.
    pub at: Offset,
    /// What was known.
    pub content: Content,
}

/// What an entry says.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The customer's Kustomer id.
    Customer(Arc<str>),
    /// The object's Kustomer id and state.
    Object(KnownObject),
    /// The event was delivered.
    Event,
    /// What identities said of the customer, and when.
    Identity(Said),
    /// A write is about to be sent, was sent, or is a job in Kustomer.
    Intent(Intent),
}

/// One write of objects, as far as it concerns one input partition.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The objects' klass.
    pub klass: Klass,
    /// Create or update.
    pub verb: Verb,
    /// Whether the items are named in the job's results.
    pub with_refs: bool,
    /// The job, once Kustomer accepted the submission. Without one, nobody knows whether it did.
    pub job: Option<JobTicket>,
    /// The objects it writes.
    pub items: Vec<IntentItem>,
}

/// One object's write in an [`Intent`].
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct IntentItem {
    /// Identifies it in the job's results.
    pub reference: String,
    /// The hash of klass and external id.
    #[serde(with = "crate::record::content::hash")]
    pub object: u128,
    /// The version that is written.
    pub version: Option<Version>,
    /// The operations that it carries out.
    pub operations: Vec<OperationRef>,
}

/// An operation of a record: the same whenever the record is mapped again, and different for the record at the same
/// offset in another life of the log.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub struct OperationRef {
    /// The record's offset.
    pub offset: Offset,
    /// Its index among the operations of the record.
    pub ordinal: u16,
    /// What it changes, as a short hash.
    pub mark: u32,
}

impl SliceId {
    /// The slice of an input partition.
    ///
    /// ```
    /// # use ingest_model::record::TopicPartition;
    /// # use ingest_model::state_log::SliceId;
    /// let slice = SliceId::of(&TopicPartition::new("shop.events", 3));
    /// assert_eq!(slice.state_partition(12), 8);
    /// ```
    #[must_use]
    pub fn of(partition: &TopicPartition) -> Self {
        let name = format!("{}\0{}", partition.topic, partition.partition.0);
        Self(name_id(&NAMES, name.as_bytes()).as_u128())
    }

    /// The partition of the state topic that holds the slice, if the topic has this many.
    #[must_use]
    pub fn state_partition(self, count: u32) -> i32 {
        let place = self.0 % u128::from(count.max(1));
        i32::try_from(place).unwrap_or(0)
    }
}

impl OwnerId {
    /// The owner with this seed, which is random for each process, and this number, which is unique within the process.
    #[must_use]
    pub fn new(seed: u64, number: u64) -> Self {
        let name = format!("owner\0{seed}\0{number}");
        Self(name_id(&NAMES, name.as_bytes()).as_u128())
    }

    /// The name of this owner's write of that number, unique everywhere.
    #[must_use]
    pub fn intent(self, number: u64) -> Entity {
        let name = format!("intent\0{:032x}\0{number}", self.0);
        Entity::Intent(name_id(&NAMES, name.as_bytes()).as_u128())
    }
}

impl Intent {
    /// The highest offset among its operations, by which entries are compared.
    #[must_use]
    pub fn at(&self) -> Offset {
        let offsets = self.items.iter().flat_map(|item| &item.operations);
        offsets.map(|one| one.offset).max().unwrap_or(Offset(0))
    }
}

/// A record for the state topic, as bytes.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct StateRecord {
    /// The key.
    pub key: Vec<u8>,
    /// The value; `None` deletes the key.
    pub value: Option<Vec<u8>>,
}
