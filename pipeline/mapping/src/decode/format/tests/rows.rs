//! Rows that were unwrapped, events of an outbox, documents.

use super::super::super::Format;
use super::debezium::{change, keyed, subject};
use super::{decode, record};
use crate::event::Event;
use crate::value::{Value, json};
use ingest_model::record::{Record, TopicPartition};

fn event(record: &Record) -> Event<'_> {
    decode(Format::Debezium, record).unwrap()
}

#[test]
fn unwrapped_rows_say_what_they_were_told_to() {
    let value = json!({
        "id": 1, "status": "paid", "__op": "u", "__table": "shop_orders", "__deleted": "false", "__lsn": 24_023_128, "__source_ts_ms": 1_767_322_800_000_i64,
        "__ts_ms": 1_767_323_000_000_i64, "__db": "shop",
    });
    let unwrapped = keyed(&value, r#"{"id":1}"#, &[]);
    let found = event(&unwrapped);
    assert_eq!(found.name, "shop_orders.u");
    assert_eq!(found.payload, json!({"id": 1, "status": "paid"}));
    assert_eq!(found.version().as_deref(), Some("24023128"));
    assert_eq!(found.time, "2026-01-02T03:00:00Z".parse().ok());
    assert_eq!(
        found.id.as_deref(),
        Some("shop.public.orders:shop::shop_orders:24023128:u:1")
    );
    // the same in headers
    let headers: [(&str, Option<&[u8]>); 4] = [
        ("__op", Some(b"c")),
        ("__source_lsn", Some(b"24023128")),
        ("__source_ts_ms", Some(b"1767322800000")),
        ("__x", None),
    ];
    let in_headers = keyed(&json!({"id": 1}), r#"{"id":1}"#, &headers);
    let found = event(&in_headers);
    assert_eq!(
        (found.name.as_str(), found.version().as_deref()),
        ("orders.c", Some("24023128"))
    );
    // deleted, with delete.handling.mode=rewrite
    for deleted in [json!("true"), json!(true)] {
        let value = json!({"id": null, "status": null, "__deleted": deleted, "__op": "d"});
        let record = keyed(&value, r#"{"id":1}"#, &[]);
        let found = event(&record);
        assert_eq!((found.name.as_str(), found.deleted), ("orders.d", true));
        assert_eq!(found.payload, json!({"id": 1, "status": null}));
    }
    // a snapshot
    let value = json!({"id": 1, "__op": "r"});
    assert!(event(&record(value.to_string(), &[])).is_snapshot());
    // a position that is not here gives no version, neither as a field nor as a header: a time would be a number of another size
    let value =
        json!({"id": 1, "__op": "r", "__lsn": null, "__source_ts_ms": 1_767_322_800_000_i64});
    assert_eq!(event(&keyed(&value, r#"{"id":1}"#, &[])).version(), None);
    let value = json!({"id": 1, "__source_ts_ms": 1_767_322_800_000_i64});
    let record = keyed(&value, r#"{"id":1}"#, &[("__lsn", None)]);
    assert_eq!(event(&record).version(), None);
    // one that is told elsewhere counts
    let value = json!({"id": 1, "__lsn": 5, "__source_lsn": null});
    let record = keyed(&value, r#"{"id":1}"#, &[]);
    assert_eq!(event(&record).version().as_deref(), Some("5"));
    // only times: a version, but no id, because a transaction's changes have one time
    let value = json!({"id": 1, "__op": "u", "__source_ts_ms": 1_767_322_900_000_i64});
    let timed = keyed(&value, r#"{"id":1}"#, &[]);
    let found = event(&timed);
    assert_eq!(found.version().as_deref(), Some("1767322900000000"));
    assert_eq!(found.id, None);
    // nothing is told: a row of the topic's table, which nobody can order
    let bare = keyed(&json!({"id": 1}), r#"{"id":1}"#, &[]);
    let found = event(&bare);
    assert_eq!(
        (found.name.as_str(), found.version(), found.id.clone()),
        ("orders.u", None, None)
    );
    assert_eq!(found.time, "2026-01-02T03:04:05Z".parse().ok());
}

#[test]
fn events_of_an_outbox_are_their_payload() {
    let payload = json!({"id": 1, "customerId": 123});
    for value in [
        payload.clone(),
        Value::from(payload.to_string()),
        json!({"schema": {"type": "string"}, "payload": payload.to_string()}),
    ] {
        let routed = keyed(
            &value,
            "o-1",
            &[
                ("id", Some(b"4d47e190-0402-4048-bc2c-89dd54343cdc")),
                ("eventType", Some(b"OrderCreated")),
            ],
        );
        let found = event(&routed);
        assert_eq!(found.name, "OrderCreated");
        assert_eq!(
            found.id.as_deref(),
            Some("4d47e190-0402-4048-bc2c-89dd54343cdc")
        );
        assert_eq!(
            (found.payload.clone(), subject(&found).as_deref()),
            (payload.clone(), Some("o-1"))
        );
        assert_eq!(found.version().as_deref(), Some("2026-01-02T03:04:05Z"));
    }
    // without a type the topic says what it is, and keys may be JSON
    for key in ["\"o-1\"", r#"{"schema":{"type":"string"},"payload":"o-1"}"#] {
        let mut routed = keyed(
            &payload,
            key,
            &[("id", Some(b"e-1")), ("__debezium.oldkey", None)],
        );
        routed.position.partition = TopicPartition::new("outbox.event.order", 0);
        let found = event(&routed);
        assert_eq!(
            (found.name.as_str(), subject(&found).as_deref()),
            ("order", Some("o-1"))
        );
    }
}

#[test]
fn documents_of_mongodb_are_read() {
    let source = json!({"connector": "mongodb", "name": "shop", "ts_ms": 1_767_322_800_000_i64, "ord": 31, "snapshot": false, "db": "inventory", "collection": "customers"});
    let key = r#"{"id":"{\"$oid\":\"596e275826f08b2730779e1f\"}"}"#;
    let after = r#"{"_id":{"$oid":"596e275826f08b2730779e1f"},"visits":{"$numberLong":"7"}}"#;
    let value = change(json!({"after": after, "source": source.clone()}));
    let created = keyed(&value, key, &[]);
    let found = event(&created);
    assert_eq!(found.name, "customers.c");
    assert_eq!(
        found.payload,
        json!({"_id": "596e275826f08b2730779e1f", "visits": 7})
    );
    assert_eq!(subject(&found).as_deref(), Some("596e275826f08b2730779e1f"));
    assert_eq!(found.version().as_deref(), Some("17673228000000000031"));
    // an update that says only what changed
    let more = json!({"op": "u", "after": null, "source": source.clone(), "updateDescription": {"updatedFields": "{\"visits\":8}"}});
    let updated = keyed(&change(more), key, &[]);
    assert_eq!(
        event(&updated).payload,
        json!({"_id": "596e275826f08b2730779e1f", "visits": 8})
    );
    let deleted = keyed(
        &change(json!({"op": "d", "after": null, "source": source})),
        key,
        &[],
    );
    assert_eq!(
        event(&deleted).payload,
        json!({"_id": "596e275826f08b2730779e1f"})
    );
}
