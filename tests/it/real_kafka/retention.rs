//! The worker says when a topic's records will be deleted before they are delivered.

use ingest_kafka::OutgoingRecord;
use kustomer_ingest::clock::Clock;
use serde_json::{Value, json};

use super::setup::{Options, Setup};
use super::worker::whole;
use super::{broker, wait_for, wire};

const HOUR_MS: i64 = 3_600_000;

/// Events that were written so long ago.
fn events(setup: &Setup, count: u64, ago_ms: i64) -> Vec<OutgoingRecord> {
    let event = |number: u64| {
        let value = json!({
            "type": "track", "event": "Coupon Applied", "userId": format!("u-{number}"),
            "properties": { "coupon_id": format!("c-{number}") },
        });
        OutgoingRecord {
            timestamp_ms: Some(Clock.unix_ms() - ago_ms),
            ..setup.record("all", value.to_string())
        }
    };
    (0..count).map(event).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_that_nears_the_end_of_its_retention_is_told_of() {
    let Some(broker) = broker::shared("retention").await else {
        return;
    };
    let options = Options {
        partitions: 1,
        // So slow that the backlog stays, at the real pace of time.
        scale: 1.0,
        limit: 10,
        topic: vec![("retention.ms", "3600000")],
        ..Options::default()
    };
    let setup = Setup::start(broker, "retention", options).await;
    setup.produce(events(&setup, 200, HOUR_MS * 9 / 10)).await;
    let mut worker = setup.worker().await;
    let outlook = async |settled: &dyn Fn(&Value) -> bool| {
        wait_for(
            "the outlook in `/status`",
            || worker.tail(),
            async || {
                let status = worker.status().await?;
                let outlook = status["retention"].get(0)?.clone();
                settled(&outlook).then_some(outlook)
            },
        )
        .await
    };
    let seen = outlook(&|one| one["left_seconds"].is_u64()).await;
    assert_eq!(seen["topic"], setup.topic.as_str(), "{seen}");
    assert_eq!(seen["retention_seconds"], 3_600, "{seen}");
    assert_eq!(seen["partition"], 0, "{seen}");
    let (age, left) = (
        seen["oldest_unsettled_seconds"].as_u64().unwrap(),
        seen["left_seconds"].as_u64().unwrap(),
    );
    assert!((3_240..3_300).contains(&age), "{seen}");
    assert!(age + left == 3_599 || age + left == 3_600, "{seen}");
    let metrics = worker.metrics().await;
    assert!(whole(metrics.sum("retention_left_seconds", &[])).abs_diff(left) < 10);
    let told_of = |words: &str| {
        let of_it = |line: &Value| {
            let message = line["message"].as_str().unwrap_or_default();
            message.starts_with(words) && line["topic"] == setup.topic.as_str()
        };
        let log = worker.log();
        let mut lines = log
            .iter()
            .filter_map(|line| serde_json::from_str(line).ok());
        lines.any(|line: Value| of_it(&line))
    };
    assert!(told_of(
        "the oldest record that is not settled has used three quarters of its time"
    ));
    // After half a minute the pace is known: one request in six seconds settles nothing of the log.
    let seen = outlook(&|one| one["deleted_unsettled_in_seconds"].is_u64()).await;
    let end = seen["deleted_unsettled_in_seconds"].as_u64().unwrap();
    assert!((100..1_000).contains(&end), "{seen}");
    assert!(told_of("records will be deleted before they are delivered"));
    // More time for the records is seen within minutes; with the next start at once.
    wire::configure_topic(&setup.broker, &setup.topic, "retention.ms", "-1").await;
    worker.terminate().await;
    let mut second = setup.worker().await;
    let seen = wait_for(
        "the outlook without an end",
        || second.tail(),
        async || {
            let status = second.status().await?;
            let outlook = status["retention"].get(0)?.clone();
            (outlook["retention_known"] == true && outlook["partition"] == 0).then_some(outlook)
        },
    )
    .await;
    assert_eq!(seen["left_seconds"], Value::Null, "{seen}");
    assert_eq!(seen["deleted_unsettled_in_seconds"], Value::Null, "{seen}");
    second.assert_sound().await;
    worker.assert_no_panic();
}
