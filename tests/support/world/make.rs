//! Ready-made operations.

use std::sync::Arc;

use ingest_core::operation::{
    CustomerKey, CustomerRef, ExternalId, Identify, KObject, Klass, MissingCustomer, Operation,
    Planned, Track, Version,
};
use ingest_core::outcome::Verdict;
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) fn customer(n: u64, missing: MissingCustomer) -> CustomerRef {
    CustomerRef::new(
        vec![CustomerKey::ExternalId(Arc::from(format!("u{n}")))],
        missing,
    )
    .expect("a key")
}

pub(crate) fn object(value: Value) -> Arc<serde_json::Map<String, Value>> {
    let Value::Object(map) = value else {
        panic!("an object")
    };
    Arc::new(map)
}

pub(crate) fn planned(operation: Operation) -> Planned {
    Planned {
        route: Arc::from("test"),
        operation,
    }
}

pub(crate) fn track(who: u64, key: u64, minute: u64) -> Planned {
    let event_key = Uuid::from_u128(u128::from(key) + 1);
    let (day, hour) = (1 + minute / 1_440, minute / 60 % 24);
    let occurred = format!("2026-01-{day:02}T{hour:02}:{:02}:00.000Z", minute % 60);
    planned(Operation::Track(Track {
        customer: customer(who, MissingCustomer::Create),
        name: Arc::from("Coupon-Applied"),
        session_id: None,
        tracking_id: None,
        meta: object(json!({"eventKey": event_key.to_string(), "occurredAt": occurred})),
        event_key,
    }))
}

/// An event that the API refuses: its name has a space.
pub(crate) fn refused_track(who: u64, key: u64, minute: u64) -> Planned {
    let mut planned = track(who, key, minute);
    if let Operation::Track(event) = &mut planned.operation {
        event.name = Arc::from("Coupon Applied");
    }
    planned
}

pub(crate) fn identify(who: u64, name: &str) -> Planned {
    planned(Operation::Identify(Identify {
        customer: customer(who, MissingCustomer::Create),
        fields: object(json!({"name": name})),
    }))
}

pub(crate) fn order_of(
    klass: &str,
    id: u64,
    version: u64,
    who: u64,
    missing: MissingCustomer,
    custom: Value,
) -> Planned {
    let mut custom = custom;
    custom["ingestVersionStr"] = json!(version.to_string());
    planned(Operation::KObject(KObject {
        klass: Klass(Arc::from(klass)),
        external_id: ExternalId(Arc::from(format!("o{id}"))),
        customer: Some(customer(who, missing)),
        version: Some(Version::new(&version.to_string())),
        body: object(json!({
            "externalId": format!("o{id}"),
            "title": format!("Order {id}"),
            "custom": custom,
        })),
    }))
}

pub(crate) fn order(id: u64, version: u64, who: u64) -> Planned {
    order_of(
        "order",
        id,
        version,
        who,
        MissingCustomer::Create,
        json!({"totalNum": 1.5}),
    )
}

pub(crate) fn emit(planned: Vec<Planned>) -> Verdict {
    Verdict::Emit(planned)
}
