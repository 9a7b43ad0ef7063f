//! A worker ends in the middle of its work, in good order or not, and another goes on from what was committed.
//!
//! What stands above the committed offset and was delivered all the same comes again: a slow record below it holds the
//! commit back, and commits do not carry what is settled above them (`docs/adr/gaps.md`). The tests count exactly how
//! much that is, and allow no repeat besides.

use std::collections::BTreeMap;

use ingest_core::record::Position;
use kustomer_ingest::clock::Clock;

use super::setup::{Options, Setup};
use super::shop::{Shop, by_time, round};
use super::worker::Worker;
use super::{broker, wait_for};

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_was_told_to_end_repeats_nothing_that_it_committed() {
    let Some(broker) = broker::shared("restart").await else {
        return;
    };
    let (setup, shop, events) = backlog(broker, "restart").await;
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
    let said = go_on(&setup, &shop, &events).await;
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
    let (setup, shop, events) = backlog(broker, "crash").await;
    let mut first = setup.worker().await;
    in_the_middle(&setup, &first, &shop).await;
    first.kill();
    first.assert_no_panic();
    let killed = setup.kustomer.account().accepted.tracking;
    let said = go_on(&setup, &shop, &events).await;
    setup.say(&format!(
        "killed after {killed} of {} tracking events; {said}",
        shop.expected().events
    ));
}

/// Starts a second worker, lets it finish, and compares: nothing lost, no object twice, and no event again but those
/// that were delivered above the committed offsets.
async fn go_on(setup: &Setup, shop: &Shop, events: &BTreeMap<String, Position>) -> String {
    let from = (0..).zip(setup.committed_offsets().await).collect();
    let above = setup.delivered_above(events, &from);
    let mut second = setup.worker().await;
    setup.wait_until_committed(&[&second]).await;
    let account = setup.kustomer.account();
    setup.assert_good_but_repeats(&account);
    setup.assert_delivered(&account, shop.expected());
    second.assert_sound().await;
    let repeats = account.repeated.tracking;
    assert!(
        repeats <= above,
        "{repeats} tracking events repeated; {above} were delivered above the commits"
    );
    let letters = setup.assert_dead_letters(shop.expected()).await;
    format!(
        "{repeats} tracking events repeated of {above} above the commits, {letters} dead letters repeated"
    )
}

/// A topic full of records that takes some seconds to deliver, and where each event stands.
async fn backlog(broker: broker::Broker, name: &str) -> (Setup, Shop, BTreeMap<String, Position>) {
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
    let written = setup.produce(shop.take(&setup, 2 * round())).await;
    (setup, shop, by_time(&written))
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
