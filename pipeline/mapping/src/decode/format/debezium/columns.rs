//! The values of a row, as the schema says what they are.
//!
//! | logical type | becomes |
//! |---|---|
//! | decimals in bytes, with the scale in the schema or beside the value | a text: `19.99` |
//! | days, and seconds to nanoseconds since 1970 | a date, a time in RFC 3339. A column without a zone is read as UTC |
//! | milliseconds to nanoseconds since midnight | `05:06:07.25` |
//! | `IsoDate`, `IsoTime` | a date, a time of day without the `Z` |
//! | `Json` | what is in the text |
//!
//! A struct has values of its own, and is read like a row. Everything else stays as it is. A time that cannot be (PostgreSQL's `infinity`) is null. What Debezium did not know, because
//! it was stored elsewhere and did not change, is left out.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::super::super::json;
use super::documents;
use crate::decode::envelope::Decoded;
use crate::value::{Map, Value};
use ingest_model::decimal;

/// What stands in the place of a value that is unknown because it did not change; `unavailable.value.placeholder`.
const UNAVAILABLE: &str = "__debezium_unavailable_value";
/// The same as bytes, in base64.
const UNAVAILABLE_BYTES: &str = "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==";

/// The columns in a schema: those of the row in this field, or its own.
pub(super) fn of<'s, 't>(schema: Option<&'s Value<'t>>, field: Option<&str>) -> &'s [Value<'t>] {
    let fields = |schema: &'s Value<'t>| schema.get("fields").and_then(Value::as_array);
    let own = schema.and_then(fields);
    let found = match field {
        None => own,
        Some(name) => {
            let named = |one: &&Value<'_>| one.get("field").and_then(Value::as_str) == Some(name);
            own.and_then(|own| own.iter().find(named)).and_then(fields)
        }
    };
    found.map(Vec::as_slice).unwrap_or_default()
}

/// A row with its values converted; `None` if there is none. `at` is the field that it stands in.
///
/// # Errors
/// [`Decoded::Reject`] if it is neither a row nor a document, or if a value is not what the schema says.
pub(super) fn row<'t>(
    row: Value<'t>,
    columns: &[Value<'_>],
    at: &str,
    room: &mut usize,
) -> Result<Option<Map<'t>>, Decoded> {
    let fields = match row {
        Value::Null => return Ok(None),
        Value::Object(fields) => fields,
        Value::String(text) => return documents::document(&text, at, room).map(Some),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            return Err(Decoded::invalid(format!("`{at}` is not an object")));
        }
    };
    let fields = fields_of(fields, columns, room).map_err(|(name, why)| {
        let name: String = name.chars().take(100).collect();
        let at = if at.is_empty() {
            name
        } else {
            format!("{at}.{name}")
        };
        Decoded::invalid(format!("`{at}` {why}"))
    })?;
    Ok(Some(fields))
}

/// The fields of a row, or of a struct in it, with their values converted. What fails is named with the reason.
fn fields_of<'t>(
    fields: Map<'t>,
    columns: &[Value<'_>],
    room: &mut usize,
) -> Result<Map<'t>, (String, &'static str)> {
    let name_of = |column: &'_ Value<'_>, name: &str| {
        column.get("field").and_then(Value::as_str) == Some(name)
    };
    let mut converted = Map::with_capacity(fields.len());
    let mut by_name: Option<HashMap<&str, &Value<'_>>> = None;
    for (place, (name, value)) in fields.into_iter().enumerate() {
        if is_unavailable(&value) {
            continue;
        }
        // the columns nearly always have the order of the fields
        let in_place = columns.get(place).filter(|column| name_of(column, &name));
        let column = match in_place {
            None if columns.is_empty() => None,
            None => {
                let all = by_name.get_or_insert_with(|| {
                    let named = |column| Some((Value::get(column, "field")?.as_str()?, column));
                    columns.iter().filter_map(named).collect()
                });
                all.get(&*name).copied()
            }
            found => found,
        };
        let value = match column {
            None => value,
            Some(column) => {
                typed(value, column, room).map_err(|why| (name.clone().into_owned(), why))?
            }
        };
        converted.insert(name, value);
    }
    Ok(converted)
}

/// The bytes of a text in base64.
pub(super) fn bytes(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.trim()).ok()
}

/// What the names of Connect's own logical types begin with.
const CONNECT: &str = "org.apache.kafka.connect.data.";

