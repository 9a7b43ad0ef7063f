//! A long backlog of records most of which lead to nothing: how fast it goes, and how little memory it takes.

use std::time::Duration;

use kustomer_ingest::clock::Clock;
use serde_json::json;

use super::broker;
use super::setup::{Options, Setup};
use super::worker::whole;

/// The backlog here, and with `INGEST_LONG=1`.
const RECORDS: (u32, u32) = (100_000, 1_000_000);
/// One in this many is an order; the others are product views, which are skipped.
const ORDERS: u32 = 1_000;
/// The most resident memory, in bytes.
const MEMORY: u64 = 150 << 20;
/// Records with the same key, written one after another.
const CHUNK: u32 = 250;

#[tokio::test(flavor = "multi_thread")]
async fn a_long_backlog_takes_little_memory() {
    let Some(broker) = broker::shared("backlog").await else {
        return;
    };
    let long = std::env::var_os("INGEST_LONG").is_some_and(|value| value == "1");
    let total = if long { RECORDS.1 } else { RECORDS.0 };
    let setup = Setup::start(
        broker,
        "backlog",
        Options {
            partitions: 6,
            ..Options::default()
        },
    )
    .await;
    let start = Clock.now();
    let numbers: Vec<u32> = (0..total).collect();
    for part in numbers.chunks(50_000) {
        setup
            .produce(part.iter().map(|number| record(&setup, *number)).collect())
            .await;
    }
    let produced = Clock.now() - start;

    let mut worker = setup.worker().await;
    let start = Clock.now();
    // Seldom, so that the test does not measure its own requests.
    while worker.metrics().await.settled() < u64::from(total) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let waited = Clock.now() - start;
        assert!(
            waited < super::PATIENCE,
            "waited {waited:?} for {total} records to be settled\n{}",
            worker.tail()
        );
    }
    let took = Clock.now() - start;
    let (processor, memory) = (worker.processor_time(), worker.peak_memory());
    setup.wait_until_committed(&[&worker]).await;

    let metrics = worker.metrics().await;
    let orders = u64::from(total / ORDERS);
    assert_eq!(metrics.records("delivered"), orders);
    assert_eq!(metrics.records("skipped"), u64::from(total) - orders);
    let account = setup.kustomer.account();
    setup.assert_good(&account);
    assert_eq!(account.kobjects_total, orders);
    worker.assert_sound().await;
    let megabytes = memory >> 20;
    setup.say(&format!(
        "{total} records (written in {produced:.1?}): {} records/s, {:.2} s of processor time, {megabytes} MiB at most, {} \
         requests",
        whole(f64::from(total) / took.as_secs_f64()),
        processor.as_secs_f64(),
        account.requests.total
    ));
    assert!(memory < MEMORY, "the worker took {megabytes} MiB");
    let (status, _) = worker.terminate().await;
    assert_eq!(status.code(), Some(0), "{}", worker.tail());
}

fn record(setup: &Setup, number: u32) -> ingest_kafka::OutgoingRecord {
    let user = format!("u-{}", number / CHUNK);
    let message = if number.is_multiple_of(ORDERS) {
        json!({
            "type": "track", "event": "Order Completed", "messageId": format!("m-{number}"), "userId": user,
            "properties": {"order_id": format!("o-{number}"), "total": 20, "currency": "EUR"},
        })
    } else {
        json!({
            "type": "track", "event": "Kettle Boiled", "messageId": format!("m-{number}"), "userId": user,
            "properties": {"sku": "TEA-01", "name": "Green tea", "price": 10},
        })
    };
    setup.record(&user, message.to_string())
}
