//! The canonical form of a schema, and its fingerprint: CRC-64-AVRO, as the specification of Avro has it.

use serde_json::{Map, Value};

use super::parse::{defined_name, full_name};

/// The fingerprint of the empty text, which the algorithm begins with.
const EMPTY: u64 = 0xc15d_213a_a4d7_a795;

/// The fingerprint of a schema.
pub(super) fn fingerprint(schema: &Value) -> u64 {
    let mut text = String::new();
    canonical(schema, "", &mut text);
    let mut print = EMPTY;
    for byte in text.bytes() {
        let place = (print ^ u64::from(byte)) & 0xff;
        print = (print >> 8) ^ row(place);
    }
    print
}

/// A row of the table of CRC-64-AVRO.
fn row(place: u64) -> u64 {
    let mut print = place;
    for _ in 0..8 {
        print = (print >> 1) ^ (EMPTY & 0_u64.wrapping_sub(print & 1));
    }
    print
}

/// Writes the canonical form: full names, the attributes that matter in their order, nothing else.
fn canonical(schema: &Value, namespace: &str, text: &mut String) {
    match schema {
        Value::String(name) => quoted(&in_full(name, namespace), text),
        Value::Array(branches) => {
            text.push('[');
            each(branches, text, |one, text| canonical(one, namespace, text));
            text.push(']');
        }
        Value::Object(object) => of_object(object, namespace, text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn of_object(object: &Map<String, Value>, namespace: &str, text: &mut String) {
    let name = match object.get("type") {
        Some(Value::String(name)) => name.as_str(),
        Some(other) => return canonical(other, namespace, text),
        None => return,
    };
    let full = defined_name(object, namespace);
    match name {
        "record" | "error" | "enum" | "fixed" => {
            let full = full.unwrap_or_default();
            let inner = full.rsplit_once('.').map_or("", |(before, _)| before);
            text.push_str("{\"name\":");
            quoted(&full, text);
            text.push_str(",\"type\":");
            quoted(name, text);
            if let Some(fields) = object.get("fields").and_then(Value::as_array) {
                text.push_str(",\"fields\":[");
                each(fields, text, |field, text| {
                    text.push_str("{\"name\":");
                    quoted(
                        field
                            .get("name")
                            .and_then(Value::as_str)
                            .unwrap_or_default(),
                        text,
                    );
                    text.push_str(",\"type\":");
                    canonical(field.get("type").unwrap_or(&Value::Null), inner, text);
                    text.push('}');
                });
                text.push(']');
            }
            if let Some(symbols) = object.get("symbols").and_then(Value::as_array) {
                text.push_str(",\"symbols\":[");
                each(symbols, text, |symbol, text| {
                    quoted(symbol.as_str().unwrap_or_default(), text);
                });
                text.push(']');
            }
            if let Some(size) = object.get("size").and_then(Value::as_u64) {
                text.push_str(&format!(",\"size\":{size}"));
            }
            text.push('}');
        }
        "array" | "map" => {
            let of = if name == "array" { "items" } else { "values" };
            text.push_str("{\"type\":");
            quoted(name, text);
            text.push_str(&format!(",\"{of}\":"));
            canonical(object.get(of).unwrap_or(&Value::Null), namespace, text);
            text.push('}');
        }
        _ => quoted(&in_full(name, namespace), text),
    }
}

fn each(all: &[Value], text: &mut String, write: impl Fn(&Value, &mut String)) {
    for (at, one) in all.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        write(one, text);
    }
}

/// The name of a type: Avro's own have no namespace.
fn in_full(name: &str, namespace: &str) -> String {
    match name {
        "null" | "boolean" | "int" | "long" | "float" | "double" | "bytes" | "string" => {
            name.to_owned()
        }
        _ => full_name(name, namespace),
    }
}

fn quoted(name: &str, text: &mut String) {
    text.push_str(&Value::from(name).to_string());
}
