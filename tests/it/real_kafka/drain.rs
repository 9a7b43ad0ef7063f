//! What a worker estimates for its backlog, against what the backlog then takes.

use std::time::{Duration, Instant};

use kustomer_ingest::clock::Clock;

use super::broker;
use super::setup::{Options, Setup};
use super::shop::{Shop, round};

/// Customers of the shop; each has a round of records of every kind.
const CUSTOMERS: usize = 900;
/// Records that are written concurrently, those of one key in order.
const TOGETHER: usize = 200;
/// How many real seconds Kustomer's minute takes.
const MINUTE: f64 = 6.0;
/// Estimates are judged from then on, in real seconds: the client reports every five seconds how much is left.
const FROM: f64 = 10.0;
/// How wrong an estimate may be: a fifth of what is left, or a quarter of a minute, which the last jobs take.
const WRONG: f64 = 0.2;
const SLACK: f64 = MINUTE / 4.0;

#[tokio::test(flavor = "multi_thread")]
async fn soon_the_estimate_is_within_a_fifth_of_what_the_drain_takes() {
    let Some(broker) = broker::shared("drain").await else {
        return;
    };
    let options = Options {
        scale: 60.0 / MINUTE,
        ..Options::default()
    };
    let setup = Setup::start(broker, "drain", options).await;
    let mut shop = Shop::new(CUSTOMERS, Clock.unix_ms());
    // A shop's customers are not all at the same step: each takes all of its steps in turn.
    let mut records: Vec<_> = shop.take(&setup, round()).into_iter().enumerate().collect();
    records.sort_by_key(|(place, _)| place % CUSTOMERS + place / CUSTOMERS);
    let records: Vec<_> = records.into_iter().map(|(_, record)| record).collect();
    for part in records.chunks(TOGETHER) {
        setup.produce(part.to_vec()).await;
    }

    let mut worker = setup.worker().await;
    let mut said: Vec<(Instant, String, f64)> = Vec::new();
    let start = Clock.now();
    let took = loop {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let metrics = worker.metrics().await;
        let now = Clock.now();
        let state = metrics.lines("drain_state").concat();
        said.push((now, state, metrics.sum("drain_estimate_seconds", &[])));
        if metrics.settled() >= shop.expected().records {
            break now - start;
        }
        assert!(
            now - start < super::PATIENCE * 3,
            "{} of {} records\n{}",
            metrics.settled(),
            shop.expected().records,
            worker.tail()
        );
    };
    let minutes = took.as_secs_f64() / MINUTE;
    assert!(minutes > 4.0, "{minutes} minutes say too little");
    let (mut right, mut looks, mut worst) = (0, 0, 0.0_f64);
    for (at, state, estimate) in said {
        let (after, left) = (
            (at - start).as_secs_f64(),
            (start + took - at).as_secs_f64(),
        );
        if after < FROM || left < SLACK {
            continue;
        }
        assert!(
            state.contains("\"estimated\""),
            "{after:.1} s: {state}\n{}",
            worker.tail()
        );
        let wrong = (estimate - left).abs();
        assert!(
            wrong <= 2.0 * (left * WRONG).max(SLACK),
            "after {after:.1} s {estimate:.1} s were estimated and {left:.1} s were left"
        );
        looks += 1;
        right += u32::from(wrong <= (left * WRONG).max(SLACK));
        worst = worst.max(wrong / left.max(SLACK / WRONG));
    }
    // A busy machine stalls for a moment now and then.
    assert!(right * 10 >= looks * 9, "right {right} times of {looks}");
    setup.wait_until_committed(&[&worker]).await;
    let account = setup.kustomer.account();
    setup.assert_good(&account);
    setup.assert_delivered(&account, shop.expected());
    worker.assert_sound().await;
    setup.say(&format!(
        "{} records in {minutes:.1} minutes of the API; the estimate was wrong by at most {:.0} %",
        shop.expected().records,
        worst * 100.0
    ));
    worker.terminate().await;
}
