//! One endpoint answers 503 for ten of Kustomer's minutes while others answer: its work is held alone, and the rest goes on.

use std::time::Duration;

use serde_json::{Value, json};

use super::{PATIENCE, Rig, coupon, order};

/// How many pairs of an event and an order are put in while the endpoint is down, over eight of Kustomer's minutes.
const PAIRS: u64 = 140;

/// A worker whose Kustomer answers 503 at these endpoints from now on; both kinds of work have been accepted before. A minute of
/// Kustomer's is a second here.
async fn rig(endpoint: &str) -> Rig {
    let mut rig = Rig::start(2_000, 60.0, None).await;
    put(&mut rig, 0).await;
    rig.settled().await;
    let down = json!({
        "name": "down",
        "when": {"endpoint": endpoint},
        "do": {"action": "status", "status": 503}
    });
    faults(&rig, &json!({"rules": [down]})).await;
    for n in 1..=PAIRS {
        put(&mut rig, n).await;
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    rig
}

async fn faults(rig: &Rig, script: &Value) {
    let url = format!("{}/_sim/faults", rig.kustomer.url());
    let http = reqwest::Client::builder()
        .timeout(PATIENCE)
        .build()
        .unwrap();
    let request = http.post(url).body(script.to_string());
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
}

async fn put(rig: &mut Rig, n: u64) {
    let key = format!("u{n}");
    rig.put(&key, coupon(n, 1)).await;
    rig.put(&key, order(n, n, 2)).await;
}

/// What is on hold, and why.
fn holds(rig: &Rig) -> Vec<(String, &'static str)> {
    let view = rig.views.borrow();
    let holds = view.as_ref().map(|view| view.snapshot.holds.clone());
    let words = holds.unwrap_or_default().into_iter();
    words
        .map(|hold| (hold.scope.to_string(), hold.cause.as_str()))
        .collect()
}

fn requests(rig: &Rig, prefix: &str) -> u64 {
    let all = rig.kustomer.account().requests.by_endpoint;
    let of = all.iter().filter(|(name, _)| name.starts_with(prefix));
    of.map(|(_, count)| count).sum()
}

/// Everything arrives in the end, once and in order, and nothing is given up.
async fn all_arrives(rig: &mut Rig) {
    faults(rig, &json!({"rules": []})).await;
    let tally = rig.settled().await;
    let account = rig.kustomer.account();
    assert_eq!(tally.dead_lettered.len(), 0, "{tally:?}");
    assert_eq!(account.kobjects_total, PAIRS + 1);
    assert_eq!(account.repeated.kobjects, 0);
    assert_eq!(account.out_of_order.tracking, 0);
    assert_eq!(tally.broken, 0);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_are_refused_with_503_wait_alone_and_events_keep_their_pace() {
    let mut rig = rig("kobject.*").await;
    let account = rig.kustomer.account();
    assert_eq!(account.accepted.tracking, PAIRS + 1, "{account:#?}");
    assert!(account.kobjects_total < 20, "{}", account.kobjects_total);
    let held = holds(&rig);
    let orders = ("kobject_write:order".to_owned(), "unhealthy");
    assert!(held.contains(&orders), "{held:?}");
    assert!(
        held.iter().all(|(scope, _)| scope != "destination"),
        "{held:?}"
    );
    // Eight failures, what was in flight then, and probes: at most one in each of these seconds, for reads and writes.
    let spent = requests(&rig, "kobject.");
    assert!(spent < 600, "{spent} requests to an endpoint that is down");
    all_arrives(&mut rig).await;
    assert_eq!(rig.kustomer.account().repeated.tracking, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_are_refused_with_503_wait_alone_and_objects_keep_their_pace() {
    let mut rig = rig("tracking.*").await;
    let account = rig.kustomer.account();
    assert!(account.accepted.tracking < 20, "{account:#?}");
    assert!(account.kobjects_total >= PAIRS * 9 / 10, "{account:#?}");
    let held = holds(&rig);
    assert_eq!(held, [("tracking".to_owned(), "unhealthy")]);
    let spent = requests(&rig, "tracking.");
    assert!(spent < 400, "{spent} requests to an endpoint that is down");
    all_arrives(&mut rig).await;
}
