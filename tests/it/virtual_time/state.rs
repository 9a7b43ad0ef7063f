//! What survives a restart in the state topic: open jobs, repeats, known customers and objects.

use std::time::Duration;

use ingest_delivery::fact::Fact;
use ingest_delivery::machine::Snapshot;
use ingest_model::outcome::HoldCause;
use kustomer_sim::{Config, Duplicates};

use super::world::{World, make, partition};

const HOUR: Duration = Duration::from_secs(3_600);
const CUSTOMERS: u64 = 20;
const OBJECTS: u64 = 2_400;

/// A world with a state topic, slow jobs, and customers that are known already.
fn world(duplicates: Duplicates) -> World {
    let mut config = Config {
        limit: 2_000,
        ..Config::default()
    };
    config.switches.duplicates = duplicates;
    config.switches.bulk_median_ms = 40_000;
    config.switches.bulk_p99_ms = 55_000;
    let mut world = World::new(config, 2_000, 3).with_state();
    let first = world.start_replica();
    for n in 0..CUSTOMERS {
        for place in 0..3 {
            let key = n * 3 + u64::try_from(place).unwrap();
            world.put(place, make::emit(vec![make::track(n, key, 1)]));
        }
    }
    world.assign_all(first);
    assert!(world.run(HOUR));
    world
}

fn snapshot(world: &World, replica: usize) -> Snapshot {
    let machine = world.replicas[replica].machine.as_ref().unwrap();
    machine.snapshot(world.now)
}

fn put_objects(world: &mut World, from: u64, version: u64) {
    for n in from..from + OBJECTS {
        let place = i32::try_from(n % 3).unwrap();
        world.put(
            place,
            make::emit(vec![make::order(n, version, n % CUSTOMERS)]),
        );
    }
}

/// Kills the only replica with many jobs open, starts another, and lets it finish. Returns what was submitted before and after.
fn kill_with_open_jobs(duplicates: Duplicates) -> World {
    let mut world = world(duplicates);
    put_objects(&mut world, 0, 1);
    world.kick(0);
    world.run(Duration::from_secs(12));
    let open = snapshot(&world, 0).jobs;
    assert!(open >= 20, "only {open} jobs are open");
    let before = world.sim.account();
    world.kill(0);
    let next = world.start_replica();
    world.assign_all(next);
    let done = world.run(HOUR);
    let account = world.sim.account();
    assert!(done, "{:#?} {account:#?}", snapshot(&world, next));
    let inherited = world.count(next, |fact| {
        matches!(fact, Fact::Inherited { job: true, .. })
    });
    assert!(inherited >= 20, "{inherited} jobs were taken over");
    assert_eq!(account.kobjects_total, OBJECTS);
    assert_eq!(account.accepted.kobjects_created, OBJECTS, "{account:#?}");
    assert_eq!(account.accepted.kobjects_updated, 0, "{account:#?}");
    assert_eq!(account.repeated.kobjects, 0);
    assert_eq!(account.refused.get("conflict"), None, "{account:#?}");
    let items = account.bulk.items - before.bulk.items;
    assert!(
        items <= OBJECTS - before.bulk.items,
        "{items} items were submitted after the kill, {} before",
        before.bulk.items
    );
    assert!(world.no_invariant_broken());
    assert!(world.letters.is_empty());
    world.run_on(Duration::from_secs(10));
    assert_eq!(snapshot(&world, next).state.unwrap().inherited, 0);
    for number in 0..3 {
        let slice = world.state.as_ref().unwrap().slice(&partition(number));
        let open = slice
            .entries
            .iter()
            .filter(|(entity, _, _)| matches!(entity, ingest_model::state_log::Entity::Intent(_)));
        assert_eq!(open.count(), 0, "an intent is left");
    }
    world
}

#[test]
fn killed_with_open_jobs_submits_none_again_where_duplicates_are_refused() {
    kill_with_open_jobs(Duplicates::Refuse);
}

#[test]
fn killed_with_open_jobs_submits_none_again_where_duplicates_are_allowed() {
    kill_with_open_jobs(Duplicates::Allow);
}

#[test]
fn killed_at_any_moment_nothing_is_made_twice_where_duplicates_are_allowed() {
    for moment in 0..40 {
        let mut world = world(Duplicates::Allow);
        put_objects(&mut world, 0, 1);
        world.kick(0);
        world.run(Duration::from_millis(150 + moment * 61));
        world.kill(0);
        let next = world.start_replica();
        world.assign_all(next);
        assert!(world.run(HOUR));
        let account = world.sim.account();
        assert_eq!(account.kobjects_total, OBJECTS, "{moment}: {account:#?}");
        assert_eq!(account.repeated.kobjects, 0, "{moment}: {account:#?}");
        assert!(world.no_invariant_broken());
    }
}

