//! Who and what is already there: customer ids by key, object ids and versions by external id.
//!
//! A cache of Kustomer's truth: losing an entry costs a request, never correctness. It is bounded by turning generations
//! (young entries become old, what is not asked for in between falls out), which is an approximate least-recently-used
//! order without a list. Keys are kept as 16-byte hashes, so that the cache holds no personal data.

use std::hash::Hash;
use std::sync::Arc;

use uuid::Uuid;

use crate::lookup::Lookup;
use crate::operation::{CustomerKey, ExternalId, Klass, Version};
use crate::repeat::Changes;
use crate::revision::Revision;

/// A bounded map that forgets what is not used.
#[derive(Debug)]
pub struct Generations<K, V> {
    young: Lookup<K, V>,
    old: Lookup<K, V>,
    half: usize,
    /// Bytes that a value occupies besides its place, and those of all.
    weigh: fn(&V) -> usize,
    young_apart: usize,
    old_apart: usize,
}

/// What is known of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownObject {
    /// Its Kustomer id; empty while it is only known that the object stands.
    pub id: Arc<str>,
    /// The version written or read last.
    pub version: Option<Version>,
    /// A hash of the body written last, if this process wrote it.
    pub fingerprint: Option<u64>,
    /// Its revision, as far as known.
    pub revision: Revision,
    /// Others may have written it since.
    pub doubtful: bool,
    /// The changes that were made to it at this version; older ones are known by theirs.
    pub changes: Changes,
}

impl KnownObject {
    /// Whether its Kustomer id is known; without it the object has to be read before it can be updated.
    #[must_use]
    pub fn has_id(&self) -> bool {
        !self.id.is_empty()
    }

    /// Whether the object stands in a newer state than this version; never where one of the two has no version.
    #[must_use]
    pub fn is_newer_than(&self, version: Option<&Version>) -> bool {
        match (version, &self.version) {
            (Some(ours), Some(theirs)) => ours.is_older_than(theirs),
            (Some(_) | None, Some(_) | None) => false,
        }
    }

    /// Whether nobody can tell if the object stands in a newer state than this version: the two are of different kinds.
    #[must_use]
    pub fn is_of_another_kind(&self, version: Option<&Version>) -> bool {
        match (version, &self.version) {
            (Some(ours), Some(theirs)) => ours.compare(theirs).is_none(),
            (Some(_) | None, Some(_) | None) => false,
        }
    }

