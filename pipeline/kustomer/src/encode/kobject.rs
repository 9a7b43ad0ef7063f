//! Custom objects of a klass (`docs/kustomer-api.md`, section 4).
//!
//! The path contains the klass *name*. An object is linked to its customer by the body's `customer` on creation, and
//! never again: updates have no such field.

use ingest_model::body::Body;
use ingest_model::call::BulkItem;
use ingest_model::operation::{ExternalId, Klass};

use super::bulk::{self, Extras};
use super::request::{HttpRequest, Method, segment, shared};

/// `POST /v1/klasses/{klass}`.
pub(crate) fn create(klass: &Klass, body: &Body) -> HttpRequest {
    HttpRequest::with_body(
        Method::Post,
        "kobject_create",
        klass_path(klass),
        shared(body),
    )
}

/// `PUT /v1/klasses/{klass}/{id}`.
pub(crate) fn update(klass: &Klass, id: &str, body: &Body) -> HttpRequest {
    let path = format!("{}/{}", klass_path(klass), segment(id));
    HttpRequest::with_body(Method::Put, "kobject_update", path, shared(body))
}

/// `GET /v1/klasses/{klass}/externalId=…`.
pub(crate) fn get(klass: &Klass, external_id: &ExternalId) -> HttpRequest {
    let path = format!(
        "{}/externalId={}",
        klass_path(klass),
        segment(&external_id.0)
    );
    HttpRequest::get("kobject", path)
}

/// `POST /v1/klasses/{klass}/bulk`.
pub(crate) fn create_bulk(klass: &Klass, items: &[BulkItem], with_refs: bool) -> HttpRequest {
    let path = format!("{}/bulk", klass_path(klass));
    let body = bulk::body(items, with_refs, Extras::Create);
    HttpRequest::with_body(Method::Post, "kobjects_bulk_create", path, body)
}

/// `PUT /v1/klasses/{klass}/bulk`.
pub(crate) fn update_bulk(klass: &Klass, items: &[BulkItem], with_refs: bool) -> HttpRequest {
    let path = format!("{}/bulk", klass_path(klass));
    let body = bulk::body(items, with_refs, Extras::Update);
    HttpRequest::with_body(Method::Put, "kobjects_bulk_update", path, body)
}

fn klass_path(klass: &Klass) -> String {
    format!("/v1/klasses/{}", segment(&klass.0))
}
