//! Values as text: JSON, numbers, the formats behind `@`.

use std::fmt::Write as _;

use super::super::meter::{Limit, Meter};
use super::code::Format;
use super::stop::{Res, Stop, type_error};
use super::value::{TEXT, Val};

/// A text that grows, and counts before it does.
pub(super) struct Sink<'m> {
    text: String,
    meter: &'m Meter,
}

impl<'m> Sink<'m> {
    pub(super) fn new(meter: &'m Meter) -> Result<Self, Limit> {
        meter.build(TEXT)?;
        Ok(Self {
            text: String::new(),
            meter,
        })
    }

    pub(super) fn push(&mut self, text: &str) -> Result<(), Limit> {
        // a text that grows may have twice the room it needs
        self.meter.build(2 * text.len())?;
        self.text.push_str(text);
        Ok(())
    }

    pub(super) fn push_char(&mut self, c: char) -> Result<(), Limit> {
        self.push(c.encode_utf8(&mut [0; 4]))
    }

    pub(super) fn done<'a>(self) -> Val<'a> {
        Val::text(self.text)
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

/// A floating-point number as jq writes it: the shortest digits that are the same number.
pub(super) fn float_text(float: f64) -> String {
    if float.is_nan() {
        return "null".to_owned();
    }
    let shortest = format!("{:e}", float.clamp(f64::MIN, f64::MAX));
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let point = exponent + 1;
    let mut text = String::from(sign);
    if point <= -4 || point > count + 15 {
        let (first, rest) = digits.split_at_checked(1).unwrap_or((&digits, ""));
        text.push_str(first);
        if !rest.is_empty() {
            text.push('.');
            text.push_str(rest);
        }
        text.push('e');
        text.push(if exponent < 0 { '-' } else { '+' });
        let written = write!(text, "{:02}", exponent.unsigned_abs());
        debug_assert!(written.is_ok(), "a text takes everything");
    } else if point <= 0 {
        text.push_str("0.");
        text.extend((point..0).map(|_| '0'));
        text.push_str(&digits);
    } else {
        let whole = usize::try_from(point).unwrap_or(0);
        match digits.split_at_checked(whole) {
            Some((whole, "")) => text.push_str(whole),
            Some((whole, fraction)) => {
                text.push_str(whole);
                text.push('.');
                text.push_str(fraction);
            }
            None => {
                text.push_str(&digits);
                text.extend((count..point).map(|_| '0'));
            }
        }
    }
    text
}

/// A value as JSON on one line.
pub(super) fn json(value: &Val<'_>, sink: &mut Sink<'_>) -> Result<(), Limit> {
    match value {
        Val::Null => sink.push("null"),
        Val::Bool(yes) => sink.push(if *yes { "true" } else { "false" }),
        Val::Int(whole) => sink.push(&whole.to_string()),
        Val::Big(whole) => sink.push(&whole.to_string()),
        Val::Float(float) => sink.push(&float_text(*float)),
        Val::Text(text) => quoted(text.as_str(), sink),
        Val::List(list) => {
            sink.push("[")?;
            for (number, item) in list.iter().enumerate() {
                if number > 0 {
                    sink.push(",")?;
                }
                sink.meter.steps(1)?;
                json(&item, sink)?;
            }
            sink.push("]")
        }
        Val::Object(object) => {
            sink.push("{")?;
            for (number, (key, value)) in object.iter().enumerate() {
                if number > 0 {
                    sink.push(",")?;
                }
                sink.meter.steps(1)?;
                quoted(key.as_str(), sink)?;
                sink.push(":")?;
                json(&value, sink)?;
            }
            sink.push("}")
        }
    }
}

fn quoted(text: &str, sink: &mut Sink<'_>) -> Result<(), Limit> {
    sink.push("\"")?;
    escaped(text, sink, |c| {
        Some(match c {
            '"' => "\\\"".into(),
            '\\' => "\\\\".into(),
            '\n' => "\\n".into(),
            '\t' => "\\t".into(),
            '\r' => "\\r".into(),
            '\u{8}' => "\\b".into(),
            '\u{c}' => "\\f".into(),
            c if u32::from(c) < 32 || c == '\u{7f}' => format!("\\u{:04x}", u32::from(c)).into(),
            _ => return None,
        })
    })?;
    sink.push("\"")
}

/// The text with some characters replaced.
fn escaped(
    text: &str,
    sink: &mut Sink<'_>,
    by: impl Fn(char) -> Option<std::borrow::Cow<'static, str>>,
) -> Result<(), Limit> {
    let mut copied = 0;
    for (at, c) in text.char_indices() {
        if let Some(by) = by(c) {
            sink.push(text.get(copied..at).unwrap_or_default())?;
            sink.push(&by)?;
            copied = at + c.len_utf8();
        }
    }
    sink.push(text.get(copied..).unwrap_or_default())
}

/// `tostring`: a text is itself, everything else its JSON.
pub(super) fn to_text(value: &Val<'_>, sink: &mut Sink<'_>) -> Result<(), Limit> {
    match value.as_str() {
        Some(text) => sink.push(text),
        None => json(value, sink),
    }
}

/// What a format makes of a value.
pub(super) fn format<'a>(
    format: Format,
    value: &Val<'a>,
    sink: &mut Sink<'_>,
) -> Result<(), Stop<'a>> {
    let meter = sink.meter;
    match format {
        Format::Text => Ok(to_text(value, sink)?),
        Format::Json => Ok(json(value, sink)?),
        Format::Html => {
            let text = plain_text(value, meter)?;
            Ok(escaped(&text, sink, |c| {
                Some(
                    match c {
                        '&' => "&amp;",
                        '<' => "&lt;",
                        '>' => "&gt;",
                        '\'' => "&apos;",
                        '"' => "&quot;",
                        _ => return None,
                    }
                    .into(),
                )
            })?)
        }
        Format::Uri => {
            let text = plain_text(value, meter)?;
            for byte in text.bytes() {
                if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
                    sink.push_char(char::from(byte))?;
                } else {
                    sink.push(&format!("%{byte:02X}"))?;
                }
            }
            Ok(())
        }
        Format::UriDecoded => {
            let text = plain_text(value, meter)?;
            let decoded = percent_decoded(text.as_bytes());
            meter.build(decoded.len())?;
            Ok(sink.push(&String::from_utf8_lossy(&decoded))?)
        }
        Format::Csv | Format::Tsv => row(format, value, sink),
        Format::Sh => shell(value, sink),
        Format::Base64 => {
            use base64::Engine as _;
            let text = plain_text(value, meter)?;
            meter.build(2 * text.len())?;
            let encoded = base64::engine::general_purpose::STANDARD.encode(text.as_bytes());
            Ok(sink.push(&encoded)?)
        }
        Format::Base64Decoded => {
            let text = plain_text(value, meter)?;
            meter.build(text.len())?;
            match base_decoded(text.as_bytes(), 6, base64_digit) {
                Some(bytes) => Ok(sink.push(&String::from_utf8_lossy(&bytes))?),
                None => Err(type_error(value, "is not valid base64 data", meter)),
            }
        }
        Format::Base32 => {
            let text = plain_text(value, meter)?;
            Ok(base32(text.as_bytes(), sink)?)
        }
        Format::Base32Decoded => {
            let text = plain_text(value, meter)?;
            meter.build(text.len())?;
            match base_decoded(text.as_bytes(), 5, base32_digit) {
                Some(bytes) => Ok(sink.push(&String::from_utf8_lossy(&bytes))?),
                None => Err(type_error(value, "is not valid base32 data", meter)),
            }
        }
    }
}

