//! Rows of a database: changes, unwrapped rows, events of an outbox.

use super::super::super::{Decoded, Format};
use super::{attribute, decode, record, refusal};
use crate::event::Event;
use crate::value::{Value, json};
use bytes::Bytes;
use ingest_model::outcome::{Rejection, SkipReason};
use ingest_model::record::{Record, TopicPartition};

fn source() -> Value<'static> {
    json!({
        "version": "3.0.1.Final", "connector": "postgresql", "name": "shop", "ts_ms": 1_767_322_800_000_i64, "ts_us": 1_767_322_800_000_123_i64,
        "snapshot": "false", "db": "shop", "schema": "public", "table": "orders", "txId": 556, "lsn": 24_023_128, "xmin": null,
    })
}

/// A change of an order, with these fields besides or in place of the usual ones.
pub(super) fn change(more: Value<'_>) -> Value<'static> {
    let mut change = json!({"before": null, "source": source(), "transaction": null, "op": "c", "ts_ms": 1_767_323_000_000_i64});
    merge(&mut change, more);
    change
}

fn merge(into: &mut Value<'static>, more: Value<'_>) {
    let (Value::Object(into), Value::Object(more)) = (into, more) else {
        panic!("objects")
    };
    for (name, value) in more {
        into.insert(name.into_owned(), value.into_owned());
    }
}

fn of_source(more: Value<'_>) -> Value<'static> {
    let mut source = source();
    merge(&mut source, more);
    source
}

pub(super) fn keyed(value: &Value<'_>, key: &str, headers: &[(&str, Option<&[u8]>)]) -> Record {
    Record {
        key: Some(Bytes::copy_from_slice(key.as_bytes())),
        ..record(value.to_string(), headers)
    }
}

fn event(record: &Record) -> Event<'_> {
    decode(Format::Debezium, record).unwrap()
}

fn skipped(record: &Record) -> SkipReason {
    match decode(Format::Debezium, record) {
        Err(Decoded::Skip(reason)) => reason,
        other => panic!("not skipped: {other:?}"),
    }
}

fn refused(record: &Record) -> (Rejection, String) {
    refusal(Format::Debezium, record)
}

pub(super) fn subject(event: &Event<'_>) -> Option<String> {
    event.more.as_ref()?.subject.clone()
}

#[test]
fn a_change_gives_its_row() {
    let value = change(
        json!({"after": {"id": 9_007_199_254_740_993_i64, "status": "new"}, "transaction": {"id": "556:1"}}),
    );
    for (value, key) in [
        (value.clone(), r#"{"id":9007199254740993}"#),
        (
            json!({"schema": null, "payload": value.clone()}),
            r#"{"schema":{"type":"struct"},"payload":{"id":9007199254740993}}"#,
        ),
        (Value::from(value.to_string()), r#"{"id":9007199254740993}"#),
    ] {
        let record = keyed(&value, key, &[]);
        let event = event(&record);
        assert_eq!(event.name, "orders.c");
        assert_eq!(
            event.payload,
            json!({"id": 9_007_199_254_740_993_i64, "status": "new"})
        );
        assert_eq!(
            event.id.as_deref(),
            Some("shop:shop:public:orders:24023128:c:9007199254740993")
        );
        assert_eq!(event.time, "2026-01-02T03:00:00.000123Z".parse().ok());
        assert_eq!(event.version().as_deref(), Some("24023128"));
        assert_eq!(subject(&event).as_deref(), Some("9007199254740993"));
        assert!(!event.deleted && !event.is_snapshot());
        assert_eq!(attribute(&event, "txId").as_deref(), Some("556"));
        assert_eq!(
            attribute(&event, "transaction").as_deref(),
            Some(r#"{"id":"556:1"}"#)
        );
        assert_eq!(attribute(&event, "op").as_deref(), Some("c"));
    }
}

#[test]
fn an_update_may_know_the_row_before() {
    let row = json!({"id": 1, "status": "paid"});
    for before in [
        json!(null),
        json!({"id": 1}),
        json!({"id": 1, "status": "new"}),
    ] {
        let value = change(json!({"op": "u", "before": before.clone(), "after": row.clone()}));
        let record = keyed(&value, r#"{"id":1}"#, &[]);
        let event = event(&record);
        assert_eq!((event.name.as_str(), &event.payload), ("orders.u", &row));
        let known = event.more.as_ref().unwrap().before.clone();
        assert_eq!(known.unwrap_or_default(), before);
    }
}

#[test]
fn a_deletion_gives_what_is_known_and_its_tombstone_nothing() {
    for (before, key, wanted) in [
        (
            json!({"id": 1, "status": "paid"}),
            Some(r#"{"id":1}"#),
            json!({"id": 1, "status": "paid"}),
        ),
        (json!({"id": 1}), Some(r#"{"id":1}"#), json!({"id": 1})),
        (
            json!({"id": 1, "note": null}),
            None,
            json!({"id": 1, "note": null}),
        ),
        (
            json!(null),
            Some(r#"{"id":1,"line":2}"#),
            json!({"id": 1, "line": 2}),
        ),
        (json!(null), None, json!({})),
    ] {
        let value = change(json!({"op": "d", "before": before, "after": null}));
        let mut record = record(value.to_string(), &[]);
        record.key = key.map(|key| Bytes::copy_from_slice(key.as_bytes()));
        let event = event(&record);
        assert_eq!((event.name.as_str(), event.deleted), ("orders.d", true));
        assert_eq!(event.payload, wanted);
    }
    let mut tombstone = keyed(&json!(null), r#"{"id":1}"#, &[]);
    tombstone.value = None;
    assert_eq!(skipped(&tombstone), SkipReason::Tombstone);
    let wrapped = record(r#"{"schema":null,"payload":null}"#, &[]);
    assert_eq!(skipped(&wrapped), SkipReason::Tombstone);
}

#[test]
fn a_changed_key_is_neither_a_deletion_nor_a_new_row() {
    let gone = change(json!({"op": "d", "before": {"id": 1}, "after": null}));
    let new_key: &[u8] = br#"{"schema":null,"payload":{"id":2}}"#;
    let record = keyed(
        &gone,
        r#"{"id":1}"#,
        &[("__debezium.newkey", Some(new_key))],
    );
    let moved = event(&record);
    assert_eq!(
        (moved.name.as_str(), moved.deleted),
        ("orders.moved", false)
    );
    assert_eq!(attribute(&moved, "newKey").as_deref(), Some("2"));
    let created = change(json!({"after": {"id": 2}}));
    let record = keyed(
        &created,
        r#"{"id":2}"#,
        &[("__debezium.oldkey", Some(br#"{"id":1}"#))],
    );
    let event = event(&record);
    assert_eq!(event.name, "orders.u");
    assert_eq!(attribute(&event, "oldKey").as_deref(), Some("1"));
    // one transaction has both, at one position
    assert_ne!(event.id, moved.id);
}

#[test]
fn rows_of_a_snapshot_are_no_news() {
    for (op, snapshot) in [
        ("r", json!("true")),
        ("r", json!(true)),
        ("r", json!("first_in_data_collection")),
        ("r", json!("last")),
        ("r", json!("incremental")),
        ("r", json!(null)),
        ("c", json!("true")),
        ("c", json!(true)),
    ] {
        let value = change(
            json!({"op": op, "after": {"id": 1}, "source": of_source(json!({"snapshot": snapshot.clone()}))}),
        );
        let record = keyed(&value, r#"{"id":1}"#, &[]);
        let event = event(&record);
        assert_eq!(event.name, "orders.r", "{op} {snapshot}");
        assert!(event.is_snapshot(), "{op} {snapshot}");
    }
    for snapshot in [json!("false"), json!(false), json!(null), json!("")] {
        let value = change(
            json!({"after": {"id": 1}, "source": of_source(json!({"snapshot": snapshot.clone()}))}),
        );
        let record = record(value.to_string(), &[]);
        assert!(!event(&record).is_snapshot(), "{snapshot}");
        assert_eq!(event(&record).name, "orders.c", "{snapshot}");
    }
}

#[test]
fn a_position_that_is_not_there_makes_no_version() {
    // an incremental snapshot: its time would be a number of another size
    let value =
        change(json!({"op": "r", "after": {"id": 1}, "source": of_source(json!({"lsn": null}))}));
    let record = keyed(&value, r#"{"id":1}"#, &[]);
    assert_eq!((event(&record).version(), event(&record).id), (None, None));
    // several rows may have one position: without a key they are told apart by their place in Kafka
    let keyless = change(json!({"after": {"id": 1}}));
    let record = super::record(keyless.to_string(), &[]);
    assert_eq!(event(&record).id, None);
    assert_eq!(event(&record).version().as_deref(), Some("24023128"));
}

#[test]
fn the_time_is_the_databases_or_else_the_connectors() {
    for (more, wanted) in [
        (json!({"ts_us": null}), "2026-01-02T03:00:00Z"),
        (json!({"ts_us": 0, "ts_ms": 0}), "2026-01-02T03:03:20Z"),
        (
            json!({"ts_us": null, "ts_ms": null, "ts_sec": 1_767_322_801}),
            "2026-01-02T03:00:01Z",
        ),
        (
            json!({"ts_us": null, "ts_ms": "1767322802000"}),
            "2026-01-02T03:00:02Z",
        ),
    ] {
        let value = change(json!({"after": {"id": 1}, "source": of_source(more)}));
        let record = record(value.to_string(), &[]);
        assert_eq!(event(&record).time, wanted.parse().ok());
        assert!(event(&record).notes.is_empty());
    }
}

#[test]
fn a_schema_says_what_columns_are() {
    let decimal = json!({"type": "bytes", "name": "org.apache.kafka.connect.data.Decimal", "version": 1, "parameters": {"scale": "2"}, "field": "total"});
    let columns = json!([
        {"type": "int32", "field": "id"}, decimal, {"type": "int64", "name": "io.debezium.time.MicroTimestamp", "field": "placed_at"},
        {"type": "int32", "name": "io.debezium.time.Date", "field": "due"}, {"type": "string", "name": "io.debezium.data.Json", "field": "lines"},
    ]);
    let schema = json!({"type": "struct", "fields": [
        {"type": "struct", "fields": columns.clone(), "field": "before"}, {"type": "struct", "fields": columns.clone(), "field": "after"},
    ]});
    let row = json!({"id": 1, "total": "B88=", "placed_at": 1_767_323_045_000_000_i64, "due": 20_455, "lines": "[{\"sku\":\"a\"}]"});
    let wanted = json!({"id": 1, "total": "19.99", "placed_at": "2026-01-02T03:04:05Z", "due": "2026-01-02", "lines": [{"sku": "a"}]});
    let value = json!({"schema": schema, "payload": change(json!({"op": "u", "before": row.clone(), "after": row.clone()}))});
    let record = record(value.to_string(), &[]);
    assert_eq!(event(&record).payload, wanted);
    assert_eq!(event(&record).more.unwrap().before, Some(wanted.clone()));
    // unwrapped, and with a column that the schema does not have
    let mut flat = row.clone();
    merge(&mut flat, json!({"more": "B88="}));
    let value = json!({"schema": {"type": "struct", "fields": columns}, "payload": flat});
    let mut with_more = wanted;
    merge(&mut with_more, json!({"more": "B88="}));
    let record = super::record(value.to_string(), &[]);
    assert_eq!(event(&record).payload, with_more);
    // without a schema nobody can tell
    let value = change(json!({"after": row.clone()}));
    let record = super::record(value.to_string(), &[]);
    assert_eq!(event(&record).payload, row);
}

#[test]
fn what_did_not_change_and_is_unknown_is_left_out() {
    let value = change(
        json!({"op": "u", "after": {"id": 1, "note": "__debezium_unavailable_value", "status": "paid"}}),
    );
    let record = record(value.to_string(), &[]);
    assert_eq!(event(&record).payload, json!({"id": 1, "status": "paid"}));
}

#[test]
fn truncations_and_messages_are_events_of_their_own() {
    let value = change(json!({"op": "t"}));
    let truncated = record(value.to_string(), &[]);
    assert_eq!(
        (event(&truncated).name.as_str(), &event(&truncated).payload),
        ("orders.t", &Value::Null)
    );
    for (content, wanted) in [
        ("eyJpZCI6MX0=", json!({"id": 1})),
        ("aGVsbG8=", json!("hello")),
    ] {
        let source = of_source(json!({"schema": "", "table": ""}));
        let value = change(
            json!({"op": "m", "source": source, "message": {"prefix": "order_placed", "content": content}}),
        );
        let record = record(value.to_string(), &[]);
        assert_eq!(
            (event(&record).name.as_str(), event(&record).payload),
            ("order_placed.m", wanted)
        );
        assert_eq!(
            event(&record).id.as_deref(),
            Some("shop:shop::order_placed:24023128:m:")
        );
    }
    for content in [json!(null), json!("?"), json!("/w==")] {
        let value = change(json!({"op": "m", "message": {"content": content}}));
        assert_eq!(
            refused(&record(value.to_string(), &[])).0,
            Rejection::InvalidEnvelope
        );
    }
}

#[test]
fn what_debezium_writes_for_itself_is_skipped() {
    for value in [
        json!({"status": "BEGIN", "id": "571:53195829", "ts_ms": 1, "event_count": null, "data_collections": null}),
        json!({"status": "END", "id": "571:53195832", "ts_ms": 1, "event_count": 2, "data_collections": [{"data_collection": "s1.a", "event_count": 2}]}),
        json!({"source": {"server": "shop"}, "databaseName": "shop", "schemaName": "", "ddl": "ALTER TABLE orders", "tableChanges": []}),
        json!({"ts_ms": 1_767_323_045_000_i64}),
        json!({"schema": {"type": "struct"}, "payload": {"ts_ms": 1_767_323_045_000_i64}}),
    ] {
        assert_eq!(
            skipped(&record(value.to_string(), &[])),
            SkipReason::Housekeeping,
            "{value}"
        );
    }
    let mut heartbeat = record(r#"{"server":"shop"}"#, &[]);
    heartbeat.position.partition = TopicPartition::new("__debezium-heartbeat.shop", 0);
    assert_eq!(skipped(&heartbeat), SkipReason::Housekeeping);
    // a table may have such columns
    let row = record(r#"{"status":"END","id":1}"#, &[]);
    assert_eq!(event(&row).name, "orders.u");
}

#[test]
fn what_is_not_understood_is_named() {
    for (more, why) in [
        (
            json!({"op": "x", "after": {}}),
            "`op` is none of c, u, d, r, t, m",
        ),
        (
            json!({"op": null, "after": {}}),
            "`op` is none of c, u, d, r, t, m",
        ),
        (
            json!({"op": "u", "after": null}),
            "`after` is missing or null, and `op` is not d",
        ),
        (json!({"op": "c", "after": 7}), "`after` is not an object"),
        (
            json!({"op": "c", "after": "x"}),
            "`after` is a text, but not of a JSON object that is small enough",
        ),
        (
            json!({"op": "d", "before": []}),
            "`before` is not an object",
        ),
    ] {
        let (reason, detail) = refused(&record(change(more).to_string(), &[]));
        assert_eq!((reason, &*detail), (Rejection::InvalidEnvelope, why));
    }
    for value in ["17", "[]", "[{}]"] {
        let (reason, detail) = refused(&record(value, &[]));
        assert_eq!(reason, Rejection::FormatMismatch);
        assert!(detail.contains("neither a row nor"), "{detail}");
    }
}
