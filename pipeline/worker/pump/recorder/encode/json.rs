//! Texts and numbers as JSON.

use std::fmt::{self, Write as _};

/// A name of this program's, which needs no escapes.
pub(super) fn named(out: &mut String, name: &str) {
    out.push('"');
    out.push_str(name);
    out.push('"');
}

/// A whole number.
pub(super) fn decimal(out: &mut String, mut number: u64) {
    if number < 10 {
        out.push(digit(number));
        return;
    }
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    for (place, sign) in digits.iter_mut().enumerate().rev() {
        *sign = u8::try_from(number % 10).unwrap_or(0) + b'0';
        number /= 10;
        first = place;
        if number == 0 {
            break;
        }
    }
    let digits = digits.get(first..).unwrap_or_default();
    out.push_str(std::str::from_utf8(digits).unwrap_or_default());
}

fn digit(number: u64) -> char {
    char::from(u8::try_from(number).unwrap_or(0) + b'0')
}

/// A text.
pub(super) fn quoted(out: &mut String, text: &str) -> fmt::Result {
    if text
        .bytes()
        .all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\')
    {
        named(out, text);
        return Ok(());
    }
    out.push('"');
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(text.get(plain..at).unwrap_or_default());
        plain = at + 1;
        if escape.is_empty() {
            write!(out, "\\u{byte:04x}")?;
        } else {
            out.push_str(escape);
        }
    }
    out.push_str(text.get(plain..).unwrap_or_default());
    out.push('"');
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(text in "\\PC{0,20}|[\\x00-\\x7f]{0,20}", number: u64) {
            let mut out = String::from("[");
            quoted(&mut out, &text).unwrap();
            out.push(',');
            decimal(&mut out, number);
            out.push(']');
            let read: (String, u64) = serde_json::from_str(&out).unwrap();
            prop_assert_eq!(read, (text, number));
        }
    }
}
