//! Values as text: JSON, and numbers as jq writes them.

use std::fmt::Write as _;

use super::value::{TEXT, Val};
use crate::mapping::expr::meter::{Limit, Meter};

/// A text that grows. Each piece is counted before it is added.
pub(crate) struct Sink<'m> {
    text: String,
    pub(super) meter: &'m Meter,
}

impl<'m> Sink<'m> {
    pub(crate) fn new(meter: &'m Meter) -> Result<Self, Limit> {
        meter.build(TEXT)?;
        Ok(Self {
            text: String::new(),
            meter,
        })
    }

    pub(crate) fn push(&mut self, text: &str) -> Result<(), Limit> {
        // a growing text may hold twice the room that it needs
        self.meter.build(2 * text.len())?;
        self.text.push_str(text);
        Ok(())
    }

    pub(crate) fn push_char(&mut self, c: char) -> Result<(), Limit> {
        self.push(c.encode_utf8(&mut [0; 4]))
    }

    pub(crate) fn done<'a>(self) -> Val<'a> {
        Val::text(self.text)
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

/// A floating-point number as jq writes it: the fewest digits that give the same number.
pub(crate) fn float_text(float: f64) -> String {
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
pub(crate) fn json(value: &Val<'_>, sink: &mut Sink<'_>) -> Result<(), Limit> {
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
pub(super) fn escaped(
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

/// `tostring`: a text as it is, everything else as JSON.
pub(crate) fn to_text(value: &Val<'_>, sink: &mut Sink<'_>) -> Result<(), Limit> {
    match value.as_str() {
        Some(text) => sink.push(text),
        None => json(value, sink),
    }
}