/// What a format makes of a value, as a value.
pub(super) fn formatted<'a>(to: Format, value: &Val<'a>, meter: &Meter) -> Res<'a> {
    if to == Format::Text && value.as_str().is_some() {
        return Ok(value.clone());
    }
    let mut sink = Sink::new(meter)?;
    format(to, value, &mut sink)?;
    Ok(sink.done())
}

fn plain_text(value: &Val<'_>, meter: &Meter) -> Result<String, Limit> {
    let mut sink = Sink::new(meter)?;
    to_text(value, &mut sink)?;
    Ok(sink.into_text())
}

fn row<'a>(format: Format, value: &Val<'a>, sink: &mut Sink<'_>) -> Result<(), Stop<'a>> {
    let csv = format == Format::Csv;
    let Val::List(list) = value else {
        let what = if csv {
            "cannot be csv-formatted, only an array can be"
        } else {
            "cannot be tsv-formatted, only an array can be"
        };
        return Err(type_error(value, what, sink.meter));
    };
    for (number, item) in list.iter().enumerate() {
        if number > 0 {
            sink.push(if csv { "," } else { "\t" })?;
        }
        match &item {
            Val::Null => {}
            Val::Float(float) if float.is_nan() => {}
            Val::Bool(_) | Val::Int(_) | Val::Big(_) | Val::Float(_) => json(&item, sink)?,
            Val::Text(text) if csv => {
                sink.push("\"")?;
                escaped(text.as_str(), sink, |c| (c == '"').then(|| "\"\"".into()))?;
                sink.push("\"")?;
            }
            Val::Text(text) => escaped(text.as_str(), sink, |c| {
                Some(
                    match c {
                        '\t' => "\\t",
                        '\r' => "\\r",
                        '\n' => "\\n",
                        '\\' => "\\\\",
                        _ => return None,
                    }
                    .into(),
                )
            })?,
            Val::List(_) | Val::Object(_) => {
                return Err(type_error(&item, "is not valid in a csv row", sink.meter));
            }
        }
    }
    Ok(())
}

