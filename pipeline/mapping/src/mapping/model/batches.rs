//! Where a record may have several events.

use std::borrow::Cow;

use memchr::memmem;

use crate::mapping::expr::{Expr, Scope};
use crate::value::Value;
use ingest_model::record::Record;

/// The list that the header of a file names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batches<'m>(pub(in crate::mapping) &'m Expr);

impl<'m> Batches<'m> {
    /// Whether the list is the whole value.
    pub(crate) fn is_whole(self) -> bool {
        self.0.text() == "."
    }

    /// Whether a record with this text can have the list. Most records can be told to have none without being read.
    pub(crate) fn may_be_in(self, text: &[u8]) -> bool {
        if self.is_whole() {
            // a text of JSON may have a list in it
            let begins = crate::decode::json::unmarked(text);
            let first = begins.iter().find(|byte| !byte.is_ascii_whitespace());
            return matches!(first, Some(b'[' | b'"'));
        }
        let first = self.0.text().strip_prefix('.').unwrap_or_default();
        let name: &str = first
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .next()
            .unwrap_or_default();
        let is_path = !name.is_empty() && self.0.is_path();
        // a letter of the name may be written as an escape
        !is_path
            || memmem::find(text, name.as_bytes()).is_some()
            || memmem::find(text, br"\u00").is_some()
    }

    /// The list in a value; anything else that is there is no list.
    pub(crate) fn of<'v>(
        self,
        value: &'v Value<'v>,
        record: &'v Record,
    ) -> Result<Cow<'v, Value<'v>>, String>
    where
        'm: 'v,
    {
        if self.is_whole() {
            return Ok(Cow::Borrowed(value));
        }
        // a record of another form has no list
        if !matches!(value, Value::Object(_)) && self.0.is_path() {
            return Ok(Cow::Owned(Value::Null));
        }
        let scope = Scope::of_payload(value, Some(record));
        match self.0.eval(&scope) {
            Ok(found) => Ok(Cow::Owned(found.unwrap_or_default().into_owned())),
            Err(failed) => Err(format!(
                "event.each: {} in `{}`",
                failed.what,
                self.0.text()
            )),
        }
    }
}
