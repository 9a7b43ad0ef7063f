//! Repairs of JSON text before it is parsed.
//!
//! - A *whole number beyond 64 bits* is put in quotes: as a floating-point number it would become another id.
//! - *Half of a surrogate pair* (`\ud83d` without its `\ude00`) becomes U+FFFD, in values and in names. Programs that cut
//!   a text at a number of UTF-16 units write such halves. The JSON parser would reject the whole value; browsers, Java and
//!   jq replace the half. An order is worth more than half an emoji.
//!
//! Nothing else is changed, and a text that needs no repair is not copied.

use std::borrow::Cow;

/// The text with these repairs. It is copied only if it needs one.
///
/// ```
/// # use ingest_mapping::decode::mended;
/// assert_eq!(mended(r#"{"note":"so nice \ud83d"}"#), r#"{"note":"so nice \ufffd"}"#);
/// assert_eq!(mended(r#"{"note":"so nice \ud83d\ude00"}"#), r#"{"note":"so nice \ud83d\ude00"}"#);
/// assert_eq!(mended(r#"{"id":18446744073709551616}"#), r#"{"id":"18446744073709551616"}"#);
/// ```
#[must_use]
pub fn mended(text: &str) -> Cow<'_, str> {
    if is_certainly_whole(text.as_bytes()) {
        Cow::Borrowed(text)
    } else {
        searched(text)
    }
}

/// As [`mended`], of a text that may need it.
fn searched(text: &str) -> Cow<'_, str> {
    let mut edits = Edits {
        text,
        written: None,
        copied: 0,
    };
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => at = mend_string(&mut edits, at + 1),
            b'-' | b'0'..=b'9' => {
                let end = end_of_number(bytes, at);
                if let Some(number) = text.get(at..end).filter(|number| is_big_integer(number)) {
                    edits.replace(at, end, &["\"", number, "\""]);
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    edits.done()
}

/// Whether a text needs no repair for certain: it has no escape `\u`, and nowhere as many digits in a row as a whole number
/// beyond 64 bits has. Most texts are like that, and this reads little of them.
fn is_certainly_whole(text: &[u8]) -> bool {
    let long = |at: usize| {
        let digits = |bytes: &mut dyn Iterator<Item = &u8>| {
            bytes.take_while(|byte| byte.is_ascii_digit()).count()
        };
        let (before, after) = text.split_at(at);
        digits(&mut before.iter().rev()) + digits(&mut after.iter()) >= BIG
    };
    // so many digits in a row stand at one of these places
    let mut places = (BIG - 1..text.len()).step_by(BIG);
    let big = places.any(|at| text.get(at).is_some_and(u8::is_ascii_digit) && long(at));
    !big && !memchr::memchr_iter(b'\\', text).any(|at| text.get(at + 1) == Some(&b'u'))
}

/// A whole number of fewer digits fits into 64 bits.
const BIG: usize = 19;

/// The changes to a text so far.
struct Edits<'t> {
    text: &'t str,
    written: Option<String>,
    copied: usize,
}

// === impl Edits ===

impl<'t> Edits<'t> {
    /// Replaces the bytes from `start` to `end` with these parts. Changes must come in the order of the text.
    fn replace(&mut self, start: usize, end: usize, parts: &[&str]) {
        let size = self.text.len() + 16;
        let written = self
            .written
            .get_or_insert_with(|| String::with_capacity(size));
        written.push_str(self.text.get(self.copied..start).unwrap_or_default());
        written.extend(parts.iter().copied());
        self.copied = end;
    }

    fn done(self) -> Cow<'t, str> {
        match self.written {
            None => Cow::Borrowed(self.text),
            Some(mut written) => {
                written.push_str(self.text.get(self.copied..).unwrap_or_default());
                Cow::Owned(written)
            }
        }
    }
}

/// Repairs the string whose content starts at `at`. Returns the index after its closing quote.
fn mend_string(edits: &mut Edits<'_>, mut at: usize) -> usize {
    let bytes = edits.text.as_bytes();
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => match escaped_unit(bytes, at) {
                Some(0xd800..=0xdbff) => match escaped_unit(bytes, at + 6) {
                    Some(0xdc00..=0xdfff) => at += 12,
                    Some(_) | None => {
                        edits.replace(at, at + 6, &["\\ufffd"]);
                        at += 6;
                    }
                },
                Some(0xdc00..=0xdfff) => {
                    edits.replace(at, at + 6, &["\\ufffd"]);
                    at += 6;
                }
                Some(_) => at += 6,
                None => at += 2,
            },
            _ => at += 1,
        }
    }
    at
}

