//! Kustomer ids of customers, by key.
//!
//! A cache of what Kustomer knows: losing an entry costs a request, never correctness. Keys are kept as 16-byte hashes, so it
//! holds no personal data.

use std::sync::Arc;

use crate::common::generations::Generations;
use ingest_model::known::customer_hash;
use ingest_model::lookup::map_bytes;
use ingest_model::operation::CustomerKey;

/// What the allocator takes for an id or a version: 24 characters, two counts and its overhead.
const TEXT: usize = 48;

/// The Kustomer ids of customers, as far as known.
#[derive(Debug)]
pub(crate) struct CustomerIds {
    of: Generations<u128, Arc<str>>,
    hits: u64,
    misses: u64,
}

impl CustomerIds {
    /// An empty cache of at most that many keys.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            of: Generations::new(capacity),
            hits: 0,
            misses: 0,
        }
    }

    /// The Kustomer id of the customer with that key.
    pub(crate) fn get(&mut self, key: &CustomerKey) -> Option<Arc<str>> {
        if let CustomerKey::Id(id) = key {
            return Some(Arc::clone(id));
        }
        let found = self.of.get(&customer_hash(key)).map(Arc::clone);
        match found {
            Some(_) => self.hits += 1,
            None => self.misses += 1,
        }
        found
    }

    /// The same, without counting a hit or a miss.
    pub(crate) fn peek(&self, key: &CustomerKey) -> Option<Arc<str>> {
        match key {
            CustomerKey::Id(id) => Some(Arc::clone(id)),
            CustomerKey::ExternalId(_) | CustomerKey::Email(_) | CustomerKey::Phone(_) => {
                self.of.peek(&customer_hash(key)).map(Arc::clone)
            }
        }
    }

    /// The id for the first of these keys that is known.
    pub(crate) fn any(&mut self, keys: &[CustomerKey]) -> Option<Arc<str>> {
        keys.iter().find_map(|key| self.get(key))
    }

    /// Learns that a key means this customer. `true` if that is new. Counts as a look-up.
    pub(crate) fn learn(&mut self, key: &CustomerKey, id: &Arc<str>) -> bool {
        if let CustomerKey::Id(known) = key {
            return known != id;
        }
        let hash = customer_hash(key);
        let known = self.of.get(&hash);
        match known {
            Some(_) => self.hits += 1,
            None => self.misses += 1,
        }
        let new = known != Some(id);
        if new {
            self.of.insert(hash, Arc::clone(id));
        }
        new
    }

    /// Forgets the id of a key, because the customer with that id is gone.
    pub(crate) fn forget(&mut self, key: &CustomerKey) {
        self.of.remove(&customer_hash(key));
    }

    /// Adds what an earlier owner knew, unless this process knows better.
    pub(crate) fn restore(&mut self, hash: u128, id: Arc<str>) {
        if !self.of.contains(&hash) {
            self.of.insert(hash, id);
        }
    }

    /// How many keys are known.
    pub(crate) fn len(&self) -> usize {
        self.of.len()
    }

    /// How many look-ups found an id, and how many did not.
    pub(crate) fn hits_and_misses(&self) -> (u64, u64) {
        (self.hits, self.misses)
    }

    /// The bytes that it occupies, about.
    pub(crate) fn bytes(&self) -> usize {
        self.of.bytes(TEXT)
    }

    /// The bytes that this many keys occupy at most, about.
    pub(crate) fn most_bytes(capacity: usize) -> usize {
        map_bytes::<u128, Arc<str>>(capacity) + capacity * TEXT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_cache_takes_what_was_said() {
        let entries = 57_344;
        let mut ids = CustomerIds::new(2 * entries);
        for n in 0..4 * entries {
            let key = CustomerKey::ExternalId(Arc::from(format!("u{n}")));
            assert!(ids.learn(&key, &Arc::from("5f75c63cd5c0384ad82a17ae")));
        }
        let most = CustomerIds::most_bytes(2 * entries);
        assert!(ids.bytes() <= most, "{} of {most}", ids.bytes());
        assert!(ids.bytes() >= most / 4, "a good part of it");
    }

    #[test]
    fn kinds_of_keys_do_not_meet() {
        let mut ids = CustomerIds::new(10);
        let email = CustomerKey::Email(Arc::from("7"));
        let external = CustomerKey::ExternalId(Arc::from("7"));
        assert!(ids.learn(&external, &Arc::from("abc")));
        assert!(!ids.learn(&external, &Arc::from("abc")), "that is known");
        assert_eq!(ids.get(&email), None);
        assert_eq!(
            ids.any(&[email, CustomerKey::ExternalId(Arc::from("7"))])
                .as_deref(),
            Some("abc")
        );
    }

    #[test]
    fn a_kustomer_id_needs_no_look_up() {
        let mut ids = CustomerIds::new(10);
        let key = CustomerKey::Id(Arc::from("5f75c63cd5c0384ad82a17ae"));
        assert_eq!(ids.get(&key).as_deref(), Some("5f75c63cd5c0384ad82a17ae"));
    }
}
