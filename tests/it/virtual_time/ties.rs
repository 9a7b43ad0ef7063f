//! Producers that count whole seconds: several states of an object have the same version, and requests are lost on the
//! way.

use std::time::Duration;

use kustomer_sim::{Config, FaultScript, SetBack};
use serde_json::json;

use super::world::{World, make};

const HOUR: Duration = Duration::from_secs(3_600);
const ORDERS: u64 = 60;
const SECOND: &str = "2026-09-10T11:12:13Z";

/// Each order has two states in the same second, and its updates are lost in this way; the second state may come alone or
/// with others.
fn play(action: &str, apart: Duration) -> World {
    let script = json!({"rules": [{
        "name": "lost",
        "when": {"endpoint": "kobject.*", "from_ms": 0, "to_ms": 240_000, "probability": 0.5},
        "do": {"action": action},
    }]});
    let config = Config {
        limit: 1_000,
        ..Config::default()
    };
    let mut world = World::new(config, 1_000, 2);
    let replica = world.start_replica();
    for n in 0..ORDERS {
        let order = make::order_at(n, SECOND, n % 7, json!(1_000 + n));
        world.put(0, make::emit(vec![order]));
    }
    world.assign_all(replica);
    assert!(world.run(HOUR));
    world.run_on(Duration::from_secs(30));
    world
        .sim
        .inject(FaultScript::parse(&script.to_string()).unwrap());
    for n in 0..ORDERS {
        let order = make::order_at(n, SECOND, n % 7, json!(2_000 + n));
        world.put(0, make::emit(vec![order]));
        world.kick(replica);
        world.run_on(apart);
    }
    assert!(world.run(4 * HOUR), "{:?}", world.settled);
    assert!(world.no_invariant_broken());
    world
}

#[test]
fn the_second_state_of_a_second_is_written_although_its_request_was_lost() {
    for action in ["reset_before", "reset_after"] {
        for apart in [Duration::from_millis(1), Duration::from_secs(2)] {
            let world = play(action, apart);
            let account = world.sim.account();
            assert!(account.faults["lost"] > 0, "{account:#?}");
            let first: Vec<_> = world
                .sim
                .objects("order")
                .filter(|order| order.custom["totalNum"].as_u64() < Some(2_000))
                .collect();
            assert!(
                first.is_empty(),
                "{} of {ORDERS} in their first state",
                first.len()
            );
            assert_eq!(account.kobjects_total, ORDERS);
            assert_eq!(account.set_back, SetBack::default());
        }
    }
}
