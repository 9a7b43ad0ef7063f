//! What the machine does without faults, and with each kind of fault.

use std::time::Duration;

use ingest_delivery::fact::Fact;
use ingest_model::operation::{CustomerKey, CustomerRef, MissingCustomer, Operation};
use ingest_model::outcome::{HoldCause, Rejected, Rejection, SkipReason, Verdict};
use kustomer_sim::{Config, FaultScript};
use serde_json::{Value, json};

use super::world::{World, make};

const HOUR: Duration = Duration::from_secs(3_600);

fn config() -> Config {
    Config {
        limit: 2_000,
        ..Config::default()
    }
}

fn world(config: Config) -> World {
    let limit = u32::try_from(config.limit).unwrap();
    let mut world = World::new(config, limit, 3);
    world.start_replica();
    world
}

fn faults(script: &Value) -> FaultScript {
    FaultScript::parse(&script.to_string()).unwrap()
}

fn finish(world: &mut World) {
    world.assign_all(0);
    let done = world.run(HOUR);
    let account = world.sim.account();
    assert!(
        done,
        "not done: {:?} {:#?} {account:#?}",
        world.settled,
        snapshot(world)
    );
    assert!(world.no_invariant_broken());
    assert_eq!(account.repeated.kobjects, 0);
    assert_eq!(account.out_of_order.kobjects, 0);
    assert_eq!(account.unjudged, kustomer_sim::Judged::default());
    let used = snapshot(world).used;
    assert_eq!((used.records, used.bytes), (0, 0), "I5");
}

fn snapshot(world: &World) -> ingest_delivery::machine::Snapshot {
    world.replicas[0]
        .machine
        .as_ref()
        .unwrap()
        .snapshot(world.now)
}

fn settled(world: &World, label: &str) -> u64 {
    world.settled.get(label).copied().unwrap_or_default()
}

#[test]
fn a_backlog_of_orders_fills_its_requests() {
    let mut world = world(config());
    for n in 0..6_000 {
        world.put(
            i32::try_from(n % 3).unwrap(),
            make::emit(vec![make::order(n, 1, n % 700)]),
        );
    }
    finish(&mut world);
    let account = world.sim.account();
    assert_eq!(account.accepted.kobjects_created, 6_000);
    assert_eq!(account.customers_total, 700);
    let per_unit = 6_000.0 / f64::from(u32::try_from(account.requests.total).unwrap());
    assert!(
        per_unit >= 30.0,
        "{per_unit:.1} records per unit: {:?}",
        account.requests.by_endpoint
    );
    assert_eq!(account.refused.get("org_limit"), None);
}

#[test]
fn events_of_a_customer_arrive_in_order_and_within_the_limit() {
    let mut world = world(config());
    for n in 0..3_000 {
        world.put(
            i32::try_from(n % 40 % 3).unwrap(),
            make::emit(vec![make::track(n % 40, n, n / 40)]),
        );
    }
    finish(&mut world);
    let account = world.sim.account();
    assert_eq!(account.accepted.tracking, 3_000);
    assert_eq!(account.out_of_order.tracking, 0);
    assert_eq!(account.repeated.tracking, 0);
    assert_eq!(account.refused.get("org_limit"), None);
    for window in account.windows.iter().take(account.windows.len() - 1) {
        assert!(window.spent <= 1_600, "{}", window.spent);
        assert!(
            window.spent >= 1_552,
            "97 % of what is allowed: {}",
            window.spent
        );
    }
}

#[test]
fn without_a_backlog_an_event_leaves_at_once() {
    let mut world = world(config());
    world.put(0, make::emit(vec![make::track(1, 1, 1)]));
    finish(&mut world);
    assert!(
        world.elapsed() < Duration::from_millis(600),
        "{:?}",
        world.elapsed()
    );
}

