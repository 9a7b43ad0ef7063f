//! What was accepted, compactly: millions of objects and events, every look-up by index.
//!
//! Everything is addressed by its position in a list; a Kustomer id is that position in hexadecimal
//! behind a prefix, so no table of ids is needed. External ids, e-mails and phones are indexed by
//! 128-bit fingerprints. Free-form parts (attributes, `data`, `meta`) are kept as JSON text.

mod customers;
mod events;
mod history;
mod klasses;
mod objects;
mod versions;

pub(crate) use customers::{Customer, CustomerState, Customers, IdentifierKind};
pub(crate) use events::{Event, Events, NewEvent};
pub(crate) use klasses::Klasses;
pub(crate) use objects::{Object, Objects};
pub(crate) use versions::{compare_versions, version_of};

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value};

/// What an id stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Customer,
    Object,
    Event,
    Job,
    Batch,
    Klass,
    Identity,
    Visitor,
    Session,
    Org,
    User,
    Merge,
}

impl Kind {
    const fn digit(self) -> u8 {
        match self {
            Self::Customer => 0xc0,
            Self::Object => 0x0b,
            Self::Event => 0xe0,
            Self::Job => 0x10,
            Self::Batch => 0xba,
            Self::Klass => 0x1a,
            Self::Identity => 0x1d,
            Self::Visitor => 0x71,
            Self::Session => 0x5e,
            Self::Org => 0x06,
            Self::User => 0x05,
            Self::Merge => 0x3e,
        }
    }
}

/// Makes and reads ids: 24 hexadecimal digits of prefix, kind and position.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ids {
    prefix: u32,
}

impl Ids {
    /// Ids of different seeds, or before and after a reset, do not meet.
    pub(crate) fn new(seed: u64, resets: u32) -> Self {
        let mut hasher = DefaultHasher::new();
        (seed, resets).hash(&mut hasher);
        let bytes = hasher.finish().to_be_bytes();
        let prefix = bytes
            .iter()
            .take(4)
            .fold(0, |prefix, byte| prefix << 8 | u32::from(*byte));
        Self { prefix }
    }

    pub(crate) fn text(self, kind: Kind, position: u32) -> String {
        format!("{:08x}{:02x}{position:014x}", self.prefix, kind.digit())
    }

    pub(crate) fn position(self, kind: Kind, text: &str) -> Option<u32> {
        let head = format!("{:08x}{:02x}", self.prefix, kind.digit());
        if text.len() != 24 {
            return None;
        }
        u32::from_str_radix(text.strip_prefix(&head)?, 16).ok()
    }
}

/// A 128-bit fingerprint of a text within a scope; two texts never share one in practice.
pub(crate) fn fingerprint(scope: &impl Hash, text: &str) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, scope, text).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(1) << 64 | half(2)
}

/// The position that the next item of a list will have.
pub(crate) fn next_position<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}

/// The item at a position.
pub(crate) fn at<T>(list: &[T], position: u32) -> Option<&T> {
    list.get(usize::try_from(position).ok()?)
}

/// The item at a position, to be changed.
pub(crate) fn at_mut<T>(list: &mut [T], position: u32) -> Option<&mut T> {
    list.get_mut(usize::try_from(position).ok()?)
}

/// Reads an object that was kept as text.
pub(crate) fn parsed(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_default()
}

/// Puts an object away as text.
pub(crate) fn packed(object: &Map<String, Value>) -> Box<str> {
    serde_json::to_string(object).unwrap_or_default().into()
}

/// Merges `changes` into `object` key by key; null removes a key.
pub(crate) fn merge(object: &mut Map<String, Value>, changes: Map<String, Value>) {
    for (key, value) in changes {
        if value.is_null() {
            object.shift_remove(&key);
        } else {
            object.insert(key, value);
        }
    }
}

/// Everything that was accepted.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) ids: Ids,
    pub(crate) customers: Customers,
    pub(crate) objects: Objects,
    pub(crate) events: Events,
    pub(crate) klasses: Klasses,
}

impl Store {
    pub(crate) fn new(ids: Ids) -> Self {
        Self {
            ids,
            customers: Customers::default(),
            objects: Objects::default(),
            events: Events::default(),
            klasses: Klasses::default(),
        }
    }

    /// The position of a customer by Kustomer id; deleted and merged ones included.
    pub(crate) fn customer_position(&self, id: &str) -> Option<u32> {
        self.ids.position(Kind::Customer, id)
    }

    /// A customer that exists, by Kustomer id.
    pub(crate) fn live_customer(&self, id: &str) -> Option<u32> {
        let position = self.customer_position(id)?;
        self.customers.live(position).map(|_| position)
    }

    /// An object that exists in a klass, by Kustomer id.
    pub(crate) fn live_object(&self, klass: u16, id: &str) -> Option<u32> {
        let position = self.ids.position(Kind::Object, id)?;
        self.objects
            .live(position)
            .filter(|object| object.klass == klass)
            .map(|_| position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_and_do_not_mix() {
        let ids = Ids::new(1, 0);
        let text = ids.text(Kind::Customer, 77);
        assert_eq!(text.len(), 24);
        assert_eq!(ids.position(Kind::Customer, &text), Some(77));
        assert_eq!(ids.position(Kind::Object, &text), None);
        assert_eq!(Ids::new(1, 1).position(Kind::Customer, &text), None);
        assert_eq!(ids.position(Kind::Customer, "77"), None);
    }

    #[test]
    fn null_removes_and_others_stay() {
        let mut object = parsed(r#"{"aStr":"1","bStr":"2"}"#);
        merge(&mut object, parsed(r#"{"aStr":null,"cStr":"3"}"#));
        assert_eq!(&*packed(&object), r#"{"bStr":"2","cStr":"3"}"#);
    }
}
