//! Deletions among states of the same objects, with the client and the simulator, kills, moves and faults.

use std::collections::BTreeMap;
use std::time::Duration;

use ingest_delivery::retry::Jitter;
use ingest_model::operation::{
    ExternalId, KObject, Klass, MissingCustomer, Operation, Planned, Version,
};
use kustomer_sim::{Config, FaultScript, MissingRole, Roles};
use serde_json::json;

use super::world::{World, make};

const LIMIT: u32 = 1_000;
const PARTITIONS: i32 = 3;
const HOUR: Duration = Duration::from_secs(3_600);
const ORDERS: u64 = 25;

fn configured(seed: u64) -> Config {
    Config {
        limit: u64::from(LIMIT),
        seed: seed + 1,
        ..Config::default()
    }
}

fn world(seed: u64) -> World {
    World::new(configured(seed), LIMIT, PARTITIONS)
}

fn deletion(id: u64, version: u64) -> Planned {
    let external_id = ExternalId(format!("o{id}").into());
    let version = Some(Version::new(&version.to_string()));
    let gone = KObject::deletion(Klass("order".into()), external_id, version);
    make::planned(Operation::KObject(gone))
}

fn state(id: u64, version: u64) -> Planned {
    make::order_of(
        "order",
        id,
        version,
        id % 7,
        MissingCustomer::Create,
        json!({}),
    )
}

fn home(id: u64) -> i32 {
    i32::try_from(id % 3).unwrap()
}

/// What stands, by external id, with its version.
fn standing(world: &World) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for one in world.sim.objects("order") {
        let name = one.external_id.expect("an id");
        let before = all.insert(name, one.version.expect("a version"));
        assert_eq!(before, None, "one object beside another");
    }
    all
}

fn deletes(world: &World) -> u64 {
    let sent = world.sim.account().requests.by_endpoint;
    sent.get("kobject.delete").copied().unwrap_or(0)
}

#[test]
fn deletions_cost_a_request_each_and_go_beside_writes() {
    let mut world = world(1);
    for id in 0..300 {
        world.put(home(id), make::emit(vec![state(id, 1)]));
    }
    let replica = world.start_replica();
    world.assign_all(replica);
    assert!(world.run(HOUR), "{:?}", world.settled);
    let before = world.sim.account().requests.total;
    for id in 0..300 {
        let plan = if id < 200 {
            deletion(id, 2)
        } else {
            state(id, 2)
        };
        world.put(home(id), make::emit(vec![plan]));
    }
    world.kick(replica);
    assert!(world.run(HOUR), "{:?}", world.settled);
    assert_eq!(deletes(&world), 200);
    assert_eq!(standing(&world).len(), 100);
    let used = world.sim.account().requests.total - before;
    assert!(used <= 210, "{used} requests");
    assert!(world.no_invariant_broken());
}

#[test]
fn without_the_role_deletions_wait_and_everything_else_goes_on() {
    for status in [MissingRole::Forbidden, MissingRole::Unauthorized] {
        let mut config = configured(2);
        config.switches.roles = Roles::parse("-org.permission.kobject.delete").unwrap();
        config.switches.missing_role = status;
        let mut world = World::new(config, LIMIT, PARTITIONS);
        for id in 0..20 {
            world.put(home(id), make::emit(vec![state(id, 1)]));
        }
        let replica = world.start_replica();
        world.assign_all(replica);
        assert!(world.run(HOUR), "{:?}", world.settled);
        for id in 0..10 {
            world.put(home(id), make::emit(vec![deletion(id, 2)]));
        }
        for id in 10..30 {
            world.put(home(id), make::emit(vec![state(id, 3)]));
        }
        world.kick(replica);
        world.run(Duration::from_secs(1_800));
        assert!(world.letters.is_empty(), "{status:?}: {:?}", world.letters);
        let machine = world.replicas[replica].machine.as_ref().unwrap();
        let holds = machine.snapshot(world.now).holds;
        let held: Vec<String> = holds.iter().map(|hold| hold.scope.to_string()).collect();
        assert_eq!(held, ["kobject_delete:order"], "{status:?}");
        let there = standing(&world);
        assert_eq!(there.len(), 30, "{status:?}");
        let newer = there.values().filter(|version| *version == "3");
        assert_eq!(newer.count(), 20, "{status:?}");
        let tried = deletes(&world);
        // The first ones, and a probe each half a minute.
        assert!(tried < 80, "{status:?}: {tried}");
    }
}

