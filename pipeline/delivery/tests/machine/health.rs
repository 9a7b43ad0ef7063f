//! Health by endpoint: what fails while others answer is held alone, probed further and further apart, and goes on by itself.

use std::time::Duration;

use ingest_delivery::fact::Fact;
use ingest_delivery::hold::{Family, Scope};
use ingest_model::call::{Call, CallResult};
use ingest_model::operation::{Klass, MissingCustomer};
use ingest_model::outcome::{HoldCause, Outcome, RetryCause};

use crate::driver::Driver;
use crate::make::{by_email, object, owned, settings, track, write};

fn down(call: &Call) -> Option<CallResult> {
    Some(match call {
        Call::Track { .. } | Call::Identify { .. } => {
            CallResult::Tracked(Outcome::Retry(RetryCause::ServerError))
        }
        Call::CreateKObjects { .. } | Call::UpdateKObjects { .. } => {
            CallResult::Submitted(Outcome::Retry(RetryCause::ServerError))
        }
        Call::CreateKObject { .. } | Call::UpdateKObject { .. } => {
            CallResult::Written(Outcome::Retry(RetryCause::ServerError))
        }
        Call::SearchCustomers { .. } => {
            CallResult::Searched(Outcome::Retry(RetryCause::ServerError))
        }
        Call::Probe => CallResult::Probed(Outcome::Retry(RetryCause::ServerError)),
        _ => return None,
    })
}

fn is_event(call: &Call) -> bool {
    matches!(call, Call::Track { .. })
}

fn is_bulk(call: &Call) -> bool {
    matches!(call, Call::CreateKObjects { .. })
}

fn is_write(call: &Call) -> bool {
    is_bulk(call) || matches!(call, Call::CreateKObject { .. })
}

fn orders() -> Scope {
    Scope::Family(Family::KObjectWrite(Klass("order".into())))
}

/// Records of both kinds, so many a second, for so many seconds; from this number on.
fn feed(driver: &mut Driver, from: u64, seconds: u64, a_second: u64) -> u64 {
    let mut n = from;
    for _ in 0..seconds {
        for _ in 0..a_second {
            driver.record((2 * n).cast_signed(), track(n));
            driver.record((2 * n + 1).cast_signed(), write(object("order", n)));
            n += 1;
        }
        driver.run(1);
    }
    n
}

#[test]
fn objects_that_cannot_be_written_are_held_alone_while_events_go_on() {
    let mut driver = Driver::new(settings(), 1);
    let mut n = feed(&mut driver, 0, 20, 4);
    driver.answer(|call| down(call).filter(|_| is_write(call)));
    driver.sent.clear();
    n = feed(&mut driver, n, 600, 4);
    let events = driver.calls(is_event).len();
    assert!((2_390..=2_400).contains(&events), "{events} of 2,400");
    assert_eq!(driver.holds(), [(orders(), HoldCause::Unhealthy)]);
    let writes = driver.calls(is_write).len();
    assert!(writes <= 8 + 64 + 600 / 4, "{writes} probes in ten minutes");
    let probes = driver.calls(|call| *call == Call::Probe).len();
    assert!(probes <= 2, "{probes}: others answer");
    assert!(driver.letters.is_empty(), "{:?}", driver.letters);
    driver.all_is_well();
    driver.run(30);
    assert_eq!(driver.holds(), []);
    driver.run_to_rest();
    assert_eq!(driver.settled().len() as u64, 2 * n);
    assert!(driver.letters.is_empty());
}

#[test]
fn events_that_cannot_be_written_are_held_alone_while_objects_go_on() {
    let mut driver = Driver::new(settings(), 1);
    let mut n = feed(&mut driver, 0, 20, 4);
    driver.answer(|call| down(call).filter(|_| is_event(call)));
    driver.sent.clear();
    n = feed(&mut driver, n, 600, 4);
    let tracking = Scope::Family(Family::Tracking);
    assert_eq!(driver.holds(), [(tracking, HoldCause::Unhealthy)]);
    let events = driver.calls(is_event).len();
    assert!(events <= 8 + 64 + 600 / 4, "{events} probes in ten minutes");
    let held = driver.used();
    assert!((2_400..2_520).contains(&held), "{held}: objects go on");
    assert!(driver.letters.is_empty());
    driver.all_is_well();
    driver.run_to_rest();
    assert_eq!(driver.settled().len() as u64, 2 * n);
    assert!(driver.letters.is_empty());
}

/// Single writes of the klass succeed in between, which says nothing of those in bulk: the klass is held all the same.
#[test]
fn bulk_writes_that_fail_while_single_ones_succeed_hold_their_klass() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|call| down(call).filter(|_| is_bulk(call)));
    let mut n = 0;
    let mut put = |driver: &mut Driver, orders: i64| {
        for _ in 0..orders {
            driver.record(n, write(object("order", n.unsigned_abs())));
            n += 1;
        }
        driver.run_for(Duration::from_millis(500));
    };
    for _ in 0..300 {
        put(&mut driver, 1);
        put(&mut driver, 3);
    }
    let began = |fact: &&Fact| matches!(fact, Fact::HoldBegan { scope, .. } if *scope == orders());
    let holds = driver.facts.iter().filter(began).count();
    assert!(holds >= 1, "nothing is held");
    let bulk = driver.calls(is_bulk).len();
    assert!((9..150).contains(&bulk), "{bulk} bulk requests");
    assert!(driver.letters.is_empty(), "{:?}", driver.letters.first());
    driver.all_is_well();
    driver.run_to_rest();
    assert!(driver.letters.is_empty());
}

#[test]
fn where_nothing_answers_the_destination_is_held_and_probed() {
    let mut driver = Driver::new(settings(), 1);
    let n = feed(&mut driver, 0, 10, 4);
    driver.answer(down);
    feed(&mut driver, n, 60, 2);
    assert_eq!(driver.holds(), [(Scope::Destination, HoldCause::Unhealthy)]);
    driver.sent.clear();
    driver.run(120);
    let probes = driver.calls(|call| *call == Call::Probe).len();
    assert_eq!(probes, driver.sent.len(), "nothing but probes");
    driver.all_is_well();
    driver.run(20);
    assert_eq!(driver.holds(), []);
    driver.run_to_rest();
}

#[test]
fn searches_that_fail_are_held_alone_and_customers_found_in_other_ways() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|call| down(call).filter(|_| matches!(call, Call::SearchCustomers { .. })));
    let mut n = 0;
    for _ in 0..120 {
        for _ in 0..6 {
            let who = by_email(&format!("u{n}@shop.example"), MissingCustomer::Create);
            driver.record(n, write(owned(object("order", n.unsigned_abs()), who)));
            n += 1;
        }
        driver.record(n, track(n.unsigned_abs()));
        n += 1;
        driver.run(1);
    }
    let searches = driver.calls(|call| matches!(call, Call::SearchCustomers { .. }));
    assert!(searches.len() <= 60, "{}", searches.len());
    let held = (Scope::Family(Family::CustomerSearch), HoldCause::Unhealthy);
    assert_eq!(driver.holds(), [held]);
    driver.run(120);
    assert_eq!(driver.used(), 0, "nobody waits for searches");
    assert!(driver.letters.is_empty(), "{:?}", driver.letters.first());
}
