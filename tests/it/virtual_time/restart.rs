//! What comes again after a restart: what was settled above the frontier stands beside the committed offset.

use std::time::Duration;

use ingest_core::commit_metadata::{FULL, Ignored, Metadata};
use ingest_core::fact::Fact;
use ingest_core::operation::MissingCustomer;
use kustomer_sim::Config;
use serde_json::json;

use super::world::{World, make, partition};

const HOUR: Duration = Duration::from_secs(3_600);

fn world() -> World {
    let config = Config {
        limit: 2_000,
        ..Config::default()
    };
    let mut world = World::new(config, 2_000, 1);
    world.start_replica();
    world
}

/// An object whose customer nobody has made: it waits ten minutes, and with it the frontier.
fn put_slow(world: &mut World, n: u64) {
    let order = make::order_of(
        "order",
        n,
        1,
        1_000_000 + n,
        MissingCustomer::Park,
        json!({}),
    );
    world.put(0, make::emit(vec![order]));
}

fn put_event(world: &mut World, n: u64) {
    world.put(0, make::emit(vec![make::track(n, n, n % 1_000)]));
}

fn count(world: &World, replica: usize) -> usize {
    let machine = world.replicas[replica].machine.as_ref().unwrap();
    machine.snapshot(world.now).requests
}

fn settled(world: &World, label: &str) -> u64 {
    world.settled.get(label).copied().unwrap_or_default()
}

#[test]
fn after_a_kill_only_what_was_under_way_repeats() {
    let mut world = world();
    put_slow(&mut world, 0);
    for n in 0..1_500 {
        put_event(&mut world, n);
    }
    world.assign_all(0);
    let mut bound = 0;
    for kill in 0..5 {
        world.run(Duration::from_secs(7));
        let delivered = settled(&world, "delivered");
        assert!(delivered > 120 * (kill + 1), "{delivered}");
        // 27 requests a second: in a commit interval and the commit's own time, 8.
        bound += count(&world, usize::try_from(kill).unwrap()) as u64 + 8;
        world.kill(usize::try_from(kill).unwrap());
        let next = world.start_replica();
        world.assign_all(next);
    }
    assert!(world.run(HOUR), "{:?}", world.settled);
    assert!(world.no_invariant_broken());
    let account = world.sim.account();
    assert_eq!(account.accepted.tracking, 1_500 + account.repeated.tracking);
    assert!(
        account.repeated.tracking <= bound,
        "{} repeats of at most {bound}",
        account.repeated.tracking
    );
    assert!(settled(&world, "settled_before") > 1_000);
    assert_eq!(account.out_of_order.tracking, 0);
}

#[test]
fn after_a_planned_move_nothing_repeats() {
    let mut world = world();
    put_slow(&mut world, 0);
    for n in 0..900 {
        put_event(&mut world, n);
    }
    let second = world.start_replica();
    world.assign_all(0);
    for round in 0..6 {
        world.run(Duration::from_secs(4));
        world.move_partition(0, if round % 2 == 0 { second } else { 0 });
    }
    assert!(world.run(HOUR), "{:?}", world.settled);
    assert!(world.no_invariant_broken());
    let account = world.sim.account();
    assert_eq!(account.repeated.tracking, 0);
    assert_eq!(account.accepted.tracking, 900);
}

#[test]
fn when_the_text_is_full_events_wait_and_nothing_is_cut() {
    let mut world = world();
    for n in 0..1_800 {
        put_slow(&mut world, n);
        put_event(&mut world, n);
    }
    world.assign_all(0);
    world.run(Duration::from_secs(400));
    let view = |world: &World| {
        let machine = world.replicas[0].machine.as_ref().unwrap();
        machine.snapshot(world.now).partitions.remove(0)
    };
    let full = view(&world);
    assert!(full.metadata_bytes >= FULL, "{}", full.metadata_bytes);
    assert!(full.kept_back > 300, "{}", full.kept_back);
    let sent = world.sim.account().accepted.tracking;
    assert!((1_250..1_400).contains(&sent), "{sent}");
    world.kill(0);
    let next = world.start_replica();
    world.assign_all(next);
    assert!(world.run(HOUR), "{:?}", world.settled);
    assert!(world.no_invariant_broken());
    let account = world.sim.account();
    assert_eq!(account.repeated.tracking, 0);
    assert_eq!(account.accepted.tracking, 1_800);
    for replica in 0..2 {
        assert_eq!(
            world.count(replica, |fact| matches!(fact, Fact::MetadataCut)),
            0
        );
    }
}

