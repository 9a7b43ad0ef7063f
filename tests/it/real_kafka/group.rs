//! Two workers share one group.

use kustomer_ingest::clock::Clock;

use super::setup::{Options, Setup, tails};
use super::shop::{Shop, by_time, round};
use super::{broker, wait_for};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_worker_shares_the_work_and_hands_it_back() {
    let Some(broker) = broker::shared("group").await else {
        return;
    };
    // Slow enough for a backlog that two workers have to share the quota for.
    let options = Options {
        partitions: 6,
        scale: 20.0,
        ..Options::default()
    };
    let setup = Setup::start(broker, "group", options).await;
    let mut shop = Shop::new(120, Clock.unix_ms());

    let mut first = setup.worker().await;
    let mut written = setup.produce(shop.take(&setup, 3)).await;
    wait_for(
        "the first worker to have all partitions",
        || first.tail(),
        async || (first.partitions().await? == 6).then_some(()),
    )
    .await;
    let mut second = setup.worker().await;
    written.extend(setup.produce(shop.take(&setup, 4)).await);
    wait_for(
        "three partitions each",
        || tails(&[&first, &second]),
        async || (first.partitions().await? == 3 && second.partitions().await? == 3).then_some(()),
    )
    .await;

    written.extend(setup.produce(shop.take(&setup, round() - 7)).await);
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
    let owned = second.partition_numbers().await;
    let committed = setup.committed_offsets().await;
    let from = (0..)
        .zip(committed)
        .filter(|(partition, _)| owned.contains(partition))
        .collect();
    let (status, drain) = second.terminate().await;
    assert_eq!(status.code(), Some(0), "{}", second.tail());
    // What the second had committed last, or a little later, is where the first goes on.
    let bound = setup.delivered_above(&by_time(&written), &from);
    wait_for(
        "the first worker to take over",
        || first.tail(),
        async || (first.partitions().await? == 6).then_some(()),
    )
    .await;
    setup.wait_until_committed(&[&first]).await;

    let account = setup.kustomer.account();
    setup.assert_good_but_repeats(&account);
    let repeats = account.repeated.tracking;
    assert!(
        repeats <= bound,
        "{repeats} tracking events repeated; {bound} stood above the commits that were handed on"
    );
    setup.assert_delivered(&account, shop.expected());
    let repeated_letters = setup.assert_dead_letters(shop.expected()).await;
    first.assert_sound().await;
    second.assert_no_panic();
    let over_limit = account
        .requests
        .by_status
        .get(&429)
        .copied()
        .unwrap_or_default();
    setup.say(&format!(
        "{} records; the second settled at least {by_second} and left {behind}, ended in {drain:.1?}; {repeats} tracking events (at \
         most {bound}) and {repeated_letters} dead letters repeated; {over_limit} of {} requests over the limit",
        shop.expected().records, account.requests.total
    ));
    let (status, _) = first.terminate().await;
    assert_eq!(status.code(), Some(0), "{}", first.tail());
}
