//! Bulk requests: a bare array of at most 100 bodies, and the reads of the job they become (`docs/kustomer-api.md`,
//! sections 8 and 9).

use ingest_model::call::BulkItem;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::request::{HttpRequest, segment};

/// Which of an item's own fields are added to its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extras {
    /// None, for customers.
    None,
    /// `customer`, for objects that are created.
    Create,
    /// `id` and `rev`, for objects that are updated.
    Update,
}

/// The body of a bulk request, serialized without copying the items.
pub(crate) struct Items<'a> {
    /// The items.
    pub(crate) items: &'a [BulkItem],
    /// Add `_clientRef`, to every item or to none, as the API requires.
    pub(crate) with_refs: bool,
    /// The other fields to add.
    pub(crate) extras: Extras,
}

struct Item<'a> {
    item: &'a BulkItem,
    with_refs: bool,
    extras: Extras,
}

/// `GET /v1/bulk/{id}/batches`.
pub(crate) fn batches(job: &str) -> HttpRequest {
    HttpRequest::get("bulk_batches", format!("/v1/bulk/{}/batches", segment(job)))
}

/// `GET /v1/bulk/{id}`.
pub(crate) fn state(job: &str) -> HttpRequest {
    HttpRequest::get("bulk_state", format!("/v1/bulk/{}", segment(job)))
}

// === impl Items ===

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut array = serializer.serialize_seq(Some(self.items.len()))?;
        for item in self.items {
            array.serialize_element(&Item {
                item,
                with_refs: self.with_refs,
                extras: self.extras,
            })?;
        }
        array.end()
    }
}

// === impl Item ===

impl Item<'_> {
    fn reference(&self) -> Option<&str> {
        self.with_refs.then_some(self.item.reference.as_str())
    }

    fn customer(&self) -> Option<&str> {
        match self.extras {
            Extras::Create => self.item.customer.as_deref(),
            Extras::None | Extras::Update => None,
        }
    }

    fn id(&self) -> Option<&str> {
        match self.extras {
            Extras::Update => self.item.id.as_deref(),
            Extras::None | Extras::Create => None,
        }
    }

    fn rev(&self) -> Option<i64> {
        match self.extras {
            Extras::Update => self.item.rev,
            Extras::None | Extras::Create => None,
        }
    }
}

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let reference = self.reference();
        let (customer, id, rev) = (self.customer(), self.id(), self.rev());
        if let Some(reference) = reference {
            map.serialize_entry("_clientRef", reference)?;
        }
        if let Some(id) = id {
            map.serialize_entry("id", id)?;
        }
        if let Some(rev) = rev {
            map.serialize_entry("rev", &rev)?;
        }
        if let Some(customer) = customer {
            map.serialize_entry("customer", customer)?;
        }
        for (name, value) in self.item.body.iter() {
            // The item's own field replaces that of the body: a duplicate name would make the object invalid.
            let replaced = match name.as_str() {
                "_clientRef" => reference.is_some(),
                "id" => id.is_some(),
                "rev" => rev.is_some(),
                "customer" => customer.is_some(),
                _ => false,
            };
            if !replaced {
                map.serialize_entry(name, value)?;
            }
        }
        map.end()
    }
}
