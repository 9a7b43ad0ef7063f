//! A key that lacks a role, reported by 403 or by 401: what can be done in another way is done, what cannot waits under a
//! hold, and everything else goes on.

use std::time::Duration;

use ingest_delivery::fact::Fact;
use ingest_model::operation::MissingCustomer;
use ingest_model::outcome::HoldCause;
use kustomer_sim::{Config, MissingRole, Roles};
use serde_json::json;

use super::world::{World, make};

const MINUTE: Duration = Duration::from_secs(60);
const STATUSES: [MissingRole; 2] = [MissingRole::Forbidden, MissingRole::Unauthorized];

/// Records of each kind, in the order of their arrival.
const EVENTS: u64 = 60;
const ORDERS: u64 = 40;
const OF_KNOWN: u64 = 10;

/// A run of half an hour with a key that lacks a role.
fn play(role: &str, status: MissingRole) -> World {
    let mut config = Config {
        limit: 1_000,
        ..Config::default()
    };
    config.switches.roles = Roles::parse(&format!("-{role}")).unwrap();
    config.switches.missing_role = status;
    let mut world = World::new(config, 1_000, 3);
    // Customers are forgotten at once, and have to be found again.
    world.settings.directory_capacity = 4;
    world.start_replica();
    let mut places = (0..3).cycle();
    let mut put = |world: &mut World, planned| {
        world.put(places.next().unwrap(), make::emit(vec![planned]));
    };
    for n in 0..EVENTS {
        put(&mut world, make::track(1_000 + n, n, 1));
    }
    // Many at once, and a single one.
    for n in 1..ORDERS {
        put(&mut world, make::order(n, 1, n));
    }
    world.assign_all(0);
    world.run(MINUTE);
    put(&mut world, make::order(0, 1, 0));
    world.kick(0);
    world.run(5 * MINUTE);
    // Customers that must exist, and were created by events.
    let of_known = if world.sim.account().accepted.tracking > 0 {
        OF_KNOWN
    } else {
        0
    };
    for n in 0..of_known {
        let missing = MissingCustomer::Reject;
        let order = make::order_of("order", 5_000 + n, 1, 1_000 + n, missing, json!({}));
        put(&mut world, order);
    }
    world.kick(0);
    world.run(20 * MINUTE);
    assert!(world.no_invariant_broken());
    assert!(world.letters.is_empty(), "a missing role refuses nothing");
    world
}

/// Kinds of scope that are held.
fn held(world: &World) -> Vec<&'static str> {
    let machine = world.replicas[0].machine.as_ref().unwrap();
    let holds = machine.snapshot(world.now).holds;
    for hold in &holds {
        assert_eq!(hold.cause, HoldCause::MissingRole, "{}", hold.scope);
    }
    holds.iter().map(|hold| hold.scope.as_str()).collect()
}

/// Holds of the whole destination: the key as such is refused.
fn alarms(world: &World) -> usize {
    world.count(0, |fact| {
        matches!(
            fact,
            Fact::HoldBegan {
                cause: HoldCause::BadToken,
                ..
            }
        )
    })
}

fn searches_off(world: &World) -> usize {
    world.count(0, |fact| *fact == Fact::SearchOff)
}

#[test]
fn without_the_role_to_search_customers_are_found_in_other_ways() {
    for status in STATUSES {
        let world = play("org.permission.search.create", status);
        assert_eq!(held(&world), [""; 0], "{status:?}");
        assert!(world.is_done(), "{status:?}: {:?}", world.settled);
        assert_eq!(searches_off(&world), 1, "{status:?}");
        assert_eq!(world.sim.account().kobjects_total, ORDERS + OF_KNOWN);
        assert!(alarms(&world) <= 1, "{status:?}");
    }
}

#[test]
fn without_the_role_to_make_customers_identities_make_them() {
    for status in STATUSES {
        let world = play("org.permission.customer.create", status);
        assert!(world.is_done(), "{status:?}: {:?}", world.settled);
        assert_eq!(world.sim.account().kobjects_total, ORDERS + OF_KNOWN);
        assert_eq!(searches_off(&world), 0, "{status:?}");
        assert!(alarms(&world) <= 1, "{status:?}");
    }
}

#[test]
fn without_the_role_to_track_events_wait_and_customers_are_made_in_bulk() {
    for status in STATUSES {
        let world = play("org.tracking", status);
        assert_eq!(held(&world), ["tracking"], "{status:?}");
        let account = world.sim.account();
        assert_eq!(account.accepted.tracking, 0);
        assert_eq!(account.customers_total, ORDERS, "{status:?}");
        assert_eq!(account.kobjects_total, ORDERS, "{status:?}");
        assert!(alarms(&world) <= 1, "{status:?}");
    }
}

#[test]
fn without_the_role_to_read_customers_they_are_still_found_and_made() {
    for status in STATUSES {
        let world = play("org.permission.customer.read", status);
        assert!(world.is_done(), "{status:?}: {:?}", world.settled);
        assert_eq!(world.sim.account().kobjects_total, ORDERS + OF_KNOWN);
        assert_eq!(searches_off(&world), 0, "{status:?}");
        assert!(alarms(&world) <= 1, "{status:?}");
    }
}

#[test]
fn without_a_role_for_objects_or_jobs_those_wait_and_events_go_on() {
    for status in STATUSES {
        for (role, scope) in [
            ("org.permission.kobject.create", "kobject_write"),
            ("org.permission.bulk.read", "bulk_read"),
        ] {
            let world = play(role, status);
            assert_eq!(held(&world), [scope], "{status:?}");
            assert_eq!(world.sim.account().accepted.tracking, EVENTS, "{status:?}");
            assert!(alarms(&world) <= 1, "{role} {status:?}");
        }
    }
}
