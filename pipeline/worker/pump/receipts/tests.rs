//! The form of a receipt, and what happens to those that find no room.

use ingest_delivery::fact::Settlement;
use ingest_delivery::settled::{OperationEnd, Units};
use ingest_kafka::KafkaOptions;
use ingest_kafka::embedded::EmbeddedBroker;
use ingest_model::batch::Verb;
use ingest_model::operation::Klass;
use ingest_model::outcome::Rejection;
use ingest_model::record::{EventIds, Offset, Position, TopicPartition, Traffic};
use serde_json::{Value, json};

use super::form::outgoing;
use super::*;

const EXAMPLE: &str = include_str!("example.json");

fn schema() -> jsonschema::Validator {
    let text = include_str!("../../../../schemas/receipt.schema.json");
    let schema = serde_json::from_str(text).expect("the schema is JSON");
    jsonschema::draft202012::new(&schema).expect("the schema is a schema")
}

fn settled(now: Instant, events: usize) -> SettledRecord {
    let order = OperationEnd {
        route: "orders".into(),
        kind: "kobject",
        klass: Some(Klass("order".into())),
        verb: Some(Verb::Create),
        end: Settlement::DeadLettered(Rejection::RefusedByApi),
        object_id: None,
        customer_id: Some("5f02".into()),
        job: Some("65a1".into()),
        attempts: 3,
        units: Units(1_000_000),
        carried: 4,
        sent: Some(now - Duration::from_secs(2)),
    };
    let mut ids = EventIds::default();
    (0..events).for_each(|number| ids.add(&format!("evt_{number}")));
    SettledRecord {
        position: Position {
            partition: TopicPartition::new("shop.events", 3),
            offset: Offset(42),
        },
        settlement: Settlement::DeadLettered(Rejection::RefusedByApi),
        traffic: Traffic::Backfill,
        event_ids: (events > 0).then(|| Box::new(ids)),
        event_ms: Some(5),
        record_ms: None,
        came_in: Some(now - Duration::from_secs(9)),
        attempts: 3,
        operations: vec![Arc::new(order)],
    }
}

fn written(settled: &SettledRecord, when: Moment) -> (String, Value) {
    let record = outgoing(&Topic::new("receipts"), settled, when);
    let key = String::from_utf8(record.key.unwrap().to_vec()).unwrap();
    let value = record.value.unwrap();
    assert!(Receipt::read(&value).is_ok());
    (key, serde_json::from_slice(&value).unwrap())
}

#[test]
fn a_receipt_is_keyed_by_its_record_and_fits_the_schema() {
    let now = Clock.now();
    let when = Moment {
        at: now,
        ms: 1_790_000_009_000,
    };
    let (key, receipt) = written(&settled(now, 1), when);
    assert_eq!(key, "shop.events/3/42");
    let expected = json!({
        "version": 1,
        "origin": { "topic": "shop.events", "partition": 3, "offset": 42 },
        "verdict": "dead_lettered",
        "reason": "refused_by_api",
        "event_ids": ["evt_0"],
        "traffic": "backfill",
        "attempts": 3,
        "units": 0.25,
        "times": { "event": 5, "came_in": 1_790_000_000_000_i64, "settled": 1_790_000_009_000_i64 },
        "operations": [{
            "route": "orders",
            "kind": "kobject",
            "klass": "order",
            "verb": "create",
            "verdict": "rejected",
            "reason": "refused_by_api",
            "customer_id": "5f02",
            "job": "65a1",
            "attempts": 3,
            "units": 0.25,
            "merged": 4,
            "sent": 1_790_000_007_000_i64,
        }],
        "worker": env!("CARGO_PKG_VERSION"),
    });
    similar_asserts::assert_eq!(receipt, expected);
    let schema = schema();
    schema.validate(&receipt).expect("it fits the schema");
    let example = serde_json::from_str(EXAMPLE).unwrap();
    schema.validate(&example).expect("so does the example");
    let mut wrong: Value = example;
    wrong["email"] = json!("u@example.org");
    assert!(schema.validate(&wrong).is_err(), "nothing else is in it");
}

#[test]
fn a_batch_names_a_hundred_events_and_counts_the_others() {
    let now = Clock.now();
    let when = Moment { at: now, ms: 0 };
    let (_, receipt) = written(&settled(now, EventIds::MOST + 7), when);
    assert_eq!(receipt["event_ids"].as_array().map(Vec::len), Some(100));
    assert_eq!(receipt["event_ids_left_out"], 7);
    schema().validate(&receipt).expect("it fits the schema");
}

