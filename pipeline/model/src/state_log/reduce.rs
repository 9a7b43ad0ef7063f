//! What a slice holds, from its entries in the order of the log.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::format::{HEADER_KEY, decode_key, decode_value, encode_value};
use super::{Content, Entity, Entry, EntryKey, OwnerId, SliceId};
use crate::operation::Version;

/// Takes the records of a state partition one by one and keeps what belongs to one slice.
#[derive(Debug)]
pub struct SliceReader {
    slice: SliceId,
    entries: BTreeMap<Entity, BTreeMap<OwnerId, Entry>>,
    read: u64,
    unknown: u64,
}

/// What a slice holds.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Default, PartialEq, Eq)]
pub struct Slice {
    /// For each entity the entry that holds, in the order of offsets, with the owner that wrote it.
    pub entries: Vec<(Entity, OwnerId, Entry)>,
    /// Entries that lost to another owner's and are to be deleted.
    pub outranked: Vec<(Entity, OwnerId)>,
    /// Records of the slice that were read.
    pub read: u64,
    /// Records, of any slice, that were written by another version or are not ours.
    pub unknown: u64,
}

impl SliceReader {
    /// A reader that has read nothing yet.
    #[must_use]
    pub fn new(slice: SliceId) -> Self {
        Self {
            slice,
            entries: BTreeMap::new(),
            read: 0,
            unknown: 0,
        }
    }

    /// Takes a record: a value sets the entry of its key, no value deletes it.
    pub fn take(&mut self, key: &[u8], value: Option<&[u8]>) {
        if key == HEADER_KEY.as_bytes() {
            return;
        }
        let Some(key) = decode_key(key) else {
            self.unknown += 1;
            return;
        };
        if key.slice != self.slice {
            return;
        }
        self.read += 1;
        let EntryKey { entity, owner, .. } = key;
        match value {
            None => {
                if let Some(owners) = self.entries.get_mut(&entity) {
                    owners.remove(&owner);
                    if owners.is_empty() {
                        self.entries.remove(&entity);
                    }
                }
            }
            Some(value) => match decode_value(entity, value) {
                Some(entry) => {
                    self.entries.entry(entity).or_default().insert(owner, entry);
                }
                None => self.unknown += 1,
            },
        }
    }

    /// What holds after everything that was read.
    #[must_use]
    pub fn finish(self) -> Slice {
        let mut slice = Slice {
            read: self.read,
            unknown: self.unknown,
            ..Slice::default()
        };
        for (entity, owners) in self.entries {
            let mut best: Option<(OwnerId, Entry)> = None;
            for (owner, entry) in owners {
                match &best {
                    Some((_, holding)) if !entry.outranks(holding) => {
                        slice.outranked.push((entity, owner));
                    }
                    Some((other, _)) => {
                        slice.outranked.push((entity, *other));
                        best = Some((owner, entry));
                    }
                    None => best = Some((owner, entry)),
                }
            }
            if let Some((owner, entry)) = best {
                slice.entries.push((entity, owner, entry));
            }
        }
        slice
            .entries
            .sort_by_key(|(entity, _, entry)| (entry.at, *entity));
        slice.outranked.sort_unstable();
        slice
    }
}

impl Entry {
    /// The state that an object was in.
    fn version(&self) -> Option<&Version> {
        match &self.content {
            Content::Object(object) => object.version.as_ref(),
            Content::Customer(_) | Content::Event | Content::Identity(_) | Content::Intent(_) => {
                None
            }
        }
    }

    /// Whether this entry wins over another of the same entity: it comes from a later record, or is a newer state from
    /// the same one. Remaining ties are decided by the content, so that everybody decides alike.
    #[must_use]
    pub fn outranks(&self, other: &Self) -> bool {
        if self.at != other.at {
            return self.at > other.at;
        }
        if let (Some(ours), Some(theirs)) = (self.version(), other.version())
            && let Some(order @ (Ordering::Less | Ordering::Greater)) = ours.compare(theirs)
        {
            return order.is_gt();
        }
        let known = |entry: &Self| match &entry.content {
            Content::Intent(intent) => intent.job.is_some(),
            Content::Customer(_) | Content::Object(_) | Content::Event | Content::Identity(_) => {
                true
            }
        };
        (known(self), encode_value(self)) > (known(other), encode_value(other))
    }
}