fn shell<'a>(value: &Val<'a>, sink: &mut Sink<'_>) -> Result<(), Stop<'a>> {
    let one = |item: &Val<'a>, sink: &mut Sink<'_>| match item {
        Val::Text(text) => {
            sink.push("'")?;
            escaped(text.as_str(), sink, |c| (c == '\'').then(|| "'\\''".into()))?;
            Ok(sink.push("'")?)
        }
        Val::List(_) | Val::Object(_) => {
            Err(type_error(item, "can not be escaped for shell", sink.meter))
        }
        Val::Null | Val::Bool(_) | Val::Int(_) | Val::Big(_) | Val::Float(_) => {
            Ok(json(item, sink)?)
        }
    };
    let Val::List(list) = value else {
        return one(value, sink);
    };
    for (number, item) in list.iter().enumerate() {
        if number > 0 {
            sink.push(" ")?;
        }
        one(&item, sink)?;
    }
    Ok(())
}

fn percent_decoded(bytes: &[u8]) -> Vec<u8> {
    let hex = |byte: Option<&u8>| {
        char::from(*byte?)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (byte, hex(bytes.get(at + 1)), hex(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(high * 16 + low);
                at += 3;
            }
            _ => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    decoded
}

fn base64_digit(byte: u8) -> Option<u32> {
    Some(match byte {
        b'A'..=b'Z' => u32::from(byte - b'A'),
        b'a'..=b'z' => u32::from(byte - b'a') + 26,
        b'0'..=b'9' => u32::from(byte - b'0') + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

fn base32_digit(byte: u8) -> Option<u32> {
    Some(match byte {
        b'A'..=b'Z' => u32::from(byte - b'A'),
        b'2'..=b'7' => u32::from(byte - b'2') + 26,
        _ => return None,
    })
}

/// The bytes in a text of digits with so many bits each, up to the first `=`. Missing padding is no fault.
fn base_decoded(text: &[u8], bits: u32, digit: fn(u8) -> Option<u32>) -> Option<Vec<u8>> {
    let (mut bytes, mut held, mut count) = (Vec::new(), 0_u32, 0);
    let digits = text.iter().take_while(|byte| **byte != b'=');
    let mut number = 0_usize;
    for byte in digits {
        held = (held << bits | digit(*byte)?) & 0xFFFF;
        count += bits;
        number += 1;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(held >> count & 0xFF).ok()?);
        }
    }
    // one digit alone is no byte
    (bits != 6 || number % 4 != 1).then_some(bytes)
}

fn base32(bytes: &[u8], sink: &mut Sink<'_>) -> Result<(), Limit> {
    const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    for group in bytes.chunks(5) {
        let held = group
            .iter()
            .chain(std::iter::repeat(&0))
            .take(5)
            .fold(0_u64, |held, byte| held << 8 | u64::from(*byte));
        let used = (group.len() * 8).div_ceil(5);
        for place in 0..8 {
            let digit = usize::try_from(held >> (35 - 5 * place) & 31).unwrap_or(0);
            let digit = DIGITS.get(digit).copied().unwrap_or(b'=');
            sink.push_char(if place < used { char::from(digit) } else { '=' })?;
        }
    }
    Ok(())
}
