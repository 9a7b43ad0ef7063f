//! The formats, such as `@csv`.

use super::stop::{Res, Stop, type_error};
use super::text::{Sink, escaped, json, to_text};
use super::value::Val;
use crate::mapping::expr::meter::{Limit, Meter};

/// A format, as in `@csv`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
    Html,
    Uri,
    UriDecoded,
    Csv,
    Tsv,
    Sh,
    Base64,
    Base64Decoded,
    Base32,
    Base32Decoded,
}

impl Format {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "text" => Self::Text,
            "json" => Self::Json,
            "html" => Self::Html,
            "uri" => Self::Uri,
            "urid" => Self::UriDecoded,
            "csv" => Self::Csv,
            "tsv" => Self::Tsv,
            "sh" => Self::Sh,
            "base64" => Self::Base64,
            "base64d" => Self::Base64Decoded,
            "base32" => Self::Base32,
            "base32d" => Self::Base32Decoded,
            _ => return None,
        })
    }
}

/// Writes a value in a format.
pub(crate) fn format<'a>(
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

/// A value in a format.
pub(crate) fn formatted<'a>(to: Format, value: &Val<'a>, meter: &Meter) -> Res<'a> {
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

/// Decodes digits of this many bits each, up to the first `=`. Missing padding is not an error.
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
    // a single digit left over is less than a byte
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
