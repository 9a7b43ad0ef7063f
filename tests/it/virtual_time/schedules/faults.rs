//! How the organisation misbehaves in a schedule: two of these faults, each for a while and for a share of the requests.

use serde_json::{Value, json};

use super::Dice;

/// Faults end at this time; their consequences have to be repaired afterwards.
const FAULTS_END_MS: u64 = 180_000;

/// A fault: its name, the action, the endpoints, and whether it hits every request while it lasts.
struct Fault {
    name: &'static str,
    action: Value,
    endpoint: &'static str,
    total: bool,
}

/// The names of all faults.
pub(super) const NAMES: [&str; 22] = [
    "latency",
    "unavailable",
    "error",
    "limited",
    "object_limited",
    "lost_before",
    "lost_after",
    "garbage",
    "truncated",
    "slow_body",
    "stuck",
    "failing_items",
    "no_refs",
    "unauthorized",
    "unpaid",
    "forbidden",
    "outage",
    "no_events",
    "no_bulk",
    "refused_whole",
    "no_klass",
    CLASS_CHANGED,
];

/// Every object is refused as such: some end as dead letters before the klass is put into quarantine.
pub(super) const CLASS_CHANGED: &str = "klass_changed";

fn fault(name: &'static str) -> Fault {
    let status = |status: u16| json!({"action": "status", "status": status});
    let (action, endpoint, total) = match name {
        "latency" => (
            json!({"action": "latency", "median_ms": 300, "p99_ms": 9_000}),
            "*",
            false,
        ),
        "unavailable" => (status(503), "*", false),
        "error" => (status(500), "*", false),
        "limited" => (
            json!({"action": "status", "status": 429, "scope": "org"}),
            "*",
            false,
        ),
        "object_limited" => (
            json!({"action": "status", "status": 429, "scope": "object"}),
            "tracking.*",
            false,
        ),
        "lost_before" => (json!({"action": "reset_before"}), "*", false),
        "lost_after" => (json!({"action": "reset_after"}), "*", false),
        "garbage" => (json!({"action": "garbage_body"}), "*", false),
        "truncated" => (json!({"action": "truncated_body"}), "*", false),
        "slow_body" => (json!({"action": "slow_body", "ms": 8_000}), "*", false),
        "stuck" => (
            json!({"action": "stuck_job", "for_ms": 90_000}),
            "kobject.*",
            false,
        ),
        "failing_items" => (
            json!({"action": "fail_items", "error": "internal error", "share": 0.3}),
            "kobject.*",
            false,
        ),
        "no_refs" => (json!({"action": "refuse_client_ref"}), "*", false),
        // The first two refuse the key everywhere, the third one for objects only.
        "unauthorized" => (status(401), "*", true),
        "unpaid" => (status(402), "*", true),
        "forbidden" => (status(403), "kobject.*", true),
        "outage" => (status(503), "*", true),
        // One endpoint fails while others answer.
        "no_events" => (status(503), "tracking.*", true),
        "no_bulk" => (status(503), "kobject.bulk_create", true),
        "refused_whole" => (status(413), "kobject.bulk_create", false),
        "no_klass" => (status(404), "kobject.bulk_create", true),
        CLASS_CHANGED => (
            json!({"action": "fail_items", "error": "custom.totalNum must be a string"}),
            "kobject.*",
            true,
        ),
        other => panic!("no fault {other}"),
    };
    Fault {
        name,
        action,
        endpoint,
        total,
    }
}

/// Two faults, by name and as a script.
pub(super) fn two(dice: &mut Dice) -> (Vec<&'static str>, Value) {
    let mut names = Vec::new();
    let mut rules = Vec::new();
    while names.len() < 2 {
        let place = usize::try_from(dice.roll(NAMES.len() as u64)).unwrap();
        let Fault {
            name,
            action,
            endpoint,
            total,
        } = fault(NAMES[place]);
        if names.contains(&name) {
            continue;
        }
        names.push(name);
        let from = dice.roll(20_000);
        let when = if total {
            json!({"endpoint": endpoint, "from_ms": from, "to_ms": from + 20_000 + dice.roll(40_000)})
        } else {
            let share = 0.02 + f64::from(u32::try_from(dice.roll(12)).unwrap()) / 100.0;
            json!({"endpoint": endpoint, "probability": share, "from_ms": from, "to_ms": FAULTS_END_MS})
        };
        rules.push(json!({ "name": name, "when": when, "do": action }));
    }
    (names, json!({ "rules": rules }))
}