fn is_unavailable(value: &Value<'_>) -> bool {
    match value {
        Value::String(text) => *text == UNAVAILABLE || *text == UNAVAILABLE_BYTES,
        Value::Array(items) => matches!(items.as_slice(), [only] if is_unavailable(only)),
        Value::Object(fields) => fields.len() == 1 && fields.contains_key(UNAVAILABLE),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A value of that column.
fn typed<'t>(
    value: Value<'t>,
    column: &Value<'_>,
    room: &mut usize,
) -> Result<Value<'t>, &'static str> {
    if let (Value::Array(_), Some(kind)) = (&value, column.get("items")) {
        let Value::Array(items) = value else {
            return Ok(value);
        };
        let items: Result<_, _> = items
            .into_iter()
            .map(|item| typed(item, kind, room))
            .collect();
        return items.map(Value::Array);
    }
    let logical = column.get("name").and_then(Value::as_str);
    let own = |name: &str| name.starts_with("io.debezium.") || name.starts_with(CONNECT);
    let inner = column.get("fields").and_then(Value::as_array);
    // a struct of the producer's; Debezium's own are values
    if let (Value::Object(_), Some(inner)) = (&value, inner)
        && !logical.is_some_and(own)
    {
        let Value::Object(fields) = value else {
            return Ok(value);
        };
        let fields = fields_of(fields, inner, room);
        return fields.map(Value::Object).map_err(|(_, why)| why);
    }
    let Some(logical) = logical else {
        return Ok(value);
    };
    let decimal_of_text = |value: &Value<'_>, scale: Option<i64>| {
        let text = value.as_str()?;
        decimal(&bytes(text)?, scale?).map(Value::from)
    };
    let whole = match &value {
        Value::Number(number) => number.as_i64(),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    };
    let name = logical.rsplit('.').next().unwrap_or(logical);
    if !own(logical) {
        return Ok(value);
    }
    match (name, whole) {
        ("Decimal", None) if value.as_str().is_some() => {
            let scale = column.get("parameters").and_then(|all| all.get("scale"));
            decimal_of_text(&value, scale.and_then(number))
                .ok_or("is not the bytes of a decimal, which its schema says it is")
        }
        ("VariableScaleDecimal", _) if value.as_object().is_some() => {
            let scale = value.get("scale").and_then(number);
            let text = value.get("value");
            text.and_then(|text| decimal_of_text(text, scale))
                .ok_or("is not the bytes of a decimal, which its schema says it is")
        }
        ("Date", Some(days)) => Ok(date(days)),
        ("Timestamp", Some(ms)) => Ok(instant(Timestamp::from_millisecond(ms))),
        ("MicroTimestamp", Some(us)) => Ok(instant(Timestamp::from_microsecond(us))),
        ("NanoTimestamp", Some(ns)) => Ok(instant(Timestamp::from_nanosecond(i128::from(ns)))),
        ("Time", Some(ms)) => Ok(of_day(i128::from(ms) * 1_000_000)),
        ("MicroTime", Some(us)) => Ok(of_day(i128::from(us) * 1_000)),
        ("NanoTime", Some(ns)) => Ok(of_day(i128::from(ns))),
        ("IsoDate" | "IsoTime", _) => Ok(match value.as_str() {
            Some(text) => Value::from(text.trim_end_matches('Z').to_owned()),
            None => value,
        }),
        ("Json", _) => Ok(match &value {
            Value::String(text) => match json::nested(text.as_bytes(), room) {
                Some(read) => read.into_owned(),
                None => value,
            },
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => value,
        }),
        _ => Ok(value),
    }
}

/// A whole number, as a number or a text.
fn number(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The text of a decimal.
fn decimal(bytes: &[u8], scale: i64) -> Option<String> {
    decimal::text(bytes, usize::try_from(scale).ok()?)
}

fn date(days: i64) -> Value<'static> {
    let midnight = days
        .checked_mul(86_400)
        .and_then(|at| Timestamp::from_second(at).ok());
    midnight.map_or(Value::Null, |at| {
        Value::from(at.to_zoned(TimeZone::UTC).date().to_string())
    })
}

fn instant(at: Result<Timestamp, jiff::Error>) -> Value<'static> {
    at.map_or(Value::Null, |at| Value::from(at.to_string()))
}

