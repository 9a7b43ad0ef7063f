//! MongoDB's documents: texts of extended JSON within JSON.

use super::super::super::envelope::Decoded;
use super::super::super::json;
use crate::value::{Map, Value};
use ingest_model::outcome::Rejection;
use jiff::Timestamp;

/// The document in a text. `at` is the field that it stands in.
///
/// # Errors
/// [`Decoded::Reject`] if the text is no JSON object.
pub(super) fn document(text: &str, at: &str, room: &mut usize) -> Result<Map<'static>, Decoded> {
    match json::nested(text.as_bytes(), room).map(|read| plain(read.into_owned())) {
        Some(Value::Object(fields)) => Ok(fields),
        Some(_) | None => Err(Decoded::reject(
            Rejection::InvalidEnvelope,
            format!("`{at}` is a text, but not of a JSON object that is small enough"),
        )),
    }
}

/// The fields that an update of a document changed, if it says no more than that.
pub(super) fn updated(fields: &Map<'_>, room: &mut usize) -> Option<Map<'static>> {
    let changed = fields.get("updateDescription")?.get("updatedFields")?;
    document(changed.as_str()?, "updateDescription.updatedFields", room).ok()
}

/// A key whose id may be a text of extended JSON, under the name that documents have for it.
pub(super) fn key(key: Map<'_>) -> Map<'_> {
    let of_document = |value: &Value<'_>| {
        let text = value.as_str().filter(|text| text.starts_with("{\"$"))?;
        json::parse_nested(text.as_bytes()).map(Value::into_owned)
    };
    match key.get("id").and_then(of_document) {
        Some(id) if key.len() == 1 => {
            let mut of_id = Map::new();
            of_id.insert("_id", plain(id));
            of_id
        }
        Some(_) | None => key,
    }
}

/// Extended JSON as plain JSON: ids and decimals as texts, numbers as numbers, times in RFC 3339.
fn plain(value: Value<'_>) -> Value<'_> {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(plain).collect()),
        Value::Object(fields) => {
            if fields.len() == 1
                && let Some(value) = fields
                    .iter()
                    .next()
                    .and_then(|(name, value)| extended(name, value))
            {
                return value;
            }
            let fields = fields.into_iter().map(|(name, value)| (name, plain(value)));
            Value::Object(fields.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

/// The value in an object of one field, if its name is one of extended JSON's.
fn extended(name: &str, value: &Value<'_>) -> Option<Value<'static>> {
    let text = || value.as_str().map(str::to_owned);
    match name {
        "$oid" | "$numberDecimal" | "$symbol" => text().map(Value::from),
        "$numberLong" | "$numberInt" => text()?.parse::<i64>().ok().map(Value::from),
        "$numberDouble" => {
            let number = serde_json::Number::from_f64(text()?.parse().ok()?)?;
            Some(Value::Number(number))
        }
        "$date" => match value {
            Value::Object(inner) => extended("$date", &plain(Value::Object(inner.clone()))),
            Value::Number(ms) => {
                let at = Timestamp::from_millisecond(ms.as_i64()?).ok()?;
                Some(Value::from(at.to_string()))
            }
            Value::String(text) => Some(Value::from(text.clone().into_owned())),
            Value::Null | Value::Bool(_) | Value::Array(_) => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    #[test]
    fn extended_json_becomes_plain() {
        let text = r#"{"_id":{"$oid":"5f1"},"n":{"$numberLong":"1004"},"d":{"$numberDecimal":"19.990"},"f":{"$numberDouble":"1.5"},
            "at":[{"$date":1767323045000},{"$date":{"$numberLong":"1767323045000"}},{"$date":"2026-01-02T03:04:05Z"}],
            "in":{"deep":{"$numberInt":"1"}},"odd":{"$numberLong":"x"},"two":{"$oid":"a","b":1}}"#;
        let wanted = json!({
            "_id": "5f1", "n": 1004, "d": "19.990", "f": 1.5,
            "at": ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"],
            "in": {"deep": 1}, "odd": {"$numberLong": "x"}, "two": {"$oid": "a", "b": 1},
        });
        assert_eq!(
            Value::Object(document(text, "after", &mut 100_000).unwrap()),
            wanted
        );
        assert!(
            document("[1]", "after", &mut 9_000).is_err()
                && document("{", "after", &mut 9_000).is_err()
        );
    }

    #[test]
    fn the_id_in_a_key_has_its_own_name() {
        let of = |value: Value<'static>| {
            let Value::Object(fields) = value else {
                panic!("an object")
            };
            Value::Object(key(fields))
        };
        assert_eq!(
            of(json!({"id": "{\"$oid\":\"5f1\"}"})),
            json!({"_id": "5f1"})
        );
        assert_eq!(of(json!({"id": "o-1"})), json!({"id": "o-1"}));
        assert_eq!(of(json!({"id": 7, "line": 2})), json!({"id": 7, "line": 2}));
    }
}
