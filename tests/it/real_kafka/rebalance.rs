//! Several replicas join and leave while there is always something to do.

use std::time::Duration;

use kustomer_ingest::clock::Clock;

use super::setup::{Options, Setup, tails};
use super::shop::{Shop, round};
use super::worker::Worker;
use super::{broker, wait_for};

/// Customers; a round of each has 14 records.
const CUSTOMERS: usize = 100;

fn options(properties: &[(&'static str, &'static str)], members: bool) -> Options {
    Options {
        partitions: 8,
        // Slow enough that there is a backlog at every join and every leave.
        scale: 30.0,
        members,
        properties: properties.to_vec(),
        ..Options::default()
    }
}

const CLASSIC: &[(&str, &str)] = &[
    ("heartbeat.interval.ms", "500"),
    ("session.timeout.ms", "6000"),
];

#[tokio::test(flavor = "multi_thread")]
async fn replicas_join_and_leave_under_load() {
    let Some(broker) = broker::shared("rebalance").await else {
        return;
    };
    let setup = Setup::start(broker, "rebalance", options(CLASSIC, false)).await;
    churn(&setup).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn static_members_join_and_leave_under_load() {
    let Some(broker) = broker::shared("rebalance-static").await else {
        return;
    };
    let setup = Setup::start(broker, "rebalance-static", options(CLASSIC, true)).await;
    churn(&setup).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_of_the_consumer_protocol_join_and_leave_under_load() {
    let Some(broker) = broker::shared("rebalance-848").await else {
        return;
    };
    let properties = [("group.protocol", "consumer")];
    let setup = Setup::start(broker, "rebalance-848", options(&properties, false)).await;
    churn(&setup).await;
}

/// How long the stopped member sleeps: its session ends after six seconds.
const SLEEP: Duration = Duration::from_secs(9);

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_slept_longer_than_its_session_does_no_harm_when_it_wakes() {
    let Some(broker) = broker::shared("sleeper").await else {
        return;
    };
    let options = Options {
        partitions: 4,
        // Slow enough that there is something to do when it wakes.
        scale: 10.0,
        ..options(CLASSIC, false)
    };
    let setup = Setup::start(broker, "sleeper", options).await;
    let mut shop = Shop::new(400, Clock.unix_ms());
    let mut sleeper = setup.member("sleeper").await;
    let mut other = setup.member("other").await;
    balanced(&setup, &[&sleeper, &other]).await;
    setup.produce(shop.take(&setup, round())).await;
    wait_for(
        "both to deliver",
        || tails(&[&sleeper, &other]),
        async || {
            let (one, two) = (sleeper.metrics().await, other.metrics().await);
            (one.records("delivered") > 50 && two.records("delivered") > 50).then_some(())
        },
    )
    .await;

    sleeper.signal("STOP");
    tokio::time::sleep(SLEEP).await;
    assert_eq!(other.partitions().await, Some(4), "{}", other.tail());
    let delivered = other.metrics().await.settled();
    sleeper.signal("CONT");
    balanced(&setup, &[&sleeper, &other]).await;
    let behind =
        shop.expected().records - other.metrics().await.settled().min(shop.expected().records);
    assert!(behind > 0, "there was nothing left to do harm to");
    setup.wait_until_committed(&[&sleeper, &other]).await;

    let account = setup.kustomer.account();
    setup.assert_good_but_repeats(&account);
    setup.assert_delivered(&account, shop.expected());
    let repeated_letters = setup.assert_dead_letters(shop.expected()).await;
    sleeper.assert_sound().await;
    other.assert_sound().await;
    setup.say(&format!(
        "{} records; the other had settled {delivered} when the sleeper woke; {} tracking events and {repeated_letters} dead \
         letters repeated",
        shop.expected().records, account.repeated.tracking
    ));
    sleeper.terminate().await;
    other.terminate().await;
}

/// Partitions of all workers together.
async fn all_partitions(workers: &[&Worker]) -> Option<Vec<usize>> {
    let mut counts = Vec::new();
    for worker in workers {
        counts.push(worker.partitions().await?);
    }
    Some(counts)
}

/// Waits until each worker has some partitions and together they have all.
async fn balanced(setup: &Setup, workers: &[&Worker]) -> Vec<usize> {
    let all = usize::try_from(setup.options.partitions).unwrap();
    wait_for(
        &format!("{} workers to share {all} partitions", workers.len()),
        || tails(workers),
        async || {
            let counts = all_partitions(workers).await?;
            let share = all / workers.len();
            (counts.iter().sum::<usize>() == all && counts.iter().all(|count| *count >= share))
                .then_some(counts)
        },
    )
    .await
}

/// One, two, three, four replicas, then three, two, three: always under load.
async fn churn(setup: &Setup) {
    let mut shop = Shop::new(CUSTOMERS, Clock.unix_ms());
    let start = Clock.now();
    let mut one = setup.member("one").await;
    let mut two = setup.member("two").await;
    setup.produce(shop.take(setup, 6)).await;
    balanced(setup, &[&one, &two]).await;
    let mut three = setup.member("three").await;
    setup.produce(shop.take(setup, 4)).await;
    let mut four = setup.member("four").await;
    setup.produce(shop.take(setup, 4)).await;
    balanced(setup, &[&one, &two, &three, &four]).await;

    let (status, first_drain) = two.terminate().await;
    assert_eq!(status.code(), Some(0), "{}", two.tail());
    setup.produce(shop.take(setup, 6)).await;
    balanced(setup, &[&one, &three, &four]).await;
    // One leaves and another comes at the same moment.
    let (left, mut five) = tokio::join!(four.terminate(), setup.member("five"));
    let (status, second_drain) = left;
    assert_eq!(status.code(), Some(0), "{}", four.tail());
    setup.produce(shop.take(setup, 2 * round() - 20)).await;
    let counts = balanced(setup, &[&one, &three, &five]).await;
    let left_to_do: u64 = {
        let mut settled = 0;
        for worker in [&one, &three, &five] {
            settled += worker.metrics().await.settled();
        }
        shop.expected().records.saturating_sub(settled)
    };
    setup.wait_until_committed(&[&one, &three, &five]).await;

    let account = setup.kustomer.account();
    setup.assert_good_but_repeats(&account);
    setup.assert_delivered(&account, shop.expected());
    let repeated_letters = setup.assert_dead_letters(shop.expected()).await;
    for worker in [&mut one, &mut three, &mut five] {
        worker.assert_sound().await;
    }
    for worker in [&two, &four] {
        worker.assert_no_panic();
    }
    setup.say(&format!(
        "{} records in {:.1?}; drains {first_drain:.1?}, {second_drain:.1?}; at the end {counts:?} partitions, at most {left_to_do} \
         records behind; {} tracking events and {repeated_letters} dead letters repeated",
        shop.expected().records,
        Clock.now() - start,
        account.repeated.tracking,
    ));
    for worker in [&mut one, &mut three, &mut five] {
        let (status, drain) = worker.terminate().await;
        assert_eq!(status.code(), Some(0), "{}", worker.tail());
        assert!(
            drain < Duration::from_secs(10),
            "an idle worker took {drain:?}"
        );
    }
}
