//! What is known of an existing object, and the hashes that stand for objects and customers without revealing who they
//! are.

use std::sync::Arc;

use smallvec::SmallVec;
use uuid::Uuid;

use crate::call::ObjectState;
use crate::name_id;
use crate::operation::{CustomerKey, ExternalId, Klass, Version};
use crate::remembered::repeat::Changes;

/// What is known of an object.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct KnownObject {
    /// Its Kustomer id; `None` while it is only known that the object exists: it is read before it can be updated.
    pub id: Option<Arc<str>>,
    /// The version written or read last.
    pub version: Option<Version>,
    /// A hash of the body written last, if this process wrote it.
    pub fingerprint: Option<u64>,
    /// Its revision, as far as known.
    pub revision: Revision,
    /// Others may have changed it since.
    pub doubtful: bool,
    /// It was deleted, so there is none: what is known is which states of it are older than that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// The changes made to it at this version; changes at older versions are recognised by the version itself.
    pub changes: Changes,
    /// The company that a customer belongs to, as far as known.
    #[serde(default, skip_serializing_if = "Affiliation::is_unknown")]
    pub company: Affiliation,
}

impl KnownObject {
    /// What a read teaches of an object, but for its company, which only customers have.
    #[must_use]
    pub fn read(object: &ObjectState) -> Self {
        Self {
            id: Some(Arc::clone(&object.id)),
            version: object.version.clone(),
            fingerprint: None,
            revision: object.rev.map_or(Revision::Unknown, Revision::Known),
            doubtful: false,
            gone: false,
            changes: Changes::default(),
            company: Affiliation::default(),
        }
    }

    /// An object that was deleted at that version. The changes of that version stay known, so that none is made again; without
    /// a version, the object's last one stays.
    #[must_use]
    pub fn deleted(version: Option<Version>, before: Option<Self>) -> Self {
        let version = version.or_else(|| before.as_ref()?.version.clone());
        let changes = before.filter(|before| before.ties_with(version.as_ref()));
        Self {
            id: None,
            version,
            fingerprint: None,
            revision: Revision::Unknown,
            doubtful: false,
            gone: true,
            changes: changes.map(|before| before.changes).unwrap_or_default(),
            company: Affiliation::default(),
        }
    }
}

/// The company that a customer belongs to, as far as known. It is small, because every object has one.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Default, PartialEq, Eq)]
pub struct Affiliation(Option<Box<Option<Arc<str>>>>);

impl Affiliation {
    /// It is known: this company, or none.
    #[must_use]
    pub fn known(company: Option<Arc<str>>) -> Self {
        Self(Some(Box::new(company)))
    }

    /// Whether it is not known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.0.is_none()
    }

    /// The Kustomer id of the company, if it is known that there is one.
    #[must_use]
    pub fn id(&self) -> Option<&Arc<str>> {
        self.0.as_ref()?.as_ref().as_ref()
    }

    /// The bytes that it occupies apart, about.
    #[must_use]
    pub fn apart(&self) -> usize {
        // What the allocator takes for the box, and for an id.
        self.0.as_ref().map_or(0, |id| {
            size_of::<Option<Arc<str>>>() + 8 + id.as_ref().as_ref().map_or(0, |id| id.len() + 24)
        })
    }
}

impl KnownObject {
    /// Whether the object's state is newer than this version; false if either has no version.
    #[must_use]
    pub fn is_newer_than(&self, version: Option<&Version>) -> bool {
        match (version, &self.version) {
            (Some(ours), Some(theirs)) => ours.is_older_than(theirs),
            (Some(_) | None, Some(_) | None) => false,
        }
    }

    /// Whether the two versions are of different kinds, so that nobody can tell which is newer.
    #[must_use]
    pub fn is_of_another_kind(&self, version: Option<&Version>) -> bool {
        match (version, &self.version) {
            (Some(ours), Some(theirs)) => ours.compare(theirs).is_none(),
            (Some(_) | None, Some(_) | None) => false,
        }
    }

    /// Whether the object's state has this very version, or neither has one.
    #[must_use]
    pub fn ties_with(&self, version: Option<&Version>) -> bool {
        match (version, &self.version) {
            (Some(ours), Some(theirs)) => ours.ties_with(theirs),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    /// Whether the object's state is older than this version; false if either has no version.
    #[must_use]
    pub fn is_older_than(&self, version: Option<&Version>) -> bool {
        match (version, &self.version) {
            (Some(ours), Some(theirs)) => theirs.is_older_than(ours),
            (Some(_) | None, Some(_) | None) => false,
        }
    }
}

/// The revision of an object, as far as it is known.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Revision {
    /// Reported by Kustomer, or reported and counted up since.
    Known(i64),
    /// Created by this process and updated this many times since.
    SinceCreate(i64),
    /// Nothing is known.
    #[default]
    Unknown,
}

impl Revision {
    /// The revision after one more write by this process.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Known(rev) => Self::Known(rev.saturating_add(1)),
            Self::SinceCreate(updates) => Self::SinceCreate(updates.saturating_add(1)),
            Self::Unknown => Self::Unknown,
        }
    }

    /// The later of two; `Unknown` where they cannot be compared.
    #[must_use]
    pub fn or_later(self, other: Self) -> Self {
        match (self, other) {
            (Self::Known(a), Self::Known(b)) => Self::Known(a.max(b)),
            (Self::SinceCreate(a), Self::SinceCreate(b)) => Self::SinceCreate(a.max(b)),
            (Self::Known(_) | Self::SinceCreate(_) | Self::Unknown, _) => Self::Unknown,
        }
    }
}

/// The namespace of hashed keys. Fixed, so that hashes agree between processes.
const KEYS: Uuid = Uuid::from_u128(0x6b75_7374_6f6d_6572_2d69_6e67_6573_7401);

/// The hash that stands for a customer with this key.
#[must_use]
pub fn customer_hash(key: &CustomerKey) -> u128 {
    hash(&[key.kind(), key.value()])
}

/// The hash that stands for an object.
#[must_use]
pub fn object_hash(klass: &Klass, external_id: &ExternalId) -> u128 {
    hash(&["kobject", &klass.0, &external_id.0])
}

/// The hash of these texts, with a zero byte between each two.
fn hash(parts: &[&str]) -> u128 {
    // Most keys are short, so they are joined in place.
    let mut joined: SmallVec<[u8; 128]> = SmallVec::new();
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            joined.push(0);
        }
        joined.extend_from_slice(part.as_bytes());
    }
    name_id(&KEYS, &joined).as_u128()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// They are in state topics and are compared there with those of earlier versions.
    #[test]
    fn hashes_never_change() {
        let object = |id: &str| object_hash(&Klass("order".into()), &ExternalId(id.into()));
        let long = "9".repeat(400);
        let customer = CustomerKey::Email("ida@shop.example".into());
        let all = [object("A-7"), object(&long), customer_hash(&customer)];
        let before = [
            0x4043_145a_a2f1_50f2_a249_abfb_282a_b292,
            0x75d3_8c62_1e98_5835_85cd_48d4_5c94_4b3c,
            0x80cf_eb22_c315_5d6a_bb87_d611_072b_1507,
        ];
        assert_eq!(all, before);
    }
}
