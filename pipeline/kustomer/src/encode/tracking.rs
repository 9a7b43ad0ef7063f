//! Tracking: identities and events (`docs/kustomer-api.md`, section 3).
//!
//! There is no bulk form and no field for the event's time; the caller puts what it needs into `meta`.

use serde::Serialize;
use serde_json::{Map, Value};

use super::request::{HttpRequest, Method};

/// The two parts of one call; no other fields are allowed.
#[derive(Serialize)]
struct IdentityEvent<'a> {
    identity: &'a Map<String, Value>,
    event: &'a Map<String, Value>,
}

/// `POST /v1/tracking/identity`.
pub(crate) fn identify(identity: &Map<String, Value>) -> HttpRequest {
    HttpRequest::with_body(
        Method::Post,
        "tracking_identity",
        "/v1/tracking/identity".to_owned(),
        identity,
    )
}

/// `POST /v1/tracking/identityEvent`; the path is case-sensitive.
pub(crate) fn track(identity: &Map<String, Value>, event: &Map<String, Value>) -> HttpRequest {
    HttpRequest::with_body(
        Method::Post,
        "tracking_identity_event",
        "/v1/tracking/identityEvent".to_owned(),
        &IdentityEvent { identity, event },
    )
}
