//! A worker ends in the middle of its work, in an orderly way or not, and another continues from what was committed.
//!
//! A planned end repeats nothing at all: what was settled above the committed offset is recorded beside it. After a kill, what
//! was under way or settled since the last commit comes again.

use kustomer_ingest::clock::Clock;

use super::setup::{Options, Setup};
use super::shop::{Shop, round};
use super::worker::Worker;
use super::{broker, wait_for};

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_was_told_to_end_repeats_nothing_that_it_committed() {
    let Some(broker) = broker::shared("restart").await else {
        return;
    };
    let (setup, shop) = backlog(broker, "restart").await;
    let mut first = setup.worker().await;
    in_the_middle(&setup, &first, &shop).await;
    let (status, drain) = first.terminate().await;
    assert_eq!(status.code(), Some(0), "{}", first.tail());
    first.assert_no_panic();
    let left: i64 = setup
        .ends()
        .await
        .iter()
        .zip(setup.committed_offsets().await)
        .map(|(end, at)| end - at)
        .sum();
    assert!(left > 0, "everything was committed before the restart");
    let said = go_on(&setup, &shop, 0).await;
    setup.say(&format!(
        "drained in {drain:.1?}, {left} of {} records above the commits; {said}",
        shop.expected().records
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_was_killed_loses_nothing() {
    let Some(broker) = broker::shared("crash").await else {
        return;
    };
    let (setup, shop) = backlog(broker, "crash").await;
    let mut first = setup.worker().await;
    in_the_middle(&setup, &first, &shop).await;
    first.kill();
    first.assert_no_panic();
    let killed = setup.kustomer.account().accepted.tracking;
    let said = go_on(&setup, &shop, unconfirmed(&setup)).await;
    setup.say(&format!(
        "killed after {killed} of {} tracking events; {said}",
        shop.expected().events
    ));
}

/// How many events can be under way or settled since the last commit: requests in flight, and the permits of a commit
/// interval and of the commit itself, together less than half a second.
fn unconfirmed(setup: &Setup) -> u64 {
    const AT_ONCE: u64 = 32;
    let permits_a_minute = f64::from(setup.options.limit) * 0.8 * setup.options.scale;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few hundred"
    )]
    let half_a_second = (permits_a_minute / 120.0) as u64;
    AT_ONCE + half_a_second
}

/// Starts a second worker, lets it finish, and compares: nothing lost, no object twice, and at most this many events repeated.
async fn go_on(setup: &Setup, shop: &Shop, may_repeat: u64) -> String {
    let mut second = setup.worker().await;
    setup.wait_until_committed(&[&second]).await;
    let account = setup.kustomer.account();
    setup.assert_good_but_repeats(&account);
    setup.assert_delivered(&account, shop.expected());
    second.assert_sound().await;
    let repeats = account.repeated.tracking;
    assert!(
        repeats <= may_repeat,
        "{repeats} tracking events repeated; {may_repeat} may"
    );
    let letters = setup.assert_dead_letters(shop.expected()).await;
    assert!(
        letters <= may_repeat,
        "{letters} dead letters repeated; {may_repeat} may"
    );
    format!("{repeats} tracking events of at most {may_repeat} and {letters} dead letters repeated")
}

/// A topic full of records that takes some seconds to deliver.
async fn backlog(broker: broker::Broker, name: &str) -> (Setup, Shop) {
    let setup = Setup::start(
        broker,
        name,
        Options {
            scale: 20.0,
            ..Options::default()
        },
    )
    .await;
    let mut shop = Shop::new(60, Clock.unix_ms());
    setup.produce(shop.take(&setup, 2 * round())).await;
    (setup, shop)
}

/// Waits until about a third of the events are delivered and something is committed.
async fn in_the_middle(setup: &Setup, worker: &Worker, shop: &Shop) {
    wait_for(
        "a third of the tracking events",
        || worker.tail(),
        async || {
            let some = setup
                .committed_offsets()
                .await
                .iter()
                .any(|offset| *offset > 0);
            (some && setup.kustomer.account().accepted.tracking * 3 > shop.expected().events)
                .then_some(())
        },
    )
    .await;
}
