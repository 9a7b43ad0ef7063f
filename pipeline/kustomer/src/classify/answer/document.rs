//! Lenient reading of all of an answer, both JSON:API documents and flat objects: for the few whose fields are kept, and for
//! errors.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::Accepted;
use crate::classify::reply::HttpReply;

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
    pub(in crate::classify) fn root(&self) -> &Value {
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

    /// All attributes of that resource; for a flat object, all its fields.
    pub(crate) fn into_attributes(self) -> Map<String, Value> {
        let mut resource = part(self.0, "data");
        if let Value::Array(list) = resource {
            resource = list.into_iter().next().unwrap_or_default();
        }
        let attributes = part(resource, "attributes");
        if let Value::Object(attributes) = attributes {
            return attributes;
        }
        Map::new()
    }

    /// Whether it has errors and no data.
    pub(in crate::classify) fn is_errors(&self) -> bool {
        let listed = self.0.get("errors").and_then(Value::as_array);
        let no_data = self.0.get("data").is_none_or(Value::is_null);
        listed.is_some_and(|errors| !errors.is_empty()) && no_data
    }
}

impl Accepted<'_> for Document {
    fn read(reply: &HttpReply) -> Option<Self> {
        Self::read(reply)
    }

    fn may_be_errors(&self) -> bool {
        self.is_errors()
    }
}

/// The field of that name, or everything if there is no such field.
fn part(mut whole: Value, name: &str) -> Value {
    match whole.get_mut(name) {
        Some(part) => part.take(),
        None => whole,
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

    /// An attribute that is text.
    pub(crate) fn text(self, name: &str) -> Option<&'a str> {
        self.attribute(name).and_then(Value::as_str)
    }

    /// The id at the other end of a relationship, or the attribute of that name in a flat object.
    pub(in crate::classify) fn related(self, name: &str) -> Option<Arc<str>> {
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
