//! The bodies of requests: customers that are found or created by their keys alone, and single objects.

use std::sync::Arc;

use ingest_model::batch::{GroupKey, ITEM_OVERHEAD, Verb};
use ingest_model::body::{Body, Writer};
use ingest_model::call::{BulkItem, Call, IMPORTED_AT};
use ingest_model::operation::{CustomerKey, CustomerRef, MissingCustomer};
use serde_json::{Map, Value, json};

pub(super) fn key_fields(keys: &[CustomerKey]) -> Body {
    CustomerRef::new(keys.to_vec(), MissingCustomer::Create)
        .map(|customer| customer.identity())
        .unwrap_or_default()
}

/// The body that creates a customer from its keys alone.
pub(super) fn new_customer(keys: &[CustomerKey]) -> Body {
    let mut body = Map::new();
    for key in keys {
        let value = key.value().as_ref();
        match key {
            CustomerKey::Id(_) | CustomerKey::Owner(_) => {}
            CustomerKey::ExternalId(_) => {
                body.entry("externalId")
                    .or_insert_with(|| Value::from(value));
            }
            CustomerKey::Email(_) => {
                body.entry("emails")
                    .or_insert_with(|| json!([{"type": "home", "email": value}]));
            }
            CustomerKey::Phone(_) => {
                body.entry("phones")
                    .or_insert_with(|| json!([{"type": "home", "phone": value}]));
            }
        }
    }
    body.into()
}

/// A revision that the object no longer has.
pub(super) fn older(revision: i64) -> i64 {
    if revision > 0 {
        revision - 1
    } else {
        revision + 1
    }
}

pub(super) fn single_call(group: &GroupKey, item: &BulkItem) -> Call {
    let klass = group.klass.clone();
    match (group.verb, &item.id) {
        (Verb::Update, Some(id)) => Call::UpdateKObject {
            klass,
            id: Arc::clone(id),
            body: with(&item.body, |writer| {
                if let Some(rev) = item.rev {
                    writer.whole("rev", rev);
                }
                if let Some(company) = &item.company {
                    writer.text("company", company);
                }
            }),
        },
        (Verb::Delete, Some(id)) => Call::DeleteKObject {
            klass,
            id: Arc::clone(id),
        },
        (Verb::Create | Verb::Update | Verb::Delete, _) => Call::CreateKObject {
            klass,
            body: with(&item.body, |writer| {
                if let Some(customer) = &item.customer {
                    writer.text("customer", customer);
                }
                if let Some(company) = &item.company {
                    writer.text("company", company);
                }
                if let Some(at) = item.time_of_import() {
                    writer.text(IMPORTED_AT, at);
                }
            }),
        },
    }
}

/// A body with one more field.
fn with(body: &Body, more: impl FnOnce(&mut Writer<'_>)) -> Body {
    Body::written(body.size() + ITEM_OVERHEAD, |writer| {
        writer.fields(body);
        more(writer);
    })
}
