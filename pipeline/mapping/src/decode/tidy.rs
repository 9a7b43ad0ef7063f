//! Brings values that producers spell in several ways into one spelling.

use crate::value::{Map, Value};

/// The parts of a Segment message that are objects.
const OBJECTS: &[&str] = &["context", "integrations", "properties", "traits"];
/// The parts of its `context` that are objects.
const OBJECTS_OF_CONTEXT: &[&str] = &[
    "app", "campaign", "device", "library", "location", "network", "os", "page", "referrer",
    "screen", "traits",
];
/// The traits that are objects.
const OBJECTS_OF_TRAITS: &[&str] = &["address", "company"];

/// Replaces an empty list with an empty object where a Segment message has objects. PHP has one empty array for both, so
/// its libraries send `[]` for empty traits or properties.
pub(super) fn empty_objects(message: &mut Value<'_>) {
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
pub(crate) fn blank_texts(value: &mut Value<'_>) {
    match value {
        Value::String(text) if text.trim().is_empty() => *value = Value::Null,
        Value::Array(items) => items.iter_mut().for_each(blank_texts),
        Value::Object(fields) => fields.values_mut().for_each(blank_texts),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn within(value: &mut Value<'_>, keys: &[&str]) {
    if let Value::Object(map) = value {
        empty_objects_of(map, keys);
    }
}

fn empty_objects_of(map: &mut Map<'_>, keys: &[&str]) {
    for key in keys {
        if let Some(value) = map.get_mut(key)
            && value.as_array().is_some_and(Vec::is_empty)
        {
            *value = Value::Object(Map::new());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

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
