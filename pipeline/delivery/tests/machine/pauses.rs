//! Planned pauses: what is paused waits in order and costs nothing, the rest goes on, and it ends at its time or by a person.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ingest_delivery::fact::{Fact, Settlement};
use ingest_delivery::hold::{Family, Pause, PausedBy, Scope};
use ingest_delivery::machine::{Input, Keeps};
use ingest_model::call::{Call, CallResult};
use ingest_model::operation::{CustomerRef, Klass, MissingCustomer, Operation, Planned};
use ingest_model::outcome::{HeldBy, HoldCause, Outcome, RetryCause, SkipReason, Verdict, Waits};
use ingest_model::record::Topic;

use crate::deletions::deletion;
use crate::driver::Driver;
use crate::make::{
    SHOP, by_email, customer, identify, object, owned, settings, shop, titled, track, versioned,
    write,
};

const HELD: HeldBy = HeldBy::Hold(HoldCause::Paused);

fn pause(scope: Scope, seconds: Option<u64>) -> Input {
    Input::Pause(Pause {
        scope,
        by: PausedBy::Person,
        lasts: seconds.map(Duration::from_secs),
        reason: Some("for the test".into()),
    })
}

fn resume(scope: Scope) -> Input {
    Input::Resume { scope, by: None }
}

fn orders() -> Scope {
    Scope::Family(Family::KObjectWrite(Klass("order".into())))
}

fn tracking() -> Scope {
    Scope::Family(Family::Tracking)
}

fn topic() -> Scope {
    Scope::Topic(Topic::new(SHOP))
}

fn route(name: &str) -> Scope {
    Scope::Route(Topic::new(SHOP), name.into())
}

/// The same by another route.
fn by(route: &str, planned: Planned) -> Planned {
    Planned {
        route: route.into(),
        ..planned
    }
}

fn of(who: u64, planned: Planned) -> Planned {
    let mut planned = planned;
    if let Operation::Track(track) = &mut planned.operation {
        track.customer = customer(who);
    }
    planned
}

fn delivered(driver: &Driver) -> usize {
    let settled = driver.settled();
    let delivered = settled.iter().filter(|one| **one == Settlement::Delivered);
    delivered.count()
}

#[test]
fn a_paused_destination_is_sent_nothing_until_its_time_is_over() {
    let mut driver = Driver::new(settings(), 1);
    driver.put(pause(Scope::Destination, Some(600)));
    for n in 0..20 {
        driver.record(2 * n, track(n.unsigned_abs()));
        driver.record(2 * n + 1, write(object("order", n.unsigned_abs())));
    }
    driver.run(599);
    assert_eq!(driver.sent.len(), 0, "no request, and no probe");
    assert_eq!(driver.holds(), [(Scope::Destination, HoldCause::Paused)]);
    let view = driver.machine.snapshot(driver.now).holds.remove(0);
    let told = view.pause.expect("a pause");
    assert_eq!(told.by, PausedBy::Person);
    assert_eq!(told.reason.as_deref(), Some("for the test"));
    assert!(
        told.ends_in
            .is_some_and(|left| left <= Duration::from_secs(1))
    );
    assert_eq!(view.next_try, None);
    driver.run(11);
    assert_eq!(driver.holds(), []);
    driver.run_to_rest();
    assert_eq!(delivered(&driver), 40);
    let ended = |fact: &&Fact| matches!(fact, Fact::HoldEnded { .. });
    assert_eq!(driver.facts.iter().filter(ended).count(), 1);
}

#[test]
fn paused_objects_wait_without_a_question_while_events_go_on() {
    let mut driver = Driver::new(settings(), 1);
    driver.put(pause(orders(), None));
    for n in 0..30_i64 {
        let who = by_email(&format!("u{n}@shop.example"), MissingCustomer::Create);
        let order = owned(object("order", n.unsigned_abs()), who);
        driver.record(2 * n, write(versioned(order, "2026-01-01T00:00:00Z")));
        driver.record(2 * n + 1, track(1_000 + n.unsigned_abs()));
    }
    driver.record(60, write(object("shipment", 1)));
    driver.run(60);
    let events = |call: &Call| matches!(call, Call::Track { .. });
    assert_eq!(driver.calls(events).len(), 30);
    assert_eq!(driver.sent.len(), 31, "{:?}", driver.sent);
    assert_eq!(driver.used(), 30);
    let frontier = driver.machine.frontier(&shop(0)).and_then(|one| one.record);
    let keeps = frontier.expect("the lowest").operations[0].keeps;
    assert_eq!(keeps, Keeps::Held(HELD));
    driver.put(resume(orders()));
    driver.run_to_rest();
    assert_eq!(delivered(&driver), 61);
}

