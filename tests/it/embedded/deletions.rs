//! A row that is deleted, against the whole worker: its object goes, and only a newer row brings it back.

use ingest_encoding::Encoding;
use ingest_kafka::OutgoingRecord;
use ingest_mapping::decode::Format;
use ingest_model::outcome::SkipReason;
use ingest_model::record::Topic;
use kustomer_ingest::config::ReserveSchedule;
use serde_json::{Value, json};

use super::{Rig, TOPIC};

const MAPPING: &str = r#"
format: debezium
routes:
  - name: order
    on: [orders.c, orders.u]
    customer: none
    do:
      - kobject: order
        externalId: .id
        version: $event.version
        title: '"Order \(.id)"'
  - name: order-erased
    on: orders.d
    delete: delete
    do:
      - kobject: order
        externalId: .id
        version: $event.version
"#;

fn change(op: &str, id: u64, lsn: u64) -> String {
    let row = json!({ "id": id });
    let (before, after) = match op {
        "d" => (row, Value::Null),
        _ => (Value::Null, row),
    };
    json!({
        "before": before,
        "after": after,
        "source": {
            "version": "3.0.1.Final", "connector": "postgresql", "name": "shop", "ts_ms": 1_767_322_800_000_i64,
            "snapshot": "false", "db": "shop", "schema": "public", "table": "orders", "txId": 556, "lsn": lsn, "xmin": null,
        },
        "op": op,
        "ts_ms": 1_767_323_000_000_i64,
        "transaction": null,
    })
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_row_takes_its_object_with_it_once() {
    let reserve = ReserveSchedule::always(0);
    let reads = (Encoding::default(), None);
    let mapped = (Format::Debezium, MAPPING);
    let mut rig = Rig::start_mapped(2_000, 60.0, None, reserve, reads, mapped).await;
    for (op, lsn) in [("c", 10), ("u", 20), ("d", 30)] {
        rig.put("7", change(op, 7, lsn)).await;
        rig.settled().await;
    }
    // The tombstone that Debezium writes after a deletion.
    let tombstone = OutgoingRecord {
        topic: Topic::new(TOPIC),
        partition: None,
        key: Some("7".into()),
        value: None,
        headers: Vec::new(),
        timestamp_ms: None,
    };
    rig.producer.send(&tombstone).await.unwrap();
    rig.produced += 1;
    let account = rig.kustomer.account();
    assert_eq!(account.requests.by_endpoint["kobject.delete"], 1);
    assert_eq!(account.accepted.kobjects_created, 1);
    // An older row comes late, a newer one makes the order anew, and the deletion comes again.
    for (op, lsn) in [("u", 25), ("c", 40), ("d", 30), ("d", 35)] {
        rig.put("7", change(op, 7, lsn)).await;
        rig.settled().await;
    }
    // A row of which nobody ever heard.
    rig.put("8", change("d", 8, 50)).await;
    let tally = rig.settled().await;
    let account = rig.kustomer.account();
    assert_eq!(account.requests.by_endpoint["kobject.delete"], 1);
    assert_eq!(account.accepted.kobjects_created, 2);
    let skipped = |reason: SkipReason| tally.skipped.get(&reason).copied().unwrap_or(0);
    assert_eq!(skipped(SkipReason::Stale), 3, "{tally:?}");
    assert_eq!(skipped(SkipReason::NotThere), 1, "{tally:?}");
    assert_eq!(skipped(SkipReason::Tombstone), 1, "{tally:?}");
    rig.stop().await;
    assert_eq!(rig.observer.tally().broken, 0);
}
