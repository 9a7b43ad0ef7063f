//! Lenient reading of answers, both JSON:API documents and flat objects.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::reply::HttpReply;

/// A parsed answer.
#[derive(Debug)]
pub(crate) struct Document(Value);

/// One resource: an object with `attributes`, or a flat object whose fields are the attributes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resource<'a>(&'a Value);

// === impl Document ===

impl Document {
    /// The answer's JSON; `None` if it is cut off, empty or not JSON.
    pub(crate) fn read(reply: &HttpReply) -> Option<Self> {
        serde_json::from_slice(reply.bytes()).ok().map(Self)
    }

    /// The whole document.
    pub(super) fn root(&self) -> &Value {
        &self.0
    }

    /// The subject: `data`, or the whole document if there is no `data`.
    fn subject(&self) -> &Value {
        self.0.get("data").unwrap_or(&self.0)
    }

    /// The resource, or the first in a list. `Some(None)` is an answer that says there is none.
    pub(crate) fn one(&self) -> Option<Option<Resource<'_>>> {
        match self.subject() {
            Value::Null => Some(None),
            Value::Array(list) => match list.first() {
                None => Some(None),
                Some(first) => first.is_object().then_some(Some(Resource(first))),
            },
            object @ Value::Object(_) => Some(Some(Resource(object))),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        }
    }

    /// The resources of a list, which may be under one of these names instead of `data`. `None` without a list.
    pub(super) fn many(&self, names: &[&str]) -> Option<Vec<Resource<'_>>> {
        let subject = self.subject();
        let named = || {
            let attributes = subject.get("attributes").unwrap_or(subject);
            names
                .iter()
                .find_map(|name| attributes.get(*name))
                .and_then(Value::as_array)
        };
        let list = subject.as_array().or_else(named)?;
        Some(
            list.iter()
                .filter(|entry| entry.is_object())
                .map(Resource)
                .collect(),
        )
    }
}

// === impl Resource ===

impl<'a> Resource<'a> {
    /// Its Kustomer id; empty ids are ignored.
    pub(crate) fn id(self) -> Option<Arc<str>> {
        self.0
            .get("id")
            .and_then(Value::as_str)
            .filter(|id| !id.is_empty())
            .map(Arc::from)
    }

    /// An attribute.
    pub(crate) fn attribute(self, name: &str) -> Option<&'a Value> {
        match self.0.get("attributes") {
            Some(attributes) => attributes.get(name).or_else(|| self.0.get(name)),
            None => self.0.get(name),
        }
    }

    /// All attributes; for a flat object, all its fields.
    pub(crate) fn attributes(self) -> Map<String, Value> {
        let attributes = self.0.get("attributes").unwrap_or(self.0);
        attributes.as_object().cloned().unwrap_or_default()
    }

    /// An attribute that is text.
    pub(crate) fn text(self, name: &str) -> Option<&'a str> {
        self.attribute(name).and_then(Value::as_str)
    }

    /// The id at the other end of a relationship, or the attribute of that name in a flat object.
    pub(super) fn related(self, name: &str) -> Option<Arc<str>> {
        let linked = self
            .0
            .get("relationships")
            .and_then(|all| all.get(name))
            .and_then(|relationship| relationship.get("data"))
            .and_then(|data| data.get("id"))
            .and_then(Value::as_str);
        linked
            .or_else(|| self.text(name))
            .filter(|id| !id.is_empty())
            .map(Arc::from)
    }
}

/// A time in an answer, as epoch milliseconds.
pub(super) fn time_ms(value: Option<&Value>) -> Option<i64> {
    let text = value.and_then(Value::as_str)?;
    Some(text.parse::<jiff::Timestamp>().ok()?.as_millisecond())
}
