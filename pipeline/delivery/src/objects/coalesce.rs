//! Which neighbouring states of an object may be merged, and what the merged state says.
//!
//! The newest value of each field wins; `custom` is merged key by key, `data` is replaced as a whole. Of two states of one
//! version, the one that arrived later is the newer. A state with a version is not merged with one that has none or one of
//! another kind. Identities are merged by the time of each field ([`said::merge`](ingest_model::said::merge)), tracking events
//! never: each is an occurrence.

use std::cmp::Ordering;

use ingest_model::body::{Body, Fields, Parts};
use ingest_model::operation::{KObject, Operation};

/// Merges two neighbours, of which `b` arrived after `a`; `None` if they may not be merged.
pub(crate) fn merge(a: &KObject, b: &KObject) -> Option<KObject> {
    if a.klass != b.klass || a.external_id != b.external_id {
        return None;
    }
    if a.deletes || b.deletes {
        return merge_deletion(a, b);
    }
    if let (Some(first), Some(second)) = (&a.customer, &b.customer)
        && first != second
    {
        return None;
    }
    // The order of arrival is not that of age: if both have versions, the newer state is laid over the older.
    let (older, newer) = match (&a.version, &b.version) {
        (Some(first), Some(second)) => match second.compare(first)? {
            Ordering::Less => (b, a),
            Ordering::Equal | Ordering::Greater => (a, b),
        },
        (None, None) => (a, b),
        (Some(_), None) | (None, Some(_)) => return None,
    };
    Some(KObject {
        klass: newer.klass.clone(),
        external_id: newer.external_id.clone(),
        customer: newer.customer.clone().or_else(|| older.customer.clone()),
        version: newer.version.clone(),
        body: overlay(&older.body, &newer.body),
        fold: None,
        deletes: false,
        party: match (&older.party, &newer.party) {
            (Some(older), Some(newer)) => Some(Box::new(older.under(newer))),
            (one, None) | (None, one) => one.clone(),
        },
    })
}

/// A deletion takes the place of what was to be written before it, if that is not newer. What comes after it makes a new object, so
/// it is never merged into the deletion.
fn merge_deletion(a: &KObject, b: &KObject) -> Option<KObject> {
    let replaces = b.deletes && a.fold.is_none() && a.party.is_none();
    let in_order = match (&a.version, &b.version) {
        (Some(first), Some(second)) => second.compare(first)?.is_ge(),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    (replaces && in_order).then(|| b.clone())
}

/// Whether the second operation deletes what the first one writes, which came in before it, in the same partition or in another one.
/// Between partitions only versions tell which of the two is later.
pub(crate) fn is_replaced(state: &Operation, deletion: &Operation, same_partition: bool) -> bool {
    let (Operation::KObject(state), Operation::KObject(deletion)) = (state, deletion) else {
        return false;
    };
    let older = match (&state.version, &deletion.version) {
        (Some(state), Some(gone)) => state.compare(gone).is_some_and(Ordering::is_lt),
        (Some(_), None) | (None, Some(_) | None) => false,
    };
    !state.deletes && (same_partition || older) && merge(state, deletion).is_some()
}

/// `over` laid on `under`; `custom` is merged key by key, everything else is replaced.
fn overlay(under: &Body, over: &Body) -> Body {
    let mut merged = under.fields();
    for part in over.parts() {
        let old = merged.get(part.name);
        let old = old.as_deref().and_then(Parts::of_object);
        match (old, part.parts()) {
            (Some(old), Some(new)) if part.name == "custom" => {
                let mut custom: Fields<'_> = old.collect();
                for key in new {
                    custom.put(key.name, key.value);
                }
                merged.put(part.name, custom.to_text());
            }
            (_, _) => merged.put(part.name, part.value),
        }
    }
    Body::from(&merged)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use ingest_model::operation::{ExternalId, Klass, Version};

    fn object(version: Option<&str>, body: &Value) -> KObject {
        KObject {
            klass: Klass(Arc::from("order")),
            external_id: ExternalId(Arc::from("o1")),
            customer: None,
            version: version.map(Version::new),
            body: body.as_object().unwrap().into(),
            fold: None,
            party: None,
            deletes: false,
        }
    }

    fn deletion(version: Option<&str>) -> KObject {
        let state = object(version, &json!({}));
        KObject::deletion(state.klass, state.external_id, state.version)
    }

    fn merged(a: &KObject, b: &KObject) -> Value {
        let object = merge(a, b).expect("they merge");
        Value::Object(object.body.parse())
    }

    #[test]
    fn the_newest_value_of_each_field_wins() {
        let a = object(
            Some("1"),
            &json!({"title": "a", "custom": {"xNum": 1, "yNum": 1}, "data": {"p": 1}}),
        );
        let b = object(
            Some("2"),
            &json!({"title": "b", "custom": {"xNum": 2}, "data": {"q": 2}}),
        );
        let expected = json!({"title": "b", "custom": {"xNum": 2, "yNum": 1}, "data": {"q": 2}});
        assert_eq!(merged(&a, &b), expected);
        assert_eq!(merged(&b, &a), expected, "whatever the order of arrival");
    }

    #[test]
    fn of_one_version_the_later_state_wins() {
        for (first, second) in [
            ("7", "7.0"),
            ("2026-05-06T07:00:00Z", "2026-05-06T09:00:00+02:00"),
        ] {
            let a = object(
                Some(first),
                &json!({"title": "a", "custom": {"totalNum": 20}}),
            );
            let b = object(
                Some(second),
                &json!({"title": "b", "custom": {"totalNum": 30}}),
            );
            assert_eq!(merged(&a, &b)["custom"]["totalNum"], 30);
            assert_eq!(merged(&b, &a)["custom"]["totalNum"], 20);
        }
    }

    #[test]
    fn a_deletion_takes_the_place_of_what_is_not_newer() {
        let state = |version| object(version, &json!({"title": "a"}));
        for (before, version) in [(Some("1"), Some("2")), (Some("2"), Some("2")), (None, None)] {
            let gone = deletion(version);
            assert_eq!(merge(&state(before), &gone), Some(gone.clone()));
            assert_eq!(merge(&deletion(before), &gone), Some(gone.clone()));
            assert_eq!(merge(&gone, &state(version)), None, "a new object");
        }
        for (before, version) in [
            (Some("3"), Some("2")),
            (Some("3"), None),
            (None, Some("2")),
            (Some("2026-05-06"), Some("2")),
        ] {
            assert_eq!(merge(&state(before), &deletion(version)), None);
        }
    }

    #[test]
    fn a_version_does_not_merge_with_none_or_with_one_of_another_kind() {
        for other in [None, Some("2026-05-06"), Some("first")] {
            let (a, b) = (object(Some("1"), &json!({})), object(other, &json!({})));
            assert_eq!(merge(&a, &b), None);
            assert_eq!(merge(&b, &a), None);
        }
    }
}
