//! Brings values that producers spell in several ways into one spelling.

use serde_json::{Map, Number, Value};

/// Below 2^53 a floating-point number holds every whole number exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The parts of a Segment message that are objects.
const OBJECTS: &[&str] = &["context", "integrations", "properties", "traits"];
/// The parts of its `context` that are objects.
const OBJECTS_OF_CONTEXT: &[&str] = &[
    "app", "campaign", "device", "library", "location", "network", "os", "page", "referrer",
    "screen", "traits",
];
/// The traits that are objects.
const OBJECTS_OF_TRAITS: &[&str] = &["address", "company"];

/// Makes every whole number an integer: `17.0` and `17` are the same id, and a title must show it as the key does.
pub(super) fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            if let Some(whole) = whole(number) {
                *number = Number::from(whole);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Object(fields) => fields.values_mut().for_each(whole_numbers),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Replaces an empty list with an empty object where a Segment message has objects. PHP has one empty array for both, so
/// its libraries send `[]` for empty traits or properties.
pub(super) fn empty_objects(message: &mut Value) {
    let Value::Object(message) = message else {
        return;
    };
    empty_objects_of(message, OBJECTS);
    if let Some(traits) = message.get_mut("traits") {
        within(traits, OBJECTS_OF_TRAITS);
    }
    if let Some(context) = message.get_mut("context") {
        within(context, OBJECTS_OF_CONTEXT);
        if let Some(traits) = context.get_mut("traits") {
            within(traits, OBJECTS_OF_TRAITS);
        }
    }
}

/// Replaces each empty or blank text with null, so that `a // b` gives `b`.
pub(crate) fn blank_texts(value: &mut Value) {
    match value {
        Value::String(text) if text.trim().is_empty() => *value = Value::Null,
        Value::Array(items) => items.iter_mut().for_each(blank_texts),
        Value::Object(fields) => fields.values_mut().for_each(blank_texts),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn whole(number: &Number) -> Option<i64> {
    let float = number.as_f64()?;
    if float.fract() != 0.0 || float.abs() >= EXACT {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a whole number below 2^53 fits"
    )]
    Some(float as i64)
}

fn within(value: &mut Value, keys: &[&str]) {
    if let Value::Object(map) = value {
        empty_objects_of(map, keys);
    }
}

fn empty_objects_of(map: &mut Map<String, Value>, keys: &[&str]) {
    for key in keys {
        if let Some(value) = map.get_mut(*key)
            && value.as_array().is_some_and(Vec::is_empty)
        {
            *value = Value::Object(Map::new());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whole_numbers_have_one_spelling() {
        let mut value = json!({"a": 17.0, "b": [1e3, -0.0, 2.5], "c": 9_007_199_254_740_992.0, "d": u64::MAX, "e": "17.0"});
        whole_numbers(&mut value);
        assert_eq!(
            value.to_string(),
            r#"{"a":17,"b":[1000,0,2.5],"c":9007199254740992.0,"d":18446744073709551615,"e":"17.0"}"#
        );
    }

    #[test]
    fn an_empty_list_in_the_place_of_an_object_is_one() {
        let mut message = json!({
            "traits": [], "properties": {"products": []}, "integrations": [],
            "context": {"page": [], "traits": {"address": [], "tags": []}, "externalId": []},
        });
        empty_objects(&mut message);
        let wanted = json!({
            "traits": {}, "properties": {"products": []}, "integrations": {},
            "context": {"page": {}, "traits": {"address": {}, "tags": []}, "externalId": []},
        });
        assert_eq!(message, wanted);
        let mut full = json!({"traits": [1], "properties": [{"a": 1}], "context": "x"});
        let before = full.clone();
        empty_objects(&mut full);
        assert_eq!(full, before);
    }

    #[test]
    fn blank_texts_say_nothing() {
        let mut value = json!({"a": "", "b": [" \t", "x", {"c": ""}], "d": 0});
        blank_texts(&mut value);
        assert_eq!(
            value,
            json!({"a": null, "b": [null, "x", {"c": null}], "d": 0})
        );
    }
}
