//! What holds back a partition's frontier, asked from the command line.

use std::time::Duration;

use ingest_kafka::OutgoingRecord;
use ingest_kafka::embedded::EmbeddedBroker;
use ingest_model::record::{Partition, Topic};
use serde_json::{Value, json};

use super::process::{DEAD, EVENTS, Worker, configuration, producer, program};
use super::{PATIENCE, message};

/// The command's output for a partition, and its exit code.
fn frontier(address: &str, partition: &str) -> (Option<i32>, String) {
    let output = program()
        .args(["frontier", "--address", address, EVENTS, partition])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_says_which_record_holds_a_frontier_and_why() {
    let broker = EmbeddedBroker::start(&[(EVENTS, 1), (DEAD, 1)]).unwrap();
    let producer = producer(&broker);
    let value = message(
        7,
        "Coupon Applied",
        1,
        &json!({"coupon_id": "c", "cart_id": "k"}),
    );
    let record = OutgoingRecord {
        topic: Topic::new(EVENTS),
        partition: Some(Partition(0)),
        key: None,
        value: Some(value.into()),
        headers: Vec::new(),
        timestamp_ms: None,
    };
    producer.send(&record).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    // Nobody listens there: the destination is down.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let file = configuration(folder.path(), broker.bootstrap_servers(), &nowhere, "");
    let worker = Worker::start(&file);
    let address = worker.admin.trim_start_matches("http://").to_owned();
    let held = tokio::time::timeout(PATIENCE, async {
        loop {
            let (code, said) = frontier(&address, "0");
            let told: Value = serde_json::from_str(&said).unwrap_or_default();
            if told["record"]["operations"][0]["cause"]["name"] == "unhealthy" {
                assert_eq!(code, Some(0), "{said}");
                return told;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let told = held.await.expect("the outage is told of in time");
    assert_eq!(
        (&told["topic"], &told["partition"]),
        (&json!(EVENTS), &json!(0))
    );
    assert_eq!(
        (&told["frontier_offset"], &told["record"]["offset"]),
        (&json!(0), &json!(0))
    );
    let operation = &told["record"]["operations"][0];
    assert_eq!(
        (&operation["kind"], &operation["lane_length"]),
        (&json!("track"), &json!(1))
    );
    assert!(operation["attempts"].as_u64().unwrap() >= 1, "{told}");

    let (code, said) = frontier(&address, "5");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("does not own that partition"), "{said}");
    drop(worker);
    let (code, said) = frontier(&address, "0");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("no worker answers at"), "{said}");
}
