//! Values that independent serializers wrote, through real Kafka, by the schemas of a real registry, into the simulated Kustomer. The registry
//! stands still at first: the worker says so, loses nothing and goes on by itself.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::broker;
use super::setup::{Options, Setup};
use super::wait_for;
use crate::real_registry::{FIXTURES, Registry};

const MAPPING: &str = r#"
event: { name: '"order"' }
routes:
  - name: orders
    on: order
    customer: none
    do: [ { kobject: order, externalId: '"\(.id)-\(.order_name // .name // "json")"', version: .id, title: .id } ]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_stands_still_loses_nothing() {
    let Some(registry) = Registry::start("schemas through real Kafka").await else {
        return;
    };
    let Some(broker) = broker::shared("schemas").await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mapping = folder.path().join("orders.yaml");
    std::fs::write(&mapping, MAPPING).unwrap();
    let options = Options {
        mapping: Some(mapping),
        registry: Some(registry.url.clone()),
        ..Options::default()
    };
    let setup = Setup::start(broker, "schemas", options).await;
    let cases: Vec<Value> = serde_json::from_str(FIXTURES).unwrap();
    let wanted = ["avro framed", "json schema", "protobuf, second message"];
    let mut values = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        if !wanted.contains(&case["name"].as_str().unwrap()) {
            continue;
        }
        let id = registry.register_case(case, number).await;
        let mut value = STANDARD.decode(case["value"].as_str().unwrap()).unwrap();
        value[1..5].copy_from_slice(&id.to_be_bytes());
        values.push(value);
    }
    registry.signal("-STOP");
    let mut worker = setup.worker().await;
    let records = values.iter().enumerate();
    let records = records.map(|(number, value)| setup.record(&format!("k{number}"), value.clone()));
    setup.produce(records.collect::<Vec<_>>()).await;
    // an id that the registry does not have waits, too, while nobody can say so
    let unknown = setup.record("k9", b"\0\0\x0f\x42\x3f\x02".to_vec());
    setup.produce(vec![unknown]).await;
    wait_for(
        "the worker to say that it waits",
        || worker.tail(),
        async || {
            let causes = worker.unready().await?;
            causes
                .iter()
                .any(|cause| {
                    cause.contains("schema registry") && cause.contains("no answer in time")
                })
                .then_some(())
        },
    )
    .await;
    assert_eq!(worker.metrics().await.settled(), 0);
    assert_eq!(setup.kustomer.account().kobjects_total, 0);
    registry.signal("-CONT");
    wait_for(
        "all to be settled",
        || worker.tail(),
        async || (worker.metrics().await.settled() >= 4).then_some(()),
    )
    .await;
    setup.wait_until_committed(&[&worker]).await;
    let metrics = worker.metrics().await;
    assert_eq!(metrics.records("delivered"), 3);
    assert_eq!(metrics.records("dead_lettered"), 1);
    wait_for(
        "the worker to be ready",
        || worker.tail(),
        async || worker.is_ready().await.then_some(()),
    )
    .await;
    let objects: BTreeSet<String> = setup.kustomer.with(|sim| {
        let objects = sim.objects("order");
        objects.filter_map(|object| object.external_id).collect()
    });
    let wanted = [
        "18446744073709551615-Zoë",
        "9007199254740993-Zoë \"Z\"",
        "9007199254740993-json",
    ];
    assert_eq!(objects, wanted.map(str::to_owned).into());
    let letters = setup.dead_letters().await;
    assert_eq!(letters.len(), 1);
    assert_eq!(
        letters[0].value.as_deref(),
        Some(&b"\0\0\x0f\x42\x3f\x02"[..])
    );
    worker.assert_sound().await;
    let logged = worker.count("the schema registry answers again");
    assert_eq!(logged, 1, "{}", worker.tail());
    worker.terminate().await;
}
