//! Two workers share one group.

use kustomer_ingest::clock::Clock;

use super::setup::{Options, Setup, tails};
use super::shop::{Shop, round};
use super::{broker, wait_for};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_worker_shares_the_work_and_hands_it_back() {
    let Some(broker) = broker::shared("group").await else {
        return;
    };
    // Slow enough for a backlog, so that two workers have to share the quota.
    let options = Options {
        partitions: 6,
        scale: 20.0,
        ..Options::default()
    };
    let setup = Setup::start(broker, "group", options).await;
    let mut shop = Shop::new(120, Clock.unix_ms());

    let mut first = setup.worker().await;
    setup.produce(shop.take(&setup, 3)).await;
    wait_for(
        "the first worker to have all partitions",
        || first.tail(),
        async || (first.partitions().await? == 6).then_some(()),
    )
    .await;
    let mut second = setup.worker().await;
    setup.produce(shop.take(&setup, 4)).await;
    wait_for(
        "three partitions each",
        || tails(&[&first, &second]),
        async || (first.partitions().await? == 3 && second.partitions().await? == 3).then_some(()),
    )
    .await;

    setup.produce(shop.take(&setup, round() - 7)).await;
    let before = first.metrics().await.settled();
    wait_for(
        "both workers to deliver",
        || tails(&[&first, &second]),
        async || {
            let (one, two) = (first.metrics().await, second.metrics().await);
            (one.settled() > before && two.records("delivered") > 0).then_some(())
        },
    )
    .await;
    second.assert_sound().await;
    let by_second = second.metrics().await.settled();
    let behind = shop.expected().records - first.metrics().await.settled() - by_second;
    assert!(
        behind > 0,
        "nothing was left for the second worker to hand back"
    );
    let (status, drain) = second.terminate().await;
    assert_eq!(status.code(), Some(0), "{}", second.tail());
    wait_for(
        "the first worker to take over",
        || first.tail(),
        async || (first.partitions().await? == 6).then_some(()),
    )
    .await;
    setup.wait_until_committed(&[&first]).await;

    let account = setup.kustomer.account();
    // Partitions that are handed over in an orderly way repeat nothing.
    setup.assert_good(&account);
    setup.assert_delivered(&account, shop.expected());
    assert_eq!(setup.assert_dead_letters(shop.expected()).await, 0);
    first.assert_sound().await;
    second.assert_no_panic();
    let over_limit = account
        .requests
        .by_status
        .get(&429)
        .copied()
        .unwrap_or_default();
    setup.say(&format!(
        "{} records; the second settled at least {by_second} and left {behind}, ended in {drain:.1?}; nothing \
         repeated; {over_limit} of {} requests over the limit",
        shop.expected().records, account.requests.total
    ));
    let (status, _) = first.terminate().await;
    assert_eq!(status.code(), Some(0), "{}", first.tail());
}
