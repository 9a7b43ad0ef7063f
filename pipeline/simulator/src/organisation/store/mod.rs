//! What was accepted, compactly: millions of objects and events, every look-up by index.
//!
//! Everything is addressed by its position in a list; a Kustomer id is that position in hexadecimal
//! behind a prefix, so no table of ids is needed. External ids, e-mails and phones are indexed by
//! 128-bit fingerprints. Free-form parts (attributes, `data`, `meta`) are kept as JSON text.

mod customers;
mod events;
mod history;
mod ids;
mod klasses;
mod objects;
mod parts;
mod versions;

pub(crate) use customers::{Customer, CustomerState, Customers, IdentifierKind};
pub(crate) use events::{Event, Events, NewEvent};
pub(crate) use ids::{Ids, Kind};
pub(crate) use klasses::Klasses;
pub(crate) use objects::{Object, Objects};
pub(crate) use parts::merge;
pub(crate) use versions::{compare_versions, version_of};

/// Everything that was accepted.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) ids: Ids,
    pub(crate) customers: Customers,
    pub(crate) objects: Objects,
    pub(crate) events: Events,
    pub(crate) klasses: Klasses,
}

impl Store {
    pub(crate) fn new(ids: Ids) -> Self {
        Self {
            ids,
            customers: Customers::default(),
            objects: Objects::default(),
            events: Events::default(),
            klasses: Klasses::default(),
        }
    }

    /// The position of a customer by Kustomer id; deleted and merged ones included.
    pub(crate) fn customer_position(&self, id: &str) -> Option<u32> {
        self.ids.position(Kind::Customer, id)
    }

    /// A customer that exists, by Kustomer id.
    pub(crate) fn live_customer(&self, id: &str) -> Option<u32> {
        let position = self.customer_position(id)?;
        self.customers.live(position).map(|_| position)
    }

    /// An object that exists in a klass, by Kustomer id.
    pub(crate) fn live_object(&self, klass: u16, id: &str) -> Option<u32> {
        let position = self.ids.position(Kind::Object, id)?;
        self.objects
            .live(position)
            .filter(|object| object.klass == klass)
            .map(|_| position)
    }
}
