//! The organisation's quota with worker processes and a broker: replicas lend each other what they do not need, and leave
//! other clients of the API what those take.

use ingest_model::record::Partition;
use serde_json::json;
use std::collections::BTreeMap;

use super::setup::{Options, Setup, tails};
use super::worker::Worker;
use super::{broker, wait_for};

/// How many times faster than real time the quota's minute is. What replicas tell each other keeps real time, so lending
/// begins some windows later than without a scale; `INGEST_QUOTA_TIME_SCALE=1` takes a quarter of an hour.
const SCALE: f64 = 6.0;
/// Until half a minute after the start, replicas learn of each other, and those with little to do come to its end.
const SETTLING_S: f64 = 40.0;
const LIMIT: u32 = 1_000;
/// What all replicas together may spend a minute.
const TARGET: u64 = 800;
/// A minute of the API holds at most this many: what is sent within a minute may take unevenly long to get there.
const MOST: u64 = TARGET + TARGET / 100;
/// `kustomer.reserve`, by default.
const RESERVE: u64 = 50;
const PARTITIONS: i32 = 8;
/// Events of the backlog: enough for nine windows.
const EVENTS: u64 = 7_200;

#[expect(
    clippy::disallowed_methods,
    reason = "a test whose length is set from outside"
)]
fn scale() -> f64 {
    let asked = std::env::var("INGEST_QUOTA_TIME_SCALE").ok();
    asked.map_or(SCALE, |scale| scale.parse().unwrap())
}

/// The first window in which everything has settled.
fn settling() -> usize {
    let windows = SETTLING_S * scale() / 60.0;
    let windows = (1..20).find(|whole| f64::from(*whole) >= windows);
    usize::try_from(windows.unwrap() + 1).unwrap()
}

fn options() -> Options {
    Options {
        partitions: PARTITIONS,
        scale: scale(),
        limit: LIMIT,
        ..Options::default()
    }
}

/// Puts events where they are wanted: the partition of each by its number.
async fn put(setup: &Setup, events: u64, place: impl Fn(u64) -> i32) {
    let records = (0..events).map(|number| {
        // A thousand customers, each in one partition.
        let partition = place(number);
        let user = format!("u-{partition}-{}", number % 1_000);
        let event = json!({
            "type": "track", "event": "Checkout Started", "messageId": format!("m-{number}"), "userId": user,
            "properties": {"cart_id": "c-1", "value": 10},
        });
        let mut record = setup.record(&user, event.to_string());
        record.partition = Some(Partition(partition));
        record
    });
    setup.produce(records.collect()).await;
}

/// Waits until so many events are at the simulator, in parts, because one wait has its limit.
async fn delivered(setup: &Setup, workers: &[&Worker], from: u64, upto: u64) {
    for part in 1..=32 {
        let events = from + (upto - from) * part / 32;
        wait_for(
            &format!("{events} events"),
            || tails(workers),
            async || (setup.kustomer.account().accepted.tracking >= events).then_some(()),
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn four_replicas_spend_the_whole_target_although_one_has_nearly_all_of_the_backlog() {
    let Some(broker) = broker::shared("fleet").await else {
        return;
    };
    let setup = Setup::start(broker, "fleet", options()).await;
    let mut workers = Vec::new();
    for _ in 0..4 {
        workers.push(setup.worker().await);
    }
    let mut owned: BTreeMap<usize, Vec<i32>> = BTreeMap::new();
    wait_for(
        "four workers to share eight partitions",
        || tails(&workers.iter().collect::<Vec<_>>()),
        async || {
            for (index, worker) in workers.iter().enumerate() {
                owned.insert(index, worker.partition_numbers().await);
            }
            owned
                .values()
                .all(|numbers| numbers.len() == 2)
                .then_some(())
        },
    )
    .await;
    let busy = owned[&0].clone();
    let others: Vec<i32> = (1..4).flat_map(|index| owned[&index].clone()).collect();
    put(&setup, EVENTS, |number| {
        let turn = usize::try_from(number / 10).unwrap();
        if number % 10 < 9 {
            busy[usize::try_from(number % 2).unwrap()]
        } else {
            others[turn % others.len()]
        }
    })
    .await;
    let all: Vec<&Worker> = workers.iter().collect();
    delivered(&setup, &all, 0, EVENTS / 2).await;
    let mut lent = 0.0;
    let mut borrowed = 0.0;
    for worker in &workers {
        let metrics = worker.metrics().await;
        lent += metrics.sum("quota_lent_ratio", &[]);
        borrowed += metrics.sum("quota_borrowed_ratio", &[]);
    }
    delivered(&setup, &all, EVENTS / 2, EVENTS).await;
    setup.wait_until_committed(&all).await;

    let account = setup.kustomer.account();
    let spent: Vec<u64> = account.windows.iter().map(|window| window.spent).collect();
    setup.say(&format!(
        "spent {spent:?} of {TARGET}; half-way {lent:.2} lent, {borrowed:.2} borrowed"
    ));
    setup.assert_good(&account);
    assert_eq!(account.refused.get("org_limit"), None, "{account:#?}");
    assert_eq!(account.accepted.tracking, EVENTS);
    assert!(spent.iter().all(|spent| *spent <= MOST), "{spent:?}");
    let full = &spent[settling()..spent.len() - 1];
    let least = full.iter().min().copied().unwrap_or_default();
    assert!(
        full.len() >= 3 && 100 * least >= 97 * TARGET,
        "the least of {full:?}"
    );
    assert!(
        borrowed > 0.2 && borrowed <= lent + 0.01,
        "{lent} {borrowed}"
    );
    for worker in &mut workers {
        worker.assert_sound().await;
        worker.terminate().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_leaves_another_client_what_it_takes_and_uses_the_rest() {
    let Some(broker) = broker::shared("stranger").await else {
        return;
    };
    let options = Options {
        switches: vec![("drain-random", "600")],
        ..options()
    };
    let setup = Setup::start(broker, "stranger", options).await;
    let mut worker = setup.worker().await;
    let events = 3_600;
    put(&setup, events, |number| i32::try_from(number % 8).unwrap()).await;
    delivered(&setup, &[&worker], 0, events).await;
    let account = setup.kustomer.account();
    let windows: Vec<(u64, u64)> = account
        .windows
        .iter()
        .map(|window| (window.foreign, window.spent))
        .collect();
    let full = &windows[1..windows.len() - 1];
    let left: u64 = full
        .iter()
        .map(|(foreign, _)| TARGET.min(u64::from(LIMIT) - RESERVE - foreign))
        .sum();
    let used: u64 = full.iter().map(|(_, spent)| spent).sum();
    let refused: u64 = account.windows.iter().map(|window| window.refused).sum();
    let theirs: u64 = account
        .windows
        .iter()
        .map(|window| window.foreign_refused)
        .sum();
    setup.say(&format!(
        "others and the worker, by window: {windows:?}; {used} of {left} used; {refused} of the worker's refused, {theirs} of the others'"
    ));
    setup.assert_good(&account);
    assert!(full.len() >= 3 && 100 * used >= 95 * left, "{windows:?}");
    assert_eq!((refused, theirs), (0, 0), "{windows:?}");
    worker.assert_sound().await;
    worker.terminate().await;
}
