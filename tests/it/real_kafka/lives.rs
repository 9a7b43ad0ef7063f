//! A partition begins a new life, or its records are deleted before they are read: with the worker running and with it
//! down.
//!
//! An offset means something only within one life of a partition's log. No record of a new life is skipped because of what
//! was settled in the old one, and records that can no longer be read are counted.

use std::collections::BTreeSet;
use std::time::Duration;

use ingest_kafka::OutgoingRecord;
use serde_json::{Value, json};

use super::setup::{Options, Setup};
use super::worker::{Worker, whole};
use super::{broker, wait_for, wire};

/// Numbered events, each of one customer. They have no id, so that only their place identifies them.
pub(super) fn events(setup: &Setup, numbers: std::ops::Range<u64>) -> Vec<OutgoingRecord> {
    let event = |number: u64| {
        let value = json!({
            "type": "track", "event": "Coupon Applied", "userId": format!("u-{}", number % 20),
            "properties": { "coupon_id": format!("c-{number}") },
        });
        // One key, so that the topic has the order of the numbers.
        setup.record("all", value.to_string())
    };
    numbers.map(event).collect()
}

/// The numbers of the events that reached Kustomer.
pub(super) fn told(setup: &Setup) -> BTreeSet<u64> {
    setup.kustomer.with(|sim| {
        let coupons = sim.events().map(|event| {
            let coupon = event.meta["coupon"].as_str();
            coupon
                .unwrap_or_default()
                .trim_start_matches("c-")
                .parse()
                .unwrap_or(u64::MAX)
        });
        coupons.collect()
    })
}

pub(super) async fn one_partition(broker: broker::Broker, name: &str) -> Setup {
    one_partition_with(broker, name, "hold").await
}

pub(super) async fn one_partition_with(
    broker: broker::Broker,
    name: &str,
    on_lost_position: &'static str,
) -> Setup {
    let options = Options {
        partitions: 1,
        on_lost_position,
        ..Options::default()
    };
    Setup::start(broker, name, options).await
}

pub(super) async fn until_told(setup: &Setup, worker: &Worker, numbers: u64) {
    wait_for(
        &format!("{numbers} events"),
        || format!("{} are there\n{}", told(setup).len(), worker.tail()),
        async || (told(setup).len() as u64 >= numbers).then_some(()),
    )
    .await;
}

async fn until_metric(worker: &Worker, name: &str, labels: &[(&str, &str)], count: u64) {
    wait_for(
        &format!("{name} {labels:?} to be {count}"),
        || worker.tail(),
        async || (whole(worker.metrics().await.sum(name, labels)) >= count).then_some(()),
    )
    .await;
    let metrics = worker.metrics().await;
    assert_eq!(whole(metrics.sum(name, labels)), count, "{name}");
}

/// The breaks in reading that `/status` reports, newest first; they appear within a second.
pub(super) async fn breaks(worker: &Worker) -> Vec<Value> {
    wait_for(
        "a break in `/status`",
        || worker.tail(),
        async || {
            let status = worker.status().await?;
            let breaks = status["breaks"].as_array()?;
            (!breaks.is_empty()).then(|| breaks.clone())
        },
    )
    .await
}

