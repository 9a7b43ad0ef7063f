//! The drain estimate, compared with the time that the drain then takes: a shop's records, a third of which are skipped
//! at once.

use std::time::Duration;

use ingest_delivery::hold::{Pause, PausedBy, Scope};
use ingest_kafka::PartitionStatistics;
use ingest_model::outcome::{SkipReason, Verdict};
use ingest_model::record::{Offset, Topic};
use kustomer_ingest::observe::pace::{Drain, DrainState, Pace};
use kustomer_sim::{Config, FaultScript};
use serde_json::json;

use super::world::{TOPIC, World, make};

const LIMIT: u32 = 1_000;
const PARTITIONS: i32 = 6;
const SECOND: Duration = Duration::from_secs(1);
/// An estimate may be wrong by a few seconds, which the last jobs take.
const SLACK: f64 = 15.0;

fn world(records: u64, budget: u64) -> World {
    let config = Config {
        limit: u64::from(LIMIT),
        ..Config::default()
    };
    let mut world = World::new(config, LIMIT, PARTITIONS);
    world.settings.budget.records = budget;
    for n in 0..records {
        // Each customer has records of every kind.
        let who = (n * 7 + n / 100) % 400;
        let partition = i32::try_from(who % 6).unwrap();
        world.put(partition, verdict(n, who));
    }
    world.start_replica();
    world.assign_all(0);
    world
}

/// Of a hundred records 32 are skipped, 6 identify, 28 are events and 34 orders.
fn verdict(n: u64, who: u64) -> Verdict {
    match n * 37 % 100 {
        0..32 => Verdict::Skip(SkipReason::NoRoute),
        32..38 => make::emit(vec![make::identify(who, &format!("name {n}"))]),
        38..66 => make::emit(vec![make::track(who, n, n / 600)]),
        _ => make::emit(vec![make::order(n, 1, who)]),
    }
}

fn look(world: &World, pace: &mut Pace) -> Drain {
    let statistics: Vec<PartitionStatistics> = world
        .logs
        .iter()
        .map(|(partition, log)| {
            let end = i64::try_from(log.verdicts.len()).unwrap();
            PartitionStatistics {
                partition: partition.clone(),
                low_watermark: Some(Offset(0)),
                high_watermark: Some(Offset(end)),
                lag: Some(u64::try_from(end - log.committed).unwrap()),
                readable: true,
            }
        })
        .collect();
    let machine = world.replicas[0].machine.as_ref().unwrap();
    pace.drain(world.now, &machine.snapshot(world.now), &statistics)
}

fn second(world: &mut World) {
    let until = world.now + SECOND;
    world.kick(0);
    world.run(SECOND);
    world.now = world.now.max(until);
}

#[test]
fn from_one_minute_on_the_estimate_is_within_a_tenth_of_what_the_drain_takes() {
    // With all of it in memory, and with only a part of it.
    for budget in [100_000, 3_000] {
        let mut world = world(12_000, budget);
        let mut pace = Pace::default();
        let mut said: Vec<(f64, Drain)> = Vec::new();
        while !world.is_done() {
            assert!(world.elapsed() < Duration::from_secs(3_600));
            second(&mut world);
            let drain = look(&world, &mut pace);
            said.push((world.elapsed().as_secs_f64(), drain));
        }
        let took = world.elapsed().as_secs_f64();
        assert!(took > 180.0, "{took} s say too little");
        for (at, drain) in said.into_iter().filter(|(at, _)| *at >= 60.0) {
            let left = took - at;
            if left < SLACK {
                break;
            }
            let estimate = drain.left.map(|left| left.as_secs_f64());
            let estimate = estimate.unwrap_or_else(|| panic!("budget {budget}, {at} s: {drain:?}"));
            assert!(
                (estimate - left).abs() <= (left * 0.1).max(SLACK),
                "budget {budget}, {at} s: {estimate} s estimated, {left} s left"
            );
        }
        second(&mut world);
        let drain = look(&world, &mut pace);
        assert_eq!(drain.state, DrainState::NothingToDo);
        assert_eq!(drain.left, Some(Duration::ZERO));
    }
}

#[test]
fn what_is_held_waits_for_a_person_and_is_no_estimate() {
    let mut world = world(600, 100_000);
    let script = json!({"rules": [
        {"name": "key", "when": {"to_ms": 600_000}, "do": {"action": "status", "status": 401}},
    ]});
    world
        .sim
        .inject(FaultScript::parse(&script.to_string()).unwrap());
    let mut pace = Pace::default();
    for _ in 0..60 {
        second(&mut world);
        look(&world, &mut pace);
    }
    let drain = look(&world, &mut pace);
    assert_eq!(drain.state, DrainState::WaitsForPerson);
    assert_eq!(drain.left, None);
}

#[test]
fn what_is_paused_waits_for_the_end_of_the_pause_and_is_no_estimate() {
    let scopes = [Scope::Destination, Scope::Topic(Topic::new(TOPIC))];
    for scope in scopes {
        let mut world = world(600, 100_000);
        let mut pace = Pace::default();
        second(&mut world);
        let pause = Pause {
            scope: scope.clone(),
            by: PausedBy::Person,
            lasts: None,
            reason: None,
        };
        world.pause(0, pause);
        for _ in 0..60 {
            second(&mut world);
            look(&world, &mut pace);
        }
        let drain = look(&world, &mut pace);
        assert_eq!(drain.state, DrainState::WaitsForPause, "{scope}");
        assert_eq!(drain.left, None);
        world.resume(0, scope);
        let done = world.run(Duration::from_secs(3_600));
        assert!(done, "it goes on");
    }
}