#[test]
fn what_is_ready_when_a_pause_begins_is_called_back() {
    let mut driver = Driver::new(settings(), 1);
    for n in 0..200 {
        driver.record(n, track(n.unsigned_abs()));
    }
    for n in 200..500 {
        driver.record(n, write(object("order", n.unsigned_abs())));
    }
    for n in 500..520 {
        let who = by_email(&format!("u{n}@shop.example"), MissingCustomer::Create);
        driver.record(n, write(owned(object("order", n.unsigned_abs()), who)));
    }
    driver.run_for(Duration::from_millis(30));
    driver.put(pause(topic(), None));
    let before = driver.sent.len();
    assert!(before < 40, "{before} left before");
    driver.run(300);
    let reads = |call: &Call| matches!(call, Call::ReadJob { .. } | Call::ReadJobState { .. });
    let read = driver.sent.iter().skip(before);
    let after = read.filter(|(_, call)| !reads(call)).count();
    assert_eq!(after, 0, "only jobs that were begun are read");
    assert!(driver.paused.contains(&shop(0)), "nothing more is read");
    let waits = driver.machine.snapshot(driver.now).partitions[0].waits;
    assert_eq!(waits, Some(Waits::Pause));
    driver.put(resume(topic()));
    assert!(!driver.paused.contains(&shop(0)));
    driver.run_to_rest();
    assert_eq!(delivered(&driver), 520);
}

#[test]
fn a_paused_route_holds_those_behind_it_in_their_lanes_and_nobody_else() {
    let mut driver = Driver::new(settings(), 1);
    driver.put(pause(route("carts"), None));
    driver.record(0, by("carts", of(1, track(100))));
    driver.record(1, by("orders", of(1, track(101))));
    driver.record(2, by("orders", of(2, track(102))));
    driver.record(3, by("carts", write(object("order", 7))));
    driver.record(4, by("orders", write(object("order", 8))));
    driver.run(60);
    assert_eq!(delivered(&driver), 2, "customer 2's event and order 8");
    assert_eq!(driver.used(), 3);
    driver.put(resume(route("other")));
    driver.run(10);
    assert_eq!(delivered(&driver), 2, "that one is not paused");
    driver.put(resume(route("carts")));
    driver.run_to_rest();
    assert_eq!(delivered(&driver), 5);
    let keys = driver.sent.iter().filter_map(|(_, call)| match call {
        Call::Track { event, .. } => Some(format!("{event:?}")),
        _ => None,
    });
    let place = |number: u128| {
        let key = uuid::Uuid::from_u128(number).to_string();
        keys.clone().position(|event| event.contains(&key))
    };
    if let (Some(first), Some(second)) = (place(100), place(101)) {
        assert!(first < second, "in order");
    }
}

#[test]
fn an_identity_does_not_carry_an_event_of_a_paused_route_with_it() {
    let mut driver = Driver::new(settings(), 1);
    driver.put(pause(route("carts"), None));
    driver.record(0, by("people", identify(customer(1))));
    driver.record(1, by("carts", of(1, track(100))));
    driver.run(30);
    let events = |call: &Call| matches!(call, Call::Track { .. });
    assert_eq!(driver.calls(events).len(), 0);
    assert_eq!(delivered(&driver), 1);
    driver.put(resume(route("carts")));
    driver.run_to_rest();
    assert_eq!(delivered(&driver), 2);
}

#[test]
fn newer_states_of_a_paused_object_are_one_request_afterwards() {
    let mut driver = Driver::new(settings(), 1);
    driver.put(pause(orders(), Some(120)));
    for n in 0..10_i64 {
        let state = titled(object("order", 1), n.unsigned_abs());
        let version = format!("2026-01-01T00:00:{n:02}Z");
        driver.record(n, write(versioned(state, &version)));
    }
    driver.run(119);
    assert_eq!(driver.sent.len(), 0);
    driver.run_to_rest();
    let writes = |call: &Call| matches!(call, Call::CreateKObject { .. });
    assert_eq!(driver.calls(writes).len(), 1);
    assert_eq!(driver.settled().len(), 10);
}

