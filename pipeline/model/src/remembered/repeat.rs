//! Which changes were already made to an object or customer, so that a repeat of one is not made again.
//!
//! A change is what one operation of one event says. A producer that sends a message twice sends the same change; made
//! again after a later change, it would set the object back. The event's id alone does not identify it: using the
//! object's id as the event's id is a common mistake. A change that says something else is never taken for a repeat.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;
use smallvec::SmallVec;

use crate::operation::{Operation, Planned};

/// Identifies a change; the same for every repeat of it.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub struct ChangeKey(pub u64);

/// The latest changes made to one object or customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes(SmallVec<[ChangeKey; 1]>);

/// The most changes remembered of one object or customer.
const KEPT: usize = 16;

// === impl ChangeKey ===

impl ChangeKey {
    /// The change that an operation makes.
    #[must_use]
    pub fn of(plan: &Planned) -> Self {
        let (high, low) = plan.event_key.as_u64_pair();
        let mut said = SipHasher13::new_with_keys(high, low);
        match &plan.operation {
            Operation::Track(track) => return Self(track.event_key.as_u64_pair().1),
            Operation::Identify(identify) => {
                for key in identify.customer.identity_keys() {
                    for text in [key.kind(), key.value()] {
                        said.write(text.as_bytes());
                        // No text has this byte, so none runs into the next.
                        said.write(&[0xff]);
                    }
                }
                said.write(&identify.fields.fingerprint().to_be_bytes());
            }
            Operation::KObject(object) => {
                said.write(&object.body.fingerprint().to_be_bytes());
                if object.deletes {
                    said.write(b"delete");
                    let version = object.version.as_ref();
                    said.write(version.map_or(&[], |version| version.0.as_bytes()));
                }
                if let Some(party) = object.party.as_deref() {
                    said.write(&party.on_create.fingerprint().to_be_bytes());
                    let company = party.company.as_ref();
                    said.write(company.map_or(&[], |company| company.0.as_bytes()));
                }
            }
        }
        Self(said.finish())
    }

    /// Half of it, for use together with an offset.
    #[must_use]
    pub fn mark(self) -> u32 {
        let [_, _, _, _, mark @ ..] = self.0.to_be_bytes();
        u32::from_be_bytes(mark)
    }
}

// === impl Changes ===

impl Changes {
    /// Whether that change was made.
    #[must_use]
    pub fn contains(&self, change: ChangeKey) -> bool {
        self.0.contains(&change)
    }

    /// The bytes they occupy on the heap.
    pub fn apart(&self) -> usize {
        let apart = self.0.spilled().then_some(self.0.capacity());
        apart.unwrap_or(0) * size_of::<ChangeKey>()
    }

    /// A change was made. The oldest is forgotten when there are too many.
    pub fn note(&mut self, change: ChangeKey) {
        self.0.retain(|known| *known != change);
        if self.0.len() >= KEPT {
            self.0.remove(0);
        }
        self.0.push(change);
    }

    /// The changes, latest last.
    pub fn iter(&self) -> impl Iterator<Item = ChangeKey> {
        self.0.iter().copied()
    }
}

impl serde::Serialize for Changes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Changes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<ChangeKey>::deserialize(deserializer).map(Self::from_iter)
    }
}

impl Extend<ChangeKey> for Changes {
    fn extend<T: IntoIterator<Item = ChangeKey>>(&mut self, changes: T) {
        for change in changes {
            self.note(change);
        }
    }
}

impl FromIterator<ChangeKey> for Changes {
    fn from_iter<T: IntoIterator<Item = ChangeKey>>(changes: T) -> Self {
        let mut all = Self::default();
        all.extend(changes);
        all
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use uuid::Uuid;

    use super::*;
    use crate::operation::{ExternalId, KObject, Klass};

    fn plan(event: u128, total: u32) -> Planned {
        let body = json!({"externalId": "o1", "title": "Order", "custom": {"totalNum": total}});
        let body = body.as_object().unwrap().into();
        Planned {
            route: Arc::from("orders"),
            event_key: Uuid::from_u128(event),
            operation: Operation::KObject(KObject {
                klass: Klass(Arc::from("order")),
                external_id: ExternalId(Arc::from("o1")),
                customer: None,
                version: None,
                body,
                fold: None,
                party: None,
                deletes: false,
            }),
        }
    }

    #[test]
    fn a_repeat_is_the_same_event_that_says_the_same() {
        let change = ChangeKey::of(&plan(7, 20));
        assert_eq!(ChangeKey::of(&plan(7, 20)), change);
        assert_ne!(ChangeKey::of(&plan(8, 20)), change, "another event");
        assert_ne!(ChangeKey::of(&plan(7, 21)), change, "another state");
    }

    #[test]
    fn the_latest_are_remembered() {
        let mut changes: Changes = (0..40).map(ChangeKey).collect();
        assert_eq!(changes.iter().count(), KEPT);
        assert!(!changes.contains(ChangeKey(23)) && changes.contains(ChangeKey(24)));
        changes.note(ChangeKey(24));
        changes.note(ChangeKey(90));
        assert!(changes.contains(ChangeKey(24)), "it was made again");
        assert!(!changes.contains(ChangeKey(25)));
    }
}
