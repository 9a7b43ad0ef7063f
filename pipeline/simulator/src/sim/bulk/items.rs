//! From the body of a bulk request to its items.

use serde_json::{Map, Value};

use crate::api::error::ApiError;
use crate::api::request::Request;
use crate::api::route::Call;
use crate::organisation::jobs::Work;
use crate::validate::{Breach, Field};

/// The field of an item that its results name.
pub(super) const REF: &str = "_clientRef";

/// One body per item: the array, `ids` for deletes, or one body for all `ids`.
pub(super) fn bodies_of(
    work: Work,
    request: &Request,
    call: &Call,
) -> Result<Vec<Map<String, Value>>, ApiError> {
    let ids = call.query.ids();
    let with_id = |id: String, mut body: Map<String, Value>| {
        body.insert("id".to_owned(), Value::String(id));
        body
    };
    if matches!(work, Work::DeleteObjects { .. } | Work::DeleteCustomers) {
        let ids = ids.ok_or_else(|| ApiError::bad("ids", "Missing required parameter: ids"))?;
        return Ok(ids.into_iter().map(|id| with_id(id, Map::new())).collect());
    }
    let body: Value = serde_json::from_slice(&request.body)
        .map_err(|_cause| ApiError::malformed("Invalid JSON"))?;
    let updates = matches!(
        work,
        Work::UpdateObjects { .. } | Work::UpdateCustomers | Work::UpdateCompanies
    );
    if let Some(ids) = ids.filter(|_| updates) {
        let shared = match body {
            Value::Object(shared) => Some(shared),
            Value::Array(mut entries) if entries.len() == 1 => {
                entries.pop().and_then(|entry| entry.as_object().cloned())
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => None,
        };
        let shared = shared.ok_or_else(|| {
            ApiError::malformed("Invalid type: the body must be one object for all ids")
        })?;
        return Ok(ids
            .into_iter()
            .map(|id| with_id(id, shared.clone()))
            .collect());
    }
    let Value::Array(entries) = body else {
        return Err(ApiError::malformed(
            "Invalid type: the body must be an array",
        ));
    };
    let not_object = |position: usize| {
        let title = "Invalid type: an item must be an object";
        Breach::new("type", title)
            .under(&position.to_string())
            .named()
    };
    entries
        .into_iter()
        .enumerate()
        .map(|(position, entry)| match entry {
            Value::Object(body) => Ok(body),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Err(not_object(position)),
        })
        .collect()
}

/// All items or none carry a reference: not empty, at most 255 characters, unique.
pub(super) fn take_refs(
    bodies: &mut [Map<String, Value>],
    refused: bool,
) -> Result<Option<Vec<Box<str>>>, ApiError> {
    let carrying = bodies.iter().filter(|body| body.contains_key(REF)).count();
    if carrying == 0 {
        return Ok(None);
    }
    if refused {
        let first = bodies
            .iter()
            .position(|body| body.contains_key(REF))
            .unwrap_or_default();
        let title = "Additional properties not allowed";
        let breach = Breach::new("additionalProperties", title);
        return Err(breach.under(REF).under(&first.to_string()).named());
    }
    if carrying < bodies.len() {
        return Err(ApiError::bad(
            REF,
            "every item or none must have a _clientRef",
        ));
    }
    let mut refs: Vec<Box<str>> = Vec::with_capacity(bodies.len());
    let mut known = std::collections::HashSet::new();
    for body in bodies {
        let value = body.shift_remove(REF);
        let text = value.as_ref().and_then(Value::as_str).unwrap_or_default();
        if text.is_empty() || text.chars().count() > 255 {
            return Err(ApiError::bad(REF, "a _clientRef has 1 to 255 characters"));
        }
        if !known.insert(text.to_owned()) {
            return Err(ApiError::bad(
                REF,
                "every _clientRef of a request must differ",
            ));
        }
        refs.push(text.into());
    }
    Ok(Some(refs))
}

/// Update items may carry fields that the API does not know; they are ignored.
pub(super) fn keep_listed(body: &mut Map<String, Value>, fields: &[Field]) {
    body.retain(|name, _| fields.iter().any(|field| field.name == name));
}
