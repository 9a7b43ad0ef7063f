//! Writing an object around bodies that are already text.

use std::collections::BTreeSet;

use super::Body;
use super::text::Parts;

/// Writes one JSON object into a text, field by field. No name may be written twice: an object with a name twice is invalid
/// for the API.
#[derive(Debug)]
pub struct Writer<'o> {
    out: &'o mut String,
    begin: usize,
    first: bool,
}

impl<'o> Writer<'o> {
    /// Begins an object at the end of this text.
    pub fn begin(out: &'o mut String) -> Self {
        let begin = out.len();
        out.push('{');
        Self {
            out,
            begin,
            first: true,
        }
    }

    /// A field with a text.
    pub fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        quoted(self.out, value);
    }

    /// A field with a whole number.
    pub fn whole(&mut self, name: &str, value: i64) {
        self.name(name);
        self.out.push_str(&value.to_string());
    }

    /// A field with an object.
    pub fn object(&mut self, name: &str, value: &Body) {
        self.name(name);
        self.out.push_str(value.as_str());
    }

    /// All fields of a body.
    pub fn fields(&mut self, of: &Body) {
        if !of.is_empty() {
            self.separate();
            self.out.push_str(of.fields_text());
        }
    }

    /// Ends the object.
    pub fn end(self) {
        self.out.push('}');
        debug_assert!(
            has_each_name_once(self.out.get(self.begin..).unwrap_or_default()),
            "a name stands twice"
        );
    }

    fn name(&mut self, name: &str) {
        self.separate();
        quoted(self.out, name);
        self.out.push(':');
    }

    fn separate(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.out.push(',');
        }
    }
}

fn has_each_name_once(object: &str) -> bool {
    let mut names = BTreeSet::new();
    Parts::of(object).all(|part| names.insert(part.name))
}

/// A name that is already written as JSON, and the colon.
pub(super) fn named(out: &mut String, name: &str) {
    out.push('"');
    out.push_str(name);
    out.push_str("\":");
}

fn quoted(out: &mut String, text: &str) {
    let simple = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if text.bytes().all(simple) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::Value::from(text).to_string());
    }
}
