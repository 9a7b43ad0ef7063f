//! Ready-made operations.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use ingest_model::body::Body;
use ingest_model::digest::{Fold, Frame, Piece, Small, Title};
use ingest_model::operation::{
    CustomerKey, CustomerRef, ExternalId, Identify, KObject, Klass, MissingCustomer, Occurrence,
    Operation, Planned, Version,
};
use ingest_model::outcome::Verdict;
use ingest_model::record::{Offset, TopicPartition};
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) fn customer(n: u64, missing: MissingCustomer) -> CustomerRef {
    CustomerRef::new(
        vec![CustomerKey::ExternalId(Arc::from(format!("u{n}")))],
        missing,
    )
    .expect("a key")
}

pub(crate) fn object(value: Value) -> Body {
    let Value::Object(map) = value else {
        panic!("an object")
    };
    map.into()
}

thread_local! {
    static EVENTS: Cell<u64> = const { Cell::new(1) };
}

/// The route of all operations.
pub(crate) const ROUTE: &str = "test";

/// Numbers events from one again, so that what a test makes does not depend on the test before.
pub(crate) fn number_afresh() {
    EVENTS.set(1);
}

/// An operation of an event of its own.
pub(crate) fn planned(operation: Operation) -> Planned {
    let number = EVENTS.get();
    EVENTS.set(number + 1);
    Planned {
        route: Arc::from(ROUTE),
        event_key: Uuid::from_u128(u128::from(number) << 64),
        operation,
    }
}

pub(crate) fn track(who: u64, key: u64, minute: u64) -> Planned {
    let event_key = Uuid::from_u128(u128::from(key) + 1);
    let (day, hour) = (1 + minute / 1_440, minute / 60 % 24);
    let occurred = format!("2026-01-{day:02}T{hour:02}:{:02}:00.000Z", minute % 60);
    planned(Operation::Track(
        Occurrence {
            customer: customer(who, MissingCustomer::Create),
            name: Arc::from("Coupon-Applied"),
            session_id: None,
            tracking_id: None,
            meta: object(json!({"eventKey": event_key.to_string(), "occurredAt": occurred}))
                .parse(),
            event_key,
        }
        .into(),
    ))
}

/// An event that the API refuses: its name has a space.
pub(crate) fn refused_track(who: u64, key: u64, minute: u64) -> Planned {
    let mut planned = track(who, key, minute);
    if let Operation::Track(event) = &mut planned.operation {
        let name = Arc::from("Coupon Applied");
        *event = Occurrence {
            name,
            ..event.occurrence()
        }
        .into();
    }
    planned
}

pub(crate) fn identify(who: u64, name: &str) -> Planned {
    says(who, json!({ "name": name }))
}

pub(crate) fn says(who: u64, fields: Value) -> Planned {
    planned(Operation::Identify(Identify {
        customer: customer(who, MissingCustomer::Create),
        fields: object(fields),
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
    state_of(klass, id, &version.to_string(), who, missing, custom)
}

fn state_of(
    klass: &str,
    id: u64,
    version: &str,
    who: u64,
    missing: MissingCustomer,
    custom: Value,
) -> Planned {
    let mut custom = custom;
    custom["ingestVersionStr"] = json!(version);
    planned(Operation::KObject(KObject {
        klass: Klass(Arc::from(klass)),
        external_id: ExternalId(Arc::from(format!("o{id}"))),
        customer: Some(customer(who, missing)),
        version: Some(Version::new(version)),
        body: object(json!({
            "externalId": format!("o{id}"),
            "title": format!("Order {id}"),
            "custom": custom,
        })),
        fold: None,
        party: None,
        deletes: false,
    }))
}

pub(crate) fn order(id: u64, version: u64, who: u64) -> Planned {
    order_at(id, &version.to_string(), who, json!(1.5))
}

/// The order in a state of that version, with that total.
pub(crate) fn order_at(id: u64, version: &str, who: u64, total: Value) -> Planned {
    let custom = Value::Object([("totalNum".to_owned(), total)].into_iter().collect());
    state_of("order", id, version, who, MissingCustomer::Create, custom)
}

/// The klass of sessions.
pub(crate) const SESSIONS: &str = "browsing";

/// An event in the session with that number of that customer. It costs as many cents as its key says.
pub(crate) fn viewed(who: u64, session: u64, key: u64) -> Planned {
    let frame = Frame {
        keep: 5,
        title: Title(vec![vec![Piece::Text("Viewed ".into()), Piece::Count]]),
        patience: Duration::from_secs(30),
        gap: Duration::from_secs(1_800),
    };
    let id = format!("u{who} session {session}");
    let cents = key.to_string().parse().expect("a number");
    let event = Small {
        name: Arc::from(format!("View {}", key % 3)),
        at_ms: Some(1_767_225_600_000 + i64::try_from(key).expect("few") * 1_000),
        // Where it stands is known when it is read.
        offset: Offset(0),
        written_ms: None,
        key: key + (1 << 40),
        sums: [(Arc::from("centsNum"), cents)].into_iter().collect(),
        each: object(json!({ "number": key })),
    };
    planned(Operation::KObject(KObject {
        klass: Klass(Arc::from(SESSIONS)),
        body: Body::default(),
        external_id: ExternalId(Arc::from(id)),
        customer: Some(customer(who, MissingCustomer::Create)),
        version: None,
        fold: Some(Box::new(Fold {
            frame: Arc::new(frame),
            partition: TopicPartition::new("", 0),
            events: vec![event],
        })),
        party: None,
        deletes: false,
    }))
}

pub(crate) fn emit(planned: Vec<Planned>) -> Verdict {
    Verdict::Emit(planned)
}
