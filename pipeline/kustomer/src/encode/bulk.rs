//! Bulk requests: a bare array of at most 100 bodies, and the reads of the job they become (`docs/kustomer-api.md`,
//! sections 8 and 9).

use bytes::Bytes;
use ingest_model::batch::ITEM_OVERHEAD;
use ingest_model::body::Writer;
use ingest_model::call::{BulkItem, IMPORTED_AT};

use super::request::{HttpRequest, segment};

/// Which of an item's own fields are added to its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extras {
    /// None, for customers that are made for their keys alone.
    None,
    /// `customer`, `company` and the time of an import, for what is created.
    Create,
    /// `id`, `rev` and `company`, for what is updated.
    Update,
}

/// `GET /v1/bulk/{id}/batches`.
pub(crate) fn batches(job: &str) -> HttpRequest {
    HttpRequest::get("bulk_batches", format!("/v1/bulk/{}/batches", segment(job)))
}

/// `GET /v1/bulk/{id}`.
pub(crate) fn state(job: &str) -> HttpRequest {
    HttpRequest::get("bulk_state", format!("/v1/bulk/{}", segment(job)))
}

/// The body of a bulk request: `_clientRef` in every item or in none, as the API requires, and the other fields to add. No
/// item's own body has a field of these names.
pub(crate) fn body(items: &[BulkItem], with_refs: bool, extras: Extras) -> Bytes {
    let bytes = items
        .iter()
        .map(|item| item.body.size() + item.reference.len() + ITEM_OVERHEAD);
    let mut body = String::with_capacity(bytes.sum::<usize>() + 2);
    body.push('[');
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            body.push(',');
        }
        let mut writer = Writer::begin(&mut body);
        if with_refs {
            writer.text("_clientRef", &item.reference);
        }
        match extras {
            Extras::None => {}
            Extras::Create => {
                if let Some(customer) = &item.customer {
                    writer.text("customer", customer);
                }
                if let Some(company) = &item.company {
                    writer.text("company", company);
                }
                if let Some(at) = item.time_of_import() {
                    writer.text(IMPORTED_AT, at);
                }
            }
            Extras::Update => {
                if let Some(id) = &item.id {
                    writer.text("id", id);
                }
                if let Some(rev) = item.rev {
                    writer.whole("rev", rev);
                }
                if let Some(company) = &item.company {
                    writer.text("company", company);
                }
            }
        }
        writer.fields(&item.body);
        writer.end();
    }
    body.push(']');
    Bytes::from(body)
}