#[test]
fn what_is_no_receipt_or_a_newer_one_is_said_to_be() {
    let said = |text: &str| Receipt::read(text.as_bytes()).unwrap_err();
    let foreign = said(r#"{"email":"u@example.org"}"#);
    assert!(foreign.starts_with("it is no receipt"), "{foreign}");
    assert!(!foreign.contains("example.org"), "{foreign}");
    let newer = said(&EXAMPLE.replace("\"version\": 1", "\"version\": 9"));
    assert!(newer.starts_with("a newer worker wrote it"), "{newer}");
}

#[test]
fn a_position_is_read_as_it_is_written() {
    for text in ["shop.events/0/42", "a_b-c/17/0"] {
        assert_eq!(text.parse::<Origin>().unwrap().to_string(), text);
    }
    for text in ["", "t/0", "t/0/1/2", "/0/1", "t/-1/0", "t/0/-1", "t/a/0"] {
        let error = text.parse::<Origin>().unwrap_err();
        assert!(error.contains("TOPIC/PARTITION/OFFSET"), "{text}: {error}");
    }
}

/// Nobody answers there.
fn nowhere() -> KafkaSettings {
    KafkaSettings::try_new(KafkaOptions::new("127.0.0.1:9", "g", &["t"], "d")).unwrap()
}

#[tokio::test]
async fn a_topic_that_takes_nothing_fills_the_room_and_the_rest_is_dropped_and_counted() {
    let metrics = Metrics::new();
    let topic = Topic::new("receipts");
    let mut receipts = Receipts::start(Some(&topic), &nowhere(), &metrics).unwrap();
    let now = Clock.now();
    let many = MOST + BATCH + 500;
    for _ in 0..many {
        receipts.put(Box::new(settled(now, 1)), now, 0);
    }
    let status = receipts.status().unwrap();
    assert_eq!((status.written, status.failed), (0, 0));
    assert!(status.dropped >= 500, "{status:?}");
    assert_eq!(status.waiting + status.dropped, many as u64, "{status:?}");
    let began = Clock.now();
    receipts.finish().await;
    assert!(began.elapsed() < FLUSH + Duration::from_secs(2), "it ends");
    let after = receipts.status().unwrap();
    assert_eq!(
        (after.waiting, after.dropped),
        (0, many as u64),
        "{after:?}"
    );
    let line = format!("kustomer_ingest_receipts_total{{result=\"dropped\"}} {many}");
    assert!(metrics.render().contains(&line));
}

#[tokio::test]
async fn the_room_is_bounded_in_bytes_too() {
    let topic = Topic::new("receipts");
    let metrics = Metrics::new();
    let receipts = Receipts::start(Some(&topic), &nowhere(), &metrics).unwrap();
    let now = Clock.now();
    let large = settled(now, EventIds::MOST);
    let fit = MOST_BYTES / weight(&large);
    assert!(fit < 10_000, "{fit}");
    for _ in 0..fit + 10 {
        receipts.put(Box::new(large.clone()), now, 0);
    }
    let status = receipts.status().unwrap();
    assert_eq!((status.waiting, status.dropped), (fit, 10), "{status:?}");
}

/// The end of a drain: what waits is written first.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_at_the_end_is_written() {
    let broker = EmbeddedBroker::start(&[("t", 1), ("receipts", 3)]).unwrap();
    let options = KafkaOptions::new(broker.bootstrap_servers(), "g", &["t"], "d");
    let settings = KafkaSettings::try_new(options).unwrap();
    let topic = Topic::new("receipts");
    let mut receipts = Receipts::start(Some(&topic), &settings, &Metrics::new()).unwrap();
    let now = Clock.now();
    for offset in 0..5_000 {
        let mut one = settled(now, 1);
        one.position.offset = Offset(offset);
        receipts.put(Box::new(one), now, 0);
    }
    receipts.finish().await;
    let status = receipts.status().unwrap();
    assert_eq!((status.written, status.waiting), (5_000, 0), "{status:?}");
    assert_eq!((status.failed, status.dropped), (0, 0), "{status:?}");
    let patience = Duration::from_secs(20);
    let ends = ingest_kafka::reader::fetch_watermarks(&settings, &topic, patience).unwrap();
    assert_eq!(ends.values().map(|one| one.high.0).sum::<i64>(), 5_000);
}

#[tokio::test]
async fn without_a_topic_nothing_is_kept() {
    let mut receipts = Receipts::start(None, &nowhere(), &Metrics::new()).unwrap();
    let now = Clock.now();
    receipts.put(Box::new(settled(now, 1)), now, 0);
    assert_eq!(receipts.status(), None);
    receipts.finish().await;
}
