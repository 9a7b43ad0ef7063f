//! What a hold costs all other work: nothing, until half of the budget, or the room in a partition's commits, is used up.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ingest_delivery::machine::Snapshot;
use ingest_model::operation::MissingCustomer;
use ingest_model::outcome::{HeldBy, HoldCause, Waits};
use ingest_model::record::Topic;
use kustomer_sim::{Config, FaultScript};
use serde_json::{Value, json};

use super::world::{TOPIC, World, make};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const PARTITIONS: i32 = 6;
/// What the tests hold: writes of objects, because the key lacks a role.
const ROLE: Waits = Waits::HeldWork(HeldBy::Hold(HoldCause::MissingRole));

fn world(records: u64, diverts: bool) -> World {
    let config = Config {
        limit: 2_000,
        ..Config::default()
    };
    let mut world = World::new(config, 2_000, PARTITIONS);
    world.settings.budget.records = records;
    if diverts {
        let routes = BTreeSet::from([Arc::from("test")]);
        world.settings.diverting.insert(Topic::new(TOPIC), routes);
    }
    world.start_replica();
    world.assign_all(0);
    world
}

fn faults(script: &Value) -> FaultScript {
    FaultScript::parse(&script.to_string()).unwrap()
}

/// Until then no object is written, because the key lacks the role.
fn no_objects(world: &mut World, until: Duration) {
    let until = u64::try_from(until.as_millis()).unwrap();
    world.sim.inject(faults(&json!({"rules": [
        {"name": "bulk", "when": {"endpoint": "kobject.bulk_create", "to_ms": until}, "do": {"action": "status", "status": 403}},
        {"name": "single", "when": {"endpoint": "kobject.create", "to_ms": until}, "do": {"action": "status", "status": 403}},
    ]})));
}

fn snapshot(world: &World) -> Snapshot {
    world.replicas[0]
        .machine
        .as_ref()
        .unwrap()
        .snapshot(world.now)
}

fn waits(world: &World, partition: usize) -> Option<Waits> {
    snapshot(world).partitions[partition].waits
}

/// Lets time pass, whether there is work or not.
fn pass(world: &mut World, time: Duration) {
    let until = world.now + time;
    world.kick(0);
    world.run(time);
    world.now = world.now.max(until);
}

/// Traffic of an hour or less: events a second over all partitions, and the seconds between two objects.
struct Traffic {
    events: u64,
    objects_every: Option<u64>,
    /// The partitions that objects come from.
    objects_in: i32,
    sent: u64,
    objects: u64,
    second: u64,
}

impl Traffic {
    fn new(objects_every: Option<u64>, objects_in: i32) -> Self {
        Self {
            events: 6,
            objects_every,
            objects_in,
            sent: 0,
            objects: 0,
            second: 0,
        }
    }

    fn second(&mut self, world: &mut World) {
        for _ in 0..self.events {
            let n = self.sent;
            self.sent += 1;
            let number = i32::try_from(n % 6).unwrap();
            world.put(number, make::emit(vec![make::track(n % 600, n, n / 600)]));
        }
        if self
            .objects_every
            .is_some_and(|every| self.second.is_multiple_of(every))
        {
            let n = self.objects;
            self.objects += 1;
            let create = MissingCustomer::Create;
            let order = make::order_of("order", n, 1, n % 600, create, json!({}));
            let number = i32::try_from(n).unwrap() % self.objects_in;
            world.put(number, make::emit(vec![order]));
        }
        self.second += 1;
        pass(world, Duration::from_secs(1));
    }

    fn minute(&mut self, world: &mut World) -> u64 {
        let before = world.sim.account().accepted.tracking;
        for _ in 0..60 {
            self.second(world);
        }
        world.sim.account().accepted.tracking - before
    }
}

#[test]
fn a_klass_on_hold_for_an_hour_leaves_the_rest_its_pace() {
    let mut held = world(4_000, false);
    no_objects(&mut held, HOUR);
    let mut alone = world(4_000, false);
    let mut with = Traffic::new(Some(2), 6);
    let mut without = Traffic::new(None, 6);
    for minute in 0..60 {
        let (a, b) = (with.minute(&mut held), without.minute(&mut alone));
        assert!(
            a.abs_diff(b) * 50 <= b,
            "minute {minute}: {a} events beside a hold, {b} without"
        );
    }
    let view = snapshot(&held);
    assert!(view.partitions.iter().all(|one| one.waits.is_none()));
    assert!(view.held.records >= 1_790, "{:?}", view.held);
    assert!(held.letters.is_empty());
    pass(&mut held, 5 * MINUTE);
    assert!(held.is_done(), "{:?}", held.settled);
    assert_eq!(held.sim.account().kobjects_total, with.objects);
    assert!(held.letters.is_empty() && held.aside.is_empty());
    assert!(held.no_invariant_broken());
}

