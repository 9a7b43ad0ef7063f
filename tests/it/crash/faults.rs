//! Fault scripts for the simulated Kustomer, drawn from the seed and sent while everything runs.
//!
//! Durations in a script are in the simulator's time, which runs [`super::SCALE`] times faster. Names of faults that lose the
//! answer to a tracking event begin with [`LOST_TRACKING`]: each lost answer may cause a repeat, which the judge has to know.

use std::collections::BTreeMap;

use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde_json::{Value, json};

use super::Mode;

/// How names of faults begin that make an accepted tracking event look unanswered.
pub(super) const LOST_TRACKING: &str = "lost answer, tracking";

/// Requests that write or read, other than tracking.
const OTHERS: [&str; 4] = ["kobject.*", "customer.*", "bulk.*", "kobject.bulk_update"];
const BULKS: [&str; 4] = [
    "kobject.bulk_create",
    "kobject.bulk_update",
    "kobject.bulk_*",
    "customer.bulk_create",
];

/// One or two faults at a time, for a while.
#[derive(Debug)]
pub(super) struct Spell {
    /// What is wrong, for the table.
    pub(super) names: Vec<&'static str>,
    /// The script.
    pub(super) script: Value,
    /// How long, in real milliseconds.
    pub(super) lasts_ms: u64,
}

/// Every kind of fault, by the name that the table shows.
const KINDS: [&str; 16] = [
    "latency",
    "429 of the organisation",
    "429 of an object",
    "5xx",
    "reset before the write",
    "reset after the write, tracking",
    "reset after the write, others",
    "truncated body, tracking",
    "truncated body, others",
    "garbage body",
    "slow body",
    "job late",
    "failing items",
    "_clientRef refused",
    "whole batch refused",
    "401 for a minute",
];

/// How often each kind was injected.
pub(super) type Counts = BTreeMap<&'static str, u64>;

/// Draws the next phase.
pub(super) fn spell(rng: &mut StdRng, mode: Mode) -> Spell {
    let mut lasts_ms = rng.random_range(1_500..6_000);
    let mut rules = Vec::new();
    let mut names = Vec::new();
    for _ in 0..rng.random_range(1..=2) {
        let name = of(rng, &KINDS);
        if name == "401 for a minute" {
            lasts_ms = 60_000 / u64::from(super::SCALE);
        }
        rules.extend(rules_of(name, rng, mode));
        names.push(name);
    }
    let seed: u32 = rng.random();
    let script = json!({"seed": seed, "rules": rules});
    Spell {
        names,
        script,
        lasts_ms,
    }
}

fn of<T: Copy>(rng: &mut StdRng, some: &[T]) -> T {
    *some.choose(rng).unwrap()
}

fn rules_of(name: &'static str, rng: &mut StdRng, mode: Mode) -> Vec<Value> {
    let share = f64::from(rng.random_range(5..60_u32)) / 100.0;
    let other = of(rng, &OTHERS);
    let bulk = of(rng, &BULKS);
    let rule = |when: Value, action: Value| vec![json!({"name": name, "when": when, "do": action})];
    let lost = |action: Value| {
        let when = json!({"endpoint": "tracking.*", "probability": share / 2.0});
        vec![json!({"name": format!("{LOST_TRACKING}: {name}"), "when": when, "do": action})]
    };
    let of_others = || json!({"endpoint": other, "probability": share});
    match name {
        "latency" => {
            let median = rng.random_range(200..2_000);
            rule(
                json!({}),
                json!({"action": "latency", "median_ms": median, "p99_ms": 3 * median}),
            )
        }
        "429 of the organisation" => rule(
            json!({"probability": share}),
            json!({"action": "status", "status": 429}),
        ),
        "429 of an object" => rule(
            json!({"endpoint": of(rng, &["tracking.*", "kobject.*"]), "probability": share}),
            json!({"action": "status", "status": 429, "scope": "object"}),
        ),
        "5xx" => rule(
            json!({"probability": of(rng, &[share, 1.0])}),
            json!({"action": "status", "status": of(rng, &[500, 502, 503, 504]), "body": rng.random::<bool>()}),
        ),
        "reset before the write" => rule(
            json!({"probability": share}),
            json!({"action": "reset_before"}),
        ),
        "reset after the write, tracking" => lost(json!({"action": "reset_after"})),
        "reset after the write, others" => rule(of_others(), json!({"action": "reset_after"})),
        "truncated body, tracking" => lost(json!({"action": "truncated_body"})),
        "truncated body, others" => rule(of_others(), json!({"action": "truncated_body"})),
        "garbage body" => {
            let mut both = lost(json!({"action": "garbage_body"}));
            both.extend(rule(of_others(), json!({"action": "garbage_body"})));
            both
        }
        "slow body" => rule(
            json!({"probability": share}),
            json!({"action": "slow_body", "ms": rng.random_range(1_000..15_000)}),
        ),
        "job late" => {
            // After fifteen minutes a job is given up. Where its late writes would not be refused, it ends within the
            // verification wait, as the promises require.
            let longest = match mode {
                Mode::Refused => 1_000_000,
                Mode::Allowed | Mode::RevIgnored => 25_000,
            };
            rule(
                json!({"endpoint": "kobject.bulk_*", "count": rng.random_range(1..4)}),
                json!({"action": "stuck_job", "for_ms": rng.random_range(5_000..longest)}),
            )
        }
        "failing items" => rule(
            json!({"endpoint": bulk, "probability": share}),
            json!({"action": "fail_items", "error": "Too Many Requests", "share": share}),
        ),
        "_clientRef refused" => rule(
            json!({"endpoint": bulk}),
            json!({"action": "refuse_client_ref"}),
        ),
        "whole batch refused" => rule(
            json!({"endpoint": of(rng, &["kobject.bulk_create", "kobject.bulk_update"]),
                "count": rng.random_range(1..4)}),
            json!({"action": "status", "status": 400}),
        ),
        "401 for a minute" => rule(json!({}), json!({"action": "status", "status": 401})),
        other => panic!("there is no fault {other}"),
    }
}