/// A time of day, or a span of hours, from its nanoseconds.
fn of_day(nanoseconds: i128) -> Value<'static> {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let size = nanoseconds.unsigned_abs();
    let (seconds, fraction) = (size / 1_000_000_000, size % 1_000_000_000);
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    let mut text = format!("{sign}{hours:02}:{minutes:02}:{:02}", seconds % 60);
    if fraction > 0 {
        let fraction = format!("{fraction:09}");
        text = format!("{text}.{}", fraction.trim_end_matches('0'));
    }
    Value::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    fn converted(value: Value<'static>, column: &Value<'static>) -> Value<'static> {
        typed(value, column, &mut 100_000).unwrap()
    }

    #[test]
    fn decimals_are_exact() {
        for (bytes, scale, wanted) in [
            (&[0x01, 0x90][..], 2, "4.00"),
            (&[0x07, 0xcf], 2, "19.99"),
            (&[0xf8, 0x31], 2, "-19.99"),
            (&[0x00], 2, "0.00"),
            (&[0x05], 3, "0.005"),
            (&[0xff], 0, "-1"),
            (&[0x80], 0, "-128"),
            (&[0x00, 0x80], 1, "12.8"),
            (
                &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                2,
                "23611832414348226068.47",
            ),
        ] {
            assert_eq!(decimal(bytes, scale).as_deref(), Some(wanted), "{bytes:?}");
        }
        for (bytes, scale) in [(&[][..], 2), (&[1; 129], 2), (&[1], -1), (&[1], 1_001)] {
            assert_eq!(decimal(bytes, scale), None);
        }
        assert_eq!(decimal(&[0x7f; 128], 0).unwrap().len(), 308);
    }

    #[test]
    fn logical_types_become_what_they_mean() {
        let connect = |name: &str| json!({"name": format!("org.apache.kafka.connect.data.{name}"), "parameters": {"scale": "2"}});
        let own = |name: &str| json!({"name": format!("io.debezium.{name}")});
        for (value, column, wanted) in [
            (json!("B88="), connect("Decimal"), json!("19.99")),
            (json!(19.99), connect("Decimal"), json!(19.99)),
            (json!(null), connect("Decimal"), json!(null)),
            (
                json!({"scale": 3, "value": "B88="}),
                own("data.VariableScaleDecimal"),
                json!("1.999"),
            ),
            (
                json!(["B88=", null]),
                json!({"type": "array", "items": connect("Decimal")}),
                json!(["19.99", null]),
            ),
            (json!(20_455), connect("Date"), json!("2026-01-02")),
            (json!(-1), own("time.Date"), json!("1969-12-31")),
            (
                json!(1_767_323_045_250_i64),
                connect("Timestamp"),
                json!("2026-01-02T03:04:05.25Z"),
            ),
            (
                json!(1_767_323_045_000_i64),
                own("time.Timestamp"),
                json!("2026-01-02T03:04:05Z"),
            ),
            (
                json!(1_767_323_045_000_001_i64),
                own("time.MicroTimestamp"),
                json!("2026-01-02T03:04:05.000001Z"),
            ),
            (
                json!(1_767_323_045_000_000_001_i64),
                own("time.NanoTimestamp"),
                json!("2026-01-02T03:04:05.000000001Z"),
            ),
            (
                json!(0),
                own("time.Timestamp"),
                json!("1970-01-01T00:00:00Z"),
            ),
            // infinity
            (
                json!(9_223_372_036_825_200_000_i64),
                own("time.MicroTimestamp"),
                json!(null),
            ),
            (json!(i64::MAX), own("time.Date"), json!(null)),
            (json!(18_367_250), connect("Time"), json!("05:06:07.25")),
            (
                json!(18_367_000_000_i64),
                own("time.MicroTime"),
                json!("05:06:07"),
            ),
            (
                json!(18_367_000_000_001_i64),
                own("time.NanoTime"),
                json!("05:06:07.000000001"),
            ),
            (
                json!(-3_020_399_000_000_i64),
                own("time.MicroTime"),
                json!("-838:59:59"),
            ),
            (
                json!("2026-01-02Z"),
                own("time.IsoDate"),
                json!("2026-01-02"),
            ),
            (
                json!("03:04:05.25Z"),
                own("time.IsoTime"),
                json!("03:04:05.25"),
            ),
            (
                json!("2026-01-02T03:04:05+01:00"),
                own("time.ZonedTimestamp"),
                json!("2026-01-02T03:04:05+01:00"),
            ),
            (
                json!({"total": "B88=", "by": {"day": 20_455}, "else": 1}),
                json!({"type": "struct", "name": "shop.Price", "fields": [
                    {"field": "by", "type": "struct", "fields": [{"field": "day", "name": "io.debezium.time.Date"}]},
                    {"field": "total", "name": "org.apache.kafka.connect.data.Decimal", "parameters": {"scale": "2"}},
                ]}),
                json!({"total": "19.99", "by": {"day": "2026-01-02"}, "else": 1}),
            ),
            (json!("{\"a\":[1]}"), own("data.Json"), json!({"a": [1]})),
            (json!("{"), own("data.Json"), json!("{")),
            (json!("paid"), own("data.Enum"), json!("paid")),
            (json!(2026), own("time.Year"), json!(2026)),
            (json!(5), json!({"name": "com.shop.Date"}), json!(5)),
            (json!(5), json!({"type": "int32"}), json!(5)),
        ] {
            assert_eq!(
                converted(value.clone(), &column),
                wanted,
                "{value} {column}"
            );
        }
    }

    #[test]
    fn a_value_that_is_not_what_the_schema_says_is_named() {
        let columns = [
            json!({"field": "a"}),
            json!({"field": "total", "name": "org.apache.kafka.connect.data.Decimal"}),
        ];
        let broken = row(json!({"total": "?"}), &columns, "after", &mut 100_000);
        let Err(Decoded::Reject(rejected)) = broken else {
            panic!("{broken:?}")
        };
        assert_eq!(
            rejected.detail,
            "`after.total` is not the bytes of a decimal, which its schema says it is"
        );
    }

    #[test]
    fn what_is_unknown_is_left_out() {
        let found = row(
            json!({
                "id": 1, "note": UNAVAILABLE, "image": UNAVAILABLE_BYTES, "tags": [UNAVAILABLE], "map": {UNAVAILABLE: UNAVAILABLE},
                "none": null, "list": [], "empty": {},
            }),
            &[],
            "after",
            &mut 100_000,
        );
        let wanted = json!({"id": 1, "none": null, "list": [], "empty": {}});
        assert_eq!(found.unwrap().map(Value::Object), Some(wanted));
    }
}
