//! Which neighbouring operations of one lane may become one, and what that one says.
//!
//! Identifies and object states merge: the newest value of each field wins, `custom` key by key, `data` as a whole.
//! Tracking events never do: each is an occurrence.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::operation::{Identify, KObject, Operation};

/// The one operation that two neighbours come to, `later` having arrived after `earlier`; `None` if they stay two.
#[must_use]
pub fn merge(earlier: &Operation, later: &Operation) -> Option<Operation> {
    match (earlier, later) {
        (Operation::Identify(a), Operation::Identify(b)) if a.customer == b.customer => {
            let fields = overlay(&a.fields, &b.fields);
            Some(Operation::Identify(Identify {
                customer: b.customer.clone(),
                fields: Arc::new(fields),
            }))
        }
        (Operation::KObject(a), Operation::KObject(b)) => {
            merge_objects(a, b).map(Operation::KObject)
        }
        (Operation::Identify(_) | Operation::Track(_) | Operation::KObject(_), _) => None,
    }
}

fn merge_objects(a: &KObject, b: &KObject) -> Option<KObject> {
    if a.klass != b.klass || a.external_id != b.external_id {
        return None;
    }
    if let (Some(first), Some(second)) = (&a.customer, &b.customer)
        && first != second
    {
        return None;
    }
    // Arrival is not age: where both have a version, the newer one is laid over the older.
    let (older, newer) = match (&a.version, &b.version) {
        (Some(first), Some(second)) if second.is_older_than(first) => (b, a),
        (Some(_), Some(_)) | (None, None) => (a, b),
        (Some(_), None) | (None, Some(_)) => return None,
    };
    Some(KObject {
        klass: newer.klass.clone(),
        external_id: newer.external_id.clone(),
        customer: newer.customer.clone().or_else(|| older.customer.clone()),
        version: newer.version.clone(),
        body: Arc::new(overlay(&older.body, &newer.body)),
    })
}

/// `over` laid on `under`; `custom` is merged key by key, everything else is replaced.
fn overlay(under: &Map<String, Value>, over: &Map<String, Value>) -> Map<String, Value> {
    let mut merged = under.clone();
    for (name, value) in over {
        match (merged.get_mut(name), value) {
            (Some(Value::Object(old)), Value::Object(new)) if name == "custom" => {
                for (key, value) in new {
                    old.insert(key.clone(), value.clone());
                }
            }
            _ => {
                merged.insert(name.clone(), value.clone());
            }
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::operation::{ExternalId, Klass, Version};

    fn object(version: Option<&str>, body: Value) -> Operation {
        let Value::Object(body) = body else {
            panic!("an object")
        };
        Operation::KObject(KObject {
            klass: Klass(Arc::from("order")),
            external_id: ExternalId(Arc::from("o1")),
            customer: None,
            version: version.map(Version::new),
            body: Arc::new(body),
        })
    }

    fn merged(a: &Operation, b: &Operation) -> Value {
        let Some(Operation::KObject(object)) = merge(a, b) else {
            panic!("they merge")
        };
        Value::Object(object.body.as_ref().clone())
    }

    #[test]
    fn the_newest_value_of_each_field_wins() {
        let a = object(
            Some("1"),
            json!({"title": "a", "custom": {"xNum": 1, "yNum": 1}, "data": {"p": 1}}),
        );
        let b = object(
            Some("2"),
            json!({"title": "b", "custom": {"xNum": 2}, "data": {"q": 2}}),
        );
        let expected = json!({"title": "b", "custom": {"xNum": 2, "yNum": 1}, "data": {"q": 2}});
        assert_eq!(merged(&a, &b), expected);
        assert_eq!(merged(&b, &a), expected, "whatever the order of arrival");
    }

    #[test]
    fn a_version_does_not_merge_with_none() {
        assert_eq!(
            merge(&object(Some("1"), json!({})), &object(None, json!({}))),
            None
        );
    }
}
