//! Bodies that are too large for one item.
//!
//! An item may have 95,000 bytes. If a body is larger, the cause is nearly always a single part, such as a long list in
//! `data`, and for an agent the object without its list is better than no object. So optional parts are left out, the
//! largest first, until the rest fits. Nothing is cut within a part: half a list would look like a whole one.

use std::cmp::Reverse;

use super::super::model::bad::BadFields;
use super::Work;
use super::failure::{Made, item_too_large, too_large};
use crate::body::{MAX_ITEM_BYTES, RESERVED_META, json_bytes};
use crate::value::{Map, Value};
use ingest_model::body::Body;
use ingest_model::operation::VERSION_ATTRIBUTE;

/// Parts that name the thing, or that are added here.
const KEPT: &[&str] = &["externalId", "title", VERSION_ATTRIBUTE];
/// Parts whose own parts are fields.
const GROUPS: &[&str] = &["custom", "location"];

/// One optional part of a body.
struct Part {
    group: Option<&'static str>,
    name: String,
    /// The bytes that leaving it out saves at least.
    bytes: usize,
}

impl Work<'_> {
    /// The body, without those optional parts that have to be left out until it fits. `around` is the size of the rest of its item in bytes, `at` the path
    /// before the names of its fields.
    pub(super) fn fit(
        &mut self,
        words: &BadFields,
        kind: &str,
        at: &str,
        mut body: Map<'_>,
        around: usize,
    ) -> Made<Body> {
        let limit = MAX_ITEM_BYTES.saturating_sub(around);
        let mut bytes = match Body::within(limit, &body) {
            Ok(body) => return Ok(body),
            Err(bytes) => bytes.saturating_add(around),
        };
        for part in optional_parts(&body) {
            let field = match part.group {
                Some(group) => format!("{at}{group}.{}", part.name),
                None => format!("{at}{}", part.name),
            };
            self.drops
                .leave_out(words, &field, too_large(&field, bytes))?;
            remove(&mut body, &part);
            bytes = bytes.saturating_sub(part.bytes);
            if bytes <= MAX_ITEM_BYTES {
                break;
            }
        }
        Body::within(limit, &body)
            .map_err(|bytes| item_too_large(kind, bytes.saturating_add(around)))
    }
}

/// The optional parts, the largest first; parts of the same size keep their order.
fn optional_parts(body: &Map<'_>) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut add = |group, name: &str, value: &Value<'_>| {
        if !KEPT.contains(&name) && !RESERVED_META.contains(&name) {
            parts.push(Part {
                group,
                name: name.to_owned(),
                // the name's quotes and the colon
                bytes: json_bytes(value).saturating_add(name.len() + 3),
            });
        }
    };
    for (name, value) in body.iter() {
        let group = GROUPS.iter().copied().find(|group| *group == name);
        match value {
            Value::Object(inner) if group.is_some() => {
                inner
                    .iter()
                    .for_each(|(name, value)| add(group, name, value));
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => add(None, name, value),
        }
    }
    parts.sort_by_key(|part| Reverse(part.bytes));
    parts
}

fn remove(body: &mut Map<'_>, part: &Part) {
    let Some(group) = part.group else {
        body.remove(&part.name);
        return;
    };
    if let Some(Value::Object(inner)) = body.get_mut(group) {
        inner.remove(&part.name);
        if inner.is_empty() {
            body.remove(group);
        }
    }
}
