//! Commits: each entry counts by its own answer.

use ingest_core::machine::CommitEntry;
use ingest_core::outcome::{SkipReason, Verdict};
use ingest_core::record::{Epoch, Offset};

use crate::driver::{Driver, committed};
use crate::make::{settings, shop};

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