#[test]
fn paused_work_fills_half_of_the_budget_at_most_and_is_not_set_aside() {
    let mut small = settings();
    small.budget.records = 100;
    let routes = BTreeSet::from([Arc::from("route")]);
    small.diverting.insert(Topic::new(SHOP), routes);
    let mut driver = Driver::new(small, 1);
    driver.put(pause(tracking(), None));
    let waits = |driver: &Driver| driver.machine.snapshot(driver.now).partitions[0].waits;
    let mut n = 0;
    while waits(&driver).is_none() && n < 200 {
        driver.record(n, track(n.unsigned_abs()));
        driver.run(2);
        n += 1;
    }
    assert_eq!(waits(&driver), Some(Waits::HeldWork(HELD)));
    assert!((50..=52).contains(&driver.used()), "{}", driver.used());
    assert!(driver.paused.contains(&shop(0)));
    assert_eq!(driver.diverted.len(), 0, "it waits in order");
    driver.put(resume(tracking()));
    driver.run_to_rest();
    assert!(driver.paused.is_empty());
    assert_eq!(driver.diverted.len(), 0);
}

#[test]
fn a_hold_under_a_pause_is_not_probed_and_is_there_afterwards() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|_| Some(CallResult::Tracked(Outcome::Hold(HoldCause::MissingRole))));
    driver.record(0, track(1));
    driver.run(10);
    let role = (tracking(), HoldCause::MissingRole);
    assert_eq!(driver.holds(), std::slice::from_ref(&role));
    driver.put(pause(tracking(), Some(600)));
    let before = driver.sent.len();
    driver.run(599);
    assert_eq!(driver.sent.len(), before, "no probes");
    assert_eq!(driver.holds(), [role, (tracking(), HoldCause::Paused)]);
    driver.all_is_well();
    driver.run_to_rest();
    assert_eq!(delivered(&driver), 1);
}

#[test]
fn the_pause_of_a_person_outlasts_that_of_the_configuration() {
    let mut driver = Driver::new(settings(), 1);
    let night = PausedBy::Window("night".into());
    driver.put(Input::Pause(Pause {
        scope: tracking(),
        by: night.clone(),
        lasts: Some(Duration::from_secs(60)),
        reason: None,
    }));
    driver.put(pause(tracking(), Some(90)));
    driver.record(0, track(1));
    driver.run(80);
    assert_eq!(driver.holds(), [(tracking(), HoldCause::Paused)]);
    assert_eq!(driver.sent.len(), 0);
    driver.run(15);
    assert_eq!(delivered(&driver), 1);
    // Each can be ended by whoever began it, and all at once by its number or scope.
    driver.put(pause(tracking(), None));
    driver.put(Input::Resume {
        scope: tracking(),
        by: Some(night),
    });
    assert_eq!(driver.holds().len(), 1, "the window had ended");
    let id = driver.machine.snapshot(driver.now).holds[0].id;
    assert!(driver.machine.has_hold(id));
    driver.put(Input::ReleaseHold(id));
    assert_eq!(driver.holds(), []);
    driver.run_to_rest();
}

#[test]
fn a_partition_of_a_paused_topic_that_arrives_is_not_read() {
    let mut driver = Driver::new(settings(), 1);
    driver.put(pause(topic(), None));
    driver.assign(shop(1));
    assert!(driver.paused.contains(&shop(1)));
    driver.judged(shop(1), 0, Verdict::Emit(vec![track(1)]));
    driver.run(30);
    assert_eq!(driver.sent.len(), 0);
    driver.revoke(shop(1));
    driver.run(5);
    assert_eq!(driver.handed_back, [shop(1)], "without waiting for the end");
    driver.put(resume(topic()));
    driver.run_to_rest();
}

#[test]
fn an_event_that_failed_before_the_pause_waits_for_its_end() {
    let mut driver = Driver::new(settings(), 1);
    let mut failures = 1;
    driver.answer(move |call| {
        let fails = matches!(call, Call::Track { .. }) && failures > 0;
        failures -= i32::from(fails);
        fails.then_some(CallResult::Tracked(Outcome::Retry(RetryCause::ServerError)))
    });
    let event: (CustomerRef, Planned) = (customer(1), track(1));
    driver.record(0, of(1, event.1));
    driver.run_for(Duration::from_millis(200));
    driver.put(pause(route("route"), Some(300)));
    driver.run(299);
    assert_eq!(driver.sent.len(), 1, "its time came, and it was paused");
    driver.run_to_rest();
    assert_eq!(driver.sent.len(), 2);
}

