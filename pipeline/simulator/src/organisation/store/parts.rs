//! What the lists of everything that was accepted have in common.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use foldhash::fast::RandomState;
use serde_json::{Map, Value};
use siphasher::sip128::{Hasher128 as _, SipHasher13};

/// What is found by a [`fingerprint`], which is a hash already.
pub(crate) type ByPrint<T> = HashMap<u128, T, RandomState>;
/// A set of [`fingerprint`]s.
pub(crate) type Prints = HashSet<u128, RandomState>;

/// A 128-bit fingerprint of a text within a scope; two texts never share one in practice.
pub(crate) fn fingerprint(scope: &impl Hash, text: &str) -> u128 {
    let mut hasher = SipHasher13::new();
    (scope, text).hash(&mut hasher);
    hasher.finish128().as_u128()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_removes_and_others_stay() {
        let mut object = parsed(r#"{"aStr":"1","bStr":"2"}"#);
        merge(&mut object, parsed(r#"{"aStr":null,"cStr":"3"}"#));
        assert_eq!(&*packed(&object), r#"{"bStr":"2","cStr":"3"}"#);
    }
}
