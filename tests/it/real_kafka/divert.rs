//! A klass that accepts nothing because the key lacks a role: half of the budget waits for it, the rest is set aside, and a
//! command brings it back when the role is there.

use serde_json::{Value, json};

use super::setup::{Options, Setup};
use super::worker::whole;
use super::{broker, wait_for};

const MAPPING: &str = "format: segment
routes:
  - name: order
    on: Order Completed
    customer: { externalId: .userId }
    onHold: divert
    do:
      - kobject: order
        externalId: .properties.order_id
        version: .properties.version
        title: '\"Order \\(.properties.order_id)\"'
  - name: seen
    on: Product Viewed
    customer: { externalId: .userId }
    do:
      - track: .event
";
/// The smallest budget that the configuration accepts; half of it may be held.
const BUDGET: &str = "{ records: 1000, bytes: 16MiB }";
const HELD: u64 = 500;
const ORDERS: u64 = 900;
const EVENTS: u64 = 400;
const CUSTOMERS: u64 = 40;

fn order(number: u64) -> (String, Value) {
    let user = format!("u{}", number % CUSTOMERS);
    let properties = json!({ "order_id": format!("o{number}"), "version": 1 });
    let value = json!({
        "type": "track", "event": "Order Completed", "messageId": format!("order-{number}"), "userId": user,
        "properties": properties,
    });
    (user, value)
}

fn event(number: u64) -> (String, Value) {
    let user = format!("u{}", number % CUSTOMERS);
    let value = json!({
        "type": "track", "event": "Product Viewed", "messageId": format!("event-{number}"), "userId": user,
        "properties": {},
    });
    (user, value)
}

async fn produce(setup: &Setup, make: impl Fn(u64) -> (String, Value), count: u64) {
    let records = (0..count).map(|number| {
        let (key, value) = make(number);
        setup.record(&key, value.to_string())
    });
    setup.produce(records.collect()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hold_has_no_room_for_is_set_aside_and_comes_back() {
    let Some(broker) = broker::shared("divert").await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mapping.yaml");
    std::fs::write(&file, MAPPING).unwrap();
    let options = Options {
        mapping: Some(file),
        budget: BUDGET,
        hold: true,
        ..Options::default()
    };
    let setup = Setup::start(broker, "divert", options).await;
    setup.inject(&json!({"rules": [
        {"when": {"endpoint": "kobject.bulk_create"}, "do": {"action": "status", "status": 403}},
        {"when": {"endpoint": "kobject.create"}, "do": {"action": "status", "status": 403}},
    ]}));
    produce(&setup, order, ORDERS).await;
    let mut worker = setup.worker().await;
    let least = ORDERS - HELD;
    worker.wait_until("diverted", least).await;

    // Everything else is delivered meanwhile, and nothing is a dead letter.
    produce(&setup, event, EVENTS).await;
    worker.wait_until("delivered", EVENTS).await;
    // For a moment, a probe under way counts as neither.
    let (held, diverted) = wait_for(
        "each order to be held or set aside",
        || worker.tail(),
        async || {
            let metrics = worker.metrics().await;
            let held = whole(metrics.sum("held_records", &[]));
            let diverted = metrics.records("diverted");
            (held + diverted == ORDERS).then_some((held, diverted))
        },
    )
    .await;
    assert!(held <= HELD, "{held} records held");
    assert_eq!(setup.kustomer.account().kobjects_total, 0);
    let listed = setup.letters_command(&["list", "--from-hold", "--json"]);
    let listed: Vec<Value> = listed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(u64::try_from(listed.len()).unwrap(), diverted);
    for line in &listed {
        assert_eq!(line["reason"], "held", "{line}");
        assert_eq!(line["route"], "order", "{line}");
    }
    assert!(setup.dead_letters().await.is_empty());

    // The role is there: what waited is sent; what was set aside does not come back by itself.
    setup.inject(&json!({"rules": []}));
    worker.wait_until("delivered", EVENTS + held).await;
    setup.wait_until_committed(&[&worker]).await;
    assert_eq!(setup.kustomer.account().kobjects_total, held);

    let said = setup.letters_command(&["replay", "--from-hold", "--all", "--rate", "100"]);
    assert!(
        said.contains(&format!("{diverted} records sent back")),
        "{said}"
    );
    worker.wait_until("delivered", EVENTS + ORDERS).await;
    let objects = || setup.kustomer.account().kobjects_total;
    wait_for(
        "all orders",
        || worker.tail(),
        async || (objects() == ORDERS).then_some(()),
    )
    .await;
    let said = setup.letters_command(&["replay", "--from-hold", "--all"]);
    assert!(said.contains("0 records sent back"), "{said}");
    let account = setup.kustomer.account();
    assert_eq!(account.repeated.kobjects, 0, "{account:#?}");
    assert_eq!(account.accepted.tracking, EVENTS, "{account:#?}");
    assert!(setup.dead_letters().await.is_empty());
    worker.assert_sound().await;
    let (status, _) = worker.terminate().await;
    assert_eq!(status.code(), Some(0), "{}", worker.tail());
    setup.say(&format!(
        "{held} of {ORDERS} objects waited, {diverted} were set aside and came back, {EVENTS} events went past them"
    ));
}
