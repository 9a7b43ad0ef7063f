//! Commits: each entry counts by its own answer, and no partition is read further ahead than its commits can describe.

use ingest_delivery::fact::Fact;
use ingest_delivery::machine::CommitEntry;
use ingest_model::call::{Call, CallResult};
use ingest_model::operation::Planned;
use ingest_model::outcome::{HeldBy, HoldCause, Outcome, RetryCause, SkipReason, Verdict, Waits};
use ingest_model::record::{Epoch, Offset};

use crate::driver::Driver;
use crate::make::{committed, object, settings, shop, track, write};

fn two_partitions_committing() -> Driver {
    let mut driver = Driver::new(settings(), 2);
    driver.hold_commits = true;
    for partition in 0..2 {
        driver.judged(shop(partition), 5, Verdict::Skip(SkipReason::NoRoute));
    }
    driver.run(1);
    assert_eq!(driver.commits.len(), 1);
    driver.commits[0].sort_by(|a, b| a.partition.cmp(&b.partition));
    driver
}

fn committed_offsets(driver: &Driver) -> Vec<Option<Offset>> {
    let partitions = driver.machine.snapshot(driver.now).partitions;
    partitions.into_iter().map(|view| view.committed).collect()
}

#[test]
fn an_answer_about_part_of_a_commit_credits_that_part() {
    let mut driver = two_partitions_committing();
    let entries = driver.commits[0].clone();
    driver.put(committed(&entries[..1], true));
    assert_eq!(committed_offsets(&driver), [Some(Offset(6)), None]);
    driver.run(30);
    assert_eq!(driver.commits.len(), 1, "one call at a time");

    driver.put(committed(&entries[1..], false));
    driver.run(1);
    let again = CommitEntry {
        partition: shop(1),
        epoch: driver.epoch(&shop(1)),
        offset: Offset(6),
        metadata: None,
    };
    assert_eq!(
        driver.commits[1..],
        [vec![again.clone()]],
        "what was refused"
    );
    driver.put(committed(&[again], true));
    driver.run_to_rest();
    assert_eq!(committed_offsets(&driver), [Some(Offset(6)); 2]);
}

#[test]
fn a_partition_is_not_handed_back_on_the_answer_about_another() {
    let mut driver = two_partitions_committing();
    let entries = driver.commits[0].clone();
    driver.revoke(shop(0));
    driver.revoke(shop(1));
    driver.put(committed(&entries[..1], true));
    driver.run(1);
    assert_eq!(driver.handed_back, [shop(0)]);
    driver.put(committed(&entries[1..], true));
    driver.run(1);
    assert_eq!(driver.handed_back, [shop(0), shop(1)]);
    driver.run_to_rest();
}

#[test]
fn an_answer_about_an_older_assignment_credits_nothing() {
    let mut driver = two_partitions_committing();
    let mut entries = driver.commits[0].clone();
    for entry in &mut entries {
        entry.epoch = Epoch(0);
    }
    driver.put(committed(&entries, true));
    assert_eq!(committed_offsets(&driver), [None; 2]);
    driver.commits[0].clear();
}

/// Reads this many records of a partition, every other one skipped, so that half of them are settled.
fn read(
    driver: &mut Driver,
    partition: i32,
    offsets: std::ops::Range<i64>,
    other: impl Fn(u64) -> Planned,
) {
    for offset in offsets {
        let verdict = if offset % 2 == 0 {
            Verdict::Emit(vec![other(offset.unsigned_abs())])
        } else {
            Verdict::Skip(SkipReason::NoRoute)
        };
        driver.judged(shop(partition), offset, verdict);
        if driver.paused.contains(&shop(partition)) {
            return;
        }
    }
}

fn waits(driver: &Driver, partition: usize) -> Option<Waits> {
    driver.machine.snapshot(driver.now).partitions[partition].waits
}

#[test]
fn a_partition_is_read_no_further_ahead_than_its_commits_can_note() {
    let mut driver = Driver::new(settings(), 2);
    let destination_is_slow = |call: &Call| match call {
        Call::Track { .. } => Some(CallResult::Tracked(Outcome::Retry(RetryCause::ObjectQuota))),
        _ => None,
    };
    driver.answer(destination_is_slow);
    read(&mut driver, 0, 0..60_000, track);
    assert_eq!(waits(&driver, 0), Some(Waits::CommitRoom));
    let ahead = driver.used();
    assert!((20_000..24_000).contains(&ahead), "{ahead}");
    read(&mut driver, 1, 0..1_000, track);
    assert_eq!(waits(&driver, 1), None, "the other goes on");
    assert!(!driver.paused.contains(&shop(1)));

    driver.all_is_well();
    driver.run(60);
    assert!(
        driver.paused.contains(&shop(0)),
        "an eighth has to go first"
    );
    driver.run(20 * 60);
    assert!(!driver.paused.contains(&shop(0)));
    assert_eq!(waits(&driver, 0), None);
    driver.run_to_rest();
    let cut = |fact: &&Fact| matches!(fact, Fact::MetadataCut);
    assert_eq!(driver.facts.iter().filter(cut).count(), 0);
}

#[test]
fn where_a_hold_keeps_the_frontier_a_partition_without_room_waits_for_it() {
    let mut settings = settings();
    settings.budget.bytes = 1 << 30;
    let mut driver = Driver::new(settings, 1);
    driver.answer(|call| match call {
        Call::CreateKObjects { .. } => {
            Some(CallResult::Submitted(Outcome::Hold(HoldCause::MissingRole)))
        }
        Call::CreateKObject { .. } => {
            Some(CallResult::Written(Outcome::Hold(HoldCause::MissingRole)))
        }
        _ => None,
    });
    read(&mut driver, 0, 0..60_000, |n| write(object("order", n)));
    driver.run(5);
    let by = HeldBy::Hold(HoldCause::MissingRole);
    assert_eq!(waits(&driver, 0), Some(Waits::CommitsFull(by)));
    driver.all_is_well();
    driver.run(10 * 60);
    assert!(!driver.paused.contains(&shop(0)));
    driver.run_to_rest();
}
