//! Customers: look-up by key, search by many keys, bulk creation (`docs/kustomer-api.md`, sections 6 and 7).

use ingest_model::call::BulkItem;
use ingest_model::operation::CustomerKey;
use serde_json::{Value, json};

use super::bulk::{self, Extras};
use super::request::{HttpRequest, Method, json, segment};

/// `GET /v1/customers/{id}`, or `…/externalId=`, `…/email=`, `…/phone=`.
pub(crate) fn get(key: &CustomerKey) -> HttpRequest {
    let value = segment(key.value());
    let path = match key {
        CustomerKey::Id(_) => format!("/v1/customers/{value}"),
        CustomerKey::ExternalId(_) => format!("/v1/customers/externalId={value}"),
        CustomerKey::Email(_) => format!("/v1/customers/email={value}"),
        CustomerKey::Phone(_) => format!("/v1/customers/phone={value}"),
        // Nobody asks for it: the object is read instead.
        CustomerKey::Owner(_) => "/v1/customers/".to_owned(),
    };
    HttpRequest::get("customer", path)
}

/// `POST /v1/customers/search`: customers that have any of the keys.
///
/// A search without criteria would match every customer, so each key becomes a criterion, a Kustomer id included.
pub(crate) fn search(keys: &[CustomerKey]) -> HttpRequest {
    debug_assert!(
        !keys.is_empty(),
        "a search without keys would match every customer"
    );
    let criteria: Vec<Value> = keys
        .iter()
        .map(|key| json!({ (criterion(key)): { "equals": key.value().as_ref() } }))
        .collect();
    HttpRequest::with_body(
        Method::Post,
        "customer_search",
        "/v1/customers/search?pageSize=100".to_owned(),
        json(&json!({ "queryContext": "customer", "or": criteria })),
    )
}

/// `POST /v1/customers/bulk`.
pub(crate) fn create_bulk(items: &[BulkItem], with_refs: bool) -> HttpRequest {
    HttpRequest::with_body(
        Method::Post,
        "customers_bulk_create",
        "/v1/customers/bulk".to_owned(),
        bulk::body(items, with_refs, Extras::None),
    )
}

/// The search criterion for a kind of key.
fn criterion(key: &CustomerKey) -> &'static str {
    match key {
        CustomerKey::Id(_) | CustomerKey::Owner(_) => "customer_id",
        CustomerKey::ExternalId(_) => "customer_externalId",
        CustomerKey::Email(_) => "customer_email",
        CustomerKey::Phone(_) => "customer_phone",
    }
}
