//! Random traffic, random faults, random rebalances, crashes and failing commits: what must hold, holds.
//!
//! Each schedule is a function of its seed. A failing one prints it; `INGEST_SCHEDULE_SEED=N` plays it alone, and
//! `INGEST_SCHEDULES=N` sets how many are played.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ingest_core::fact::{Fact, OutcomeLabel};
use ingest_core::outcome::{Rejected, Rejection, SkipReason, Verdict};
use ingest_core::retry::Jitter;
use kustomer_sim::{Config, Duplicates, FaultScript};
use serde_json::{Value, json};

use super::world::{World, make};

const SCHEDULES: u64 = 60;
const PARTITIONS: i32 = 3;
const CUSTOMERS: u64 = 30;
/// Faults end here; what they left behind has to be mended after that.
const FAULTS_END_MS: u64 = 180_000;

/// What was put in, for the judgement.
#[derive(Default)]
struct Put {
    events: BTreeSet<u64>,
    versions: BTreeMap<u64, u64>,
    rejected: u64,
}

struct Dice(Jitter);

impl Dice {
    /// A number from 0 to `sides` less one.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "small numbers"
    )]
    fn roll(&mut self, sides: u64) -> u64 {
        (self.0.unit() * sides as f64) as u64
    }
}

fn fill(world: &mut World, dice: &mut Dice, put: &mut Put, records: u64, from: u64) {
    for n in from..from + records {
        let customer = dice.roll(CUSTOMERS);
        // All of a customer and of its objects reach one partition, as with a topic keyed by customer.
        let partition = i32::try_from(customer % u64::try_from(PARTITIONS).unwrap()).unwrap();
        let verdict = match dice.roll(20) {
            0 => {
                put.rejected += 1;
                Verdict::Reject(Rejected::new(Rejection::InvalidJson, "for the test"))
            }
            1..=3 => Verdict::Skip(SkipReason::NoRoute),
            4 => make::emit(vec![make::identify(customer, &format!("Name {n}"))]),
            5..=11 => {
                put.events.insert(n);
                make::emit(vec![make::track(customer, n, n)])
            }
            12 => {
                put.events.insert(n);
                let order = customer * 100 + dice.roll(4);
                put.versions.insert(order, n);
                make::emit(vec![
                    make::track(customer, n, n),
                    make::order(order, n, customer),
                ])
            }
            _ => {
                let order = customer * 100 + dice.roll(4);
                put.versions.insert(order, n);
                make::emit(vec![make::order(order, n, customer)])
            }
        };
        world.put(partition, verdict);
    }
}

fn faults(dice: &mut Dice) -> (Vec<&'static str>, Value) {
    let kinds: [(&str, Value); 10] = [
        (
            "latency",
            json!({"action": "latency", "median_ms": 300, "p99_ms": 9_000}),
        ),
        ("unavailable", json!({"action": "status", "status": 503})),
        ("error", json!({"action": "status", "status": 500})),
        (
            "limited",
            json!({"action": "status", "status": 429, "scope": "org"}),
        ),
        ("lost_before", json!({"action": "reset_before"})),
        ("lost_after", json!({"action": "reset_after"})),
        ("garbage", json!({"action": "garbage_body"})),
        ("stuck", json!({"action": "stuck_job", "for_ms": 90_000})),
        (
            "failing_items",
            json!({"action": "fail_items", "error": "internal error", "share": 0.3}),
        ),
        ("no_refs", json!({"action": "refuse_client_ref"})),
    ];
    let mut names = Vec::new();
    let mut rules = Vec::new();
    while names.len() < 2 {
        let place = usize::try_from(dice.roll(10)).unwrap();
        let (name, action) = &kinds[place];
        if names.contains(name) {
            continue;
        }
        names.push(*name);
        let share = 0.02 + f64::from(u32::try_from(dice.roll(12)).unwrap()) / 100.0;
        let from = dice.roll(20_000);
        rules.push(json!({
            "name": name,
            "when": {"probability": share, "from_ms": from, "to_ms": FAULTS_END_MS},
            "do": action,
        }));
    }
    (names, json!({ "rules": rules }))
}

/// What happened over all schedules, so that a run shows what it covered.
#[derive(Default)]
struct Coverage {
    outcomes: BTreeMap<&'static str, u64>,
    faults: BTreeMap<&'static str, u64>,
    kills: u64,
    moves: u64,
    failed_commits: u64,
    repeats: u64,
}

