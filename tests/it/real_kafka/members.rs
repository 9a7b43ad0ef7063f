//! Static members (`kafka.instance_id`): a restart that the others do not notice, and two processes with one name.

use super::setup::{Options, Setup, tails};
use super::shop::{Shop, round};
use super::worker::Worker;
use super::{broker, wait_for};
use kustomer_ingest::clock::Clock;

fn options(properties: &[(&'static str, &'static str)]) -> Options {
    Options {
        partitions: 6,
        scale: 20.0,
        members: true,
        properties: properties.to_vec(),
        ..Options::default()
    }
}

/// Waits until a worker has this many partitions.
async fn has(worker: &Worker, partitions: usize) {
    wait_for(
        &format!("{partitions} partitions"),
        || worker.tail(),
        async || (worker.partitions().await? == partitions).then_some(()),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_static_member_gets_its_partitions_back_and_the_others_notice_nothing() {
    let Some(broker) = broker::shared("members").await else {
        return;
    };
    let classic = [
        ("heartbeat.interval.ms", "500"),
        ("session.timeout.ms", "20000"),
    ];
    let setup = Setup::start(broker, "members", options(&classic)).await;
    restart(&setup, End::Terminated).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_static_member_that_was_killed_gets_its_partitions_back() {
    let Some(broker) = broker::shared("members-killed").await else {
        return;
    };
    let classic = [
        ("heartbeat.interval.ms", "500"),
        ("session.timeout.ms", "20000"),
    ];
    let setup = Setup::start(broker, "members-killed", options(&classic)).await;
    restart(&setup, End::Killed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_static_member_comes_back_under_the_consumer_protocol() {
    let Some(broker) = broker::shared("members-848").await else {
        return;
    };
    let setup = Setup::start(
        broker,
        "members-848",
        options(&[("group.protocol", "consumer")]),
    )
    .await;
    restart(&setup, End::Terminated).await;
}

/// How a member ends before it comes back.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Terminated,
    Killed,
}

async fn restart(setup: &Setup, end: End) {
    let mut shop = Shop::new(60, Clock.unix_ms());
    let mut one = setup.member("one").await;
    has(&one, 6).await;
    let mut two = setup.member("two").await;
    setup.produce(shop.take(setup, 4)).await;
    wait_for(
        "three partitions each",
        || tails(&[&one, &two]),
        async || (one.partitions().await? == 3 && two.partitions().await? == 3).then_some(()),
    )
    .await;
    let before = one.partition_numbers().await;
    let (assigned, revoked) = (two.count("assigned"), two.count("revoked; draining"));

    match end {
        End::Terminated => {
            let (status, _) = one.terminate().await;
            assert_eq!(status.code(), Some(0), "{}", one.tail());
        }
        End::Killed => one.kill(),
    }
    setup.produce(shop.take(setup, round() - 4)).await;
    assert_eq!(two.partitions().await, Some(3), "{}", two.tail());
    let mut again = setup.member("one").await;
    has(&again, 3).await;
    assert_eq!(again.partition_numbers().await, before);
    setup.wait_until_committed(&[&again, &two]).await;
    assert_eq!(
        (two.count("assigned"), two.count("revoked; draining")),
        (assigned, revoked),
        "the other member was disturbed\n{}",
        two.tail()
    );

    let account = setup.kustomer.account();
    match end {
        End::Terminated => setup.assert_good(&account),
        End::Killed => setup.assert_good_but_repeats(&account),
    }
    setup.assert_delivered(&account, shop.expected());
    setup.assert_dead_letters(shop.expected()).await;
    again.assert_sound().await;
    two.assert_sound().await;
    setup.say(&format!(
        "{} records; a static member was {end:?} and came back to {before:?}; {} tracking events repeated",
        shop.expected().records, account.repeated.tracking
    ));
    again.terminate().await;
    two.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_ready_when_the_group_has_given_out_its_partitions_even_none() {
    let Some(broker) = broker::shared("ready").await else {
        return;
    };
    for (name, properties) in [
        (
            "ready",
            vec![
                ("session.timeout.ms", "6000"),
                ("heartbeat.interval.ms", "500"),
            ],
        ),
        ("ready-848", vec![("group.protocol", "consumer")]),
    ] {
        let options = Options {
            partitions: 1,
            ..options(&properties)
        };
        let setup = Setup::start(broker.clone(), name, options).await;
        let mut one = setup.member("one").await;
        has(&one, 1).await;
        wait_for(
            "the owner to be ready",
            || one.tail(),
            async || one.is_ready().await.then_some(()),
        )
        .await;
        let mut idle = setup.member("idle").await;
        assert!(!idle.is_ready().await, "before it joined");
        wait_for(
            "the idle one to be ready",
            || idle.tail(),
            async || idle.is_ready().await.then_some(()),
        )
        .await;
        let both = (one.partitions().await, idle.partitions().await);
        assert!(
            both == (Some(1), Some(0)) || both == (Some(0), Some(1)),
            "{both:?}"
        );
        idle.terminate().await;
        one.terminate().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_processes_of_one_name_one_is_put_out_and_says_so() {
    let Some(broker) = broker::shared("namesakes").await else {
        return;
    };
    let classic = [
        ("heartbeat.interval.ms", "500"),
        ("session.timeout.ms", "6000"),
    ];
    let setup = Setup::start(broker, "namesakes", options(&classic)).await;
    let mut first = setup.member("same").await;
    has(&first, 6).await;
    let mut second = setup.member("same").await;
    assert_put_out(&mut first).await;
    deliver(&setup, &mut second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn under_the_consumer_protocol_the_newer_of_two_namesakes_is_refused() {
    let Some(broker) = broker::shared("namesakes-848").await else {
        return;
    };
    let setup = Setup::start(
        broker,
        "namesakes-848",
        options(&[("group.protocol", "consumer")]),
    )
    .await;
    let mut first = setup.member("same").await;
    has(&first, 6).await;
    let mut second = setup.member("same").await;
    assert_put_out(&mut second).await;
    deliver(&setup, &mut first).await;
}

/// The worker ends with exit code 1 and names the setting.
async fn assert_put_out(worker: &mut Worker) {
    let mut status = None;
    for _ in 0..1_000 {
        status = worker.ended();
        if status.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    }
    let status = status.unwrap_or_else(|| panic!("it goes on\n{}", worker.tail()));
    assert_eq!(status.code(), Some(1), "{}", worker.tail());
    let log = worker.log().join("\n");
    assert!(log.contains("with the same kafka.instance_id"), "{log}");
    worker.assert_no_panic();
}

/// The one that stays has all partitions and delivers.
async fn deliver(setup: &Setup, worker: &mut Worker) {
    has(worker, 6).await;
    let mut shop = Shop::new(20, Clock.unix_ms());
    setup.produce(shop.take(setup, round())).await;
    setup.wait_until_committed(&[worker]).await;
    let account = setup.kustomer.account();
    setup.assert_good(&account);
    setup.assert_delivered(&account, shop.expected());
    worker.assert_sound().await;
    worker.terminate().await;
}
