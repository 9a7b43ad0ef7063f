//! Tracking: identities and events (`docs/kustomer-api.md`, section 3).
//!
//! There is no bulk form and no field for the event's time; the caller puts what it needs into `meta`.

use bytes::Bytes;
use ingest_model::body::{Body, Writer};

use super::request::{HttpRequest, Method, shared};

/// `POST /v1/tracking/identity`.
pub(crate) fn identify(identity: &Body) -> HttpRequest {
    HttpRequest::with_body(
        Method::Post,
        "tracking_identity",
        "/v1/tracking/identity".to_owned(),
        shared(identity),
    )
}

/// `POST /v1/tracking/identityEvent`; the path is case-sensitive.
pub(crate) fn track(identity: &Body, event: &Body) -> HttpRequest {
    // The two parts, their names, and what is around them; no other fields are allowed.
    let mut body = String::with_capacity(identity.size() + event.size() + 32);
    let mut writer = Writer::begin(&mut body);
    writer.object("identity", identity);
    writer.object("event", event);
    writer.end();
    HttpRequest::with_body(
        Method::Post,
        "tracking_identity_event",
        "/v1/tracking/identityEvent".to_owned(),
        Bytes::from(body),
    )
}
