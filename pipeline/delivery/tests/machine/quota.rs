//! The budget: what this replica may send, and what it must send whatever is left of the limit.

use std::time::Duration;

use ingest_delivery::machine::Input;
use ingest_model::call::{Call, Limits};

use crate::driver::Driver;
use crate::make::{object, settings, shop, track, write};

#[test]
fn a_share_that_shrinks_twice_within_a_minute_breaks_nothing() {
    let mut driver = Driver::new(settings(), 4);
    for n in 0..3_000 {
        driver.record(n, track(n.unsigned_abs()));
    }
    driver.run(70);
    driver.revoke(shop(3));
    driver.run(1);
    driver.revoke(shop(2));
    let before = driver.sent.len();
    // The driver fails on any broken invariant; I6 still counts what was sent while the share was larger.
    driver.run(60);
    let left = driver.sent.len() - before;
    assert!((300..=400).contains(&left), "{left} at half of 800");
    driver.run_to_rest();
}

#[test]
fn a_replica_without_partitions_sends_nothing_and_asks_for_nothing() {
    let mut driver = Driver::new(settings(), 1);
    driver.record(1, track(1));
    driver.run(5);
    driver.revoke(shop(0));
    driver.run(5);
    let sent = driver.sent.len();
    driver.run_to_rest();
    assert_eq!(driver.sent.len(), sent);
}

#[test]
fn jobs_are_read_although_the_rest_of_the_window_is_reserved() {
    let mut driver = Driver::new(settings(), 1);
    for n in 0..3 {
        driver.record(n, write(object("order", n.unsigned_abs())));
    }
    driver.limits = Limits {
        remaining: Some(10),
        resets_in: Some(Duration::from_secs(50)),
        ..Limits::default()
    };
    driver.run(1);
    assert!(matches!(
        driver.sent[..],
        [(_, Call::CreateKObjects { .. })]
    ));
    for n in 10..20 {
        driver.record(n, track(n.unsigned_abs()));
    }
    driver.run(10);
    let reads = driver.calls(|call| matches!(call, Call::ReadJob { .. }));
    assert!(!reads.is_empty(), "the job holds lanes");
    let tracks = driver.calls(|call| matches!(call, Call::Track { .. }));
    assert!(tracks.is_empty(), "the rest belongs to others");
    driver.limits = Limits::default();
    driver.put(Input::Wake);
    driver.run_to_rest();
}
