//! A bounded map that forgets what is not used.
//!
//! Young entries become old, and what is not asked for in between falls out: an approximate least-recently-used order without
//! a list.

use std::hash::Hash;

use ingest_model::lookup::{Lookup, map_bytes};

/// A bounded map that forgets what is not used.
#[derive(Debug)]
pub(crate) struct Generations<K, V> {
    young: Lookup<K, V>,
    old: Lookup<K, V>,
    half: usize,
    /// Bytes that a value occupies besides its place, and those of all.
    weigh: fn(&V) -> usize,
    young_apart: usize,
    old_apart: usize,
}

impl<K: Hash + Eq + Clone, V: Clone> Generations<K, V> {
    /// An empty map of at most that many entries.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            young: Lookup::default(),
            old: Lookup::default(),
            half: (capacity / 2).max(1),
            weigh: |_| 0,
            young_apart: 0,
            old_apart: 0,
        }
    }

    /// The same of values that occupy that many bytes besides their places, each its own.
    pub(crate) fn weighing(capacity: usize, weigh: fn(&V) -> usize) -> Self {
        Self {
            weigh,
            ..Self::new(capacity)
        }
    }

    /// The value of a key; asking keeps it.
    pub(crate) fn get(&mut self, key: &K) -> Option<&V> {
        if !self.young.contains_key(key) {
            let value = self.old.get(key)?.clone();
            self.insert(key.clone(), value);
        }
        self.young.get(key)
    }

    /// The value of a key, without keeping it.
    pub(crate) fn peek(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Whether the key is there, without keeping it.
    pub(crate) fn contains(&self, key: &K) -> bool {
        self.young.contains_key(key) || self.old.contains_key(key)
    }

    /// Sets the value of a key.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
            self.old_apart = std::mem::take(&mut self.young_apart);
        }
        self.remove(&key);
        self.young_apart += (self.weigh)(&value);
        self.young.insert(key, value);
    }

    /// Forgets a key.
    pub(crate) fn remove(&mut self, key: &K) {
        if let Some(gone) = self.young.remove(key) {
            self.young_apart -= (self.weigh)(&gone);
        }
        if let Some(gone) = self.old.remove(key) {
            self.old_apart -= (self.weigh)(&gone);
        }
    }

    /// Changes each value by itself.
    pub(crate) fn each(&mut self, change: impl Fn(&mut V)) {
        self.young.each(&change);
        self.old.each(&change);
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Bytes that it occupies, about, if every entry has that many besides its place in the map.
    pub(crate) fn bytes(&self, apart: usize) -> usize {
        let places = map_bytes::<K, V>(self.young.capacity() + self.old.capacity());
        places + self.len() * apart + self.young_apart + self.old_apart
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_size_is_bounded() {
        let mut map = Generations::new(100);
        map.insert(0, "kept");
        for n in 1..10_000 {
            map.insert(n, "passing");
            assert_eq!(map.get(&0), Some(&"kept"));
            assert!(map.len() <= 100);
        }
        assert!(!map.contains(&1));
    }
}
