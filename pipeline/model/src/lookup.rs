//! A hash map that can be asked but not walked.
//!
//! The order of a hash map's entries differs from process to process. Nothing that decides may depend on it, so whoever needs
//! more than one entry gets keys in their own order, or a number that no order changes.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

/// Values by key, without an order.
#[derive(Debug, Clone)]
pub struct Lookup<K, V>(HashMap<K, V>);

impl<K, V> Default for Lookup<K, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Hash + Eq, V> Lookup<K, V> {
    /// The value of a key.
    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }

    /// The value of a key, to be changed.
    pub fn get_mut<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.0.get_mut(key)
    }

    /// Whether the key has a value.
    pub fn contains_key<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.contains_key(key)
    }

    /// Sets the value of a key. The one that it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert(key, value)
    }

    /// Takes the value of a key out.
    pub fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.0.remove(key)
    }

    /// The place of a key.
    pub fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        self.0.entry(key)
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// How many keys have a value.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no key has one.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there is room for.
    pub fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// A number for each entry, added up.
    pub fn sum(&self, number: impl Fn(&V) -> usize) -> usize {
        self.0.values().map(number).sum()
    }

    /// Changes each value by itself.
    pub fn each(&mut self, change: impl Fn(&mut V)) {
        self.0.values_mut().for_each(change);
    }
}

impl<K: Hash + Eq + Ord + Clone, V> Lookup<K, V> {
    /// The keys whose entries match, lowest first.
    pub fn keys_where(&self, matches: impl Fn(&K, &V) -> bool) -> Vec<K> {
        let found = self.0.iter().filter(|(key, value)| matches(key, value));
        let mut keys: Vec<K> = found.map(|(key, _)| key.clone()).collect();
        keys.sort_unstable();
        keys
    }

    /// What can be said of entries, lowest key first; nothing is said of those for which it is `None`.
    pub fn said<T>(&self, of: impl Fn(&K, &V) -> Option<T>) -> Vec<(K, T)> {
        let told = self
            .0
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), of(key, value)?)));
        let mut all: Vec<(K, T)> = told.collect();
        all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        all
    }
}

/// What a hash map for that many entries occupies: an eighth of its places stays empty, and each has a byte of its own.
#[must_use]
pub fn map_bytes<K, V>(capacity: usize) -> usize {
    capacity * 8 / 7 * (size_of::<(K, V)>() + 1)
}