#[test]
fn an_identify_rides_with_the_next_event() {
    let mut world = world(config());
    world.put(
        0,
        make::emit(vec![make::identify(1, "Ann"), make::track(1, 1, 1)]),
    );
    world.put(0, make::emit(vec![make::identify(2, "Bob")]));
    world.put(0, make::emit(vec![make::identify(2, "Bob B.")]));
    finish(&mut world);
    let account = world.sim.account();
    assert_eq!(account.accepted.tracking, 1);
    assert!(
        account.accepted.identities <= 2,
        "{}",
        account.accepted.identities
    );
    let customer = world
        .sim
        .customers()
        .find(|c| c.external_id.as_deref() == Some("u2"))
        .unwrap();
    assert_eq!(customer.display_name, "Bob B.");
}

/// Requests for a shop's backlog of 6,000 records, and identities that were sent separately. Identities name a phone, and
/// events the phone that `event` gives.
fn shop_requests(event: Option<&str>) -> (u64, u64) {
    let by = |who: u64, phone: Option<&str>| {
        let id = CustomerKey::ExternalId(format!("u{who}").into());
        let phone = phone.map(|text| CustomerKey::Phone(format!("{text}{who:04}").into()));
        let keys = std::iter::once(id).chain(phone).collect();
        CustomerRef::new(keys, MissingCustomer::Create).unwrap()
    };
    let mut world = world(config());
    for n in 0..6_000_u64 {
        let who = n * n % 397;
        let partition = i32::try_from(who % 3).unwrap();
        let verdict = match n * 61 % 100 {
            0..6 => {
                let mut plan = make::identify(who, &format!("Name {n}"));
                if let Operation::Identify(identify) = &mut plan.operation {
                    identify.customer = by(who, Some("+4930555"));
                }
                make::emit(vec![plan])
            }
            6..38 => Verdict::Skip(SkipReason::NoRoute),
            38..64 => {
                let mut plan = make::track(who, n, n);
                if let Operation::Track(track) = &mut plan.operation {
                    track.customer = by(who, event);
                }
                make::emit(vec![plan])
            }
            _ => make::emit(vec![make::order(n, 1, who)]),
        };
        world.put(partition, verdict);
    }
    finish(&mut world);
    let account = world.sim.account();
    (account.requests.total, account.accepted.identities)
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that says what it measured")]
fn identities_that_add_a_key_cost_a_shop_almost_nothing() {
    // If events name another phone than identities do, no event can carry an identity, so each costs a request of its
    // own.
    let apart = shop_requests(Some("+4940777"));
    let together = shop_requests(None);
    eprintln!("requests and identities by themselves: {apart:?} apart, {together:?} together");
    assert!(together.1 * 4 <= apart.1, "{together:?} of {apart:?}");
    assert!(
        together.0 * 100 <= apart.0 * 90,
        "{together:?} of {apart:?}"
    );
}

#[test]
fn an_object_is_created_then_updated_and_never_set_back() {
    let mut world = world(config());
    for version in [1, 3, 2, 5, 4] {
        world.put(0, make::emit(vec![make::order(7, version, 1)]));
        world.assign_all(0);
        world.kick(0);
        assert!(world.run(HOUR));
    }
    finish(&mut world);
    let account = world.sim.account();
    assert_eq!(account.accepted.kobjects_created, 1);
    assert_eq!(settled(&world, SkipReason::Stale.as_str()), 2);
    let object = world.sim.objects("order").next().unwrap();
    assert_eq!(object.version.as_deref(), Some("5"));
}

#[test]
fn the_same_occurrence_is_delivered_once() {
    let mut world = world(config());
    for _ in 0..3 {
        world.put(0, make::emit(vec![make::track(1, 77, 1)]));
    }
    finish(&mut world);
    assert_eq!(world.sim.account().accepted.tracking, 1);
    assert_eq!(settled(&world, SkipReason::Repeat.as_str()), 2);
}

#[test]
fn a_rejected_record_is_settled_only_when_its_letter_is_acknowledged() {
    let mut world = world(config());
    world.fail_letters = 3;
    let rejected = Rejected::new(Rejection::InvalidJson, "expected value at line 1 column 1");
    world.put(0, Verdict::Reject(rejected));
    world.put(0, make::emit(vec![make::track(1, 1, 1)]));
    finish(&mut world);
    assert_eq!(world.letters.values().sum::<u32>(), 1);
    assert_eq!(settled(&world, "dead_lettered"), 1);
    assert!(
        world.elapsed() >= Duration::from_secs(3),
        "sent again after a pause each time"
    );
}

#[test]
fn a_customer_that_must_exist_is_refused_after_proof() {
    let mut world = world(config());
    let reject = MissingCustomer::Reject;
    world.put(
        0,
        make::emit(vec![make::order_of("order", 1, 1, 9, reject, json!({}))]),
    );
    world.put(0, make::emit(vec![make::order(2, 1, 1)]));
    finish(&mut world);
    assert_eq!(settled(&world, "dead_lettered"), 1);
    assert_eq!(world.sim.account().kobjects_total, 1);
}

#[test]
fn a_parked_order_waits_for_its_customer() {
    let mut world = world(config());
    let park = MissingCustomer::Park;
    world.put(
        0,
        make::emit(vec![make::order_of("order", 1, 1, 9, park, json!({}))]),
    );
    world.put(
        1,
        make::emit(vec![make::order_of("order", 2, 1, 8, park, json!({}))]),
    );
    world.assign_all(0);
    world.run(Duration::from_secs(120));
    assert_eq!(world.sim.account().kobjects_total, 0);
    world.put(2, make::emit(vec![make::identify(9, "Ann")]));
    world.kick(0);
    finish(&mut world);
    assert_eq!(world.sim.account().kobjects_total, 1);
    assert_eq!(
        settled(&world, "dead_lettered"),
        1,
        "nobody ever identified the other"
    );
}

#[test]
fn lost_answers_write_no_object_twice() {
    for duplicates in ["refuse", "allow"] {
        let mut config = config().with("duplicates", duplicates).unwrap();
        config.faults = Some(faults(&json!({"rules": [
            {"name": "lost", "when": {"endpoint": "kobject.bulk_create", "nth": [1, 3]}, "do": {"action": "reset_after"}},
        ]})));
        let mut world = world(config);
        for n in 0..1_000 {
            world.put(0, make::emit(vec![make::order(n, 1, n % 10)]));
        }
        finish(&mut world);
        assert_eq!(world.sim.account().kobjects_total, 1_000, "{duplicates}");
    }
}

#[test]
fn a_whole_refusal_costs_only_the_guilty_item() {
    for invalid in ["request", "request-unnamed", "item"] {
        let mut world = world(config().with("bulk-invalid", invalid).unwrap());
        for n in 0..300 {
            let custom = if n % 100 == 50 {
                json!({"wrong": 1})
            } else {
                json!({"totalNum": 1})
            };
            let create = MissingCustomer::Create;
            world.put(
                0,
                make::emit(vec![make::order_of("order", n, 1, 1, create, custom)]),
            );
        }
        // More than 120 creates a minute for one customer: the others wait.
        finish(&mut world);
        assert_eq!(world.sim.account().kobjects_total, 297, "{invalid}");
        assert_eq!(settled(&world, "dead_lettered"), 3, "{invalid}");
        assert_eq!(world.letters.len(), 3, "{invalid}");
    }
}

#[test]
fn references_may_be_refused() {
    let mut world = world(config().with("client-ref", "refuse").unwrap());
    for n in 0..500 {
        world.put(0, make::emit(vec![make::order(n, 1, n % 50)]));
    }
    finish(&mut world);
    assert_eq!(world.sim.account().kobjects_total, 500);
    assert_eq!(world.sim.account().customers_total, 50);
}

#[test]
fn a_missing_role_holds_only_its_own_work() {
    let mut world = world(config());
    world.sim.inject(faults(&json!({"rules": [
        {"name": "role", "when": {"endpoint": "kobject.bulk_create", "to_ms": 600_000}, "do": {"action": "status", "status": 403}},
        {"name": "role1", "when": {"endpoint": "kobject.create", "to_ms": 600_000}, "do": {"action": "status", "status": 403}},
    ]})));
    for n in 0..50 {
        world.put(0, make::emit(vec![make::order(n, 1, n)]));
        world.put(1, make::emit(vec![make::track(n, n, n)]));
    }
    world.assign_all(0);
    world.run(Duration::from_secs(60));
    assert_eq!(world.sim.account().accepted.tracking, 50);
    assert_eq!(world.sim.account().kobjects_total, 0);
    let holds = snapshot(&world).holds;
    assert_eq!(holds.len(), 1);
    assert_eq!(holds[0].cause, HoldCause::MissingRole);
    finish(&mut world);
    assert_eq!(world.sim.account().kobjects_total, 50);
    assert!(world.letters.is_empty());
    assert!(snapshot(&world).holds.is_empty());
}

#[test]
fn an_outage_dead_letters_nothing_and_ends_quickly() {
    let mut world = world(config());
    world.sim.inject(faults(&json!({"rules": [
        {"name": "down", "when": {"from_ms": 5_000, "to_ms": 3_605_000}, "do": {"action": "status", "status": 503}},
    ]})));
    for n in 0..3_000 {
        world.put(0, make::emit(vec![make::track(n % 100, n, n / 100)]));
    }
    world.assign_all(0);
    world.run(Duration::from_secs(3_604));
    let before = world.sim.account();
    assert!(
        snapshot(&world)
            .holds
            .iter()
            .any(|hold| hold.cause == HoldCause::Unhealthy)
    );
    assert!(
        before.requests.total < 1_500,
        "an outage is probed, not hammered: {}",
        before.requests.total
    );
    world.run(Duration::from_secs(12));
    let after = world.sim.account().accepted.tracking - before.accepted.tracking;
    assert!(after > 30, "full speed within ten seconds: {after}");
    finish(&mut world);
    assert!(world.letters.is_empty());
    assert_eq!(world.sim.account().accepted.tracking, 3_000);
}

#[test]
fn a_restart_goes_on_from_the_committed_offset() {
    let mut world = world(config());
    for n in 0..2_000 {
        world.put(
            i32::try_from(n % 3).unwrap(),
            make::emit(vec![make::order(n, 1, n % 100)]),
        );
    }
    world.assign_all(0);
    world.run(Duration::from_secs(25));
    world.kill(0);
    let next = world.start_replica();
    world.assign_all(next);
    assert!(world.run(HOUR));
    let account = world.sim.account();
    assert_eq!(account.kobjects_total, 2_000);
    assert_eq!(account.repeated.kobjects, 0);
    assert!(world.no_invariant_broken());
}

#[test]
fn two_replicas_share_the_limit() {
    let mut world = world(config());
    let second = world.start_replica();
    for n in 0..6_000 {
        let place = i32::try_from(n % 3).unwrap();
        world.put(place, make::emit(vec![make::track(n % 300, n, n / 300)]));
    }
    world.assign_all(0);
    world.run(Duration::from_secs(1));
    world.move_partition(1, second);
    assert!(world.run(HOUR));
    let account = world.sim.account();
    assert_eq!(account.accepted.tracking, 6_000);
    assert_eq!(account.refused.get("org_limit"), None);
    assert_eq!(account.out_of_order.tracking, 0);
    assert!(world.count(second, |fact| matches!(fact, Fact::Settled { .. })) >= 1_900);
    for window in &account.windows {
        assert!(window.spent <= 1_664, "{}", window.spent);
    }
}
