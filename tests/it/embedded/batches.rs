//! A record with several events against the whole worker: one bad event loses no other, and its letter comes back alone.

use std::ops::ControlFlow;
use std::time::Duration;

use ingest_kafka::OutgoingRecord;
use ingest_model::record::{Record, Topic};
use serde_json::{Value, json};

use super::{LETTERS, Rig, TOPIC, coupon, message, order};

/// Everything on the topic of letters.
async fn letters(rig: &Rig) -> Vec<Record> {
    let kafka = rig.kafka.clone();
    let read = tokio::task::spawn_blocking(move || {
        let mut records = Vec::new();
        let patience = Duration::from_secs(20);
        let topic = Topic::new(LETTERS);
        ingest_kafka::reader::read_topic(&kafka, &topic, patience, |record| {
            records.push(record);
            ControlFlow::Continue(())
        })
        .unwrap();
        records
    });
    read.await.unwrap()
}

fn header(record: &Record, name: &str) -> Option<String> {
    let value = record.header(name)?;
    Some(String::from_utf8(value.to_vec()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_event_of_a_batch_comes_back_alone() {
    let mut rig = Rig::start(2_000, 60.0, None).await;
    let read = |text: String| serde_json::from_str::<Value>(&text).unwrap();
    let mut nobody = read(order(3, 8, 3));
    nobody.as_object_mut().unwrap().remove("userId");
    let batch = json!({ "batch": [
        read(coupon(1, 1)),
        read(order(2, 7, 2)),
        nobody,
        read(message(1, "Nobody Wants This", 4, &json!({}))),
        read(coupon(1, 5)),
    ] });
    rig.put("k", batch.to_string()).await;
    let tally = rig.settled().await;
    let accepted = rig.kustomer.account().accepted;
    assert_eq!((accepted.tracking, accepted.kobjects_created), (2, 1));
    assert_eq!(tally.dead_lettered.values().sum::<u64>(), 1);
    let found = letters(&rig).await;
    assert_eq!(found.len(), 1);
    assert_eq!(header(&found[0], "ingest.members").as_deref(), Some("2"));
    assert_eq!(
        header(&found[0], "ingest.error.reason").as_deref(),
        Some("missing_customer")
    );
    assert_eq!(
        found[0].value.as_deref(),
        Some(batch.to_string().as_bytes())
    );
    // it comes again, as a replay sends it: it is rejected for the same reason, and nothing else is sent
    let letter = found.into_iter().next().unwrap();
    let again = OutgoingRecord {
        topic: Topic::new(TOPIC),
        partition: None,
        key: letter.key,
        value: letter.value,
        headers: letter.headers,
        timestamp_ms: letter.timestamp_ms,
    };
    rig.producer.send(&again).await.unwrap();
    rig.produced += 1;
    let tally = rig.settled().await;
    assert_eq!(tally.dead_lettered.values().sum::<u64>(), 2);
    let found = letters(&rig).await;
    assert_eq!(header(&found[1], "ingest.members").as_deref(), Some("2"));
    assert_eq!(header(&found[1], "ingest.replays").as_deref(), Some("1"));
    let account = rig.kustomer.account();
    assert_eq!(
        (account.accepted.tracking, account.accepted.kobjects_created),
        (2, 1)
    );
    assert_eq!(account.repeated.tracking, 0);
    rig.stop().await;
    assert_eq!(rig.observer.tally().broken, 0);
}
