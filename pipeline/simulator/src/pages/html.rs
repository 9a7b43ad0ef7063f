//! The pieces that pages are made of, escaped.

use serde_json::Value;

use super::style::CSS;
use crate::time::SimTime;

/// Escapes text for HTML content and quoted attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(character),
        }
    }
    safe
}

/// Escapes text for a segment of a path.
pub(super) fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

pub(super) fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<style>{}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n",
        escaped(title),
        CSS,
    )
}

/// `1 event`, `2 events`.
pub(super) fn counted(number: impl std::fmt::Display, word: &str) -> String {
    let number = number.to_string();
    let s = if number == "1" { "" } else { "s" };
    format!("{number} {word}{s}")
}

/// `orderNumber` reads as `Order Number`.
pub(crate) fn title_case(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    let mut previous = ' ';
    for character in name.chars() {
        let separator = matches!(character, '-' | '_' | '.' | ' ');
        let starts = (character.is_uppercase() && !previous.is_uppercase())
            || (character.is_ascii_digit() && !previous.is_ascii_digit())
            || words.is_empty()
            || words.ends_with(' ');
        if separator {
            if !words.ends_with(' ') && !words.is_empty() {
                words.push(' ');
            }
        } else {
            if starts && !words.is_empty() && !words.ends_with(' ') {
                words.push(' ');
            }
            if starts {
                words.extend(character.to_uppercase());
            } else {
                words.push(character);
            }
        }
        previous = character;
    }
    words
}

/// The name of an attribute without the suffix of its type, in readable words.
pub(super) fn label(name: &str) -> String {
    let stem = ["Str", "Txt", "Num", "Bool", "Url", "At"]
        .into_iter()
        .find_map(|suffix| name.strip_suffix(suffix))
        .filter(|stem| !stem.is_empty());
    title_case(stem.unwrap_or(name))
}

/// `2 Jan 2025, 03:04`
pub(super) fn readable(time: SimTime) -> String {
    jiff::Timestamp::from_millisecond(time.millis())
        .map(|instant| instant.strftime("%-d %b %Y, %H:%M").to_string())
        .unwrap_or_default()
}

pub(super) fn time_tag(time: SimTime) -> String {
    format!(
        "<time datetime=\"{}\">{}</time>",
        time.rfc3339(),
        readable(time)
    )
}

/// One value, readable and escaped.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::Null => "<span class=\"none\">none</span>".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => match SimTime::parse(text) {
            Some(time) => time_tag(time),
            None if text.starts_with("https://") || text.starts_with("http://") => {
                let safe = escaped(text);
                format!("<a href=\"{safe}\" rel=\"noreferrer noopener\">{safe}</a>")
            }
            None => escaped(text),
        },
        Value::Array(entries) if entries.iter().all(|entry| !entry.is_object()) => entries
            .iter()
            .map(self::value)
            .collect::<Vec<_>>()
            .join(", "),
        Value::Array(_) | Value::Object(_) => {
            format!("<code>{}</code>", escaped(&value.to_string()))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_become_words() {
        assert_eq!(label("orderNumberStr"), "Order Number");
        assert_eq!(label("totalNum"), "Total");
        assert_eq!(label("Order-Placed"), "Order Placed");
        assert_eq!(label("line_items"), "Line Items");
        assert_eq!(label("Str"), "Str");
        assert_eq!(label("address2Str"), "Address 2");
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!(counted(1_u64, "object"), "1 object");
        assert_eq!(counted(0_u64, "event"), "0 events");
        assert_eq!(counted(11_usize, "event"), "11 events");
    }

    #[test]
    fn values_are_escaped() {
        assert_eq!(value(&json!("<b>'\"&")), "&lt;b&gt;&#39;&quot;&amp;");
        assert_eq!(
            value(&json!({"a": "<"})),
            "<code>{&quot;a&quot;:&quot;&lt;&quot;}</code>"
        );
        let link = value(&json!("https://a.b/\"><script>"));
        assert!(
            !link.contains("<script>") && !link.contains("\"><s"),
            "{link}"
        );
        assert_eq!(value(&json!("javascript:alert(1)")), "javascript:alert(1)");
    }

    #[test]
    fn times_are_readable() {
        let shown = value(&json!("2025-01-02T03:04:05Z"));
        assert_eq!(
            shown,
            "<time datetime=\"2025-01-02T03:04:05.000Z\">2 Jan 2025, 03:04</time>"
        );
    }
}
