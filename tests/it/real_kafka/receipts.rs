//! Receipts on a real topic: each record has one, they are there when a drained worker has ended, and people find them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::setup::{Options, Setup};
use super::shop::{Shop, round};
use super::{broker, wait_for};
use kustomer_ingest::clock::Clock;

#[tokio::test(flavor = "multi_thread")]
async fn every_record_of_a_drained_worker_has_a_receipt_that_can_be_found() {
    let Some(broker) = broker::shared("receipts").await else {
        return;
    };
    let options = Options {
        receipts: true,
        ..Options::default()
    };
    let setup = Setup::start(broker, "receipts", options).await;
    let mut worker = setup.worker().await;
    let mut shop = Shop::new(4, Clock.unix_ms());
    let records = shop.take(&setup, round());
    let expected = shop.expected().clone();
    let written = setup.produce(records).await;
    wait_for(
        &format!("{} records to be settled", expected.records),
        || worker.tail(),
        async || (worker.metrics().await.settled() >= expected.records).then_some(()),
    )
    .await;
    // What waits is written before the process ends.
    let (status, _) = worker.terminate().await;
    assert_eq!(status.code(), Some(0), "{}", worker.tail());

    let mut verdicts: BTreeMap<String, u64> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for (position, _) in &written {
        let (partition, offset) = (position.partition.partition.0, position.offset.0);
        let name = format!("{}/{partition}/{offset}", setup.topic);
        let Some(receipt) = receipt(&setup, &name) else {
            *verdicts.entry("none".to_owned()).or_default() += 1;
            continue;
        };
        let verdict = receipt["verdict"].as_str().unwrap().to_owned();
        *verdicts.entry(verdict).or_default() += 1;
        for operation in receipt["operations"].as_array().into_iter().flatten() {
            ids.extend(operation["object_id"].as_str().map(str::to_owned));
        }
        let id = receipt["event_ids"][0].as_str().map(str::to_owned);
        if let Some(id) = id.filter(|_| verdicts.values().sum::<u64>() % 10 == 1) {
            let found = setup.command("receipts", &["find", "--event-id", &id, "--since", "1h"]);
            assert!(found.contains(&format!("{name}  ")), "{id}: {found}");
        }
    }
    assert_eq!(verdicts.get("delivered"), Some(&expected.delivered));
    assert_eq!(verdicts.get("dead_lettered"), Some(&expected.dead_lettered));
    assert_eq!(
        verdicts.get("none").copied().unwrap_or_default(),
        expected.skipped,
        "only what the mapping skips has none: {verdicts:?}"
    );
    let objects: BTreeSet<String> = setup
        .kustomer
        .with(|sim| sim.objects("order").map(|order| order.id).collect());
    assert_eq!(ids, objects, "the ids are those of the objects in Kustomer");
    setup.say(&format!("{verdicts:?}"));
}

/// The receipt of a record, if there is one.
fn receipt(setup: &Setup, name: &str) -> Option<Value> {
    let out = setup.receipts_of(name)?;
    let mut lines = out.lines();
    let receipt = serde_json::from_str(lines.next()?).unwrap();
    assert_eq!(lines.next(), None, "{name} was settled once");
    Some(receipt)
}
