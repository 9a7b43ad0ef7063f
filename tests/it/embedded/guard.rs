//! A mapping mistake against the whole worker: the topic is held before there are many dead letters.

use std::time::Duration;

use kustomer_ingest::admin::status::{Phase, StatusReport};
use kustomer_ingest::observe::advice::Places;
use kustomer_ingest::pump::Command;
use serde_json::json;
use tokio::sync::oneshot;

use super::{PATIENCE, Rig, TOPIC, coupon, message};

/// Orders whose producer renamed `order_id`, and as many good events; fewer than twice what the guard needs to judge.
const PAIRS: u64 = 950;

/// What `/status` shows.
fn report(rig: &Rig) -> StatusReport {
    let mut report = StatusReport::new(Places::default());
    if let Some(view) = &*rig.views.borrow() {
        report.take(&view.snapshot, view.at);
        report.phase = Phase::Running;
    }
    report
}

fn letters(rig: &Rig) -> u64 {
    rig.observer.tally().dead_lettered.values().sum()
}

/// Waits until `/status` shows this many holds; it shows a copy, made about once a second.
async fn shows(rig: &Rig, holds: usize) {
    let shown = tokio::time::timeout(PATIENCE, async {
        while report(rig).holds.len() != holds {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    shown.await.expect("the holds show");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_mistake_holds_the_topic_until_a_person_releases_it() {
    let mut rig = Rig::start(2_000, 60.0, None).await;
    for n in 0..PAIRS {
        let (customer, key) = (n % 40, format!("u{}", n % 40));
        let renamed = json!({"orderNumber": format!("o{n}"), "total": 10.5});
        let order = message(customer, "Order Completed", n * 2, &renamed);
        rig.put(&key, order).await;
        rig.put(&key, coupon(customer, n * 2 + 1)).await;
    }
    shows(&rig, 1).await;
    // By then, letters sent before have been acknowledged, and nothing follows.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = letters(&rig);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(letters(&rig), before);
    assert!((1..=1_100).contains(&before), "{before}");
    let shown = report(&rig);
    assert_eq!(shown.holds[0].scope, format!("topic:{TOPIC}"));
    assert_eq!(shown.holds[0].cause, "dead_letter_guard");
    assert!(
        shown.unready()[0].contains("dead_letter_guard"),
        "{shown:?}"
    );
    assert!(!rig.worker.is_empty(), "the process stays up");

    let (found, answer) = oneshot::channel();
    let id = shown.holds[0].id;
    let release = Command::ReleaseHold { id, found };
    rig.commands.send(release).await.unwrap();
    assert!(answer.await.unwrap());
    let tally = rig.settled().await;
    assert_eq!(letters(&rig), PAIRS, "what waited has left");
    assert_eq!(tally.delivered, PAIRS);
    shows(&rig, 0).await;
    let committed = rig.stop().await;
    assert_eq!(committed.values().sum::<i64>(), 2 * 950, "{committed:?}");
    assert_eq!(tally.broken, 0);
}
