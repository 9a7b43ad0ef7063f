//! Look-ups of customers: limited while others succeed, patient during an outage.

use std::time::Duration;

use ingest_delivery::fact::Settlement;
use ingest_delivery::machine::Input;
use ingest_model::call::{Call, CallResult, SearchFound};
use ingest_model::operation::{CustomerKey, CustomerRef, MissingCustomer};
use ingest_model::outcome::{HoldCause, Outcome, Rejection, RetryCause, Verdict};

use crate::driver::Driver;
use crate::make::{by_email, customer, identify, object, owned, settings, shop, track, write};

fn order_of(customer: CustomerRef) -> ingest_model::operation::Planned {
    write(owned(object("order", 1), customer))
}

/// No customer has any of the keys; everything else works.
pub(crate) fn nobody(call: &Call) -> Option<CallResult> {
    match call {
        Call::GetCustomer { .. } => Some(CallResult::Customer(Outcome::Delivered(None))),
        Call::SearchCustomers { .. } => Some(CallResult::Searched(Outcome::Delivered(
            SearchFound::default(),
        ))),
        _ => None,
    }
}

/// Look-ups fail; everything else works.
fn look_ups_fail(call: &Call) -> Option<CallResult> {
    match call {
        Call::GetCustomer { .. } => Some(CallResult::Customer(Outcome::Retry(
            RetryCause::ServerError,
        ))),
        Call::SearchCustomers { .. } => Some(CallResult::Searched(Outcome::Retry(
            RetryCause::ServerError,
        ))),
        _ => None,
    }
}

/// Nothing works.
fn outage(call: &Call) -> Option<CallResult> {
    let failed = RetryCause::Network;
    Some(match call {
        Call::Probe => CallResult::Probed(Outcome::Retry(failed)),
        Call::GetCustomer { .. } => CallResult::Customer(Outcome::Retry(failed)),
        Call::SearchCustomers { .. } => CallResult::Searched(Outcome::Retry(failed)),
        Call::Track { .. } | Call::Identify { .. } => CallResult::Tracked(Outcome::Retry(failed)),
        Call::CreateKObject { .. } | Call::UpdateKObject { .. } | Call::DeleteKObject { .. } => {
            CallResult::Written(Outcome::Retry(failed))
        }
        Call::FindCustomer { .. } | Call::GetKObject { .. } => {
            CallResult::KObject(Outcome::Retry(failed))
        }
        Call::ReadJob { .. } | Call::ReadJobState { .. } => CallResult::Job(Outcome::Retry(failed)),
        Call::CreateCustomers { .. }
        | Call::CreateKObjects { .. }
        | Call::UpdateKObjects { .. } => CallResult::Submitted(Outcome::Retry(failed)),
    })
}

fn look_ups(driver: &Driver) -> usize {
    driver
        .calls(|call| {
            matches!(
                call,
                Call::GetCustomer { .. } | Call::SearchCustomers { .. }
            )
        })
        .len()
}

/// Look-ups that name this customer fail; all others are answered.
fn failing(call: &Call, email: &str) -> Option<CallResult> {
    let named = match call {
        Call::GetCustomer { key } => &**key.value() == email,
        Call::SearchCustomers { keys } => keys.iter().any(|key| &**key.value() == email),
        _ => false,
    };
    named.then(|| look_ups_fail(call)).flatten()
}

#[test]
fn a_look_up_that_keeps_failing_while_those_of_others_succeed_is_given_up() {
    for missing in [MissingCustomer::Reject, MissingCustomer::Park] {
        let mut driver = Driver::new(settings(), 1);
        driver.answer(|call| failing(call, "ann@example.com"));
        driver.record(1, order_of(by_email("ann@example.com", missing)));
        for n in 2..400 {
            let other = by_email(&format!("bob{n}@example.com"), MissingCustomer::Reject);
            driver.record(n, write(owned(object("order", n.unsigned_abs()), other)));
            driver.run(5);
        }
        let given_up = driver
            .letters
            .iter()
            .filter(|letter| letter.reason == Rejection::RetriesExhausted);
        assert_eq!(given_up.count(), 1, "{missing:?}");
        driver.run_to_rest();
    }
}

