//! JSON as YAML that people like to read: blocks, and quotes only where they are needed.

use serde_json::Value;

/// The lines of a value that stands below a key, each with this indentation.
pub(in crate::cli::mappings) fn block(value: &Value, indent: usize) -> Vec<String> {
    let mut lines = Vec::new();
    write(value, indent, &mut lines);
    lines
}

/// The lines of `key: value`.
pub(in crate::cli::mappings) fn entry(key: &str, value: &Value, indent: usize) -> Vec<String> {
    let pad = " ".repeat(indent);
    let key = scalar(key);
    match short(value) {
        Some(text) => vec![format!("{pad}{key}: {text}")],
        None => {
            let mut lines = vec![format!("{pad}{key}:")];
            lines.extend(block(value, indent + 2));
            lines
        }
    }
}

/// A text, in quotes if YAML would read it as something else.
pub(in crate::cli::mappings) fn scalar(text: &str) -> String {
    if is_plain(text) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

fn write(value: &Value, indent: usize, lines: &mut Vec<String>) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                lines.extend(entry(key, value, indent));
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                match short(item) {
                    Some(text) => lines.push(format!("{pad}- {text}")),
                    None => {
                        // the first line of the item stands behind the hyphen
                        let mut inner = block(item, indent + 2);
                        if let Some(first) = inner.first_mut() {
                            *first = format!("{pad}- {}", first.trim_start());
                        }
                        lines.extend(inner);
                    }
                }
            }
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => lines.push(format!("{pad}{}", short(value).unwrap_or_default())),
    }
}

/// The value on one line, if it is short enough to stand behind its key.
fn short(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("null".to_owned()),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(scalar(text)),
        Value::Array(items) if items.is_empty() => Some("[]".to_owned()),
        Value::Object(fields) if fields.is_empty() => Some("{}".to_owned()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether YAML reads an unquoted text as that text, whatever version of YAML the reader has.
fn is_plain(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf",
    ];
    let mut chars = text.chars();
    let begins = chars.next().is_some_and(|c| c.is_ascii_alphabetic());
    let inner = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ' ' | '@' | '+'));
    begins
        && inner
        && !text.ends_with(' ')
        && !text.contains("  ")
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

/// The text in double quotes; what YAML does not allow to stand there as it is becomes an escape.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use ingest_mapping::mapping::node::Node;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_back_as_it_was() {
        let value = json!({
            "type": "track", "yes": "yes", "no": "no", "number": "007", "n": 1.5, "i": -3, "empty": "", "list": [], "map": {},
            "text": "a: b # c", "lines": "a\nb\t\"c\" \\ \u{1}\u{2028}", "nested": [{"a": 1, "b": [true, null]}, [1, [2]], "x"],
            "- dash": "*star", "{": "[", "time": "2026-03-04T05:06:07Z", "end ": " x ", "ünï": "ß😀", "null": "null", "~": "~",
            "1e3": "1e3", "0x1f": "0x1f", "big": 9_007_199_254_740_993_u64,
        });
        let text = block(&value, 0).join("\n");
        let node = Node::from_yaml(&text).unwrap();
        let back: Value = serde_json::from_str(&node.to_json().to_string()).unwrap();
        assert_eq!(back, value, "{text}");
    }

    #[test]
    fn a_block_is_pleasant_to_read() {
        let value =
            json!({"event": {"type": "track", "items": [{"sku": "a b", "q": 1}, {"sku": "c"}]}});
        let text = block(&value, 2).join("\n");
        assert_eq!(
            text,
            "  event:\n    type: track\n    items:\n      - sku: a b\n        q: 1\n      - sku: c"
        );
    }
}
