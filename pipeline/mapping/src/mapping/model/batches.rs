//! Where a record may have several events.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::mapping::expr::{Expr, Scope};
use crate::value::Value;
use ingest_model::record::Record;

/// The list that the header of a file names, as it is kept.
#[derive(Debug)]
pub(in crate::mapping) struct Each {
    expr: Expr,
    /// The first name of its path, to be looked for in texts; `None` if any text may have the list.
    name: Option<Finder<'static>>,
}

impl Each {
    pub(in crate::mapping) fn new(expr: Expr) -> Self {
        let path = expr.text().strip_prefix('.').unwrap_or_default();
        let name = path
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .next()
            .filter(|name| !name.is_empty() && expr.is_path());
        let name = name.map(|name| Finder::new(name).into_owned());
        Self { expr, name }
    }
}

/// A letter of a name may be written so.
static ESCAPE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br"\u00"));

/// What holds the content in Connect's envelope.
static PAYLOAD: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"payload\""));

/// The list that the header of a file names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batches<'m>(pub(in crate::mapping) &'m Each);

impl<'m> Batches<'m> {
    /// Whether the list is the whole value.
    pub(crate) fn is_whole(self) -> bool {
        self.0.expr.text() == "."
    }

    /// Whether a record with this text can have the list. Most records can be told to have none without being read.
    pub(crate) fn may_be_in(self, text: &[u8]) -> bool {
        if self.is_whole() {
            // a text of JSON may have a list in it
            let begins = crate::decode::json::unmarked(text);
            let first = begins.iter().find(|byte| !byte.is_ascii_whitespace());
            return match first {
                Some(b'[' | b'"') => true,
                // Connect's envelope may be around it
                Some(b'{') => PAYLOAD.find(text).is_some() || ESCAPE.find(text).is_some(),
                Some(_) | None => false,
            };
        }
        let may = |name: &Finder<'_>| name.find(text).is_some() || ESCAPE.find(text).is_some();
        self.0.name.as_ref().is_none_or(may)
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
        if !matches!(value, Value::Object(_)) && self.0.expr.is_path() {
            return Ok(Cow::Owned(Value::Null));
        }
        let scope = Scope::of_payload(value, Some(record));
        match self.0.expr.eval(&scope) {
            Ok(found) => Ok(Cow::Owned(found.unwrap_or_default().into_owned())),
            Err(failed) => Err(format!(
                "event.each: {} in `{}`",
                failed.what,
                self.0.expr.text()
            )),
        }
    }
}
