//! A process that stood still for longer than its group waits for a member.

use std::time::Duration;

use ingest_delivery::fact::{Fact, Settlement};
use ingest_delivery::machine::MachineSettings;

use crate::driver::Driver;
use crate::make::{committed, settings, track};

const LIMIT: Duration = Duration::from_secs(30);

fn watchful() -> MachineSettings {
    MachineSettings {
        asleep_after: Some(LIMIT),
        ..settings()
    }
}

/// One event is in flight and another arrives on waking; in between, nothing happens for that long.
fn asleep_for(time: Duration) -> Driver {
    let mut driver = Driver::new(watchful(), 1);
    driver.run(1);
    driver.hold_commits = true;
    driver.record(0, track(1));
    driver.run_for(Duration::from_millis(10));
    assert_eq!(driver.sent.len(), 1);
    driver.now += time;
    driver.record(1, track(2));
    driver
}

fn noticed(driver: &Driver) -> bool {
    driver
        .facts
        .iter()
        .any(|fact| matches!(fact, Fact::Slept { .. }))
}

#[test]
fn who_slept_sends_nothing_before_a_commit_succeeded() {
    let mut driver = asleep_for(LIMIT);
    driver.run(20);
    assert!(noticed(&driver));
    assert_eq!(driver.sent.len(), 1, "the group may have other owners");
    let entries = driver.commits.last().cloned().unwrap();
    driver.put(committed(&entries, false));
    driver.run(2);
    assert_eq!(driver.sent.len(), 1, "it did not succeed");
    let entries = driver.commits.last().cloned().unwrap();
    driver.hold_commits = false;
    driver.put(committed(&entries, true));
    driver.run(2);
    assert_eq!(driver.sent.len(), 2);
    assert_eq!(driver.settled(), [Settlement::Delivered; 2]);
}

#[test]
fn a_short_rest_stops_nothing() {
    let mut driver = asleep_for(LIMIT / 2);
    driver.run(1);
    assert!(!noticed(&driver));
    assert_eq!(driver.sent.len(), 2);
}