/// A state of an order of somebody whom nobody knows yet.
fn parked(id: u64, version: u64) -> Planned {
    let park = MissingCustomer::Park;
    make::order_of("order", id, version, 100 + id, park, json!({}))
}

/// Every order's state waits for its customer when the order's deletion comes, in the partition of the state or in another one, or
/// with another state of the order between the two. Then the customers come.
#[test]
fn what_waits_for_a_customer_is_not_made_once_its_object_is_deleted() {
    for keeps in [false, true] {
        let mut world = world(3);
        if keeps {
            world = world.with_state();
        }
        let replica = world.start_replica();
        world.assign_all(replica);
        for id in 0..40 {
            world.put(0, make::emit(vec![parked(id, 1)]));
        }
        world.kick(replica);
        world.run(Duration::from_secs(60));
        for id in 0..40 {
            match id % 4 {
                0 => world.put(0, make::emit(vec![deletion(id, 2)])),
                1 => world.put(1, make::emit(vec![deletion(id, 2)])),
                2 => {
                    world.put(1, make::emit(vec![parked(id, 2)]));
                    world.put(0, make::emit(vec![deletion(id, 3)]));
                }
                // The deletion is older than what waits.
                _ => world.put(1, make::emit(vec![deletion(id, 0)])),
            }
        }
        world.kick(replica);
        world.run(Duration::from_secs(30));
        for id in 0..40 {
            world.put(2, make::emit(vec![make::identify(100 + id, "Ann")]));
        }
        world.kick(replica);
        assert!(world.run(HOUR), "{:?}", world.settled);
        let made = world.sim.account().kobjects_total;
        assert_eq!(made, 10, "only those that are newer than their deletions");
        assert_eq!(standing(&world).len(), 10);
        assert_eq!(deletes(&world), 0, "there was nothing to delete");
        assert!(world.letters.is_empty(), "{:?}", world.letters);
        for id in 0..40 {
            world.put(1, make::emit(vec![parked(id, 1)]));
        }
        world.kick(replica);
        assert!(world.run(HOUR), "{:?}", world.settled);
        let made = world.sim.account().kobjects_total;
        assert_eq!(made, 10, "older states bring nothing back");
        assert!(world.no_invariant_broken());
    }
}

/// A state and its deletion are read at once, as after a restart: nobody has looked for the customer yet.
#[test]
fn a_state_that_is_parked_behind_its_deletion_is_dropped_when_nobody_has_its_customer() {
    let mut world = world(5);
    let replica = world.start_replica();
    for id in 0..20 {
        world.put(0, make::emit(vec![parked(id, 1)]));
        world.put(1, make::emit(vec![parked(id, 2)]));
        world.put(0, make::emit(vec![deletion(id, 3)]));
        if id % 2 == 0 {
            world.put(0, make::emit(vec![state(id, 4)]));
        }
    }
    world.assign_all(replica);
    assert!(world.run(Duration::from_secs(90)), "{:?}", world.settled);
    assert_eq!(standing(&world).len(), 10, "what comes after the deletion");
    assert_eq!(deletes(&world), 0, "there was nothing to delete");
    for id in 0..20 {
        world.put(2, make::emit(vec![make::identify(100 + id, "Ann")]));
    }
    world.kick(replica);
    assert!(world.run(HOUR), "{:?}", world.settled);
    assert_eq!(standing(&world).len(), 10);
    assert!(world.letters.is_empty(), "{:?}", world.letters);
    assert!(world.no_invariant_broken());
}

