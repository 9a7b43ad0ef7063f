//! A hash map that can be queried but not iterated over.
//!
//! The order of a hash map's entries differs from process to process, and no decision may depend on it. So whoever needs
//! more than one entry gets keys in sorted order, or a number that is the same in any order.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::{BuildHasher, Hash, Hasher as _};
use std::sync::OnceLock;

use foldhash::SharedSeed;
use foldhash::fast::{FoldHasher, SeedableRandomState};

/// Values by key, without any visible order.
#[derive(Debug, Clone)]
pub struct Lookup<K, V> {
    values: HashMap<K, V, Hashing>,
    /// The most entries there have been at the time of a removal.
    most: usize,
}

/// A fast hash, seeded differently in each process and each map, because some keys are texts from outside: keys that meet in every
/// process cannot be prepared. It is not made to withstand somebody who can measure this process, which nobody outside can.
#[derive(Debug, Clone)]
struct Hashing(SeedableRandomState);

impl Default for Hashing {
    fn default() -> Self {
        static SHARED: OnceLock<SharedSeed> = OnceLock::new();
        // The operating system's randomness, as the standard library's maps have it.
        let random = || RandomState::new().build_hasher().finish();
        let shared = SHARED.get_or_init(|| SharedSeed::from_u64(random()));
        Self(SeedableRandomState::with_seed(random(), shared))
    }
}

impl BuildHasher for Hashing {
    type Hasher = FoldHasher<'static>;

    fn build_hasher(&self) -> FoldHasher<'static> {
        self.0.build_hasher()
    }
}

impl<K, V> Default for Lookup<K, V> {
    fn default() -> Self {
        Self {
            values: HashMap::default(),
            most: 0,
        }
    }
}

impl<K: Hash + Eq, V> Lookup<K, V> {
    /// The value of a key.
    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.values.get(key)
    }

    /// The value of a key, to be modified.
    pub fn get_mut<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.values.get_mut(key)
    }

    /// Whether the key has a value.
    pub fn contains_key<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.values.contains_key(key)
    }

    /// Sets the value of a key and returns the previous one.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.values.insert(key, value)
    }

    /// Removes a key and returns its value.
    pub fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        if self.values.is_empty() {
            return None;
        }
        self.most = self.most.max(self.values.len());
        self.values.remove(key)
    }

    /// The entry of a key.
    pub fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        self.values.entry(key)
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Approximate room for entries: a table has a power of two of slots, leaves an eighth of them empty, and never
    /// shrinks. What the table itself reports depends on the hashes.
    pub fn capacity(&self) -> usize {
        let most = self.most.max(self.values.len());
        if most == 0 {
            return 0;
        }
        (most * 8 / 7).next_power_of_two() * 7 / 8
    }

    /// The sum of a number over all entries.
    pub fn sum(&self, number: impl Fn(&V) -> usize) -> usize {
        self.values.values().map(number).sum()
    }

    /// Removes the entries whose values `keep` does not want; it judges each on its own.
    pub fn retain(&mut self, mut keep: impl FnMut(&V) -> bool) {
        self.most = self.most.max(self.values.len());
        self.values.retain(|_, value| keep(value));
    }

    /// Changes each value on its own.
    pub fn each(&mut self, change: impl Fn(&mut V)) {
        self.values.values_mut().for_each(change);
    }
}

impl<K: Hash + Eq + Ord + Clone, V> Lookup<K, V> {
    /// The keys whose entries match, in ascending order.
    pub fn keys_where(&self, matches: impl Fn(&K, &V) -> bool) -> Vec<K> {
        let found = self
            .values
            .iter()
            .filter(|(key, value)| matches(key, value));
        let mut keys: Vec<K> = found.map(|(key, _)| key.clone()).collect();
        keys.sort_unstable();
        keys
    }

    /// What the function returns for each entry, in ascending order of keys, without the entries for which it returns
    /// `None`.
    pub fn said<T>(&self, of: impl Fn(&K, &V) -> Option<T>) -> Vec<(K, T)> {
        let told = self
            .values
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), of(key, value)?)));
        let mut all: Vec<(K, T)> = told.collect();
        all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        all
    }
}

/// The bytes that a hash map of this capacity occupies: an eighth of its slots stay empty, and each slot has one byte of
/// its own.
#[must_use]
pub fn map_bytes<K, V>(capacity: usize) -> usize {
    capacity * 8 / 7 * (size_of::<(K, V)>() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_a_function_of_what_was_done() {
        let filled = || {
            let mut lookup = Lookup::default();
            for n in 0..60_000_u32 {
                lookup.insert(n, n);
                if n % 3 == 0 {
                    lookup.remove(&(n / 2));
                }
            }
            lookup
        };
        let (one, other) = (filled(), filled());
        assert_eq!(one.capacity(), other.capacity());
        let real = one.values.capacity();
        let told = one.capacity();
        assert!(told * 2 >= real && told <= real * 2, "{told} of {real}");
        let mut emptied = one;
        for n in 0..60_000 {
            emptied.remove(&n);
        }
        assert_eq!((emptied.len(), emptied.capacity()), (0, told));
        assert_eq!(Lookup::<u32, u32>::default().capacity(), 0);
    }

    #[test]
    fn keys_come_in_their_order() {
        let mut lookup = Lookup::default();
        for n in [5, 3, 9, 1] {
            lookup.insert(n, n * 10);
        }
        assert_eq!(lookup.keys_where(|key, _| *key > 1), [3, 5, 9]);
        let said = lookup.said(|key, value| (*key < 9).then_some(*value));
        assert_eq!(said, [(1, 10), (3, 30), (5, 50)]);
        assert_eq!(lookup.sum(|value| *value), 180);
    }
}