#[test]
fn a_look_up_is_not_given_up_while_only_other_endpoints_answer() {
    for missing in [
        MissingCustomer::Create,
        MissingCustomer::Reject,
        MissingCustomer::Park,
    ] {
        let mut driver = Driver::new(settings(), 1);
        driver.answer(look_ups_fail);
        driver.record(1, order_of(by_email("ann@example.com", missing)));
        for n in 2..3_600 {
            driver.record(n, track(n.unsigned_abs()));
            driver.run(1);
        }
        assert!(driver.letters.is_empty(), "{:?}", driver.letters);
        driver.all_is_well();
        driver.run_to_rest();
        assert_eq!(driver.settled(), [Settlement::Delivered; 3_599]);
    }
}

/// Creating customers fails; everything else works, but no customer exists yet.
fn creates_fail(call: &Call) -> Option<CallResult> {
    match call {
        Call::CreateCustomers { .. } => Some(CallResult::Submitted(Outcome::Retry(
            RetryCause::ServerError,
        ))),
        Call::Identify { .. } => Some(CallResult::Tracked(Outcome::Retry(RetryCause::ServerError))),
        _ => nobody(call),
    }
}

#[test]
fn nobody_is_given_up_while_customers_cannot_be_made_and_events_are_taken() {
    for customers in [1, 5] {
        let mut driver = Driver::new(settings(), 1);
        driver.answer(creates_fail);
        for n in 1..=customers {
            let one = by_email(&format!("ann{n}@example.com"), MissingCustomer::Create);
            driver.record(n, write(owned(object("order", n.unsigned_abs()), one)));
        }
        for n in customers + 1..3_600 {
            driver.record(n, track(n.unsigned_abs()));
            driver.run(1);
        }
        assert!(driver.letters.is_empty(), "{:?}", driver.letters);
        driver.all_is_well();
        driver.run_to_rest();
        assert_eq!(driver.settled(), [Settlement::Delivered; 3_599]);
    }
}

#[test]
fn an_identity_is_not_given_up_while_only_events_are_taken() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|call| match call {
        Call::Identify { .. } => Some(CallResult::Tracked(Outcome::Ambiguous)),
        _ => None,
    });
    driver.record(
        1,
        identify(by_email("ann@example.com", MissingCustomer::Create)),
    );
    for n in 2..3_600 {
        driver.record(n, track(n.unsigned_abs()));
        driver.run(1);
    }
    assert!(driver.letters.is_empty(), "{:?}", driver.letters);
    driver.all_is_well();
    driver.run_to_rest();
    assert_eq!(driver.settled(), [Settlement::Delivered; 3_599]);
}

#[test]
fn a_look_up_is_never_given_up_during_an_outage() {
    for missing in [
        MissingCustomer::Create,
        MissingCustomer::Reject,
        MissingCustomer::Park,
    ] {
        let mut driver = Driver::new(settings(), 1);
        driver.record(1, track(1));
        driver.run(5);
        driver.answer(outage);
        driver.record(2, order_of(by_email("ann@example.com", missing)));
        driver.run(6 * 3_600);
        assert!(driver.letters.is_empty(), "{missing:?}");
        driver.all_is_well();
        driver.run_to_rest();
        assert_eq!(driver.settled(), [Settlement::Delivered; 2]);
    }
}

#[test]
fn a_look_up_that_failed_through_an_outage_has_its_tries_after_it() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(outage);
    let wanted = by_email("ann@example.com", MissingCustomer::Reject);
    driver.record(1, order_of(wanted));
    driver.run(3_600);
    // The outage is over, except for one more failed look-up.
    let mut failures = 1;
    driver.answer(move |call| match call {
        Call::GetCustomer { .. } if failures > 0 => {
            failures -= 1;
            look_ups_fail(call)
        }
        _ => None,
    });
    for n in 2..100 {
        driver.record(n, track(n.unsigned_abs()));
        driver.run(2);
    }
    assert!(driver.letters.is_empty(), "{:?}", driver.letters);
    driver.run_to_rest();
}

