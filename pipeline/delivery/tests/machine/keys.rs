//! Another API key: what waited for it goes on at once, and what the former one was refused is no failure.

use ingest_delivery::fact::{Fact, Settlement};
use ingest_delivery::hold::{Family, Scope};
use ingest_delivery::machine::Input;
use ingest_model::call::{Call, CallResult};
use ingest_model::outcome::{HoldCause, Outcome, RetryCause};

use crate::driver::Driver;
use crate::make::{customer, object, owned, settings, track, write};

fn refused(call: &Call) -> Option<CallResult> {
    let cause = HoldCause::BadToken;
    Some(match call {
        Call::Probe => CallResult::Probed(Outcome::Hold(cause)),
        _ => CallResult::Tracked(Outcome::Hold(cause)),
    })
}

/// What is held so goes on at once with another key.
fn goes_on(answer: fn(&Call) -> Option<CallResult>, hold: (Scope, HoldCause)) {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(answer);
    driver.record(0, track(1));
    // Probes are minutes apart by then.
    driver.run(3_600);
    assert_eq!(driver.holds(), [hold]);
    driver.all_is_well();
    driver.put(Input::KeyReplaced);
    driver.run(2);
    assert_eq!(driver.holds(), []);
    assert_eq!(driver.settled(), [Settlement::Delivered]);
    driver.run_to_rest();
}

#[test]
fn a_hold_for_the_key_is_probed_at_once() {
    goes_on(refused, (Scope::Destination, HoldCause::BadToken));
}

#[test]
fn a_hold_for_a_role_is_probed_at_once() {
    let no_role = |call: &Call| match call {
        Call::Track { .. } => Some(CallResult::Tracked(Outcome::Hold(HoldCause::MissingRole))),
        _ => None,
    };
    let events = Scope::Family(Family::Tracking);
    goes_on(no_role, (events, HoldCause::MissingRole));
}

#[test]
fn other_holds_keep_their_time() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|_| Some(CallResult::Written(Outcome::Hold(HoldCause::MissingKlass))));
    driver.record(0, write(object("order", 1)));
    driver.run(3_600);
    driver.sent.clear();
    driver.put(Input::KeyReplaced);
    driver.run(1);
    assert_eq!(driver.calls(|_| true).len(), 0);
    driver.all_is_well();
    driver.run_to_rest();
}

#[test]
fn requests_refused_for_a_former_key_are_sent_again_and_count_as_no_failure() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|call| match call {
        Call::Track { .. } => Some(CallResult::Tracked(Outcome::Retry(RetryCause::KeyReplaced))),
        _ => None,
    });
    for n in 0..40 {
        driver.record(n, track(n.unsigned_abs()));
    }
    driver.run(3);
    assert_eq!(driver.holds(), [], "the destination answers");
    driver.all_is_well();
    driver.run(60);
    let delivered = vec![Settlement::Delivered; 40];
    assert_eq!(driver.settled(), delivered);
    driver.run_to_rest();
}

#[test]
fn searches_that_the_former_key_could_not_make_are_used_again() {
    let mut driver = Driver::new(settings(), 1);
    let off = |call: &Call| match call {
        Call::SearchCustomers { .. } => {
            Some(CallResult::Searched(Outcome::Hold(HoldCause::MissingRole)))
        }
        _ => None,
    };
    driver.answer(off);
    let found = |driver: &Driver| driver.facts.contains(&Fact::SearchOff);
    let orders = |driver: &mut Driver, from: i64| {
        for n in from..from + 20 {
            let number = n.unsigned_abs();
            driver.record(n, write(owned(object("order", number), customer(number))));
        }
        driver.run(120);
    };
    orders(&mut driver, 0);
    assert!(found(&driver), "searches are off");
    driver.all_is_well();
    driver.sent.clear();
    orders(&mut driver, 20);
    let searches = |driver: &Driver| {
        driver
            .calls(|call| matches!(call, Call::SearchCustomers { .. }))
            .len()
    };
    assert_eq!(searches(&driver), 0);
    driver.put(Input::KeyReplaced);
    orders(&mut driver, 40);
    assert!(searches(&driver) > 0, "searches are on again");
    driver.run_to_rest();
}
