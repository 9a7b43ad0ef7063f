//! Call → HTTP request: pure, no network, no clock. One file per API resource, with its paths, methods and body rules.
//!
//! Bodies are flat JSON, never wrapped in `data` or `attributes`, and have exactly the caller's fields: the API refuses a
//! body with one field too many (`docs/kustomer-api.md`, section 2).

mod bulk;
mod customer;
mod kobject;
mod request;
mod template;
pub(crate) mod token;
mod tracking;

use ingest_model::call::Call;

pub use self::request::{HttpRequest, Method};
pub use self::template::template;

/// The request for a call.
#[must_use]
pub fn encode(call: &Call) -> HttpRequest {
    match call {
        Call::Identify { identity } => tracking::identify(identity),
        Call::Track { identity, event } => tracking::track(identity, event),
        Call::SearchCustomers { keys } => customer::search(keys),
        Call::GetCustomer { key } | Call::FindCustomer { key } => customer::get(key),
        Call::CreateCustomers { items, with_refs } => customer::create_bulk(items, *with_refs),
        Call::CreateKObjects {
            klass,
            items,
            with_refs,
        } => kobject::create_bulk(klass, items, *with_refs),
        Call::UpdateKObjects {
            klass,
            items,
            with_refs,
        } => kobject::update_bulk(klass, items, *with_refs),
        Call::CreateKObject { klass, body } => kobject::create(klass, body),
        Call::UpdateKObject { klass, id, body } => kobject::update(klass, id, body),
        Call::DeleteKObject { klass, id } => kobject::delete(klass, id),
        Call::GetKObject { klass, external_id } => kobject::get(klass, external_id),
        Call::ReadJob { job } => bulk::batches(job),
        Call::ReadJobState { job } => bulk::state(job),
        Call::Probe => token::current(),
    }
}