fn play(seed: u64, coverage: &mut Coverage) {
    let mut dice = Dice(Jitter::new(seed * 7_919 + 13));
    let (names, script) = faults(&mut dice);
    let mut config = Config {
        limit: 600,
        seed: seed + 1,
        ..Config::default()
    };
    // With a state topic nothing is made twice even where that is allowed, if every job ends within the verification wait.
    if seed % 2 == 1 && !names.contains(&"stuck") {
        config.switches.duplicates = Duplicates::Allow;
    }
    let mut world = World::new(config, 600, PARTITIONS);
    if seed % 2 == 1 {
        world = world.with_state();
    }
    world
        .sim
        .inject(FaultScript::parse(&script.to_string()).unwrap());
    let mut put = Put::default();
    let first = world.start_replica();
    let second = world.start_replica();
    fill(&mut world, &mut dice, &mut put, 150, 0);
    world.assign_all(first);
    let mut alive = vec![first, second];
    let mut interrupted = false;
    for turn in 0..6 {
        world.run(Duration::from_millis(500 + dice.roll(20_000)));
        fill(&mut world, &mut dice, &mut put, 20, 1_000 + turn * 100);
        match dice.roll(5) {
            0 | 1 => {
                let to = alive[usize::try_from(dice.roll(alive.len() as u64)).unwrap()];
                let partition = i32::try_from(dice.roll(3)).unwrap();
                world.move_partition(partition, to);
                coverage.moves += 1;
                interrupted = true;
            }
            2 if alive.len() > 1 => {
                let place = usize::try_from(dice.roll(2)).unwrap();
                world.kill(alive.remove(place));
                alive.push(world.start_replica());
                coverage.kills += 1;
                interrupted = true;
            }
            3 => {
                world.fail_commits += u32::try_from(dice.roll(3)).unwrap();
                world.fail_letters += u32::try_from(dice.roll(3)).unwrap();
                if let Some(state) = &mut world.state {
                    state.fail_writes += u32::try_from(put.events.len() % 4).unwrap();
                    state.fail_restores += u32::try_from(put.events.len() % 2).unwrap();
                }
                coverage.failed_commits += 1;
            }
            _ => {}
        }
        world.assign_all(alive[0]);
        for replica in alive.clone() {
            world.kick(replica);
        }
    }
    // A partition may be on its way to a replica that was killed meanwhile: the group gives it to another.
    world.run(Duration::from_secs(60));
    world.assign_all(alive[0]);
    let done = world.run(Duration::from_secs(4 * 3_600));
    let account = world.sim.account();
    let logs: Vec<_> = world
        .logs
        .values()
        .map(|log| (log.committed, log.verdicts.len()))
        .collect();
    let context = format!(
        "seed {seed}, faults {names:?}: {:?} {logs:?} at {:?}\n{account:#?}",
        world.settled,
        world.elapsed()
    );
    let stuck: Vec<_> = world
        .replicas
        .iter()
        .filter_map(|r| Some(r.machine.as_ref()?.snapshot(world.now)))
        .collect();
    assert!(done, "not everything was settled: {context} {stuck:#?}");
    assert!(world.no_invariant_broken(), "{context}");

    let told: BTreeSet<String> = world
        .sim
        .events()
        .filter_map(|event| event.event_key)
        .collect();
    let wanted: BTreeSet<String> = put
        .events
        .iter()
        .map(|n| uuid::Uuid::from_u128(u128::from(*n) + 1).to_string())
        .collect();
    let different: Vec<&String> = told.symmetric_difference(&wanted).collect();
    assert!(
        different.is_empty(),
        "events lost or invented: {different:?}: {context}"
    );
    let stored: BTreeMap<u64, u64> = world
        .sim
        .objects("order")
        .map(|object| {
            let id = object
                .external_id
                .unwrap()
                .trim_start_matches('o')
                .parse()
                .unwrap();
            (id, object.version.unwrap().parse().unwrap())
        })
        .collect();
    assert_eq!(
        stored, put.versions,
        "objects lost, or not in their last state: {context}"
    );
    assert_eq!(account.repeated.kobjects, 0, "{context}");
    assert_eq!(account.out_of_order.kobjects, 0, "{context}");
    assert_eq!(
        account.out_of_order.tracking, account.out_of_order_repeats,
        "order: {context}"
    );
    assert_eq!(
        account.unjudged,
        kustomer_sim::Judged::default(),
        "{context}"
    );
    assert_eq!(
        world.letters.len() as u64,
        put.rejected,
        "dead letters by outage: {context}"
    );
    let lost_answers = names.iter().any(|n| {
        [
            "lost_after",
            "lost_before",
            "error",
            "unavailable",
            "garbage",
        ]
        .contains(n)
    });
    if !interrupted && !lost_answers {
        assert_eq!(account.repeated.tracking, 0, "{context}");
    }
    for replica in 0..world.replicas.len() {
        if let Some(machine) = &world.replicas[replica].machine {
            let snapshot = machine.snapshot(world.now);
            assert_eq!(snapshot.used.records, 0, "I5: {context}");
            assert_eq!(snapshot.lanes, 0, "a lane is stuck: {context}");
        }
        for fact in &world.replicas[replica].facts {
            if let Fact::Answered { outcome, .. } = fact {
                *coverage.outcomes.entry(outcome.as_str()).or_default() += 1;
            }
        }
    }
    for name in names {
        let count = account.faults.get(name).copied().unwrap_or_default();
        *coverage.faults.entry(name).or_default() += count;
    }
    coverage.repeats += account.repeated.tracking;
}

#[test]
#[expect(
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test that says what it covered, set from outside"
)]
fn schedules_lose_nothing_and_keep_order() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    let mut coverage = Coverage::default();
    if let Some(seed) = number("INGEST_SCHEDULE_SEED") {
        play(seed, &mut coverage);
        return;
    }
    let schedules = number("INGEST_SCHEDULES").unwrap_or(SCHEDULES);
    for seed in 0..schedules {
        play(seed, &mut coverage);
    }
    eprintln!(
        "{schedules} schedules: outcomes {:?}, faults {:?}, {} kills, {} moves, {} turns with failing commits, {} events repeated",
        coverage.outcomes,
        coverage.faults,
        coverage.kills,
        coverage.moves,
        coverage.failed_commits,
        coverage.repeats
    );
    if schedules >= SCHEDULES {
        for outcome in OutcomeLabel::ALL {
            let seen = coverage.outcomes.contains_key(outcome.as_str());
            let scripted = matches!(outcome, OutcomeLabel::Hold | OutcomeLabel::Reject);
            assert!(seen || scripted, "no schedule saw {outcome:?}");
        }
        assert_eq!(coverage.faults.len(), 10);
        assert!(
            coverage.faults.values().all(|count| *count > 0),
            "{:?}",
            coverage.faults
        );
        assert!(coverage.kills > 0 && coverage.moves > 0 && coverage.failed_commits > 0);
    }
}
