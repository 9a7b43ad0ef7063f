//! Partitions come and go, and the process stops.

use ingest_delivery::fact::{Fact, Settlement};
use ingest_delivery::machine::{CommitEntry, Input, SchemaMissing};
use ingest_model::call::{Call, CallResult};
use ingest_model::operation::MissingCustomer;
use ingest_model::outcome::{Outcome, RetryCause, SkipReason, Verdict, Waits};
use ingest_model::record::{Epoch, Offset};

use crate::driver::Driver;
use crate::make::{by_email, object, owned, settings, shop, titled, track, write};

fn skipped() -> Verdict {
    Verdict::Skip(SkipReason::NoRoute)
}

#[test]
fn nothing_is_due_for_a_lost_partition_whose_commit_waits() {
    let mut driver = Driver::new(settings(), 1);
    driver.judged(shop(0), 1, skipped());
    assert!(driver.machine.next_wake(driver.now).is_some(), "a commit");
    let epoch = driver.epoch(&shop(0));
    driver.put(Input::Lost {
        partition: shop(0),
        epoch,
    });
    driver.run_to_rest();
    assert!(driver.commits.is_empty(), "somebody else owns it");
}

#[test]
fn nothing_is_due_for_a_lost_partition_whose_commit_is_under_way() {
    let mut driver = Driver::new(settings(), 1);
    driver.hold_commits = true;
    driver.judged(shop(0), 1, skipped());
    driver.run(1);
    driver.judged(shop(0), 2, skipped());
    let epoch = driver.epoch(&shop(0));
    driver.put(Input::Lost {
        partition: shop(0),
        epoch,
    });
    driver.run_to_rest();
    let entries = driver.commits[0].clone();
    driver.put(crate::make::committed(&entries, false));
    driver.run_to_rest();
    assert_eq!(driver.commits.len(), 1);
}

#[test]
fn nothing_is_due_for_lost_records_that_waited_for_a_time() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|call| match call {
        Call::Track { .. } => Some(CallResult::Tracked(Outcome::Retry(RetryCause::ObjectQuota))),
        _ => None,
    });
    driver.record(1, track(1));
    driver.run(1);
    let parked = driver.machine.snapshot(driver.now).parked;
    assert_eq!(parked, 1);
    let epoch = driver.epoch(&shop(0));
    driver.put(Input::Lost {
        partition: shop(0),
        epoch,
    });
    driver.run_to_rest();
}

#[test]
fn a_partition_that_comes_during_the_drain_does_not_keep_it_from_ending() {
    let mut driver = Driver::new(settings(), 1);
    driver.record(1, track(1));
    driver.put(Input::Shutdown);
    driver.assign(shop(7));
    driver.run(5);
    assert!(driver.drained);
    assert_eq!(driver.handed_back, [shop(0)]);
    assert_eq!(driver.commits.len(), 1, "what was under way counts");
}

#[test]
fn a_drain_ends_although_an_answer_never_comes() {
    let mut driver = Driver::new(settings(), 1);
    driver.hold_commits = true;
    driver.record(1, track(1));
    driver.record(2, track(2));
    driver.put(Input::Shutdown);
    driver.run(60);
    assert!(driver.drained, "not even a commit is answered");
    assert_eq!(driver.used(), 0);
}

#[test]
fn an_unversioned_object_is_written_again_after_its_partition_was_away() {
    let mut driver = Driver::new(settings(), 1);
    let order = object("order", 1);
    driver.record(1, write(order.clone()));
    driver.run(5);
    driver.record(2, write(order.clone()));
    driver.run(5);
    let unchanged = Settlement::Skipped(SkipReason::Unchanged);
    assert_eq!(driver.settled(), [Settlement::Delivered, unchanged]);
    // Another replica may write another title while it owns the partition.
    driver.revoke(shop(0));
    driver.run(5);
    driver.assign(shop(0));
    driver.record(3, write(order));
    driver.run(5);
    assert_eq!(driver.settled().last(), Some(&Settlement::Delivered));
    driver.run_to_rest();
}

#[test]
fn objects_that_wait_for_a_customer_are_left_to_the_next_owner() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|call| match call {
        Call::GetCustomer { .. } => Some(CallResult::Customer(Outcome::Delivered(None))),
        _ => None,
    });
    let waited_for = by_email("ann@example.com", MissingCustomer::Park);
    let order = owned(object("order", 1), waited_for);
    driver.record(1, write(titled(order, 1)));
    driver.run(20);
    driver.revoke(shop(0));
    driver.run(1);
    assert_eq!(driver.handed_back, [shop(0)]);
    assert!(driver.letters.is_empty());
    let beyond = |entry: &&CommitEntry| entry.offset > Offset(1);
    assert_eq!(driver.commits.iter().flatten().find(beyond), None);
    assert!(
        !driver
            .facts
            .iter()
            .any(|f| matches!(f, Fact::DrainCut { .. }))
    );
    driver.run_to_rest();
}

/// What waits for its schema is not in the machine: the partition is paused meanwhile, and nothing else waits for it.
#[test]
fn a_partition_whose_next_record_waits_for_its_schema_is_paused() {
    let mut driver = Driver::new(settings(), 2);
    let epoch = driver.epoch(&shop(0));
    let parked = |epoch, waits, bytes| {
        Input::SchemaMissing(SchemaMissing {
            partition: shop(0),
            epoch,
            waits,
            bytes,
        })
    };
    let missing = |epoch, waits| parked(epoch, waits, 0);
    let waits = |driver: &Driver| {
        let partitions = driver.machine.snapshot(driver.now).partitions;
        let found = partitions.iter().find(|view| view.partition == shop(0));
        found.and_then(|view| view.waits)
    };
    driver.put(missing(epoch, true));
    driver.run(1);
    assert!(driver.paused.contains(&shop(0)), "only it");
    assert!(!driver.paused.contains(&shop(1)));
    assert_eq!(waits(&driver), Some(Waits::Schema));
    // what another assignment waited for says nothing about this one
    driver.put(missing(Epoch(epoch.0 + 1), false));
    driver.run(1);
    assert!(driver.paused.contains(&shop(0)));
    driver.put(missing(epoch, false));
    driver.run(1);
    assert!(driver.paused.is_empty());
    assert_eq!(waits(&driver), None);
    // what waits takes of the bytes for records, half of them at most, until it does not or the partition has left
    let cap = |driver: &Driver| driver.machine.snapshot(driver.now).cap.bytes;
    let all = cap(&driver);
    for (bytes, taken) in [(1_000, 1_000), (3_000, 3_000), (all, all / 2), (500, 500)] {
        driver.put(parked(epoch, true, bytes));
        driver.run(1);
        assert_eq!(cap(&driver), all - taken);
    }
    driver.put(missing(epoch, false));
    driver.run(1);
    assert_eq!(cap(&driver), all);
    // a partition that waits is handed back like any other
    driver.put(parked(epoch, true, 5_000));
    driver.put(Input::Revoked {
        partition: shop(0),
        epoch,
    });
    driver.run_to_rest();
    assert_eq!(driver.handed_back, [shop(0)]);
    assert_eq!(cap(&driver), all);
}
