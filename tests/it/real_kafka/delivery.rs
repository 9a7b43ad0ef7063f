//! Without faults: what is produced is delivered, accounted for and committed, with either group protocol.

use std::time::Duration;

use kustomer_ingest::clock::Clock;

use super::broker;
use super::setup::{Options, Setup};
use super::shop::{Shop, round};
use super::wait_for;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_produced_is_delivered_and_committed() {
    let Some(broker) = broker::shared("delivery").await else {
        return;
    };
    let setup = Setup::start(broker, "delivery", Options::default()).await;
    deliver(&setup, 40).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_consumer_protocol_of_kip_848_delivers_and_commits() {
    let Some(broker) = broker::shared("consumer-protocol").await else {
        return;
    };
    let properties = vec![("group.protocol", "consumer")];
    let options = Options {
        properties,
        ..Options::default()
    };
    let setup = Setup::start(broker, "consumer-protocol", options).await;
    deliver(&setup, 10).await;
}

async fn deliver(setup: &Setup, customers: usize) {
    let mut worker = setup.worker().await;
    let mut shop = Shop::new(customers, Clock.unix_ms());
    let records = shop.take(setup, round());
    let expected = shop.expected().clone();
    let start = Clock.now();
    setup.produce(records).await;
    wait_for(
        &format!("{} records to be settled", expected.records),
        || worker.tail(),
        async || (worker.metrics().await.settled() >= expected.records).then_some(()),
    )
    .await;
    let took = Clock.now() - start;
    setup.wait_until_committed(&[&worker]).await;

    let metrics = worker.metrics().await;
    assert_eq!(metrics.records("delivered"), expected.delivered);
    assert_eq!(metrics.records("skipped"), expected.skipped);
    assert_eq!(metrics.records("dead_lettered"), expected.dead_lettered);
    assert_eq!(
        metrics.settled(),
        expected.records,
        "nothing was settled twice"
    );
    let account = setup.kustomer.account();
    setup.assert_good(&account);
    setup.assert_delivered(&account, &expected);
    let letters = setup.dead_letters().await;
    assert_eq!(
        u64::try_from(letters.len()).unwrap(),
        expected.dead_lettered
    );
    worker.assert_sound().await;

    let (status, drain) = worker.terminate().await;
    assert_eq!(status.code(), Some(0), "{}", worker.tail());
    assert!(
        drain < Duration::from_secs(5),
        "an idle worker took {drain:?} to end\n{}",
        worker.tail()
    );
    setup.wait_until_committed(&[&worker]).await;
    worker.assert_no_panic();
    setup.say(&format!(
        "{} records in {took:.1?}, {} requests, ended in {drain:.1?}",
        expected.records, account.requests.total
    ));
}
