//! Good and bad weather between the worker and the API, over real sockets.

use serde_json::json;

use super::{Rig, coupon, order};

async fn shop(rig: &mut Rig, customers: u64, rounds: u64) {
    for round in 0..rounds {
        for customer in 0..customers {
            let key = format!("u{customer}");
            rig.put(&key, order(customer, customer * 1_000 + round, round * 2))
                .await;
            rig.put(&key, coupon(customer, round * 2 + 1)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_in_stands_on_the_timelines_and_is_committed() {
    let mut rig = Rig::start(2_000, 60.0, None).await;
    shop(&mut rig, 30, 6).await;
    rig.put("u1", "{\"type\":\"track\"").await;
    rig.put(
        "u1",
        "{\"type\":\"track\",\"event\":\"Song Played\",\"userId\":\"u1\"}",
    )
    .await;
    let tally = rig.settled().await;
    let committed = rig.stop().await;
    let account = rig.kustomer.account();
    assert_eq!(account.accepted.tracking, 180);
    assert_eq!(account.kobjects_total, 180);
    assert_eq!(account.customers_total, 30);
    assert_eq!(
        (account.repeated.tracking, account.repeated.kobjects),
        (0, 0)
    );
    assert_eq!(
        (account.out_of_order.tracking, account.out_of_order.kobjects),
        (0, 0)
    );
    assert_eq!(
        (account.unjudged.tracking, account.unjudged.kobjects),
        (0, 0)
    );
    assert_eq!(account.requests.by_status.get(&429), None);
    assert_eq!(
        (
            tally.delivered,
            tally.skipped.len(),
            tally.dead_lettered.len()
        ),
        (360, 1, 1)
    );
    assert_eq!(
        committed.values().sum::<i64>(),
        362,
        "everything is committed: {committed:?}"
    );
    assert_eq!(tally.broken, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_weather_loses_nothing_and_sets_nothing_back() {
    let faults = json!({"rules": [
        {"name": "slow", "when": {"probability": 0.1}, "do": {"action": "latency", "median_ms": 500, "p99_ms": 5_000}},
        {"name": "error", "when": {"probability": 0.03, "to_ms": 120_000}, "do": {"action": "status", "status": 500}},
        {"name": "lost", "when": {"probability": 0.03, "to_ms": 120_000}, "do": {"action": "reset_after"}},
        {"name": "cut", "when": {"probability": 0.03, "to_ms": 120_000}, "do": {"action": "truncated_body"}},
        {"name": "limited", "when": {"nth": [40]}, "do": {"action": "status", "status": 429, "scope": "org"}},
        {"name": "items", "when": {"endpoint": "kobject.bulk_create", "to_ms": 120_000}, "do": {"action": "fail_items", "error": "internal error", "share": 0.1}},
    ]});
    let mut rig = Rig::start(2_000, 60.0, Some(faults)).await;
    shop(&mut rig, 25, 6).await;
    let tally = rig.settled().await;
    rig.stop().await;
    let account = rig.kustomer.account();
    assert_eq!(
        account.accepted.tracking - account.repeated.tracking,
        150,
        "{account:#?}"
    );
    assert_eq!(account.kobjects_total, 150);
    assert_eq!(account.repeated.kobjects, 0);
    assert_eq!(account.out_of_order.kobjects, 0);
    assert_eq!(account.out_of_order.tracking, account.out_of_order_repeats);
    assert!(
        tally.dead_lettered.is_empty(),
        "weather is nobody's fault: {:?}",
        tally.dead_lettered
    );
    assert!(
        account.faults.len() >= 5,
        "the weather was bad: {:?}",
        account.faults
    );
    assert!(
        account.repeated.tracking <= tally.possible_repeats,
        "repeats are counted"
    );
    assert_eq!(tally.broken, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_holds_everything_and_dead_letters_nothing() {
    let faults = json!({"rules": [
        {"name": "key", "when": {"to_ms": 90_000}, "do": {"action": "status", "status": 401}},
    ]});
    let mut rig = Rig::start(2_000, 60.0, Some(faults)).await;
    shop(&mut rig, 5, 2).await;
    let mut held = false;
    for _ in 0..100 {
        let view = rig.views.borrow().clone();
        held |= view.is_some_and(|view| !view.snapshot.holds.is_empty());
        if held {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(held, "a hold shows");
    let tally = rig.settled().await;
    rig.stop().await;
    let account = rig.kustomer.account();
    assert_eq!(account.accepted.tracking, 10);
    assert_eq!(account.kobjects_total, 10);
    assert!(tally.dead_lettered.is_empty());
    let asked = account.refused.get("fault").copied().unwrap_or_default();
    assert!(
        asked <= 40,
        "a key that does not work is tried now and then: {asked}"
    );
}
