//! Custom objects of a klass, and what is written like them: customers and companies (`docs/kustomer-api.md`, sections 4, 6 and
//! 15).
//!
//! The path contains the klass *name*. An object is linked to its customer by the body's `customer` on creation, and
//! never again: updates have no such field.

use ingest_model::body::Body;
use ingest_model::call::BulkItem;
use ingest_model::operation::{ExternalId, Klass, KlassKind};

use super::bulk::{self, Extras};
use super::request::{HttpRequest, Method, segment, shared};

/// `POST /v1/klasses/{klass}`.
pub(crate) fn create(klass: &Klass, body: &Body) -> HttpRequest {
    HttpRequest::with_body(Method::Post, names(klass).create, path(klass), shared(body))
}

/// `PUT /v1/klasses/{klass}/{id}`.
pub(crate) fn update(klass: &Klass, id: &str, body: &Body) -> HttpRequest {
    let path = format!("{}/{}", path(klass), segment(id));
    HttpRequest::with_body(Method::Put, names(klass).update, path, shared(body))
}

/// `DELETE /v1/klasses/{klass}/{id}`. Only objects of klasses are deleted: for customers and companies nothing makes such a call.
pub(crate) fn delete(klass: &Klass, id: &str) -> HttpRequest {
    let path = format!("{}/{}", path(klass), segment(id));
    HttpRequest::without_body(Method::Delete, names(klass).delete, path)
}

/// `GET /v1/klasses/{klass}/externalId=…`. Companies are filtered by a query instead.
pub(crate) fn get(klass: &Klass, external_id: &ExternalId) -> HttpRequest {
    let (path, id) = (path(klass), segment(&external_id.0));
    let path = match klass.kind() {
        KlassKind::Objects | KlassKind::Customers => format!("{path}/externalId={id}"),
        KlassKind::Companies => format!("{path}?externalId={id}"),
    };
    HttpRequest::get(names(klass).get, path)
}

/// `POST /v1/klasses/{klass}/bulk`.
pub(crate) fn create_bulk(klass: &Klass, items: &[BulkItem], with_refs: bool) -> HttpRequest {
    let path = format!("{}/bulk", path(klass));
    let body = bulk::body(items, with_refs, Extras::Create);
    HttpRequest::with_body(Method::Post, names(klass).bulk_create, path, body)
}

/// `PUT /v1/klasses/{klass}/bulk`.
pub(crate) fn update_bulk(klass: &Klass, items: &[BulkItem], with_refs: bool) -> HttpRequest {
    let path = format!("{}/bulk", path(klass));
    let body = bulk::body(items, with_refs, Extras::Update);
    HttpRequest::with_body(Method::Put, names(klass).bulk_update, path, body)
}

fn path(klass: &Klass) -> String {
    match klass.kind() {
        KlassKind::Objects => format!("/v1/klasses/{}", segment(&klass.0)),
        KlassKind::Customers => "/v1/customers".to_owned(),
        KlassKind::Companies => "/v1/companies".to_owned(),
    }
}

/// The endpoints' names for logs.
struct Names {
    create: &'static str,
    update: &'static str,
    delete: &'static str,
    get: &'static str,
    bulk_create: &'static str,
    bulk_update: &'static str,
}

fn names(klass: &Klass) -> Names {
    match klass.kind() {
        KlassKind::Objects => Names {
            create: "kobject_create",
            update: "kobject_update",
            delete: "kobject_delete",
            get: "kobject",
            bulk_create: "kobjects_bulk_create",
            bulk_update: "kobjects_bulk_update",
        },
        KlassKind::Customers => Names {
            create: "customer_create",
            update: "customer_update",
            delete: "customer_delete",
            get: "customer",
            bulk_create: "customers_bulk_create",
            bulk_update: "customers_bulk_update",
        },
        KlassKind::Companies => Names {
            create: "company_create",
            update: "company_update",
            delete: "company_delete",
            get: "company",
            bulk_create: "companies_bulk_create",
            bulk_update: "companies_bulk_update",
        },
    }
}