/// An object that is there is deleted although a state of it waits for another customer.
#[test]
fn a_deletion_does_not_wait_for_the_customer_of_an_older_state() {
    let mut world = world(4);
    let replica = world.start_replica();
    world.assign_all(replica);
    world.put(0, make::emit(vec![parked(1, 2)]));
    world.kick(replica);
    world.run(Duration::from_secs(20));
    world.put(0, make::emit(vec![deletion(1, 3)]));
    world.put(0, make::emit(vec![state(1, 4)]));
    world.kick(replica);
    assert!(world.run(Duration::from_secs(60)), "{:?}", world.settled);
    let there: Vec<String> = standing(&world).into_values().collect();
    assert_eq!(there, ["4"], "what came after the deletion is made at once");
    assert!(world.no_invariant_broken());
}

/// Random traffic with kills, moves and faults. In the end every object has a last record, and older ones change nothing.
fn play(seed: u64) {
    make::number_afresh();
    let mut dice = Jitter::new(seed * 7_919 + 17);
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
        0 => ("kobject.*", json!({"action": "reset_after"})),
        1 => ("kobject.delete", json!({"action": "reset_before"})),
        2 => ("kobject.delete", json!({"action": "status", "status": 503})),
        3 => (
            "*",
            json!({"action": "latency", "median_ms": 300, "p99_ms": 9_000}),
        ),
        _ => (
            "*",
            json!({"action": "status", "status": 429, "scope": "org"}),
        ),
    };
    let script = json!({"rules": [{"when": {"endpoint": endpoint, "every": 3, "to_ms": 90_000}, "do": action}]});
    world
        .sim
        .inject(FaultScript::parse(&script.to_string()).expect("a script"));
    let mut alive = vec![world.start_replica(), world.start_replica()];
    world.assign_all(alive[0]);
    for turn in 0..8 {
        for _ in 0..40 {
            let id = roll(ORDERS);
            let version = turn * 10 + roll(10);
            let plan = if roll(2) == 0 {
                deletion(id, version)
            } else {
                state(id, version)
            };
            world.put(home(id), make::emit(vec![plan]));
        }
        for replica in alive.clone() {
            world.kick(replica);
        }
        world.run(Duration::from_millis(200 + roll(9_000)));
        let one = alive[usize::try_from(roll(2)).unwrap()];
        match roll(4) {
            0 => world.move_partition(i32::try_from(roll(3)).unwrap(), one),
            1 => {
                world.kill(one);
                alive.retain(|replica| *replica != one);
                alive.push(world.start_replica());
            }
            _ => {}
        }
        world.assign_free(&alive);
    }
    let settle = |world: &mut World, alive: &[usize]| {
        for _ in 0..4 {
            world.assign_free(alive);
            for replica in alive {
                world.kick(*replica);
            }
            world.run(Duration::from_secs(30));
        }
        assert!(world.run(HOUR), "seed {seed}: {:?}", world.settled);
    };
    settle(&mut world, &alive);
    // Copies of writes of replicas that are gone have run by then.
    world.run_on(Duration::from_secs(120));
    let mut left = BTreeMap::new();
    for id in 0..ORDERS {
        if roll(2) == 0 {
            world.put(home(id), make::emit(vec![deletion(id, 99)]));
        } else {
            world.put(home(id), make::emit(vec![state(id, 99)]));
            left.insert(format!("o{id}"), "99".to_owned());
        }
    }
    settle(&mut world, &alive);
    assert_eq!(standing(&world), left, "seed {seed}");
    let sent = deletes(&world);
    for id in 0..ORDERS {
        world.put(home(id), make::emit(vec![state(id, 90 + roll(9))]));
        world.put(home(id), make::emit(vec![deletion(id, 90 + roll(9))]));
    }
    settle(&mut world, &alive);
    assert_eq!(standing(&world), left, "seed {seed}: older records");
    assert_eq!(deletes(&world), sent, "seed {seed}");
    assert!(world.no_invariant_broken(), "seed {seed}");
    assert!(world.letters.is_empty(), "seed {seed}: {:?}", world.letters);
}

#[test]
fn schedules_leave_what_the_newest_records_say() {
    for seed in 0..40 {
        play(seed);
    }
}