    /// Whether the object stands in a state of this version, or neither has one.
    #[must_use]
    pub fn ties_with(&self, version: Option<&Version>) -> bool {
        match (version, &self.version) {
            (Some(ours), Some(theirs)) => ours.ties_with(theirs),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    /// Whether the object stands in an older state than this version; never where one of the two has no version.
    #[must_use]
    pub fn is_older_than(&self, version: Option<&Version>) -> bool {
        match (version, &self.version) {
            (Some(ours), Some(theirs)) => theirs.is_older_than(ours),
            (Some(_) | None, Some(_) | None) => false,
        }
    }
}

/// The caches of one worker.
#[derive(Debug)]
pub struct Directory {
    customers: Generations<u128, Arc<str>>,
    objects: Generations<u128, KnownObject>,
    hits: u64,
    misses: u64,
}

/// What the allocator takes for an id or a version: 24 characters, two counts and its own part.
const TEXT: usize = 48;

/// The namespace of hashed keys. Fixed, so that hashes agree between processes.
const KEYS: Uuid = Uuid::from_u128(0x6b75_7374_6f6d_6572_2d69_6e67_6573_7401);

impl<K: Hash + Eq + Clone, V: Clone> Generations<K, V> {
    /// An empty map of at most that many entries.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
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
    #[must_use]
    pub fn weighing(capacity: usize, weigh: fn(&V) -> usize) -> Self {
        Self {
            weigh,
            ..Self::new(capacity)
        }
    }

    /// The value of a key; asking keeps it.
    pub fn get(&mut self, key: &K) -> Option<&V> {
        if !self.young.contains_key(key) {
            let value = self.old.get(key)?.clone();
            self.insert(key.clone(), value);
        }
        self.young.get(key)
    }

    /// The value of a key, without keeping it.
    #[must_use]
    pub fn peek(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Whether the key is there, without keeping it.
    #[must_use]
    pub fn contains(&self, key: &K) -> bool {
        self.young.contains_key(key) || self.old.contains_key(key)
    }

    /// Sets the value of a key.
    pub fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
            self.old_apart = std::mem::take(&mut self.young_apart);
        }
        self.remove(&key);
        self.young_apart += (self.weigh)(&value);
        self.young.insert(key, value);
    }

    /// Forgets a key.
    pub fn remove(&mut self, key: &K) {
        if let Some(gone) = self.young.remove(key) {
            self.young_apart -= (self.weigh)(&gone);
        }
        if let Some(gone) = self.old.remove(key) {
            self.old_apart -= (self.weigh)(&gone);
        }
    }

    /// Changes each value by itself.
    fn each(&mut self, change: impl Fn(&mut V)) {
        self.young.each(&change);
        self.old.each(&change);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
        (self.young_apart, self.old_apart) = (0, 0);
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.young.is_empty() && self.old.is_empty()
    }

    /// Bytes that it occupies, about, if every entry has that many besides its place in the map.
    #[must_use]
    pub fn bytes(&self, apart: usize) -> usize {
        let places = map_bytes::<K, V>(self.young.capacity() + self.old.capacity());
        places + self.len() * apart + self.young_apart + self.old_apart
    }
}

impl Directory {
    /// Empty caches of at most that many entries each.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            customers: Generations::new(capacity),
            objects: Generations::weighing(capacity, |object| object.changes.apart()),
            hits: 0,
            misses: 0,
        }
    }

    /// The Kustomer id of the customer with that key.
    pub fn customer(&mut self, key: &CustomerKey) -> Option<Arc<str>> {
        if let CustomerKey::Id(id) = key {
            return Some(Arc::clone(id));
        }
        let found = self.customers.get(&customer_hash(key)).map(Arc::clone);
        self.count(found.is_some());
        found
    }

    /// The Kustomer id of the customer with that key, without counting a look-up.
    #[must_use]
    pub fn peek_customer(&self, key: &CustomerKey) -> Option<Arc<str>> {
        match key {
            CustomerKey::Id(id) => Some(Arc::clone(id)),
            CustomerKey::ExternalId(_) | CustomerKey::Email(_) | CustomerKey::Phone(_) => {
                self.customers.peek(&customer_hash(key)).map(Arc::clone)
            }
        }
    }

    /// The id of the first of these keys that is known.
    pub fn any_customer(&mut self, keys: &[CustomerKey]) -> Option<Arc<str>> {
        keys.iter().find_map(|key| self.customer(key))
    }

    /// Learns that a key means this customer.
    pub fn learn_customer(&mut self, key: &CustomerKey, id: Arc<str>) {
        match key {
            CustomerKey::Id(_) => {}
            CustomerKey::ExternalId(_) | CustomerKey::Email(_) | CustomerKey::Phone(_) => {
                self.customers.insert(customer_hash(key), id);
            }
        }
    }

    /// Forgets whom a key means: the id it led to is gone.
    pub fn forget_customer(&mut self, key: &CustomerKey) {
        self.customers.remove(&customer_hash(key));
    }

    /// What is known of an object.
    pub fn object(&mut self, klass: &Klass, external_id: &ExternalId) -> Option<KnownObject> {
        let found = self.objects.get(&object_hash(klass, external_id)).cloned();
        self.count(found.is_some());
        found
    }

    /// Learns the state of an object.
    pub fn learn_object(&mut self, klass: &Klass, external_id: &ExternalId, object: KnownObject) {
        self.objects.insert(object_hash(klass, external_id), object);
    }

    /// Forgets an object.
    pub fn forget_object(&mut self, klass: &Klass, external_id: &ExternalId) {
        self.objects.remove(&object_hash(klass, external_id));
    }

    /// What is known of an object, without counting a look-up or keeping it.
    #[must_use]
    pub fn peek_object(&self, klass: &Klass, external_id: &ExternalId) -> Option<&KnownObject> {
        self.objects.peek(&object_hash(klass, external_id))
    }

    /// What is known of the object of that hash, without counting a look-up.
    pub fn object_by_hash(&mut self, hash: u128) -> Option<KnownObject> {
        self.objects.get(&hash).cloned()
    }

    /// Forgets the object of that hash.
    pub fn forget_object_hash(&mut self, hash: u128) {
        self.objects.remove(&hash);
    }

    /// Takes back what an earlier owner knew of a customer, unless this process knows better.
    pub fn restore_customer(&mut self, hash: u128, id: Arc<str>) {
        if !self.customers.contains(&hash) {
            self.customers.insert(hash, id);
        }
    }

    /// Takes back what an earlier owner knew of an object, unless this process knows a newer state. Of two states of one version
    /// nobody can tell which is the later: what they have in common is kept.
    pub fn restore_object(&mut self, hash: u128, object: KnownObject) {
        let restored = match self.objects.get(&hash) {
            Some(known) if known.is_newer_than(object.version.as_ref()) => return,
            Some(known) if known.version.is_some() && object.version.is_none() => return,
            Some(known) if known.ties_with(object.version.as_ref()) => common(known, object),
            Some(_) | None => object,
        };
        self.objects.insert(hash, restored);
    }

    /// Others have written for a while: what is known of an object is what it was, not what it is.
    pub fn doubt_objects(&mut self) {
        self.objects.each(|object| object.doubtful = true);
    }

    /// Forgets what was written, not who and what exists: another process may have written since.
    pub fn forget_fingerprints(&mut self) {
        self.objects.each(|object| object.fingerprint = None);
    }

    /// Bytes that the caches occupy, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.customers.bytes(TEXT) + self.objects.bytes(2 * TEXT)
    }

    /// Bytes that caches of that many entries each occupy at most, about.
    #[must_use]
    pub fn most_bytes(capacity: usize) -> usize {
        let customers = map_bytes::<u128, Arc<str>>(capacity) + capacity * TEXT;
        let objects = map_bytes::<u128, KnownObject>(capacity) + capacity * 2 * TEXT;
        customers + objects
    }

    /// Entries, customers and objects.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize) {
        (self.customers.len(), self.objects.len())
    }

    /// Look-ups that found something, and that did not.
    #[must_use]
    pub fn hits_and_misses(&self) -> (u64, u64) {
        (self.hits, self.misses)
    }

    fn count(&mut self, hit: bool) {
        if hit {
            self.hits += 1;
        } else {
            self.misses += 1;
        }
    }
}

