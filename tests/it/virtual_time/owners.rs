//! Customers that are named by an object: events that say which order they are about, and not whose, with kills, moves and
//! faults. Each arrives on the timeline of the order's customer, in the order of its partition.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ingest_delivery::fact::Fact;
use ingest_delivery::retry::Jitter;
use ingest_model::operation::{
    CustomerKey, CustomerRef, ExternalId, Klass, MissingCustomer, Planned,
};
use kustomer_sim::{Config, FaultScript};
use serde_json::json;

use super::world::{World, make};

const LIMIT: u32 = 1_000;
const PARTITIONS: i32 = 3;
const HOUR: Duration = Duration::from_secs(3_600);

fn world(seed: u64) -> World {
    let config = Config {
        limit: u64::from(LIMIT),
        seed: seed + 1,
        ..Config::default()
    };
    let mut world = World::new(config, LIMIT, PARTITIONS);
    world.settings.owners_of = BTreeSet::from([Klass("order".into())]);
    world
}

/// An event with this number about an order.
fn about(order: u64, number: u64) -> Planned {
    let mut plan = make::track(0, number, number % 40_000);
    let id = ExternalId(format!("o{order}").into());
    let key = CustomerKey::of_object(&Klass("order".into()), &id);
    let customer = CustomerRef::new(vec![key], MissingCustomer::Park).expect("a key");
    plan.operation.rename_customer(customer);
    plan
}

/// A customer has ten orders.
fn buyer(order: u64) -> u64 {
    order / 10
}

/// The numbers of the events on a customer's timeline, in their order and each once.
fn timeline(world: &World, customer: u64) -> Vec<u64> {
    let mut told = Vec::new();
    for event in world.sim.events_of_customer(&format!("u{customer}")) {
        let key: uuid::Uuid = event.event_key.expect("a key").parse().expect("a uuid");
        let number = u64::try_from(key.as_u128() - 1).expect("few");
        if !told.contains(&number) {
            told.push(number);
        }
    }
    told
}

fn asked(world: &World, endpoint: &str) -> u64 {
    let by_endpoint = world.sim.account().requests.by_endpoint;
    let all = by_endpoint
        .iter()
        .filter(|(name, _)| name.starts_with(endpoint));
    all.map(|(_, count)| count).sum()
}

fn replica(world: &mut World) -> usize {
    let replica = world.start_replica();
    world.assign_all(replica);
    replica
}

#[test]
fn events_right_behind_their_orders_cost_no_reads() {
    let mut world = world(1);
    for order in 0..200 {
        let partition = i32::try_from(buyer(order) % 3).unwrap();
        world.put(
            partition,
            make::emit(vec![make::order(order, 1, buyer(order))]),
        );
        world.put(partition, make::emit(vec![about(order, order)]));
    }
    replica(&mut world);
    assert!(world.run(HOUR), "{:?}", world.settled);
    assert!(world.no_invariant_broken());
    for customer in 0..20 {
        let wanted: Vec<u64> = (customer * 10..customer * 10 + 10).collect();
        assert_eq!(timeline(&world, customer), wanted);
    }
    let account = world.sim.account();
    assert_eq!(asked(&world, "kobject.get"), 0, "{:?}", account.requests);
    assert_eq!(asked(&world, "customer.get"), 0, "{:?}", account.requests);
}

#[test]
fn after_a_restart_each_order_is_read_once_and_each_customer_once() {
    for with_state in [false, true] {
        let mut world = world(2);
        if with_state {
            world = world.with_state();
        }
        let orders = 120;
        let put = |world: &mut World, plan: Planned, order: u64| {
            let partition = i32::try_from(buyer(order) % 3).unwrap();
            world.put(partition, make::emit(vec![plan]));
        };
        for order in 0..orders {
            put(&mut world, make::order(order, 1, buyer(order)), order);
        }
        let first = replica(&mut world);
        assert!(world.run(HOUR), "{:?}", world.settled);
        world.kill(first);
        let (objects, customers) = (asked(&world, "kobject.get"), asked(&world, "customer.get"));
        for round in 0..3 {
            for order in 0..orders {
                put(&mut world, about(order, round * orders + order), order);
            }
        }
        replica(&mut world);
        assert!(world.run(HOUR), "{:?}", world.settled);
        let objects = asked(&world, "kobject.get") - objects;
        let customers = asked(&world, "customer.get") - customers;
        assert_eq!(objects, if with_state { 0 } else { orders }, "{with_state}");
        assert_eq!(customers, orders / 10, "{with_state}");
        for customer in 0..orders / 10 {
            assert_eq!(timeline(&world, customer).len(), 30, "{with_state}");
        }
    }
}