async fn remake(setup: &Setup) {
    wire::delete_topic(&setup.broker, &setup.topic).await;
    wait_for("the topic's name to be free", String::new, async || {
        wire::try_create_topic(&setup.broker, &setup.topic, 1)
            .await
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_made_again_under_a_running_worker_is_read_from_its_first_record() {
    let Some(broker) = broker::shared("made-again").await else {
        return;
    };
    let setup = one_partition(broker, "made-again").await;
    let mut worker = delivered(&setup).await;
    remake(&setup).await;
    setup.produce(events(&setup, 1_000..1_400)).await;
    until_told(&setup, &worker, 700).await;
    setup.wait_until_committed(&[&worker]).await;
    assert_eq!(setup.committed_offsets().await, [400]);
    assert_eq!(setup.kustomer.account().repeated.tracking, 0);
    let broke = breaks(&worker).await;
    let metrics = worker.metrics().await;
    let lives = whole(metrics.sum("partition_lives_total", &[]));
    assert_eq!(
        whole(metrics.sum("records_vanished_total", &[])),
        0,
        "{broke:?}"
    );
    worker.assert_sound().await;
    setup.say(&format!(
        "300 old and 400 new records delivered; {lives} new lives, {broke:?}"
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_made_again_while_no_worker_runs_is_read_from_its_first_record() {
    let Some(broker) = broker::shared("made-again-down").await else {
        return;
    };
    let setup = one_partition(broker, "made-again-down").await;
    let mut first = delivered(&setup).await;
    assert_eq!(first.terminate().await.0.code(), Some(0));
    remake(&setup).await;
    setup.produce(events(&setup, 1_000..1_400)).await;
    let mut second = setup.worker().await;
    until_told(&setup, &second, 700).await;
    setup.wait_until_committed(&[&second]).await;
    assert_eq!(setup.committed_offsets().await, [400]);
    let broke = breaks(&second).await;
    assert_eq!(broke[0]["what"], "read_from_start", "{broke:?}");
    assert_eq!(broke[0]["to_offset"], 400, "{broke:?}");
    second.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_that_were_set_back_by_hand_are_read_again() {
    let Some(broker) = broker::shared("set-back").await else {
        return;
    };
    let setup = one_partition(broker, "set-back").await;
    let mut first = delivered(&setup).await;
    assert_eq!(first.terminate().await.0.code(), Some(0));
    let entry: (i32, i64, &[u8]) = (0, 100, b"");
    let refused = wire::commit(&setup.broker, &setup.group, &setup.topic, &[entry]).await;
    assert_eq!(refused, 0);
    let mut second = setup.worker().await;
    setup.produce(events(&setup, 300..350)).await;
    until_told(&setup, &second, 350).await;
    setup.wait_until_committed(&[&second]).await;
    assert_eq!(setup.kustomer.account().repeated.tracking, 200);
    second.assert_sound().await;
}

/// A worker that has delivered and committed the first 300 events, which are in many small batches.
pub(super) async fn delivered(setup: &Setup) -> Worker {
    let worker = setup.worker().await;
    for from in (0..300).step_by(20) {
        setup.produce(events(setup, from..from + 20)).await;
    }
    until_told(setup, &worker, 300).await;
    setup.wait_until_committed(&[&worker]).await;
    worker
}

/// Half of the partition's log is gone when the broker comes back after a loss of power.
async fn lose_the_end(own: &broker::OwnBroker, setup: &Setup) -> i64 {
    let before = setup.ends().await[0];
    let cut = format!(
        "log=$(find / -path '*{}-0/00000000000000000000.log' 2>/dev/null | head -n 1); truncate -s $(($(stat -c %s \"$log\") / 2)) \"$log\"",
        setup.topic
    );
    own.exec(&["bash", "-c", &cut]);
    own.kill().await;
    own.start().await;
    wait_for("the end of the log", String::new, async || {
        let end = *setup.ends().await.first()?;
        (end > 0 && end < before).then_some(end)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_lost_its_end_under_a_running_worker_is_read_again() {
    let Some(own) = broker::own("lost-end").await else {
        return;
    };
    let setup = one_partition(own.broker.clone(), "lost-end").await;
    let mut worker = delivered(&setup).await;
    let left = lose_the_end(&own, &setup).await;
    // Not as long as before, until the client has asked for it: otherwise nobody could notice (gaps.md).
    assert!(left + 100 < 300, "{left} left: the position is in range");
    setup.produce(events(&setup, 1_000..1_100)).await;
    until_told(&setup, &worker, 400).await;
    setup.produce(events(&setup, 1_100..1_200)).await;
    until_told(&setup, &worker, 500).await;
    setup.wait_until_committed(&[&worker]).await;
    assert_eq!(setup.committed_offsets().await, [left + 200]);
    // It remembers what it reads again.
    assert_eq!(setup.kustomer.account().repeated.tracking, 0);
    let broke = breaks(&worker).await;
    let metrics = worker.metrics().await;
    assert_eq!(whole(metrics.sum("partition_lives_total", &[])), 1);
    assert_eq!(whole(metrics.sum("records_vanished_total", &[])), 0);
    worker.assert_sound().await;
    setup.say(&format!(
        "{left} of 300 records were left, 200 more delivered; {broke:?}"
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_lost_its_end_while_no_worker_ran_is_read_again() {
    let Some(own) = broker::own("lost-end-down").await else {
        return;
    };
    let setup = one_partition(own.broker.clone(), "lost-end-down").await;
    let mut first = delivered(&setup).await;
    assert_eq!(first.terminate().await.0.code(), Some(0));
    let left = lose_the_end(&own, &setup).await;
    setup.produce(events(&setup, 1_000..1_100)).await;
    assert!(left + 100 < 300, "{left} left: the position is in range");
    let mut second = setup.worker().await;
    until_told(&setup, &second, 400).await;
    setup.wait_until_committed(&[&second]).await;
    assert_eq!(setup.committed_offsets().await, [left + 100]);
    let repeated = setup.kustomer.account().repeated.tracking;
    assert!(repeated <= left.unsigned_abs(), "{repeated}");
    second.assert_sound().await;
    setup.say(&format!(
        "{left} of 300 records were left and read again, 100 more delivered; {:?}",
        breaks(&second).await
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_vanish_under_a_running_worker_are_counted() {
    let Some(broker) = broker::shared("vanish").await else {
        return;
    };
    let setup = one_partition(broker, "vanish").await;
    let mut worker = delivered(&setup).await;
    worker.signal("STOP");
    for from in (300..800).step_by(50) {
        setup.produce(events(&setup, from..from + 50)).await;
    }
    wire::delete_records(&setup.broker, &setup.topic, 0, 700).await;
    worker.signal("CONT");
    // What the broker had sent before the deletion is read; everything else is counted.
    wait_for(
        "what was told and what vanished to be all",
        || format!("{} told\n{}", told(&setup).len(), worker.tail()),
        async || {
            let vanished = whole(worker.metrics().await.sum("records_vanished_total", &[]));
            (told(&setup).len() as u64 + vanished == 800).then_some(())
        },
    )
    .await;
    setup.wait_until_committed(&[&worker]).await;
    assert_eq!(setup.committed_offsets().await, [800]);
    let vanished = whole(worker.metrics().await.sum("records_vanished_total", &[]));
    assert!((1..=400).contains(&vanished), "{vanished}");
    // The status is made once a second.
    let broke = wait_for(
        "the gap in the status",
        || worker.tail(),
        async || {
            let broke = breaks(&worker).await;
            (broke[0]["to_offset"] == 700).then_some(broke)
        },
    )
    .await;
    worker.assert_sound().await;
    setup.say(&format!(
        "{vanished} of 800 records vanished and were counted; {broke:?}"
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_vanish_while_no_worker_runs_are_counted() {
    let Some(broker) = broker::shared("vanish-down").await else {
        return;
    };
    let setup = one_partition_with(broker, "vanish-down", "earliest").await;
    let mut first = delivered(&setup).await;
    assert_eq!(first.terminate().await.0.code(), Some(0));
    setup.produce(events(&setup, 300..800)).await;
    // All of them, so that no record is left to show the gap.
    wire::delete_records(&setup.broker, &setup.topic, 0, 800).await;
    let mut second = setup.worker().await;
    until_metric(&second, "records_vanished_total", &[], 500).await;
    setup.wait_until_committed(&[&second]).await;
    setup.produce(events(&setup, 800..850)).await;
    until_told(&setup, &second, 350).await;
    setup.wait_until_committed(&[&second]).await;
    let broke = breaks(&second).await;
    assert_eq!(
        (&broke[0]["from_offset"], &broke[0]["to_offset"]),
        (&json!(300), &json!(800)),
        "{broke:?}"
    );
    assert_eq!(
        whole(second.metrics().await.sum("records_vanished_total", &[])),
        500
    );
    second.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_marker_of_a_transaction_is_no_backlog() {
    let Some(own) = broker::own("marker").await else {
        return;
    };
    let setup = one_partition(own.broker.clone(), "marker").await;
    let mut worker = setup.worker().await;
    own.exec(&[
        "bash", "-c",
        &format!(
            "echo '{{\"type\":\"track\",\"event\":\"Song Played\",\"userId\":\"u\"}}' > /tmp/payload; java -cp '/opt/kafka/libs/*' \
             org.apache.kafka.tools.ProducerPerformance --topic {} --num-records 10 --throughput -1 --payload-file /tmp/payload \
             --producer-props bootstrap.servers=localhost:9093 --transactional-id t",
            setup.topic
        ),
    ]);
    let end = setup.ends().await[0];
    assert!(end > 10, "no marker: {end}");
    worker.wait_until("skipped", 10).await;
    wait_for(
        "no lag",
        || worker.tail(),
        async || {
            let metrics = worker.metrics().await;
            let known = !metrics.lines("partition_unsettled_records").is_empty()
                || metrics.records("skipped") == 10;
            let status = worker.status().await?;
            let lag = status["partitions"][0]["lag_records"].as_u64()?;
            (known && lag == 0).then_some(())
        },
    )
    .await;
    assert_eq!(
        whole(worker.metrics().await.sum("records_vanished_total", &[])),
        0
    );
    worker.assert_sound().await;
    // Two reports of the client say where the log started after the gap was seen: it is harmless.
    tokio::time::sleep(Duration::from_secs(12)).await;
    // The log is deleted to its end, by age for instance: the marker is passed, and nobody takes it for a lost record.
    wire::delete_records(&setup.broker, &setup.topic, 0, end).await;
    wait_for(
        "the marker to be passed",
        || worker.tail(),
        async || (setup.committed_offsets().await == [end]).then_some(()),
    )
    .await;
    assert_eq!(
        whole(worker.metrics().await.sum("records_vanished_total", &[])),
        0
    );
    assert_eq!(worker.terminate().await.0.code(), Some(0));
    let mut second = setup.worker().await;
    setup.produce(events(&setup, 0..5)).await;
    until_told(&setup, &second, 5).await;
    assert_eq!(whole(second.metrics().await.sum("holds", &[])), 0);
    second.assert_sound().await;
}