#[test]
fn an_event_behind_which_the_lowest_record_stands_goes_although_the_text_is_full() {
    let mut world = world();
    // The lowest unsettled records are events of one customer; many others wait above them.
    for n in 0..1_700 {
        put_slow(&mut world, n);
        put_event(&mut world, 7);
    }
    world.assign_all(0);
    assert!(world.run(HOUR), "{:?}", world.settled);
    assert!(world.no_invariant_broken());
}

#[test]
fn a_broker_that_takes_less_gets_less() {
    let mut world = world();
    world.metadata_limit = 300;
    for n in 0..600 {
        put_slow(&mut world, n);
        put_event(&mut world, n);
    }
    world.assign_all(0);
    world.run(Duration::from_secs(60));
    let log = &world.logs[&partition(0)];
    let Metadata::Text(text) = &log.metadata else {
        panic!("no text was committed");
    };
    assert!(text.len() <= 300, "{}", text.len());
    assert!(world.run(HOUR), "{:?}", world.settled);
    assert_eq!(world.sim.account().repeated.tracking, 0);
}

#[test]
fn a_broker_that_takes_no_text_gets_offsets_only() {
    let mut world = world();
    world.metadata_limit = 0;
    for n in 0..50 {
        put_slow(&mut world, n);
        put_event(&mut world, n);
    }
    world.assign_all(0);
    assert!(world.run(HOUR), "{:?}", world.settled);
    assert!(world.count(0, |fact| matches!(fact, Fact::MetadataCut)) > 0);
    assert_eq!(world.sim.account().accepted.tracking, 50);
}

#[test]
fn text_that_is_not_ours_is_ignored_and_counted() {
    let cases = [
        (Metadata::Text("host-a".to_owned()), Ignored::Foreign),
        (Metadata::Unreadable, Ignored::Foreign),
        (Metadata::Text("ki9.x".to_owned()), Ignored::Version),
        (
            Metadata::Text("ki1.00000000.0.-.AQE".to_owned()),
            Ignored::Partition,
        ),
    ];
    for (metadata, expected) in cases {
        let mut world = world();
        put_event(&mut world, 1);
        world.logs.get_mut(&partition(0)).unwrap().metadata = metadata;
        world.assign_all(0);
        assert!(world.run(HOUR));
        let ignored =
            |fact: &Fact| matches!(fact, Fact::MetadataIgnored { why, .. } if *why == expected);
        assert_eq!(world.count(0, ignored), 1, "{expected:?}");
        assert_eq!(world.sim.account().accepted.tracking, 1);
    }
}

#[test]
fn text_of_another_life_of_the_topic_is_ignored() {
    let mut world = world();
    put_slow(&mut world, 0);
    put_event(&mut world, 1);
    world.assign_all(0);
    world.run(Duration::from_secs(30));
    let left = world.logs[&partition(0)].metadata.clone();
    assert!(matches!(left, Metadata::Text(_)));

    // The same offsets, other records.
    let mut other = self::world();
    other.run(Duration::from_secs(5));
    other.now += Duration::from_secs(5);
    put_event(&mut other, 1);
    put_event(&mut other, 2);
    other.logs.get_mut(&partition(0)).unwrap().metadata = left;
    other.assign_all(0);
    assert!(other.run(HOUR));
    let generation = |fact: &Fact| matches!(fact, Fact::MetadataIgnored { why, .. } if *why == Ignored::Generation);
    assert_eq!(other.count(0, generation), 1);
    assert_eq!(other.sim.account().accepted.tracking, 2);
}
