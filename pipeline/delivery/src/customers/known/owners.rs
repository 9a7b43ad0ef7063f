//! Whom objects belong to, and by what the tracking API knows those people.
//!
//! An event may name an object instead of a customer. Whose object it is was said by a record that wrote it, or Kustomer said
//! it: then only the customer's id is known, and the keys are read when an event needs them. In memory alone, because keys are
//! personal data; losing an entry costs a request.

use crate::common::generations::Generations;
use ingest_model::known::customer_hash;
use ingest_model::lookup::map_bytes;
use ingest_model::operation::{CustomerKey, CustomerRef};

/// What one of them usually takes besides its place: two keys of forty characters, their counts and the list of them.
const USUAL: usize = 192;
/// What the allocator takes for a key or a list besides its content.
const APART: usize = 40;

/// The customers of objects, by the object's key, and by the customer's Kustomer id.
#[derive(Debug)]
pub(crate) struct Owners(Generations<u128, CustomerRef>);

impl Owners {
    /// At most that many are remembered.
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Generations::weighing(capacity, apart))
    }

    /// The bytes that they occupy, about.
    pub(crate) fn bytes(&self) -> usize {
        self.0.bytes(0)
    }

    /// The bytes that this many usually occupy, about.
    pub(crate) fn usual_bytes(capacity: usize) -> usize {
        map_bytes::<u128, CustomerRef>(capacity) + capacity * USUAL
    }

    pub(in crate::customers) fn of(&mut self, key: &CustomerKey) -> Option<CustomerRef> {
        self.0.get(&customer_hash(key)).cloned()
    }

    pub(in crate::customers) fn learn(&mut self, key: &CustomerKey, customer: CustomerRef) {
        self.0.insert(customer_hash(key), customer);
    }

    pub(in crate::customers) fn forget(&mut self, key: &CustomerKey) {
        self.0.remove(&customer_hash(key));
    }
}

/// The bytes that a reference occupies besides its place.
fn apart(customer: &CustomerRef) -> usize {
    let keys = customer.keys().iter();
    let bytes = keys.map(|key| size_of::<CustomerKey>() + key.value().len() + APART);
    bytes.sum::<usize>() + APART
}
