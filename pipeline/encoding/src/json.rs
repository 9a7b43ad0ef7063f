//! Writes JSON text, up to a limit.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::fault::Fault;

/// JSON that is being written. Every call adds at least a byte, so a bounded text bounds the work.
#[derive(Debug)]
pub(crate) struct Out {
    text: String,
    limit: usize,
    levels: usize,
    depth: usize,
}

// === impl Out ===

impl Out {
    /// An empty text that may grow to `limit` bytes and `depth` levels.
    pub(crate) fn new(limit: usize, depth: usize) -> Self {
        Self {
            text: String::new(),
            limit,
            levels: 0,
            depth,
        }
    }

    pub(crate) fn done(self) -> String {
        self.text
    }

    fn check(&self, more: usize) -> Result<(), Fault> {
        if self.text.len().saturating_add(more) > self.limit {
            let limit = self.limit;
            return Err(Fault::TooLarge(format!(
                "as JSON it has more than the limit of {limit} bytes"
            )));
        }
        Ok(())
    }

    /// JSON as it is.
    pub(crate) fn raw(&mut self, json: &str) -> Result<(), Fault> {
        self.check(json.len())?;
        self.text.push_str(json);
        Ok(())
    }

    /// Begins an object or a list.
    pub(crate) fn open(&mut self, bracket: char) -> Result<(), Fault> {
        if self.levels >= self.depth {
            return Err(Fault::TooDeep(self.depth));
        }
        self.levels += 1;
        self.check(1)?;
        self.text.push(bracket);
        Ok(())
    }

    /// Ends it.
    pub(crate) fn close(&mut self, bracket: char) -> Result<(), Fault> {
        self.levels = self.levels.saturating_sub(1);
        self.check(1)?;
        self.text.push(bracket);
        Ok(())
    }

    /// A comma, unless it is the first.
    pub(crate) fn next(&mut self, first: &mut bool) -> Result<(), Fault> {
        if std::mem::take(first) {
            return Ok(());
        }
        self.raw(",")
    }

    /// The name of a field with its colon.
    pub(crate) fn name(&mut self, name: &str) -> Result<(), Fault> {
        self.string(name)?;
        self.raw(":")
    }

    /// A text in quotes.
    pub(crate) fn string(&mut self, text: &str) -> Result<(), Fault> {
        self.check(text.len().saturating_add(2))?;
        self.text.push('"');
        let mut from = 0;
        for (at, byte) in text.bytes().enumerate() {
            let short = match byte {
                b'"' => "\\\"",
                b'\\' => "\\\\",
                b'\n' => "\\n",
                b'\r' => "\\r",
                b'\t' => "\\t",
                0..=0x1f => "",
                _ => continue,
            };
            // such a byte is a character of its own
            self.text.push_str(text.get(from..at).unwrap_or_default());
            if short.is_empty() {
                self.written(format_args!("\\u{byte:04x}"))?;
            } else {
                self.text.push_str(short);
            }
            from = at + 1;
        }
        self.text.push_str(text.get(from..).unwrap_or_default());
        self.text.push('"');
        self.check(0)
    }

    /// Bytes, as a text of base64.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.check(bytes.len() / 3 * 4)?;
        self.text.push('"');
        STANDARD.encode_string(bytes, &mut self.text);
        self.text.push('"');
        self.check(0)
    }

    /// A whole number.
    pub(crate) fn whole(&mut self, number: impl std::fmt::Display) -> Result<(), Fault> {
        self.written(format_args!("{number}"))?;
        self.check(0)
    }

    /// A number of 64 bits. JSON has no words for what is no number: those become texts.
    pub(crate) fn double(&mut self, number: f64) -> Result<(), Fault> {
        if number.is_finite() {
            self.written(format_args!("{number:?}"))?;
            return self.check(0);
        }
        self.raw(no_number(number.is_nan(), number > 0.0))
    }

    /// A number of 32 bits, in the shortest text that means it.
    pub(crate) fn float(&mut self, number: f32) -> Result<(), Fault> {
        if number.is_finite() {
            self.written(format_args!("{number:?}"))?;
            return self.check(0);
        }
        self.raw(no_number(number.is_nan(), number > 0.0))
    }

    fn written(&mut self, what: std::fmt::Arguments<'_>) -> Result<(), Fault> {
        let written = self.text.write_fmt(what);
        written.map_err(|error| Fault::invalid(error.to_string()))
    }
}

fn no_number(nan: bool, positive: bool) -> &'static str {
    match (nan, positive) {
        (true, _) => "\"NaN\"",
        (false, true) => "\"Infinity\"",
        (false, false) => "\"-Infinity\"",
    }
}