/// What a hash map for that many entries occupies: an eighth of its places stays empty, and each has a byte of its own.
#[must_use]
pub fn map_bytes<K, V>(capacity: usize) -> usize {
    capacity * 8 / 7 * (size_of::<(K, V)>() + 1)
}

/// What is sure of an object of which two states of one version are known.
fn common(known: &KnownObject, mut other: KnownObject) -> KnownObject {
    if known.id == other.id && known.changes == other.changes && known.revision == other.revision {
        return known.clone();
    }
    other.fingerprint = None;
    other.doubtful |= known.doubtful;
    if known.id == other.id {
        other.changes.extend(known.changes.iter());
        other.revision = known.revision.or_later(other.revision);
    }
    other
}

/// The hash that names a customer by one of the keys.
#[must_use]
pub fn customer_hash(key: &CustomerKey) -> u128 {
    hash(&[key.kind(), key.value()])
}

/// The hash that names an object.
#[must_use]
pub fn object_hash(klass: &Klass, external_id: &ExternalId) -> u128 {
    hash(&["kobject", &klass.0, &external_id.0])
}

fn hash(parts: &[&str]) -> u128 {
    Uuid::new_v5(&KEYS, parts.join("\0").as_bytes()).as_u128()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repeat::ChangeKey;

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

    #[test]
    fn a_full_cache_takes_what_was_said() {
        let entries = 57_344;
        let mut directory = Directory::new(2 * entries);
        for n in 0..4 * entries {
            let key = CustomerKey::ExternalId(Arc::from(format!("u{n}")));
            directory.learn_customer(&key, Arc::from("5f75c63cd5c0384ad82a17ae"));
        }
        let most = Directory::most_bytes(2 * entries);
        assert!(directory.bytes() <= most, "{} of {most}", directory.bytes());
        assert!(directory.bytes() >= most / 4, "customers alone");
    }

    #[test]
    fn kinds_of_keys_do_not_meet() {
        let mut directory = Directory::new(10);
        let email = CustomerKey::Email(Arc::from("7"));
        directory.learn_customer(&CustomerKey::ExternalId(Arc::from("7")), Arc::from("abc"));
        assert_eq!(directory.customer(&email), None);
        assert_eq!(
            directory
                .any_customer(&[email, CustomerKey::ExternalId(Arc::from("7"))])
                .as_deref(),
            Some("abc")
        );
    }

    fn known(version: Option<&str>, revision: i64, change: u64) -> KnownObject {
        KnownObject {
            id: Arc::from("there"),
            version: version.map(Version::new),
            fingerprint: Some(change),
            revision: Revision::Known(revision),
            doubtful: false,
            changes: Changes::from_iter([ChangeKey(change)]),
        }
    }

    #[test]
    fn of_two_states_of_one_version_only_what_is_sure_is_kept() {
        for (one, other) in [(Some("7"), Some("7.0")), (None, None)] {
            let mut directory = Directory::new(10);
            directory.restore_object(1, known(one, 4, 40));
            directory.restore_object(1, known(other, 3, 30));
            let kept = directory.object_by_hash(1).unwrap();
            assert_eq!(
                kept.fingerprint, None,
                "another state may have been written since"
            );
            assert_eq!(kept.revision, Revision::Known(4));
            assert!(kept.changes.contains(ChangeKey(30)) && kept.changes.contains(ChangeKey(40)));
        }
    }

    #[test]
    fn a_newer_state_is_kept_and_an_older_one_replaced() {
        for (one, other) in [(Some("9.5"), Some("10.0")), (None, Some("10.0"))] {
            for (first, second) in [(one, other), (other, one)] {
                let mut directory = Directory::new(10);
                directory.restore_object(1, known(first, 1, 1));
                directory.restore_object(1, known(second, 2, 2));
                let kept = directory.object_by_hash(1).unwrap();
                assert_eq!(kept.version, other.map(Version::new));
            }
        }
    }

    #[test]
    fn a_kustomer_id_needs_no_look_up() {
        let mut directory = Directory::new(10);
        let key = CustomerKey::Id(Arc::from("5f75c63cd5c0384ad82a17ae"));
        assert_eq!(
            directory.customer(&key).as_deref(),
            Some("5f75c63cd5c0384ad82a17ae")
        );
    }
}
