//! Memory stays below the budget plus a constant, however long the backlog is.

use kustomer_ingest::clock::Clock;
use serde_json::json;

use super::broker;
use super::setup::{Options, Setup};
use super::worker::whole;

/// Records that wait, far beyond the budget.
const RECORDS: u32 = 300_000;
/// Customers that they belong to.
const KEYS: u32 = 3_000;
/// Unknown customers, with one order each.
const NEW_CUSTOMERS: u32 = 100_000;
const BUDGET: u64 = 32 << 20;
/// What the process may need beyond its budget, in bytes; `docs/reliability.md` states it.
const CONSTANT: u64 = 100 << 20;
/// An unoptimised worker on a busy machine delivers them within this time.
const MINUTES: std::time::Duration = std::time::Duration::from_secs(600);
/// How long the worker is watched, in seconds.
const WATCHED: u64 = 10;

#[tokio::test(flavor = "multi_thread")]
async fn an_unbounded_backlog_takes_the_budget_and_a_constant() {
    let Some(broker) = broker::shared("memory").await else {
        return;
    };
    let options = Options {
        partitions: 6,
        limit: 100,
        scale: 1.0,
        budget: "{ records: 200000, bytes: 32MiB }",
        ..Options::default()
    };
    let setup = Setup::start(broker, "memory", options).await;
    let start = Clock.now();
    let numbers: Vec<u32> = (0..RECORDS).collect();
    for part in numbers.chunks(50_000) {
        setup
            .produce(part.iter().map(|number| record(&setup, *number)).collect())
            .await;
    }
    let produced = Clock.now() - start;
    let mut worker = setup.worker().await;
    super::wait_for(
        "a full budget",
        || worker.tail(),
        async || (worker.metrics().await.sum("gate_closed", &[]) > 0.5).then_some(()),
    )
    .await;
    let mut most_used = 0;
    for _ in 0..WATCHED {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let metrics = worker.metrics().await;
        most_used = most_used.max(whole(metrics.sum("budget_used_bytes", &[])));
    }
    worker.assert_sound().await;
    let (memory, held) = (
        worker.peak_memory(),
        whole(worker.metrics().await.sum("budget_used_records", &[])),
    );
    setup.say(&format!(
        "{RECORDS} records (written in {produced:.1?}) against 100 requests a minute: {held} held, {} MiB charged of {}, {} MiB \
         resident at most",
        most_used >> 20,
        BUDGET >> 20,
        memory >> 20
    ));
    assert!(
        most_used > BUDGET / 4,
        "the budget was not used: {most_used}"
    );
    assert!(memory <= BUDGET + CONSTANT, "{memory} bytes resident");
    let (status, _) = worker.terminate().await;
    assert_eq!(status.code(), Some(0), "{}", worker.tail());
}

/// An event before an order, with as much context as such events usually have.
fn record(setup: &Setup, number: u32) -> ingest_kafka::OutgoingRecord {
    let user = format!("u-{}", number % KEYS);
    let agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36";
    let event = json!({
        "type": "track", "event": "Product Added", "messageId": format!("m-{number}"), "userId": user,
        "context": {"userAgent": agent, "page": {"url": "https://shop.example.com/tea/green", "title": "Green tea"}},
        "properties": {"cart_id": "c-1", "sku": "TEA-01", "name": "Green tea", "price": 10, "quantity": 1},
    });
    setup.record(&user, event.to_string())
}

/// An order; each is of another customer.
fn order(setup: &Setup, number: u32) -> ingest_kafka::OutgoingRecord {
    let user = format!("u-{number}");
    let event = json!({
        "type": "track", "event": "Order Completed", "messageId": format!("m-{number}"), "userId": user,
        "timestamp": "2026-01-15T10:00:00Z",
        "properties": {
            "order_id": format!("o-{number}"), "total": 20.5, "currency": "EUR",
            "products": [{"sku": "TEA-01", "name": "Green tea", "price": 20.5, "quantity": 1}],
        },
    });
    setup.record(&user, event.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn customers_that_nobody_knows_take_the_budget_and_a_constant_too() {
    let Some(broker) = broker::shared("memory-customers").await else {
        return;
    };
    let options = Options {
        partitions: 6,
        limit: 2_000,
        scale: 60.0,
        budget: "{ records: 50000, bytes: 64MiB }",
        ..Options::default()
    };
    let budget = 64 << 20;
    let setup = Setup::start(broker, "memory-customers", options).await;
    let numbers: Vec<u32> = (0..NEW_CUSTOMERS).collect();
    for part in numbers.chunks(20_000) {
        setup
            .produce(part.iter().map(|number| order(&setup, *number)).collect())
            .await;
    }
    let mut worker = setup.worker().await;
    let start = Clock.now();
    let delivered = || setup.kustomer.with(|sim| sim.account().kobjects_total);
    while delivered() < u64::from(NEW_CUSTOMERS) {
        assert!(Clock.now() - start < MINUTES, "{}", worker.tail());
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    let took = Clock.now() - start;
    worker.assert_sound().await;
    let memory = worker.peak_memory();
    let metrics = worker.metrics().await;
    let known = whole(metrics.sum("directory_entries", &[]));
    let cap = whole(metrics.sum("budget_cap_bytes", &[]));
    let account = setup.kustomer.with(|sim| sim.account());
    setup.say(&format!(
        "{NEW_CUSTOMERS} orders of as many customers in {took:.1?}: {} MiB resident at most, {known} entries in the directory, {} MiB \
         left for records; {:?}",
        memory >> 20,
        cap >> 20,
        account.bulk.item_errors,
    ));
    // unoptimised, 159 to 165 MiB on a quiet machine, 171 on a busy one
    assert!(
        memory <= budget + CONSTANT + CONSTANT / 8,
        "{memory} bytes resident"
    );
    assert_eq!(account.customers_total, u64::from(NEW_CUSTOMERS));
    let (status, _) = worker.terminate().await;
    assert_eq!(status.code(), Some(0), "{}", worker.tail());
}