/// Random traffic in which orders and events about them are in different partitions, with kills, moves and faults.
fn play(seed: u64) {
    make::number_afresh();
    let mut dice = Jitter::new(seed * 7_919 + 29);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "small numbers"
    )]
    let mut roll = move |sides: u64| (dice.unit() * sides as f64) as u64;
    let mut world = world(seed);
    if seed % 2 == 1 {
        world = world.with_state();
    }
    let (endpoint, action) = match roll(5) {
        0 => (
            "kobject.get_by_external_id",
            json!({"action": "status", "status": 503}),
        ),
        1 => ("customer.get", json!({"action": "reset_after"})),
        2 => ("kobject.*", json!({"action": "reset_after"})),
        3 => (
            "*",
            json!({"action": "latency", "median_ms": 300, "p99_ms": 9_000}),
        ),
        _ => (
            "*",
            json!({"action": "status", "status": 429, "scope": "org"}),
        ),
    };
    let script = json!({"rules": [{"when": {"endpoint": endpoint, "every": 4, "to_ms": 120_000}, "do": action}]});
    world
        .sim
        .inject(FaultScript::parse(&script.to_string()).expect("a script"));
    let mut alive = vec![world.start_replica(), world.start_replica()];
    world.assign_all(alive[0]);
    let mut number = 0;
    let mut wanted: BTreeMap<u64, u64> = BTreeMap::new();
    let mut ordered = BTreeSet::new();
    let mut abrupt = false;
    for turn in 0..8 {
        for _ in 0..40 {
            let order = roll(60);
            // The order itself is in one partition, the events about it in that one or another; some come first.
            if roll(3) == 0 {
                ordered.insert(order);
                let home = i32::try_from(buyer(order) % 3).unwrap();
                world.put(
                    home,
                    make::emit(vec![make::order(order, turn + 1, buyer(order))]),
                );
            } else {
                number += 1;
                wanted.insert(number, order);
                let elsewhere = i32::try_from(order % 3).unwrap();
                world.put(elsewhere, make::emit(vec![about(order, number)]));
            }
        }
        for replica in alive.clone() {
            world.kick(replica);
        }
        world.run(Duration::from_millis(200 + roll(9_000)));
        let one = alive[usize::try_from(roll(2)).unwrap()];
        match roll(4) {
            0 => world.move_partition(i32::try_from(roll(3)).unwrap(), one),
            1 => {
                abrupt = true;
                world.kill(one);
                alive.retain(|replica| *replica != one);
                alive.push(world.start_replica());
            }
            _ => {}
        }
        world.assign_free(&alive);
    }
    // All orders are there in the end, within the time that their events wait.
    for order in 0..60 {
        if ordered.insert(order) {
            let home = i32::try_from(buyer(order) % 3).unwrap();
            world.put(home, make::emit(vec![make::order(order, 1, buyer(order))]));
        }
    }
    for _ in 0..4 {
        world.assign_free(&alive);
        for replica in alive.clone() {
            world.kick(replica);
        }
        world.run(Duration::from_secs(20));
    }
    assert!(world.run(HOUR), "seed {seed}: {:?}", world.settled);
    assert!(world.no_invariant_broken(), "seed {seed}");
    assert!(world.letters.is_empty(), "seed {seed}: {:?}", world.letters);
    for customer in 0..6 {
        let told = timeline(&world, customer);
        let mine = wanted
            .iter()
            .filter(|(_, order)| buyer(**order) == customer);
        let mine: BTreeSet<u64> = mine.map(|(number, _)| *number).collect();
        let there: BTreeSet<u64> = told.iter().copied().collect();
        assert_eq!(there, mine, "seed {seed}: customer {customer}");
        // Events about one order are in one partition.
        for order in customer * 10..customer * 10 + 10 {
            let of_order = told.iter().filter(|number| wanted[number] == order);
            assert!(of_order.is_sorted(), "seed {seed}: order {order}: {told:?}");
        }
    }
    let reads = asked(&world, "kobject.get") + asked(&world, "customer.get");
    assert!(reads <= 600, "seed {seed}: {reads} reads");
    let resolved = |fact: &Fact| matches!(fact, Fact::Resolved { .. });
    let resolved: usize = (0..world.replicas.len())
        .map(|replica| world.count(replica, resolved))
        .sum();
    assert!(abrupt || resolved > 0, "seed {seed}");
}

#[test]
fn schedules_put_every_event_on_the_timeline_of_its_orders_customer() {
    for seed in 0..60 {
        play(seed);
    }
}
