//! Digests: every event is counted in its session, once, whatever happens to those who count.

use std::collections::BTreeMap;
use std::time::Duration;

use ingest_delivery::fact::Fact;
use ingest_delivery::retry::Jitter;
use kustomer_sim::{Config, FaultScript, Method, Request};
use serde_json::{Value, json};

use super::world::{World, make};

const HOUR: Duration = Duration::from_secs(3_600);

/// What was put in: the keys of each session's events.
#[derive(Default)]
struct Put(BTreeMap<(u64, u64), Vec<u64>>);

impl Put {
    /// An event of that session; all of a customer go to one partition.
    fn view(&mut self, world: &mut World, who: u64, session: u64, key: u64) {
        let partitions = world.logs.len() as u64;
        let number = i32::try_from(who % partitions).unwrap();
        world.put(number, make::emit(vec![make::viewed(who, session, key)]));
        self.0.entry((who, session)).or_default().push(key);
    }

    /// Checks that each session's object has exactly its events.
    fn judge(&self, world: &World, context: &str) {
        let mut found = BTreeMap::new();
        for object in world.sim.objects(make::SESSIONS) {
            let id = object.external_id.unwrap();
            let other = found.insert(id.clone(), (object.rest["data"].clone(), object.custom));
            assert!(other.is_none(), "{id} twice: {context}");
        }
        assert_eq!(found.len(), self.0.len(), "{context}");
        for ((who, session), keys) in &self.0 {
            let id = format!("u{who} session {session}");
            let (data, custom) = &found[&id];
            assert_eq!(
                data["count"],
                keys.len(),
                "{id}: {data} for {keys:?}: {context}"
            );
            for rest in 0..3 {
                let wanted = keys.iter().filter(|key| *key % 3 == rest).count();
                let counted = &data["counts"][format!("View {rest}")];
                assert_eq!(
                    counted.as_u64().unwrap_or(0),
                    wanted as u64,
                    "{id}: {context}"
                );
            }
            let sum: u64 = keys.iter().sum();
            assert_eq!(custom["centsNum"].as_u64(), Some(sum), "{id}: {context}");
            let mut last = keys.clone();
            last.sort_unstable();
            let last = last.split_off(last.len().saturating_sub(5));
            let kept: Vec<u64> = data["events"]
                .as_array()
                .unwrap()
                .iter()
                .map(number)
                .collect();
            assert_eq!(kept, last, "{id}: {context}");
        }
        let account = world.sim.account();
        assert_eq!(account.repeated.kobjects, 0, "{context}");
        assert!(world.letters.is_empty(), "{context}");
        assert!(world.no_invariant_broken(), "{context}");
    }
}

fn number(event: &Value) -> u64 {
    event["number"].as_u64().unwrap()
}

fn config(limit: u32) -> Config {
    Config {
        limit: limit.into(),
        klasses: vec!["order".to_owned(), make::SESSIONS.to_owned()],
        ..Config::default()
    }
}

fn world(limit: u32, partitions: i32) -> World {
    let mut world = World::new(config(limit), limit, partitions);
    world.start_replica();
    world.assign_all(0);
    world
}

fn requests(world: &World, endpoint: &str) -> u64 {
    let account = world.sim.account();
    let count = account.requests.by_endpoint.get(endpoint);
    count.copied().unwrap_or_default()
}