#[test]
fn repeats_and_objects_are_known_after_a_restart() {
    let mut world = world(Duplicates::Allow);
    put_objects(&mut world, 0, 1);
    world.kick(0);
    assert!(world.run(HOUR));
    world.run_on(Duration::from_secs(1));
    let before = world.sim.account();
    world.kill(0);
    let next = world.start_replica();
    // The producer repeats itself, with new records.
    for n in 0..CUSTOMERS {
        world.put(0, make::emit(vec![make::track(n, n * 3, 1)]));
    }
    put_objects(&mut world, 0, 2);
    world.assign_all(next);
    assert!(world.run(HOUR));
    let account = world.sim.account();
    assert_eq!(world.settled.get("repeat"), Some(&CUSTOMERS));
    assert_eq!(account.accepted.tracking, before.accepted.tracking);
    assert_eq!(account.accepted.kobjects_updated, OBJECTS);
    assert_eq!(account.kobjects_total, OBJECTS);
    let creates = |account: &kustomer_sim::Account| {
        let by = &account.requests.by_endpoint;
        let found = by
            .iter()
            .filter(|(name, _)| name.contains("customer") || name.contains("create"));
        found.map(|(_, count)| count).sum::<u64>()
    };
    assert_eq!(
        creates(&account),
        creates(&before),
        "nobody has to be looked up, nothing to be made: {:#?}",
        account.requests
    );
}

#[test]
fn a_moved_partition_takes_its_jobs_along() {
    let mut world = world(Duplicates::Allow);
    put_objects(&mut world, 0, 1);
    world.kick(0);
    world.run(Duration::from_secs(12));
    let second = world.start_replica();
    world.move_partition(1, second);
    assert!(world.run(HOUR));
    let account = world.sim.account();
    assert_eq!(account.accepted.kobjects_created, OBJECTS, "{account:#?}");
    assert_eq!(account.accepted.kobjects_updated, 0, "{account:#?}");
    let inherited = world.count(second, |fact| matches!(fact, Fact::Inherited { .. }));
    assert!(inherited > 0);
    assert!(world.no_invariant_broken());
}

#[test]
fn a_state_topic_that_fails_holds_writes_back_and_loses_nothing() {
    let mut world = world(Duplicates::Allow);
    put_objects(&mut world, 0, 1);
    world.state.as_mut().unwrap().fail_writes = 60;
    world.kick(0);
    world.run(Duration::from_secs(15));
    let held = snapshot(&world, 0);
    assert!(
        held.holds
            .iter()
            .any(|hold| hold.cause == HoldCause::StateTopic)
    );
    assert_eq!(
        world.sim.account().kobjects_total,
        0,
        "no write leaves unjournalled"
    );
    for n in 0..CUSTOMERS {
        world.put(0, make::emit(vec![make::track(n, 1_000 + n, 2)]));
    }
    world.kick(0);
    world.run(Duration::from_secs(3));
    assert_eq!(
        world.sim.account().accepted.tracking,
        CUSTOMERS * 4,
        "events need no journal"
    );
    assert!(world.run(HOUR));
    let account = world.sim.account();
    assert_eq!(account.accepted.kobjects_created, OBJECTS);
    assert_eq!(account.repeated.kobjects, 0);
    assert!(snapshot(&world, 0).holds.is_empty());
}

#[test]
fn a_partition_waits_until_its_state_is_restored() {
    let mut world = world(Duplicates::Allow);
    world.kill(0);
    put_objects(&mut world, 0, 1);
    world.state.as_mut().unwrap().fail_restores = 12;
    let next = world.start_replica();
    world.assign_all(next);
    world.run(Duration::from_secs(3));
    let waiting = snapshot(&world, next);
    assert!(waiting.partitions.iter().all(|one| one.restoring));
    assert!(
        waiting
            .holds
            .iter()
            .any(|hold| hold.cause == HoldCause::StateTopic)
    );
    assert_eq!(waiting.used.records, 0, "nothing is read before");
    assert!(world.run(HOUR));
    assert!(snapshot(&world, next).holds.is_empty());
    assert_eq!(world.sim.account().kobjects_total, OBJECTS);
}
