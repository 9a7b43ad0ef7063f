//! What unsettled records are charged is what they occupy, by an allocator's count.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "a helper that fails fails its test, the test has no clock, and a ratio of bytes needs no last digit"
)]

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use ingest_delivery::machine::{Input, Machine, MachineSettings, TopicSettings};
use ingest_delivery::settled::ReceiptsOf;
use ingest_model::body::Body;
use ingest_model::operation::{
    CustomerKey, CustomerRef, ExternalId, Identify, KObject, Klass, MissingCustomer, Operation,
    Planned, Track, Version,
};
use ingest_model::outcome::Verdict;
use ingest_model::record::{
    Epoch, EventIds, Offset, Position, Record, Topic, TopicPartition, Traffic,
};
use peak_alloc::PeakAlloc;
use serde_json::{Map, Value, json};

/// Counts what is allocated.
#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const RECORDS: i64 = 4_000;
const TOPIC: &str = "shop";

/// Makes an operation of this number that has this text.
type Make = fn(i64, &str) -> Operation;

/// A machine that owns a partition and has one request a minute, so that nearly everything waits.
fn machine(now: Instant, receipts: ReceiptsOf) -> Machine {
    let mut settings = MachineSettings::new(1, 1.0, 0, 1.0).unwrap();
    let topic = TopicSettings {
        weight: 1.0,
        keyed: true,
    };
    settings.topics.insert(Topic::new(TOPIC), topic);
    settings.receipts = receipts;
    let mut machine = Machine::new(settings, now);
    machine.step(now, Input::Topology(vec![(Topic::new(TOPIC), 1)]));
    let assigned = Input::Assigned {
        partition: TopicPartition::new(TOPIC, 0),
        epoch: Epoch(1),
        committed: None,
    };
    machine.step(now, assigned);
    machine
}

fn text(length: usize) -> String {
    "A kettle of enamelled steel, one litre. "
        .chars()
        .cycle()
        .take(length)
        .collect()
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else {
        unreachable!("{value} is no object")
    };
    map
}

fn customer(number: i64) -> CustomerRef {
    let keys = vec![
        CustomerKey::ExternalId(format!("visitor-{number:08}").into()),
        CustomerKey::Email(format!("visitor-{number:08}@shop.example").into()),
    ];
    CustomerRef::new(keys, MissingCustomer::Create).unwrap()
}

/// Bytes that the machine occupies and those that it charges, for each of many records with one such operation. A record's
/// content has as many bytes as its text.
fn measured(length: usize, operation: Make, receipts: ReceiptsOf) -> (f64, f64) {
    let now = Instant::now();
    let mut machine = machine(now, receipts);
    let (text, route) = (text(length), Arc::<str>::from("route"));
    let before = ALLOCATOR.current_usage();
    for number in 0..RECORDS {
        let record = Record {
            position: Position {
                partition: TopicPartition::new(TOPIC, 0),
                offset: Offset(number),
            },
            key: Some(Bytes::from(format!("key-{number:08}"))),
            value: Some(Bytes::from(text.clone())),
            headers: Vec::new(),
            timestamp_ms: Some(1_790_000_000_000),
        };
        let event_key = uuid::Uuid::from_u128(u128::from(number.unsigned_abs()) << 64 | 7);
        let planned = Planned {
            route: Arc::clone(&route),
            event_key,
            operation: operation(number, &text),
        };
        let input = Input::Record {
            record,
            epoch: Epoch(1),
            event_ms: Some(1_790_000_000_000),
            traffic: Traffic::Live,
            verdict: Verdict::Emit(vec![planned]),
            dropped: Vec::new(),
            event_ids: (receipts != ReceiptsOf::Nothing).then(|| {
                let mut ids = EventIds::default();
                ids.add(&event_key.to_string());
                Box::new(ids)
            }),
        };
        drop(machine.step(now, input));
    }
    let used = machine.snapshot(now).used;
    assert!(used.records + 5 >= RECORDS.unsigned_abs(), "{used:?}");
    let held = ALLOCATOR.current_usage() - before;
    let records = used.records as f64;
    (held as f64 / records, used.bytes as f64 / records)
}

fn kobject(number: i64, text: &str) -> Operation {
    let id = format!("order-{number:08}");
    let body = object(json!({
        "externalId": id, "title": format!("Order {number}"), "description": text,
        "custom": {"totalNum": 20.5, "placedAt": "2026-03-04T05:06:07Z", "ingestVersionStr": "7"},
    }));
    Operation::KObject(KObject {
        klass: Klass("order".into()),
        external_id: ExternalId(id.into()),
        // What is asked about customers is charged apart from records.
        customer: None,
        version: Some(Version::new("7")),
        body: body.into(),
        fold: None,
        party: None,
        deletes: false,
    })
}

fn identify(number: i64, text: &str) -> Operation {
    let fields = object(
        json!({"name": format!("Visitor {number}"), "company": text, "custom": {"planStr": "b"}}),
    );
    Operation::Identify(Identify {
        customer: customer(number),
        fields: fields.into(),
    })
}

fn track(number: i64, text: &str) -> Operation {
    let event_key = uuid::Uuid::from_u128(u128::from(number.unsigned_abs()) << 64 | 9);
    let meta = object(
        json!({"eventKey": event_key.to_string(), "occurredAt": "2026-03-04T05:06:07Z", "pathStr": text}),
    );
    let session = format!("session-{number:08}");
    let meta = Body::from(meta);
    Operation::Track(Track::new(
        customer(number),
        "Kettle-Viewed",
        Some(&session),
        None,
        &meta,
        event_key,
    ))
}

/// One test: what is allocated is counted for the whole process.
#[test]
fn a_record_is_charged_what_it_occupies() {
    let kinds: [(&str, Make); 3] = [
        ("kobject", kobject),
        ("identify", identify),
        ("track", track),
    ];
    let mut wrong = Vec::new();
    let cases = [
        (100, ReceiptsOf::Nothing),
        (100, ReceiptsOf::Attempted),
        (1_000, ReceiptsOf::Nothing),
        (8_000, ReceiptsOf::Nothing),
    ];
    for (length, receipts) in cases {
        for (name, operation) in kinds {
            let (held, charged) = measured(length, operation, receipts);
            if !(0.85..=1.3).contains(&(charged / held)) {
                wrong.push(format!(
                    "{name} {length} {receipts:?}: {held:.0} bytes held, {charged:.0} charged"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
