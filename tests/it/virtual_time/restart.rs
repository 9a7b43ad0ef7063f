//! What is repeated after a restart: what was settled above the frontier is recorded with the committed offset.

use std::time::Duration;

use ingest_delivery::fact::Fact;
use ingest_delivery::fact::Ignored;
use ingest_delivery::machine::PartitionView;
use ingest_delivery::port::Metadata;
use ingest_model::operation::MissingCustomer;
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

/// An object whose customer does not exist: it waits ten minutes, and the frontier waits with it.
fn put_slow(world: &mut World, n: u64) {
    let order = make::order_of("order", n, 1, 1_000_000, MissingCustomer::Park, json!({}));
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

fn snapshot(world: &World) -> PartitionView {
    let machine = world.replicas[0].machine.as_ref().unwrap();
    machine.snapshot(world.now).partitions.remove(0)
}

/// This many slow objects, with an event behind each.
fn put_in_turn(world: &mut World, pairs: u64, customer_of_event: impl Fn(u64) -> u64) {
    for n in 0..pairs {
        put_slow(world, n);
        let event = make::track(customer_of_event(n), n, n % 1_000);
        world.put(0, make::emit(vec![event]));
    }
}

#[test]
fn ten_thousand_open_records_among_as_many_settled_ones_fill_no_text() {
    let mut world = world();
    put_in_turn(&mut world, 10_000, |n| n);
    world.assign_all(0);
    world.run(Duration::from_secs(400));
    assert_eq!(world.sim.account().accepted.tracking, 10_000);
    let view = snapshot(&world);
    assert!(view.metadata_used < 0.4, "{}", view.metadata_used);
    assert_eq!((view.kept_back, view.waits), (0, None));
    world.kill(0);
    let next = world.start_replica();
    world.assign_all(next);
    assert!(world.run(HOUR), "{:?}", world.settled);
    assert!(world.no_invariant_broken());
    assert_eq!(world.sim.account().repeated.tracking, 0);
    assert_eq!(settled(&world, "settled_before"), 10_000);
}

#[test]
fn when_the_text_is_full_events_wait() {
    let mut world = world();
    // If bytes are counted, 1,359 signs of 15 bits fit: 10,192 events and as many open records.
    world.metadata_in_bytes = true;
    put_in_turn(&mut world, 11_000, |n| n);
    world.assign_all(0);
    world.run(Duration::from_secs(450));
    let full = snapshot(&world);
    assert!(full.metadata_used >= 0.875, "{}", full.metadata_used);
    assert!(full.kept_back > 300, "{}", full.kept_back);
    let sent = world.sim.account().accepted.tracking;
    assert!((10_100..10_300).contains(&sent), "{sent}");
    world.kill(0);
    let next = world.start_replica();
    world.assign_all(next);
    assert!(world.run(HOUR), "{:?}", world.settled);
    assert!(world.no_invariant_broken());
    let account = world.sim.account();
    assert_eq!(
        account.accepted.tracking,
        11_000 + account.repeated.tracking
    );
    // What was settled before the broker's limit was known, and does not fit into the shorter text: a hundred, and a second of permits.
    assert!(
        account.repeated.tracking <= 150,
        "{}",
        account.repeated.tracking
    );
}

#[test]
fn an_event_behind_which_the_lowest_record_stands_goes_although_the_text_is_full() {
    let mut world = world();
    world.metadata_limit = 400;
    // The lowest unsettled records are events of one customer; many others wait above them.
    put_in_turn(&mut world, 3_500, |_| 7);
    world.assign_all(0);
    world.run(Duration::from_secs(500));
    assert!(snapshot(&world).kept_back > 0, "it is not full");
    assert!(world.run(HOUR), "{:?}", world.settled);
    assert!(world.no_invariant_broken());
}

#[test]
fn a_broker_that_takes_less_gets_less() {
    let mut world = world();
    world.metadata_limit = 400;
    put_in_turn(&mut world, 3_500, |n| n);
    world.assign_all(0);
    world.run(Duration::from_secs(200));
    let log = &world.logs[&partition(0)];
    let Metadata::Text(text) = &log.metadata else {
        panic!("no text was committed");
    };
    let length = text.chars().count();
    assert!((300..=400).contains(&length), "{length}");
    assert!(world.run(HOUR), "{:?}", world.settled);
    assert_eq!(world.sim.account().repeated.tracking, 0);
}

#[test]
fn a_text_of_the_version_before_is_used() {
    let mut world = world();
    for n in 0..3 {
        put_event(&mut world, n);
    }
    // The second of three is settled.
    let older = Metadata::Text("ki1.fc4bb1fc.0.-.AQE".to_owned());
    world.logs.get_mut(&partition(0)).unwrap().metadata = older;
    world.assign_all(0);
    assert!(world.run(HOUR));
    assert_eq!(settled(&world, "settled_before"), 1);
    assert_eq!(world.sim.account().accepted.tracking, 2);
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
