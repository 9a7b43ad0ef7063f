//! The bodies of requests that find or create customers: only keys.

use ingest_model::body::Body;
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
