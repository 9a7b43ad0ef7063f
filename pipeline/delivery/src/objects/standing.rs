//! Whether an object already has the state that is to be written.
//!
//! Its version cannot tell, because two states may have one version. So what the API shows is compared with what is to be
//! written, field by field. The API shows more than was written (its own fields, attributes of others), writes numbers and
//! times in its own way, and keeps tags in its own order; none of that counts as a difference. A value that it does not show,
//! or masks, does: then the state is written again, which does no harm.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Map, Number, Value};

/// Whether everything that this body writes is in an object that shows these fields.
pub(crate) fn shows(body: &Map<String, Value>, shown: &Map<String, Value>) -> bool {
    body.iter().all(|(name, written)| {
        let found = shown.get(name).unwrap_or(&Value::Null);
        match name.as_str() {
            // The object was found by it.
            "externalId" => true,
            "custom" => written.as_object().is_some_and(|custom| {
                let of = |key| found.get(key).unwrap_or(&Value::Null);
                custom.iter().all(|(key, value)| is_same(value, of(key)))
            }),
            "tags" => is_same_set(written, found),
            _ => is_same(written, found),
        }
    })
}

fn is_same(written: &Value, found: &Value) -> bool {
    match (written, found) {
        (Value::Number(a), Value::Number(b)) => is_same_number(a, b),
        (Value::String(a), Value::String(b)) => a == b || is_same_time(a, b),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
        }
        // A null equals a missing value.
        (Value::Object(a), Value::Object(b)) => {
            let within = |one: &Map<String, Value>, other: &Map<String, Value>| {
                let of = |key| other.get(key).unwrap_or(&Value::Null);
                one.iter().all(|(key, value)| is_same(value, of(key)))
            };
            within(a, b) && within(b, a)
        }
        (a, b) => a == b,
    }
}

fn is_same_number(a: &Number, b: &Number) -> bool {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => a == b,
        (Some(_) | None, Some(_) | None) => match (a.as_u64(), b.as_u64()) {
            (Some(a), Some(b)) => a == b,
            // One of them has a fraction, or is written with a decimal point.
            (Some(_) | None, Some(_) | None) => a.as_f64() == b.as_f64(),
        },
    }
}

fn is_same_time(a: &str, b: &str) -> bool {
    let time = |text: &str| text.parse::<Timestamp>().ok();
    time(a).zip(time(b)).is_some_and(|(a, b)| a == b)
}

fn is_same_set(written: &Value, found: &Value) -> bool {
    let set = |value: &Value| -> Option<BTreeSet<String>> {
        let items = value.as_array()?.iter().map(Value::to_string);
        Some(items.collect())
    };
    set(written).is_some_and(|tags| tags == set(found).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn compare(written: &Value, shown: &Value) -> bool {
        let object = |value: &Value| value.as_object().cloned().unwrap();
        shows(&object(written), &object(shown))
    }

    #[test]
    fn what_the_api_adds_and_writes_its_own_way_is_no_difference() {
        let written = json!({
            "externalId": "o1",
            "title": "Order 1",
            "createdAt": "2026-05-06T07:08:09Z",
            "tags": ["late", "gift"],
            "custom": {"totalNum": 20, "paidAt": "2026-05-06T09:00:00+02:00", "noteStr": null, "ingestVersionStr": "7"},
            "data": {"products": [{"sku": "s1", "price": 1.0, "size": null}]},
        });
        let shown = json!({
            "title": "Order 1",
            "icon": "shopping",
            "rev": 3,
            "createdAt": "2026-05-06T07:08:09.000Z",
            "updatedAt": "2026-05-07T00:00:00.000Z",
            "tags": ["gift", "late"],
            "custom": {"totalNum": 20.0, "paidAt": "2026-05-06T07:00:00.000Z", "ingestVersionStr": "7", "agentStr": "x"},
            "data": {"products": [{"sku": "s1", "price": 1}]},
        });
        assert!(compare(&written, &shown));
    }

    #[test]
    fn every_field_counts() {
        let written = json!({
            "title": "Order 1", "tags": ["late"], "description": "two",
            "custom": {"totalNum": 20, "ingestVersionStr": "7"}, "data": {"products": [1, 2]},
        });
        assert!(compare(&written, &written));
        for (place, other) in [
            ("/title", json!("Order 2")),
            ("/tags", json!(["late", "gift"])),
            ("/tags", json!(null)),
            ("/description", json!("one")),
            ("/custom/totalNum", json!(20.5)),
            ("/custom/totalNum", json!("20")),
            ("/custom/totalNum", json!(null)),
            ("/custom/ingestVersionStr", json!({"isMasked": true})),
            ("/data", json!({})),
            ("/data/products", json!([2, 1])),
            ("/data/products/1", json!(3)),
        ] {
            let mut shown = written.clone();
            *shown.pointer_mut(place).unwrap() = other;
            assert!(!compare(&written, &shown), "{place}");
        }
        let mut more = written.clone();
        more["data"]["coupon"] = json!("SPRING");
        assert!(!compare(&written, &more), "data is replaced as a whole");
    }

    #[test]
    fn long_numbers_keep_their_digits() {
        for (one, other) in [
            (
                json!(9_007_199_254_740_993_u64),
                json!(9_007_199_254_740_992_u64),
            ),
            (json!(u64::MAX), json!(u64::MAX - 1)),
            (json!(-1), json!(u64::MAX)),
        ] {
            assert!(!compare(
                &json!({ "data": { "n": one } }),
                &json!({ "data": { "n": other } })
            ));
        }
    }
}
