//! The state topic in real brokers: a killed worker's open jobs are followed to their end, and an unusable topic is refused.

use std::process::Command;

use jiff::Timestamp;
use kustomer_ingest::clock::Clock;
use serde_json::json;

use super::setup::{Options, Setup};
use super::worker::{TOKEN, Worker, whole};
use super::{broker, wait_for, wire};

const COMPACTED: &[(&str, &str)] = &[("cleanup.policy", "compact")];
const CUSTOMERS: u64 = 25;
/// More than twenty full bulk requests; no more than a customer may get in a minute.
const ORDERS: u64 = 2_500;

/// Events make customers known; orders become objects.
const MAPPING: &str = "format: segment\nroutes:\n  - name: visit\n    on: Coupon Applied\n    customer: { externalId: .userId }\n    \
     do:\n      - track: .event\n  - name: order\n    on: Order Completed\n    customer: { externalId: .userId }\n    do:\n      - \
     kobject: order\n        externalId: .properties.order_id\n        version: .timestamp\n        title: .properties.order_id\n";

fn options(mapping: &std::path::Path, duplicates: &'static str) -> Options {
    Options {
        scale: 20.0,
        limit: 2_000,
        mapping: Some(mapping.to_owned()),
        state: Some((4, COMPACTED.to_vec())),
        // Jobs take about twenty seconds of real time: nothing ends before the kill.
        switches: vec![
            ("duplicates", duplicates),
            ("bulk-median-ms", "400000"),
            ("bulk-p99-ms", "440000"),
        ],
        ..Options::default()
    }
}

fn event(
    setup: &Setup,
    name: &str,
    n: u64,
    properties: &serde_json::Value,
) -> ingest_kafka::OutgoingRecord {
    let customer = format!("u{}", n % CUSTOMERS);
    let time = Timestamp::from_millisecond(Clock.unix_ms() + i64::try_from(n).unwrap());
    let value = json!({
        "type": "track",
        "event": name,
        "messageId": format!("{name}-{n}"),
        "userId": customer,
        "timestamp": time.unwrap().to_string(),
        "properties": properties,
    });
    setup.record(&customer, value.to_string())
}

/// Kills a worker with more than twenty jobs open; its successor finishes.
async fn kill_with_open_jobs(name: &str, duplicates: &'static str) {
    let Some(broker) = broker::shared(name).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mapping = folder.path().join("mapping.yaml");
    std::fs::write(&mapping, MAPPING).unwrap();
    let setup = Setup::start(broker, name, options(&mapping, duplicates)).await;
    let visits = (0..CUSTOMERS).map(|n| event(&setup, "Coupon Applied", n, &json!({})));
    setup.produce(visits.collect()).await;
    let mut first = setup.worker().await;
    setup.wait_until_committed(&[&first]).await;

    let orders = (0..ORDERS).map(|n| {
        let properties = json!({ "order_id": format!("o{n}") });
        event(&setup, "Order Completed", n, &properties)
    });
    setup.produce(orders.collect()).await;
    let open = wait_for(
        "twenty open jobs, and everything submitted",
        || format!("{:#?}\n{}", setup.kustomer.account(), first.tail()),
        async || {
            let open = setup.kustomer.account().bulk.unfinished;
            let submitted = submitted(&setup) >= ORDERS;
            (open >= 20 && submitted).then_some(open)
        },
    )
    .await;
    journalled(&first).await;
    first.kill();
    first.assert_no_panic();
    let before = setup.kustomer.account();
    assert!(before.bulk.unfinished >= 20, "{before:#?}");

    let mut second = setup.worker().await;
    let restored = wait_for(
        "the state to be restored",
        || second.tail(),
        async || second.line("state restored"),
    )
    .await;
    setup.wait_until_committed(&[&second]).await;
    let account = setup.kustomer.account();
    assert_eq!(
        account.bulk.jobs, before.bulk.jobs,
        "a job was submitted again"
    );
    assert_eq!(submitted(&setup), ORDERS, "{account:#?}");
    assert_eq!(account.kobjects_total, ORDERS);
    assert_eq!(account.repeated.kobjects, 0);
    assert_eq!(account.accepted.kobjects_updated, 0, "{account:#?}");
    let metrics = second.metrics().await;
    let inherited = whole(metrics.sum("inherited_items_total", &[]));
    assert!(inherited >= 2_000, "{inherited} objects were inherited");
    assert!(metrics.sum("state_restored_entries_total", &[]) > 20.0);
    second.assert_sound().await;
    setup.say(&format!(
        "killed with {open} jobs open; {inherited} objects inherited, {} jobs before and after, {} reads; {restored}",
        account.bulk.jobs, account.bulk.reads
    ));
}

/// Items of accepted creates.
fn submitted(setup: &Setup) -> u64 {
    let account = setup.kustomer.account();
    let singles = account.requests.by_endpoint.get("kobject.create");
    account.bulk.items + singles.copied().unwrap_or_default()
}

/// Waits until everything that the worker has to write is in the state topic, including the jobs' ids.
async fn journalled(worker: &Worker) {
    wait_for(
        "an empty queue of the state topic",
        || worker.tail(),
        async || {
            let metrics = worker.metrics().await;
            let waiting = metrics.sum("state_waiting_entries", &[]);
            let jobs = metrics.sum("jobs_in_flight", &[]);
            (waiting < 0.5 && jobs >= 20.0).then_some(())
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_workers_jobs_are_not_submitted_again_where_duplicates_are_allowed() {
    kill_with_open_jobs("state-allow", "allow").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_workers_jobs_are_not_submitted_again_where_duplicates_are_refused() {
    kill_with_open_jobs("state-refuse", "refuse").await;
}

/// `check --online` about the state topic.
fn check(setup: &Setup) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_kustomer-ingest"))
        .args(["check", "--online", "--config"])
        .arg(setup.config_file())
        .env(TOKEN.0, TOKEN.1)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Waits until the worker has ended because of the state topic, and returns its log.
async fn refused(setup: &Setup) -> String {
    let mut worker = setup.worker().await;
    let tail = worker.tail();
    let status = wait_for(
        "the worker to end",
        || tail.clone(),
        async || worker.ended(),
    )
    .await;
    assert_ne!(status.code(), Some(0));
    worker.tail()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_number_of_partitions_is_refused_with_the_way_out() {
    let Some(broker) = broker::shared("state-count").await else {
        return;
    };
    let options = Options {
        state: Some((3, COMPACTED.to_vec())),
        ..Options::default()
    };
    let setup = Setup::start(broker, "state-count", options).await;
    let said = check(&setup);
    assert!(said.contains("has 3 partitions and is compacted"), "{said}");
    let mut first = setup.worker().await;
    wait_for(
        "the first use",
        || first.tail(),
        async || first.line("state restored"),
    )
    .await;
    first.terminate().await;
    wire::add_partitions(&setup.broker, &setup.state_topic(), 5).await;
    let log = refused(&setup).await;
    assert!(
        log.contains("was laid out for 3 partitions and has 5 now"),
        "{log}"
    );
    assert!(log.contains("make a new topic with 5 partitions"), "{log}");
    let said = check(&setup);
    assert!(said.contains("was laid out for 3 partitions"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_forgets_by_age_is_refused() {
    let Some(broker) = broker::shared("state-policy").await else {
        return;
    };
    let options = Options {
        state: Some((3, Vec::new())),
        ..Options::default()
    };
    let setup = Setup::start(broker, "state-policy", options).await;
    let log = refused(&setup).await;
    assert!(log.contains("is not compacted"), "{log}");
    let said = check(&setup);
    assert!(said.contains("is not compacted"), "{said}");
}
