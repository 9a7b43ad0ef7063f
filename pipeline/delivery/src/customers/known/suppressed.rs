//! People of whom nothing is sent.
//!
//! They are named by any of their keys. Whoever is known to be the same customer counts, too: what the API has said of a
//! key's customer is kept with the key for as long as the key is on the list. Kept as hashes, like everything that lasts.

use std::sync::Arc;

use ingest_model::known::customer_hash;
use ingest_model::lookup::{Lookup, map_bytes};
use ingest_model::operation::CustomerKey;

use super::CustomerIds;

/// The keys of those people, and the Kustomer ids that are theirs.
#[derive(Debug, Default)]
pub(crate) struct Suppressed {
    /// Their keys, each with the hash of the id that it is known to mean.
    keys: Lookup<u128, Option<u128>>,
    /// The hashes of those ids.
    ids: Lookup<u128, ()>,
}

impl Suppressed {
    /// The list is this one from now on.
    pub(crate) fn replace(&mut self, keys: &[CustomerKey], known: &CustomerIds) {
        let (mut listed, mut ids) = (Lookup::default(), Lookup::default());
        for key in keys {
            let hash = customer_hash(key);
            let id = known.peek(key);
            let id = id.map(|id| customer_hash(&CustomerKey::Id(id)));
            let id = id.or_else(|| self.keys.get(&hash).copied().flatten());
            if let Some(id) = id {
                ids.insert(id, ());
            }
            listed.insert(hash, id);
        }
        (self.keys, self.ids) = (listed, ids);
    }

    /// Whether there is nobody on the list.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether one of them has this key, as far as known.
    pub(crate) fn has(&self, key: &CustomerKey, known: &CustomerIds) -> bool {
        if self.is_empty() {
            return false;
        }
        if self.keys.contains_key(&customer_hash(key)) {
            return true;
        }
        let id = known.peek(key);
        id.is_some_and(|id| self.ids.contains_key(&customer_hash(&CustomerKey::Id(id))))
    }

    /// The API says that a key means the customer with that id.
    pub(crate) fn learn(&mut self, key: &CustomerKey, id: &Arc<str>) {
        if self.is_empty() {
            return;
        }
        if let Some(known) = self.keys.get_mut(&customer_hash(key)) {
            let id = customer_hash(&CustomerKey::Id(Arc::clone(id)));
            *known = Some(id);
            self.ids.insert(id, ());
        }
    }

    /// The bytes that it occupies, about.
    pub(crate) fn bytes(&self) -> usize {
        map_bytes::<u128, Option<u128>>(self.keys.len()) + map_bytes::<u128, ()>(self.ids.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email(text: &str) -> CustomerKey {
        CustomerKey::Email(text.into())
    }

    #[test]
    fn other_keys_of_a_listed_customer_count_as_far_as_they_are_known() {
        let (mut known, mut list) = (CustomerIds::new(10), Suppressed::default());
        let (listed, other) = (
            email("ida@shop.example"),
            CustomerKey::ExternalId("u1".into()),
        );
        let (id, stranger) = (
            Arc::from("65a000000000000000000001"),
            email("max@shop.example"),
        );
        known.learn(&other, &id);
        list.replace(std::slice::from_ref(&listed), &known);
        assert!(list.has(&listed, &known));
        assert!(
            !list.has(&other, &known),
            "nobody knows yet that it is hers"
        );
        list.learn(&listed, &id);
        for key in [&listed, &other, &CustomerKey::Id(Arc::clone(&id))] {
            assert!(list.has(key, &known), "{key:?}");
        }
        assert!(!list.has(&stranger, &known));
        // What was known of her stays known while she is listed, whatever the cache forgets.
        list.replace(&[listed.clone(), stranger], &CustomerIds::new(10));
        assert!(list.has(&other, &known));
        list.replace(&[], &known);
        assert!(!list.has(&other, &known) && !list.has(&listed, &known));
        assert!(list.is_empty() && list.bytes() == 0);
    }
}