#[test]
fn a_customer_that_is_waited_for_is_not_refused_during_an_outage() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(nobody);
    let waited_for = by_email("ann@example.com", MissingCustomer::Park);
    driver.record(1, order_of(waited_for));
    driver.run(10);
    driver.answer(|call| {
        Some(match call {
            Call::Probe => CallResult::Probed(Outcome::Hold(HoldCause::BadToken)),
            Call::GetCustomer { .. } => CallResult::Customer(Outcome::Hold(HoldCause::BadToken)),
            _ => CallResult::Tracked(Outcome::Hold(HoldCause::BadToken)),
        })
    });
    driver.record(
        2,
        identify(by_email("ann@example.com", MissingCustomer::Create)),
    );
    driver.run(6 * 3_600);
    assert_eq!(driver.settled(), []);
    driver.all_is_well();
    driver.run_to_rest();
    assert_eq!(driver.settled(), [Settlement::Delivered; 2]);
}

#[test]
fn a_customer_is_looked_up_by_every_key_before_it_is_refused() {
    let keys = vec![
        CustomerKey::ExternalId("u1".into()),
        CustomerKey::Email("ann@example.com".into()),
        CustomerKey::Phone("+15550100".into()),
    ];
    for missing in [MissingCustomer::Reject, MissingCustomer::Park] {
        let mut driver = Driver::new(settings(), 1);
        driver.answer(nobody);
        let customer = CustomerRef::new(keys.clone(), missing).unwrap();
        let began = driver.now;
        driver.record(1, order_of(customer));
        driver.run_to_rest();
        for key in &keys {
            let by_it = |call: &Call| matches!(call, Call::GetCustomer { key: by } if by == key);
            assert!(!driver.calls(by_it).is_empty(), "{missing:?} by {key:?}");
        }
        let reasons: Vec<_> = driver.letters.iter().map(|l| l.reason).collect();
        assert_eq!(reasons, [Rejection::UnknownCustomer]);
        assert!(look_ups(&driver) <= 20, "{} look-ups", look_ups(&driver));
        if missing == MissingCustomer::Park {
            let waited = driver.sent.last().unwrap().0 - began;
            assert!(waited >= Duration::from_secs(590), "{waited:?}");
        }
    }
}

#[test]
fn a_customer_that_is_waited_for_and_comes_takes_its_object() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(nobody);
    let keys = vec![
        CustomerKey::ExternalId("u1".into()),
        CustomerKey::Email("ann@example.com".into()),
    ];
    let waited_for = CustomerRef::new(keys, MissingCustomer::Park).unwrap();
    driver.record(1, order_of(waited_for));
    driver.run(200);
    driver.answer(|call| match call {
        Call::GetCustomer {
            key: CustomerKey::Email(_),
        } => None,
        _ => nobody(call),
    });
    driver.run_to_rest();
    assert_eq!(
        driver.settled(),
        [Settlement::Delivered],
        "by its other key"
    );
}

#[test]
fn nobody_waits_for_the_answer_to_an_event_that_was_left_to_another_replica() {
    let mut driver = Driver::new(settings(), 2);
    driver.answer(|call| match call {
        Call::Track { .. } => Some(CallResult::Tracked(Outcome::Retry(RetryCause::Network))),
        _ => None,
    });
    driver.judged(shop(0), 0, Verdict::Emit(vec![track(1)]));
    driver.run_for(Duration::from_millis(10));
    let order = order_of(customer(1));
    driver.judged(shop(1), 0, Verdict::Emit(vec![order]));
    let epoch = driver.epoch(&shop(0));
    driver.put(Input::Lost {
        partition: shop(0),
        epoch,
    });
    driver.run(20);
    assert_eq!(driver.settled(), [Settlement::Delivered]);
}
