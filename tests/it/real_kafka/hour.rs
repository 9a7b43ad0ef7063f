//! Kustomer is away for an hour, sixty times faster than real time.

use std::time::Duration;

use serde_json::json;

use super::broker;
use super::setup::{Options, Setup};
use super::worker::whole;

const SCALE: f64 = 60.0;
/// Requests a minute: few, so that a loaded machine keeps up.
const LIMIT: u32 = 120;
/// The worker's part of them.
const ALLOWED: usize = 96;
/// Events that wait, more than are delivered before, during and after; and how many the worker may keep in memory.
const EVENTS: u32 = 4_000;
const BUDGET: u64 = 2_000;
/// What a batch of the mapper threads may bring beyond it: it is taken in whole.
const BATCH: u64 = 256;
/// Half an hour in real time.
const HALF: Duration = Duration::from_secs(30);
/// The time until work is at full speed again, in milliseconds of Kustomer's clock, and what a loaded machine may add to that:
/// a second of real time.
const RECOVERY_MS: i64 = 10_000;
const SLACK_MS: i64 = 60_000;
/// The time over which the pace is judged, before and after: three minutes of Kustomer's clock, so three seconds of real time,
/// because in one second of it a loaded machine may do anything.
const JUDGED_MS: i64 = 180_000;
/// The most events in that time.
const MOST: usize = ALLOWED * 3;
/// The most resident memory, in bytes: the budget is small.
const MEMORY: u64 = 150 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_without_kustomer_ends_nothing_and_dead_letters_nothing() {
    let Some(broker) = broker::shared("hour").await else {
        return;
    };
    let options = Options {
        scale: SCALE,
        limit: LIMIT,
        budget: "{ records: 2000, bytes: 16MiB }",
        ..Options::default()
    };
    let setup = Setup::start(broker, "hour", options).await;
    let records = (0..EVENTS).map(|number| {
        let user = format!("u-{}", number % 600);
        let event = json!({
            "type": "track", "event": "Checkout Started", "messageId": format!("m-{number}"), "userId": user,
            "properties": {"cart_id": "c-1", "value": 10},
        });
        setup.record(&user, event.to_string())
    });
    setup.produce(records.collect()).await;
    let mut worker = setup.worker().await;
    super::wait_for(
        "full speed",
        || worker.tail(),
        async || (setup.kustomer.account().accepted.tracking > 400).then_some(()),
    )
    .await;
    let began = setup.kustomer.now();

    // For half of the hour the API answers that it is unavailable, for the other half it does not answer.
    let before = setup.kustomer.account();
    let mut most_used = 0;
    for action in [
        json!({"action": "status", "status": 503}),
        json!({"action": "reset_before"}),
    ] {
        setup.inject(&json!({"rules": [{"do": action}]}));
        for _ in 0..10 {
            tokio::time::sleep(HALF / 10).await;
            let metrics = worker.metrics().await;
            most_used = most_used.max(whole(metrics.sum("budget_used_records", &[])));
        }
        worker.assert_sound().await;
    }
    let ended = setup.kustomer.now();
    setup.inject(&json!({"rules": []}));
    let during = setup.kustomer.account();
    assert!(
        during.accepted.tracking - before.accepted.tracking < 64,
        "no outage"
    );
    let probes = during.requests.total - before.requests.total;
    let judged_ms = RECOVERY_MS + SLACK_MS + JUDGED_MS;
    super::wait_for(
        "three minutes after the outage",
        || worker.tail(),
        async || (setup.kustomer.now().since(ended) > judged_ms).then_some(()),
    )
    .await;

    let times: Vec<i64> = setup.kustomer.with(|sim| {
        let times = sim.events().map(|event| event.created_at.since(ended));
        times.collect()
    });
    let judged = |from: i64| {
        let span = from..from + JUDGED_MS;
        times.iter().filter(|time| span.contains(*time)).count()
    };
    let later = times.iter().filter(|time| **time >= 0);
    let first = later.min().copied().unwrap_or(i64::MAX);
    let usual = judged(began.since(ended) - JUDGED_MS);
    let after = judged(RECOVERY_MS + SLACK_MS);
    let memory = worker.peak_memory();
    setup.say(&format!(
        "an hour away: {probes} probes, at most {most_used} records held, {} MiB; the first event {first} ms after it, \
         {after} in three minutes, {usual} in three before, {MOST} allowed",
        memory >> 20,
    ));
    worker.assert_sound().await;
    assert!(first <= RECOVERY_MS + SLACK_MS, "{first} ms");
    // Full speed means as fast as before: at this scale a loaded machine may not reach the allowed pace.
    assert!(after * 10 >= usual * 9, "{after} of {usual}");
    assert!(usual * 2 >= MOST, "{usual} of {MOST}");
    assert!(most_used <= BUDGET + BATCH, "{most_used} records");
    assert!(memory < MEMORY, "{memory} bytes");
    let metrics = worker.metrics().await;
    assert_eq!(metrics.records("dead_lettered"), 0);
    assert_eq!(setup.dead_letters().await.len(), 0);
    let account = setup.kustomer.account();
    assert_eq!(account.out_of_order.tracking, account.out_of_order_repeats);
    let (status, _) = worker.terminate().await;
    assert_eq!(status.code(), Some(0), "{}", worker.tail());
}