#[test]
fn what_a_paused_route_says_of_an_object_does_not_leave_with_what_another_route_says() {
    let writes = |call: &Call| matches!(call, Call::CreateKObject { .. });
    for paused in [false, true] {
        let mut driver = Driver::new(settings(), 1);
        if paused {
            driver.put(pause(route("carts"), None));
        }
        driver.record(0, by("orders", write(titled(object("order", 1), 1))));
        driver.record(1, by("carts", write(titled(object("order", 1), 2))));
        driver.run(30);
        let merged = |fact: &&Fact| matches!(fact, Fact::Saved { .. });
        let merged = driver.facts.iter().filter(merged).count();
        assert_eq!(driver.calls(writes).len(), 1);
        assert_eq!(
            (merged, delivered(&driver)),
            if paused { (0, 1) } else { (1, 2) }
        );
        driver.put(resume(route("carts")));
        driver.run_to_rest();
        assert_eq!(delivered(&driver), 2);
    }
}

#[test]
fn a_deletion_behind_a_paused_state_does_not_make_the_object_first() {
    let mut driver = Driver::new(settings(), 1);
    driver.put(pause(orders(), Some(60)));
    let order = versioned(object("order", 1), "2026-01-01T00:00:00Z");
    driver.record(0, write(order));
    driver.record(1, deletion(1, Some("2026-01-02T00:00:00Z")));
    driver.run(59);
    assert_eq!(driver.sent.len(), 0);
    driver.run_to_rest();
    let writes = |call: &Call| matches!(call, Call::CreateKObject { .. });
    assert_eq!(driver.calls(writes).len(), 0, "{:?}", driver.sent);
    assert_eq!(driver.settled().len(), 2);
}

#[test]
fn a_paused_state_whose_customer_is_missing_ends_with_a_deletion_from_elsewhere() {
    let mut driver = Driver::new(settings(), 2);
    driver.answer(|call| match call {
        Call::GetCustomer { .. } => Some(CallResult::Customer(Outcome::Delivered(None))),
        _ => None,
    });
    let ann = || by_email("ann@shop.example", MissingCustomer::Park);
    let order = versioned(owned(object("order", 1), ann()), "2026-01-01T00:00:00Z");
    driver.record(0, write(owned(object("shipment", 1), ann())));
    driver.record(1, write(order));
    driver.run(10);
    driver.put(pause(orders(), None));
    let gone = deletion(1, Some("2026-01-02T00:00:00Z"));
    driver.judged(shop(1), 0, Verdict::Emit(vec![gone]));
    driver.run(1);
    let stale = Settlement::Skipped(SkipReason::Stale);
    assert_eq!(driver.settled(), [stale]);
}

/// Bulk jobs are under way, and the whole destination is paused.
fn paused_with_jobs(objects: i64) -> Driver {
    let mut driver = Driver::new(settings(), 1);
    for n in 0..objects {
        driver.record(n, write(object("order", n.unsigned_abs())));
    }
    let submits = |call: &Call| matches!(call, Call::CreateKObjects { .. });
    while driver.calls(submits).is_empty() {
        driver.run_for(Duration::from_millis(10));
    }
    driver.record(objects, track(1_000));
    driver.put(pause(Scope::Destination, None));
    driver
}

#[test]
fn a_paused_destination_is_still_asked_what_became_of_jobs() {
    let mut driver = paused_with_jobs(100);
    let before = driver.sent.len();
    driver.run(300);
    let reads = |call: &Call| matches!(call, Call::ReadJob { .. } | Call::ReadJobState { .. });
    let after = driver.sent.iter().skip(before);
    let (read, rest): (Vec<_>, Vec<_>) = after.partition(|(_, call)| reads(call));
    assert!((1..20).contains(&read.len()), "{read:?}");
    assert!(rest.is_empty(), "{rest:?}");
    assert!(delivered(&driver) > 0, "they are over");
    driver.put(resume(Scope::Destination));
    driver.run_to_rest();
    assert_eq!(delivered(&driver), 101);
}

#[test]
fn a_drain_during_a_pause_of_the_destination_waits_for_jobs_only() {
    for shutdown in [false, true] {
        let mut driver = paused_with_jobs(100);
        if shutdown {
            driver.put(Input::Shutdown);
        } else {
            driver.revoke(shop(0));
        }
        driver.run(8);
        assert_eq!(driver.handed_back, [shop(0)], "shutdown: {shutdown}");
        assert!(delivered(&driver) > 0, "what the jobs wrote counts");
    }
}