#[test]
fn a_session_is_one_object_that_is_updated_once_a_patience() {
    let (mut world, mut put) = (world(1_000, 1), Put::default());
    for key in 0..120 {
        put.view(&mut world, 1, 1, key);
        world.kick(0);
        world.run_on(Duration::from_secs(1));
    }
    assert!(world.run(HOUR));
    put.judge(&world, "");
    let account = world.sim.account();
    assert_eq!(account.accepted.kobjects_created, 1);
    let updates = account.accepted.kobjects_updated;
    assert!((2..=4).contains(&updates), "{updates} in 120 s");
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that says what it measured")]
fn browsing_costs_a_fortieth_of_a_request_for_each_event() {
    let (mut world, mut put) = (world(1_000, 3), Put::default());
    let mut dice = Jitter::new(5);
    // 300 visitors at a time, each with an event every six seconds; a visit has two dozen.
    for second in 0..600_u64 {
        for step in 0..50 {
            let place = (second * 50 + step) % 300;
            // Visits begin at different times.
            let visit = (second + place / 2) / 150;
            if dice.unit() < 0.95 {
                put.view(&mut world, place, visit, second * 50 + step);
            }
        }
        world.kick(0);
        world.run_on(Duration::from_secs(1));
    }
    assert!(world.run(HOUR));
    put.judge(&world, "");
    let events: usize = put.0.values().map(Vec::len).sum();
    let total = world.sim.account().requests.total;
    // Without what it takes to find the 300 customers.
    let resolving = requests(&world, "customer.bulk_create") + requests(&world, "customer.search");
    let spent = total - resolving;
    let per_request = events as u64 / spent;
    eprintln!("{events} events, {total} requests, {spent} without customers: {per_request} each");
    assert!(
        per_request >= 40,
        "{:?}",
        world.sim.account().requests.by_endpoint
    );
}

#[test]
fn events_that_were_written_before_a_kill_are_not_counted_again() {
    for after in [33_200, 36_000, 39_000, 45_000_u64] {
        let (mut world, mut put) = (world(1_000, 1), Put::default());
        for key in 0..40 {
            put.view(&mut world, key % 4, 1, key);
        }
        world.kick(0);
        // While the create is under way, or its job, or after that.
        world.run_on(Duration::from_millis(after));
        for key in 40..60 {
            put.view(&mut world, key % 4, 1, key);
        }
        world.kill(0);
        let next = world.start_replica();
        world.assign_all(next);
        assert!(world.run(HOUR), "{:?}", world.settled);
        put.judge(&world, &format!("killed after {after} ms"));
        assert_eq!(world.sim.account().accepted.kobjects_created, 4);
    }
}

#[test]
fn a_moved_session_goes_on_where_it_was() {
    let (mut world, mut put) = (world(1_000, 1), Put::default());
    let second = world.start_replica();
    for round in 0..6_u64 {
        for key in 0..30 {
            put.view(&mut world, key % 3, 1, round * 100 + key);
        }
        for replica in [0, second] {
            world.kick(replica);
        }
        world.run_on(Duration::from_secs(20 + round * 7));
        world.move_partition(0, if round % 2 == 0 { second } else { 0 });
    }
    assert!(world.run(HOUR), "{:?}", world.settled);
    put.judge(&world, "");
    assert_eq!(world.sim.account().accepted.kobjects_created, 3);
    assert!(
        requests(&world, "kobject.get_by_external_id") >= 3,
        "the next owner reads first"
    );
}

#[test]
fn an_agent_who_writes_in_between_loses_no_event() {
    let (mut world, mut put) = (world(1_000, 1), Put::default());
    put.view(&mut world, 1, 1, 7);
    world.kick(0);
    world.run_on(Duration::from_secs(60));
    let object = world.sim.objects(make::SESSIONS).next().unwrap();
    let path = format!("/v1/klasses/{}/{}", make::SESSIONS, object.id);
    let agent = Request::new(Method::Put, path).token("sim-key");
    let agent = agent.text(json!({"tags": ["vip"]}).to_string());
    let at = world.sim.objects(make::SESSIONS).next().unwrap().updated_at;
    assert_eq!(world.sim.handle(at, &agent).status, 200);
    put.view(&mut world, 1, 1, 8);
    world.kick(0);
    assert!(world.run(HOUR));
    put.judge(&world, "");
    assert_eq!(world.count(0, |fact| matches!(fact, Fact::Conflict)), 1);
    let object = world.sim.objects(make::SESSIONS).next().unwrap();
    assert_eq!(
        object.rest["tags"],
        json!(["vip"]),
        "what the agent wrote stays"
    );
}

#[test]
fn a_session_that_is_over_is_forgotten_and_read_again() {
    let (mut world, mut put) = (world(1_000, 1), Put::default());
    put.view(&mut world, 1, 1, 1);
    world.kick(0);
    world.run_on(Duration::from_secs(300));
    put.view(&mut world, 1, 1, 2);
    world.kick(0);
    world.run_on(Duration::from_secs(300));
    let reads = requests(&world, "kobject.get_by_external_id");
    // Something else keeps the worker going until the session is over.
    for key in 0..90 {
        put.view(&mut world, 2, key, 100 + key);
        world.kick(0);
        world.run_on(Duration::from_secs(60));
    }
    put.view(&mut world, 1, 1, 3);
    world.kick(0);
    assert!(world.run(HOUR));
    put.judge(&world, "");
    assert!(requests(&world, "kobject.get_by_external_id") > reads);
}

#[test]
fn a_budget_that_is_full_does_not_wait_for_more_events() {
    let mut world = World::new(config(1_000), 1_000, 1);
    world.settings.budget.records = 100;
    world.start_replica();
    world.assign_all(0);
    let mut put = Put::default();
    for key in 0..3_000 {
        put.view(&mut world, key % 20, 1, key);
    }
    world.kick(0);
    assert!(world.run(HOUR));
    put.judge(&world, "");
    let each = world.elapsed() / 30;
    assert!(each < Duration::from_secs(30), "{each:?} for 100 records");
}

/// Random kills, moves, stops, lost assignments and failing commits under faults.
fn schedule(seed: u64, state: bool) -> (u64, u64) {
    make::number_afresh();
    let mut dice = Jitter::new(seed * 6_007 + 3);
    let mut roll = move |sides: u32| {
        let place = dice.unit() * f64::from(sides);
        (0..sides)
            .rev()
            .find(|side| f64::from(*side) <= place)
            .unwrap_or(0)
    };
    let mut config = config(600);
    config.seed = seed + 1;
    let mut world = World::new(config, 600, 3);
    if state {
        world = world.with_state();
    }
    let script = json!({"rules": [
        {"name": "lost", "when": {"endpoint": "kobject.*", "probability": 0.05}, "do": {"action": "reset_after"}},
        {"name": "late", "when": {"endpoint": "kobject.*", "probability": 0.05}, "do": {"action": "reset_before"}},
        {"name": "failing", "when": {"endpoint": "kobject.*", "probability": 0.05, "to_ms": 300_000},
         "do": {"action": "fail_items", "error": "internal error", "share": 0.3}},
    ]});
    world
        .sim
        .inject(FaultScript::parse(&script.to_string()).unwrap());
    let mut put = Put::default();
    let mut alive = vec![world.start_replica(), world.start_replica()];
    let (mut kills, mut moves, mut key) = (0, 0, 0);
    world.assign_all(alive[0]);
    for turn in 0..12_u64 {
        for _ in 0..roll(40) {
            let who = u64::from(roll(12));
            key += 1;
            put.view(&mut world, who, turn / 4 + u64::from(roll(2)), key);
        }
        for replica in &alive {
            world.kick(*replica);
        }
        world.run_on(Duration::from_millis(u64::from(roll(45_000))));
        let one = alive[usize::try_from(roll(2)).unwrap()];
        let other = alive[usize::from(one == alive[0])];
        match roll(6) {
            0 | 1 => {
                world.kill(one);
                alive.retain(|replica| *replica != one);
                alive.push(world.start_replica());
                kills += 1;
            }
            2 | 3 => {
                world.move_partition(i32::try_from(roll(3)).unwrap(), one);
                moves += 1;
            }
            4 => {
                world.stop(one, other);
                alive.retain(|replica| *replica != one);
                alive.push(world.start_replica());
                moves += 1;
            }
            _ => world.fail_commits += roll(4),
        }
        world.assign_free(&alive);
    }
    for _ in 0..6 {
        world.run(Duration::from_secs(30));
        world.assign_free(&alive);
    }
    let done = world.run(4 * HOUR);
    let context = format!("seed {seed}, state {state}: {:?}", world.settled);
    assert!(done, "{context}");
    put.judge(&world, &context);
    (kills, moves)
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that says what it measured")]
fn after_fifty_kills_and_moves_exactly_what_was_produced_is_counted() {
    let (mut kills, mut moves) = (0, 0);
    for seed in 0..40 {
        let (more_kills, more_moves) = schedule(seed, seed % 2 == 1);
        kills += more_kills;
        moves += more_moves;
    }
    eprintln!("{kills} kills, {moves} moves");
    assert!(kills >= 50 && moves >= 50, "{kills} kills, {moves} moves");
}

#[test]
fn repeats_of_a_producer_are_counted_once() {
    let (mut world, mut put) = (world(1_000, 1), Put::default());
    for key in 0..10 {
        put.view(&mut world, 1, 1, key);
        let again = make::emit(vec![make::viewed(1, 1, key)]);
        world.put(0, again.clone());
        if key % 2 == 0 {
            world.kick(0);
            world.run_on(Duration::from_secs(50));
            world.put(0, again);
        }
    }
    world.kick(0);
    assert!(world.run(HOUR));
    put.judge(&world, "");
    assert!(world.count(0, |fact| matches!(fact, Fact::Settled { .. })) > 0);
}
