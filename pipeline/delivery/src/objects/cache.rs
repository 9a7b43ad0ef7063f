//! The state of objects, as far as known.
//!
//! A cache of what Kustomer knows: losing an entry costs a request, never correctness.

use crate::common::generations::Generations;
use ingest_model::known::{Affiliation, KnownObject};
use ingest_model::lookup::map_bytes;

/// What the allocator takes for an id or a version: 24 characters, two counts and its overhead.
const TEXT: usize = 48;

/// What is known of objects, by the hashes of their external ids.
#[derive(Debug)]
pub(crate) struct ObjectCache {
    of: Generations<u128, KnownObject>,
    hits: u64,
    misses: u64,
}

impl ObjectCache {
    /// An empty cache of at most that many objects.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            of: Generations::weighing(capacity, |object| {
                object.changes.apart() + object.company.apart()
            }),
            hits: 0,
            misses: 0,
        }
    }

    /// What is known of the object with that hash.
    pub(crate) fn get(&mut self, hash: u128) -> Option<&KnownObject> {
        let found = self.of.get(&hash);
        match found {
            Some(_) => self.hits += 1,
            None => self.misses += 1,
        }
        found
    }

    /// The same, without counting a hit or a miss, and without keeping the object.
    pub(crate) fn peek(&self, hash: u128) -> Option<&KnownObject> {
        self.of.peek(&hash)
    }

    /// The same, without counting a hit or a miss.
    pub(crate) fn by_hash(&mut self, hash: u128) -> Option<&KnownObject> {
        self.of.get(&hash)
    }

    /// Learns the state of an object.
    pub(crate) fn learn(&mut self, hash: u128, object: KnownObject) {
        self.of.insert(hash, object);
    }

    /// Forgets an object.
    pub(crate) fn forget(&mut self, hash: u128) {
        self.of.remove(&hash);
    }

    /// Adds what an earlier owner knew of an object, unless this process knows a newer state. If two states have one version,
    /// nobody can tell which is later: then only what is certain of both is kept.
    pub(crate) fn restore(&mut self, hash: u128, object: KnownObject) {
        let restored = match self.of.get(&hash) {
            Some(known) if known.is_newer_than(object.version.as_ref()) => return,
            Some(known) if known.version.is_some() && object.version.is_none() => return,
            // Nobody can tell whether it was deleted before or after that.
            Some(known)
                if known.ties_with(object.version.as_ref()) && known.gone != object.gone =>
            {
                self.of.remove(&hash);
                return;
            }
            Some(known) if known.ties_with(object.version.as_ref()) => common(known, object),
            Some(_) | None => object,
        };
        self.of.insert(hash, restored);
    }

    /// Others have written for a while: what is known of any object may be outdated.
    pub(crate) fn doubt_all(&mut self) {
        self.of.each(|object| object.doubtful = true);
    }

    /// Forgets what was written, but not that the objects exist: another process may have written since.
    pub(crate) fn forget_fingerprints(&mut self) {
        self.of.each(|object| object.fingerprint = None);
    }

    /// How many objects are known.
    pub(crate) fn len(&self) -> usize {
        self.of.len()
    }

    /// How many look-ups found an object, and how many did not.
    pub(crate) fn hits_and_misses(&self) -> (u64, u64) {
        (self.hits, self.misses)
    }

    /// The bytes that it occupies, about.
    pub(crate) fn bytes(&self) -> usize {
        self.of.bytes(2 * TEXT)
    }

    /// The bytes that this many objects occupy at most, about.
    pub(crate) fn most_bytes(capacity: usize) -> usize {
        map_bytes::<u128, KnownObject>(capacity) + capacity * 2 * TEXT
    }
}

/// What is certain of an object for which two states of one version are known.
fn common(known: &KnownObject, mut other: KnownObject) -> KnownObject {
    if known.id == other.id && known.changes == other.changes && known.revision == other.revision {
        return known.clone();
    }
    other.fingerprint = None;
    other.doubtful |= known.doubtful;
    if other.company != known.company {
        other.company = Affiliation::default();
    }
    if known.id == other.id {
        other.changes.extend(known.changes.iter());
        other.revision = known.revision.or_later(other.revision);
    }
    other
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use ingest_model::known::Revision;
    use ingest_model::operation::Version;
    use ingest_model::repeat::{ChangeKey, Changes};

    fn known(version: Option<&str>, revision: i64, change: u64) -> KnownObject {
        KnownObject {
            id: Some(Arc::from("there")),
            version: version.map(Version::new),
            fingerprint: Some(change),
            revision: Revision::Known(revision),
            doubtful: false,
            gone: false,
            changes: Changes::from_iter([ChangeKey(change)]),
            company: Affiliation::default(),
        }
    }

    #[test]
    fn of_two_states_of_one_version_only_what_is_sure_is_kept() {
        for (one, other) in [(Some("7"), Some("7.0")), (None, None)] {
            let mut cache = ObjectCache::new(10);
            cache.restore(1, known(one, 4, 40));
            cache.restore(1, known(other, 3, 30));
            let kept = cache.by_hash(1).unwrap();
            assert_eq!(
                kept.fingerprint, None,
                "another state may have been written since"
            );
            assert_eq!(kept.revision, Revision::Known(4));
            assert!(kept.changes.contains(ChangeKey(30)) && kept.changes.contains(ChangeKey(40)));
        }
    }

    #[test]
    fn a_deletion_and_a_state_of_one_version_leave_nothing_that_is_sure() {
        let version = Some(Version::new("7"));
        let gone = KnownObject::deleted(version, None);
        for (first, second) in [
            (gone.clone(), known(Some("7"), 1, 1)),
            (known(Some("7"), 1, 1), gone.clone()),
        ] {
            let mut cache = ObjectCache::new(10);
            cache.restore(1, first);
            cache.restore(1, second);
            assert_eq!(cache.by_hash(1), None);
        }
        for (first, second) in [
            (gone.clone(), known(Some("6"), 1, 1)),
            (known(Some("6"), 1, 1), gone.clone()),
        ] {
            let mut cache = ObjectCache::new(10);
            cache.restore(1, first);
            cache.restore(1, second);
            assert_eq!(cache.by_hash(1), Some(&gone), "it is newer");
        }
    }

    #[test]
    fn a_newer_state_is_kept_and_an_older_one_replaced() {
        for (one, other) in [(Some("9.5"), Some("10.0")), (None, Some("10.0"))] {
            for (first, second) in [(one, other), (other, one)] {
                let mut cache = ObjectCache::new(10);
                cache.restore(1, known(first, 1, 1));
                cache.restore(1, known(second, 2, 2));
                let kept = cache.by_hash(1).unwrap();
                assert_eq!(kept.version, other.map(Version::new));
            }
        }
    }
}
