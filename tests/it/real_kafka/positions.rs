//! A partition whose committed offset lies below the start of its log waits for a person.

use std::process::Command;

use serde_json::{Value, json};

use super::lives::{
    breaks, delivered, events, one_partition, one_partition_with, told, until_told,
};
use super::setup::Setup;
use super::worker::{Worker, whole};
use super::{broker, wait_for, wire};

/// The hold for the lost position, once there is one.
async fn hold(worker: &Worker) -> Value {
    wait_for(
        "the hold",
        || worker.tail(),
        async || {
            let status = worker.status().await?;
            let holds = status["holds"].as_array()?;
            let mut of_it = holds.iter().filter(|one| one["cause"] == "lost_position");
            of_it.next().cloned()
        },
    )
    .await
}

/// What a person does.
async fn release(worker: &Worker, hold: &Value) {
    let id = hold["id"].to_string();
    let address = worker.address();
    let said = tokio::task::spawn_blocking(move || {
        Command::new(env!("CARGO_BIN_EXE_kustomer-ingest"))
            .args(["holds", "release", &id, "--address", &address])
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    assert!(
        said.status.success(),
        "{}",
        String::from_utf8_lossy(&said.stderr)
    );
}

async fn assert_waits(setup: &Setup, worker: &Worker, committed: i64) -> Value {
    let held = hold(worker).await;
    assert_eq!(held["scope"], format!("position:{}", setup.topic));
    let unready = worker.unready().await.unwrap_or_default();
    assert!(
        unready.iter().any(|cause| cause.contains("lost_position")),
        "{unready:?}"
    );
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(told(setup).len(), 300, "nothing is read");
    assert_eq!(
        setup.committed_offsets().await,
        [committed],
        "nothing is committed"
    );
    held
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_unread_holds_its_partition_until_it_is_released() {
    let Some(broker) = broker::shared("lost-below").await else {
        return;
    };
    let setup = one_partition(broker, "lost-below").await;
    let mut first = delivered(&setup).await;
    assert_eq!(first.terminate().await.0.code(), Some(0));
    setup.produce(events(&setup, 300..800)).await;
    wire::delete_records(&setup.broker, &setup.topic, 0, 500).await;
    let mut second = setup.worker().await;
    assert_waits(&setup, &second, 300).await;
    let broke = breaks(&second).await;
    assert_eq!(broke[0]["what"], "position_below_log", "{broke:?}");
    assert_eq!(
        (&broke[0]["from_offset"], &broke[0]["to_offset"]),
        (&json!(300), &json!(500))
    );
    // Another process finds the same.
    assert_eq!(second.terminate().await.0.code(), Some(0));
    let mut third = setup.worker().await;
    let held = assert_waits(&setup, &third, 300).await;
    release(&third, &held).await;
    until_told(&setup, &third, 600).await;
    setup.wait_until_committed(&[&third]).await;
    assert_eq!(setup.committed_offsets().await, [800]);
    wait_for(
        "what vanished to be counted and the hold to end",
        || third.tail(),
        async || {
            let metrics = third.metrics().await;
            let vanished = whole(metrics.sum("records_vanished_total", &[]));
            let held = whole(metrics.sum("holds", &[]));
            (vanished == 200 && held == 0).then_some(())
        },
    )
    .await;
    assert!(third.is_ready().await);
    assert_eq!(setup.kustomer.account().repeated.tracking, 0);
    third.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn latest_goes_on_at_the_end_and_says_what_it_passed_over() {
    let Some(broker) = broker::shared("lost-latest").await else {
        return;
    };
    let setup = one_partition_with(broker, "lost-latest", "latest").await;
    setup.produce(events(&setup, 0..50)).await;
    let mut worker = setup.worker().await;
    let broke = breaks(&worker).await;
    assert_eq!(broke[0]["what"], "passed_over", "{broke:?}");
    assert_eq!(
        (&broke[0]["from_offset"], &broke[0]["to_offset"]),
        (&json!(0), &json!(50))
    );
    // The client may ask for the end a little later.
    wait_for(
        "events written from now on",
        || worker.tail(),
        async || {
            setup.produce(events(&setup, 100..101)).await;
            told(&setup).contains(&100).then_some(())
        },
    )
    .await;
    assert!(!told(&setup).contains(&0));
    worker.assert_sound().await;
    setup.wait_until_committed(&[&worker]).await;
    assert_eq!(worker.terminate().await.0.code(), Some(0));
    // The same where the committed offset is of no use.
    let end = setup.ends().await[0];
    setup.produce(events(&setup, 200..250)).await;
    wire::delete_records(&setup.broker, &setup.topic, 0, end + 20).await;
    let mut second = setup.worker().await;
    let broke = breaks(&second).await;
    assert_eq!(broke[0]["what"], "passed_over", "{broke:?}");
    let offsets = (&broke[0]["from_offset"], &broke[0]["to_offset"]);
    assert_eq!(offsets, (&json!(end + 20), &json!(end + 50)));
    wait_for(
        "events written from now on, and what vanished to be counted",
        || second.tail(),
        async || {
            setup.produce(events(&setup, 300..301)).await;
            let vanished = whole(second.metrics().await.sum("records_vanished_total", &[]));
            (told(&setup).contains(&300) && vanished == 20).then_some(())
        },
    )
    .await;
    assert!(!told(&setup).contains(&249));
    second.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_that_expired_are_said_and_counted() {
    for (decides, at, what, again) in [
        ("hold", "start", "read_from_start", 300),
        ("latest", "end", "passed_over", 0),
    ] {
        let name = format!("expired-{decides}");
        let Some(broker) = broker::shared(&name).await else {
            return;
        };
        let setup = one_partition_with(broker, &name, decides).await;
        // `latest` would pass over what is there before its offset is committed
        let entry: (i32, i64, &[u8]) = (0, 0, b"");
        let refused = wire::commit(&setup.broker, &setup.group, &setup.topic, &[entry]).await;
        assert_eq!(refused, 0);
        let mut first = delivered(&setup).await;
        assert_eq!(first.terminate().await.0.code(), Some(0));
        setup.produce(events(&setup, 300..350)).await;
        wire::delete_offset(&setup.broker, &setup.group, &setup.topic, 0).await;
        let mut second = setup.worker().await;
        let broke = breaks(&second).await;
        assert_eq!(broke[0]["what"], what, "{broke:?}");
        assert_eq!(broke[0]["to_offset"], 350, "{broke:?}");
        wait_for(
            "events written from now on",
            || second.tail(),
            async || {
                setup.produce(events(&setup, 400..401)).await;
                told(&setup).contains(&400).then_some(())
            },
        )
        .await;
        assert_eq!(told(&setup).contains(&300), decides == "hold");
        let repeated = setup.kustomer.account().repeated.tracking;
        assert_eq!(repeated, again, "{decides}: read again");
        let metrics = second.metrics().await;
        assert_eq!(
            whole(metrics.sum("partitions_begun_total", &[("at", at)])),
            1
        );
        assert_eq!(whole(metrics.sum("partitions_begun_total", &[])), 1);
        second.assert_sound().await;
    }
}