/// The UTF-16 unit of an escape such as `\u1234` at this index.
fn escaped_unit(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, digit| {
        char::from(*digit)
            .to_digit(16)
            .map(|digit| unit * 16 + digit)
    })
}

/// The index after the number that starts at `at`.
fn end_of_number(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let length = rest
        .iter()
        .position(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
        .unwrap_or(rest.len());
    at + length.max(1)
}

/// Whether this is a valid whole number that fits into neither a signed nor an unsigned 64-bit integer.
fn is_big_integer(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    let long = digits.len() >= BIG;
    let whole = digits.bytes().all(|byte| byte.is_ascii_digit());
    // a leading zero is not valid JSON; quotes would hide that
    let legal = whole && !digits.starts_with('0');
    long && legal && number.parse::<i64>().is_err() && number.parse::<u64>().is_err()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn read(text: &str) -> Value {
        serde_json::from_str(&mended(text)).unwrap()
    }

    #[test]
    fn half_a_character_is_replaced_and_whole_ones_stay() {
        for (content, wanted) in [
            (r"gift \ud83d", "gift \u{fffd}"),
            (r"\uDE00 gift", "\u{fffd} gift"),
            (r"\ud83d\ud83d\ude00", "\u{fffd}\u{1f600}"),
            (r"\ud83d\ude00\ude00", "\u{1f600}\u{fffd}"),
            (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
            (r"\ud83d \ude00", "\u{fffd} \u{fffd}"),
            (r"\ud83d\u0041", "\u{fffd}A"),
            (r"\ud83d\n\ude00", "\u{fffd}\n\u{fffd}"),
            (r"\ud83dA", "\u{fffd}A"),
            (r"\uD83D\uDE00 \ud83c\udf89", "\u{1f600} \u{1f389}"),
            // the backslash is itself escaped, so this is the text `\ud83d`
            (r"\\ud83d", r"\ud83d"),
            (r"\\\ud83d", "\\\u{fffd}"),
            (r#"\"\ud83d\""#, "\"\u{fffd}\""),
            ("😀 é", "😀 é"),
            (r"\ud7ff\ue000", "\u{d7ff}\u{e000}"),
        ] {
            let value = read(&format!(r#"{{"a":"{content}"}}"#));
            assert_eq!(value["a"], wanted, "{content}");
        }
        let value = read(r#"{"\udc00x":[{"a":{"\ud83d":"\ud83d"}}],"b":["\udfff","c"]}"#);
        assert_eq!(value["\u{fffd}x"][0]["a"]["\u{fffd}"], "\u{fffd}");
        assert_eq!(value["b"], serde_json::json!(["\u{fffd}", "c"]));
    }

    #[test]
    fn what_is_whole_is_not_copied() {
        for text in [
            r#"{"a":"\ud83d\ude00","b":[-1.5e3,9223372036854775807]}"#,
            r#"{"a":"\\ud83d"}"#,
            r#""\u00e9"#,
            "not JSON at all",
            r#"{"a":"\ud83"#,
            r#"{"a":"\u"#,
            r#"{"a":"\"#,
            "",
        ] {
            assert!(matches!(mended(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn what_is_broken_stays_broken() {
        for text in [
            r#"{"a":"\ud83d"#,
            r#"{"a":"\ud83d\u00"}"#,
            r#"{"a":"\ud8zz"}"#,
            r#"{"a":\ud83d}"#,
            r#"{"a":018446744073709551616}"#,
        ] {
            assert!(
                serde_json::from_str::<Value>(&mended(text)).is_err(),
                "{text}"
            );
        }
    }

    proptest! {
        /// Any UTF-16 units as escapes are read as browsers read them.
        #[test]
        fn any_text_of_escapes_is_read(units in prop::collection::vec(prop_oneof![
            0xd800_u16..=0xdfff, 0x20_u16..=0x7e, any::<u16>()
        ], 0..12)) {
            let escapes: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let value = read(&format!("[\"{escapes}\"]"));
            prop_assert_eq!(&value[0], &Value::from(String::from_utf16_lossy(&units)));
        }

        /// A text that is not searched needs no repair.
        #[test]
        fn what_needs_repair_is_searched(parts in prop::collection::vec(prop_oneof![
            "[0-9]{1,24}", "[-a,:\"\\\\u]{1,4}", Just("\\ud83d".to_owned()), Just("\\n".to_owned())
        ], 0..8)) {
            let text = parts.concat();
            prop_assert_eq!(mended(&text), searched(&text));
        }

        #[test]
        fn what_is_json_stays_what_it_is(text in "\\PC*", number in any::<i64>()) {
            let value = serde_json::json!({ &text: [text, number], "f": 0.5 });
            let written = value.to_string();
            prop_assert_eq!(mended(&written), written.as_str());
        }
    }
}
