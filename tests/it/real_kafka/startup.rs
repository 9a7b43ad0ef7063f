//! How soon a worker starts to work.

use jiff::Timestamp;
use kustomer_ingest::clock::Clock;

use super::setup::{Options, Setup};
use super::shop::Shop;
use super::{broker, wait_for};

/// How long the worker itself may take, in milliseconds, from the start of the process until its settings and mappings are
/// read, its clients are built and its admin server listens; the consumer subscribes next. The time that the group takes to
/// assign partitions is up to the brokers.
const OWN_MS: i64 = 1_000;
const STARTS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_at_work_within_a_second() {
    let Some(broker) = broker::shared("startup").await else {
        return;
    };
    let setup = Setup::start(broker, "startup", Options::default()).await;
    let mut shop = Shop::new(3, Clock.unix_ms());
    let mut own = Vec::new();
    let mut said = Vec::new();
    for _ in 0..STARTS {
        let before = setup.kustomer.account().requests.total;
        setup.produce(shop.take(&setup, 2)).await;
        let mut worker = setup.worker().await;
        wait_for(
            "an assignment",
            || worker.tail(),
            async || worker.line("assigned").map(drop),
        )
        .await;
        let first_request = wait_for(
            "a request",
            || worker.tail(),
            async || {
                (setup.kustomer.account().requests.total > before)
                    .then(|| Clock.unix_ms() - worker.started_ms)
            },
        )
        .await;
        let after = |message: &str| {
            let line = worker.line(message).unwrap();
            let at: Timestamp = line["timestamp"].as_str().unwrap().parse().unwrap();
            at.as_millisecond() - worker.started_ms
        };
        let (listens, assigned) = (after("admin server listens"), after("assigned"));
        own.push(listens);
        said.push(format!("{listens}/{assigned}/{first_request}"));
        setup.wait_until_committed(&[&worker]).await;
        let (status, _) = worker.terminate().await;
        assert_eq!(status.code(), Some(0), "{}", worker.tail());
    }
    // The best of three, because other tests run at the same time.
    let best = own.into_iter().min().unwrap();
    assert!(
        best < OWN_MS,
        "the worker took {best} ms until it subscribed"
    );
    setup.say(&format!(
        "ms from the process's start to ready to subscribe/assigned/first request: {}",
        said.join(", ")
    ));
}
