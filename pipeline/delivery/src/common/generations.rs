//! A bounded map that forgets what is not used.
//!
//! Young entries become old, and old ones that are not used before the next change are dropped: an approximate
//! least-recently-used order without a list.

use std::hash::Hash;

use ingest_model::lookup::{Lookup, map_bytes};

/// A bounded map that forgets what is not used.
#[derive(Debug)]
pub(crate) struct Generations<K, V> {
    young: Lookup<K, V>,
    old: Lookup<K, V>,
    half: usize,
    /// The bytes that a value occupies besides its place, and the sum for all values.
    weigh: fn(&V) -> usize,
    young_apart: usize,
    old_apart: usize,
}

impl<K: Hash + Eq + Clone, V: Clone> Generations<K, V> {
    /// An empty map of at most `capacity` entries.
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

    /// The same for values that also occupy the bytes that `weigh` returns.
    pub(crate) fn weighing(capacity: usize, weigh: fn(&V) -> usize) -> Self {
        Self {
            weigh,
            ..Self::new(capacity)
        }
    }

    /// The value of a key. Counts as a use.
    pub(crate) fn get(&mut self, key: &K) -> Option<&V> {
        if !self.young.contains_key(key) {
            let value = self.old.get(key)?.clone();
            self.insert(key.clone(), value);
        }
        self.young.get(key)
    }

    /// The value of a key. Does not count as a use.
    pub(crate) fn peek(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Whether the key is here. Does not count as a use.
    pub(crate) fn contains(&self, key: &K) -> bool {
        self.young.contains_key(key) || self.old.contains_key(key)
    }

    /// Sets the value of a key.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
            self.old_apart = std::mem::take(&mut self.young_apart);
        }
        if let Some(gone) = self.old.remove(&key) {
            self.old_apart -= (self.weigh)(&gone);
        }
        self.young_apart += (self.weigh)(&value);
        if let Some(gone) = self.young.insert(key, value) {
            self.young_apart -= (self.weigh)(&gone);
        }
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

    /// Forgets the values that `keep` does not want.
    pub(crate) fn retain(&mut self, keep: impl Fn(&V) -> bool) {
        let weigh = self.weigh;
        let of = |map: &mut Lookup<K, V>| {
            let mut bytes = 0;
            map.retain(|value| {
                let kept = keep(value);
                bytes += if kept { 0 } else { weigh(value) };
                kept
            });
            bytes
        };
        let (young, old) = (of(&mut self.young), of(&mut self.old));
        self.young_apart -= young;
        self.old_apart -= old;
    }

    /// Changes every value in place.
    pub(crate) fn each(&mut self, change: impl Fn(&mut V)) {
        self.young.each(&change);
        self.old.each(&change);
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// The bytes that it occupies, about, if every entry takes `apart` bytes besides its place in the map.
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