#[test]
fn at_half_of_the_budget_the_partitions_that_it_comes_from_are_paused() {
    let mut world = world(400, false);
    no_objects(&mut world, 20 * MINUTE);
    // Objects come from partition 0 only.
    let mut traffic = Traffic::new(Some(1), 1);
    let mut at_limit = None;
    for minute in 0..19 {
        traffic.minute(&mut world);
        if waits(&world, 0).is_some() && at_limit.is_none() {
            at_limit = Some(minute);
        }
        assert!(
            snapshot(&world).held.records <= 208,
            "{:?}",
            snapshot(&world).held
        );
    }
    assert_eq!(at_limit, Some(3), "200 objects take 200 seconds");
    assert_eq!(waits(&world, 0), Some(ROLE));
    assert!((1..6).all(|other| waits(&world, other).is_none()));
    // The others keep their pace: five sixths of the events, and those of partition 0 that were read before the pause.
    let of_others = traffic.sent / 6 * 5;
    let accepted = world.sim.account().accepted.tracking;
    assert!(
        accepted >= of_others && accepted < traffic.sent - 600,
        "{accepted}"
    );
    pass(&mut world, 10 * MINUTE);
    assert!(world.is_done(), "{:?}", world.settled);
    assert_eq!(waits(&world, 0), None);
    assert_eq!(world.sim.account().accepted.tracking, traffic.sent);
    assert!(world.letters.is_empty() && world.aside.is_empty());
    assert!(world.no_invariant_broken());
}

#[test]
fn at_half_of_the_budget_the_oldest_is_diverted() {
    let mut world = world(400, true);
    no_objects(&mut world, 20 * MINUTE);
    let mut traffic = Traffic::new(Some(1), 1);
    for _ in 0..19 {
        let events = traffic.minute(&mut world);
        assert!((350..=370).contains(&events), "{events} events in a minute");
        let view = snapshot(&world);
        assert!(view.held.records <= 208, "{:?}", view.held);
        assert!(view.partitions.iter().all(|one| one.waits.is_none()));
    }
    let aside = world.aside.len() as u64;
    assert!(
        aside >= traffic.objects - 208,
        "{aside} of {}",
        traffic.objects
    );
    pass(&mut world, 5 * MINUTE);
    assert!(world.is_done(), "{:?}", world.settled);
    assert!(world.letters.is_empty(), "what is held is not dead");
    assert_eq!(world.sim.account().kobjects_total, traffic.objects - aside);
    assert_eq!(world.settled.get("diverted"), Some(&aside));
    assert!(world.aside.values().all(|times| *times == 1));
    assert!(world.no_invariant_broken());
}

/// Held objects and events in turn, so that what is settled forms as many runs as there are objects.
fn scattered(world: &mut World, objects: u64) {
    for n in 0..objects {
        let create = MissingCustomer::Create;
        let order = make::order_of("order", n, 1, n % 600, create, json!({}));
        world.put(0, make::emit(vec![order]));
        world.put(0, make::emit(vec![make::track(n % 600, n, n / 600)]));
    }
}

#[test]
fn where_commits_are_full_because_of_a_hold_the_partition_is_paused() {
    let mut world = world(50_000, false);
    world.metadata_limit = 400;
    no_objects(&mut world, 30 * MINUTE);
    scattered(&mut world, 3_000);
    pass(&mut world, 10 * MINUTE);
    let full = Waits::CommitsFull(HeldBy::Hold(HoldCause::MissingRole));
    assert_eq!(waits(&world, 0), Some(full));
    let before = world.sim.account().accepted.tracking;
    assert!((1_000..3_000).contains(&before), "{before}");
    pass(&mut world, 40 * MINUTE);
    assert!(world.is_done(), "{:?}", world.settled);
    assert_eq!(world.sim.account().kobjects_total, 3_000);
    assert!(world.letters.is_empty() && world.aside.is_empty());
    assert!(world.no_invariant_broken());
}

#[test]
fn where_commits_are_full_because_of_a_hold_the_oldest_is_diverted() {
    let mut world = world(50_000, true);
    world.metadata_limit = 400;
    no_objects(&mut world, 30 * MINUTE);
    scattered(&mut world, 3_000);
    pass(&mut world, 10 * MINUTE);
    assert_eq!(world.sim.account().accepted.tracking, 3_000, "events go on");
    assert_eq!(waits(&world, 0), None);
    let aside = world.aside.len() as u64;
    assert!((300..=2_800).contains(&aside), "{aside}");
    pass(&mut world, 40 * MINUTE);
    assert!(world.is_done(), "{:?}", world.settled);
    assert_eq!(world.sim.account().kobjects_total, 3_000 - aside);
    assert!(world.letters.is_empty());
    assert!(world.no_invariant_broken());
}

#[test]
fn an_outage_of_an_hour_keeps_to_the_budget_and_is_over_within_ten_seconds() {
    let mut world = world(1_000, false);
    world.sim.inject(faults(&json!({"rules": [
        {"name": "down", "when": {"from_ms": 60_000, "to_ms": 3_660_000}, "do": {"action": "status", "status": 503}},
    ]})));
    for n in 0..12_000 {
        let number = i32::try_from(n % 6).unwrap();
        world.put(number, make::emit(vec![make::track(n % 600, n, n / 600)]));
    }
    pass(&mut world, MINUTE);
    let mut most = 0;
    for _ in 0..60 {
        pass(&mut world, MINUTE);
        most = most.max(snapshot(&world).used.records);
    }
    // Each partition may deliver up to twenty more records before the pause reaches it.
    assert!((500..=1_120).contains(&most), "{most} records");
    pass(&mut world, Duration::from_secs(10));
    let before = world.sim.account().accepted.tracking;
    pass(&mut world, MINUTE);
    let after = world.sim.account().accepted.tracking - before;
    assert!(
        after >= 1_550,
        "{after} events in the first full minute of 1,600"
    );
    pass(&mut world, 10 * MINUTE);
    assert!(world.is_done(), "{:?}", world.settled);
    assert!(world.letters.is_empty() && world.aside.is_empty());
    assert_eq!(world.sim.account().accepted.tracking, 12_000);
    assert!(world.no_invariant_broken());
}
