//! The broker is killed and comes back while a worker runs.

use std::time::Duration;

use kustomer_ingest::clock::Clock;

use super::setup::{Options, Setup};
use super::shop::{Shop, round};
use super::{broker, wait_for};

/// How long the broker is away.
const AWAY: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_outlives_its_broker() {
    let Some(own) = broker::own("outage").await else {
        return;
    };
    let setup = Setup::start(
        own.broker.clone(),
        "outage",
        Options {
            scale: 20.0,
            ..Options::default()
        },
    )
    .await;
    let mut shop = Shop::new(40, Clock.unix_ms());
    setup.produce(shop.take(&setup, round())).await;
    let mut worker = setup.worker().await;
    wait_for(
        "some deliveries and a commit",
        || worker.tail(),
        async || {
            let some = setup
                .committed_offsets()
                .await
                .iter()
                .any(|offset| *offset > 0);
            (some && setup.kustomer.account().accepted.tracking > 20).then_some(())
        },
    )
    .await;

    own.kill().await;
    let before = setup.kustomer.account().accepted.tracking;
    tokio::time::sleep(AWAY).await;
    worker.assert_sound().await;
    let meanwhile = setup.kustomer.account().accepted.tracking - before;
    own.start().await;
    let start = Clock.now();
    setup.produce(shop.take(&setup, round())).await;
    setup.wait_until_committed(&[&worker]).await;
    let took = Clock.now() - start;

    let account = setup.kustomer.account();
    setup.assert_good_but_repeats(&account);
    setup.assert_delivered(&account, shop.expected());
    worker.assert_sound().await;
    let repeated_letters = setup.assert_dead_letters(shop.expected()).await;
    let (status, _) = worker.terminate().await;
    assert_eq!(status.code(), Some(0), "{}", worker.tail());
    setup.say(&format!(
        "broker away for {AWAY:?} ({meanwhile} events delivered meanwhile), all committed {took:.1?} after it was \
         back, {} tracking events and {repeated_letters} dead letters repeated",
        account.repeated.tracking
    ));
}
