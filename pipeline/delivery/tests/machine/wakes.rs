//! The machine is woken when something is due, and at no other time.

use std::time::Duration;

use ingest_delivery::fact::Settlement;
use ingest_model::call::{Call, CallResult, Limits};
use ingest_model::operation::MissingCustomer;
use ingest_model::outcome::{HoldCause, Outcome, RetryCause};

use crate::driver::Driver;
use crate::make::{by_email, object, owned, settings, titled, track, write};

/// A mix: events, objects of known and unknown customers, updates, and a customer that is waited for.
fn traffic(driver: &mut Driver, from: i64) {
    for n in from..from + 120 {
        let number = n.unsigned_abs();
        let missing = match n % 3 {
            0 => MissingCustomer::Create,
            1 => MissingCustomer::Park,
            _ => MissingCustomer::Reject,
        };
        let customer = by_email(&format!("u{}@example.com", n % 40), missing);
        let order = owned(object("order", number % 50), customer);
        driver.record(
            n,
            match n % 4 {
                0 => track(number),
                1 => write(titled(object("parcel", number % 7), number)),
                _ => write(titled(order, number)),
            },
        );
        if n % 10 == 0 {
            driver.run(1);
        }
    }
}

#[test]
fn everything_is_delivered_by_wake_ups_alone() {
    let mut driver = Driver::new(settings(), 1);
    traffic(&mut driver, 0);
    driver.run_to_rest();
    assert_eq!(driver.settled().len(), 120);
    let undelivered = |settlement: &&Settlement| !matches!(settlement, Settlement::Delivered);
    let settled = driver.settled();
    let others: Vec<&Settlement> = settled.iter().filter(undelivered).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn a_limit_that_was_hit_is_waited_for_without_spinning() {
    let mut driver = Driver::new(settings(), 1);
    let mut refusals = 40;
    driver.limits = Limits {
        remaining: Some(0),
        resets_in: Some(Duration::from_secs(30)),
        ..Limits::default()
    };
    driver.answer(move |call| match call {
        Call::Track { .. } if refusals > 0 => {
            refusals -= 1;
            Some(CallResult::Tracked(Outcome::Retry(RetryCause::OrgQuota)))
        }
        _ => None,
    });
    traffic(&mut driver, 0);
    driver.run(60);
    driver.limits = Limits::default();
    driver.run_to_rest();
    assert_eq!(driver.settled().len(), 120);
}

#[test]
fn a_reserved_window_is_waited_for_without_spinning() {
    let mut driver = Driver::new(settings(), 1);
    driver.limits = Limits {
        remaining: Some(20),
        resets_in: Some(Duration::from_secs(30)),
        ..Limits::default()
    };
    traffic(&mut driver, 0);
    driver.run(120);
    driver.limits = Limits::default();
    driver.run_to_rest();
    assert_eq!(driver.settled().len(), 120);
}

#[test]
fn holds_of_every_family_are_waited_for_without_spinning() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|call| {
        let cause = HoldCause::MissingRole;
        Some(match call {
            Call::Track { .. } | Call::Identify { .. } => CallResult::Tracked(Outcome::Hold(cause)),
            Call::SearchCustomers { .. } => CallResult::Searched(Outcome::Hold(cause)),
            Call::GetCustomer { .. } => CallResult::Customer(Outcome::Hold(cause)),
            Call::CreateCustomers { .. }
            | Call::CreateKObjects { .. }
            | Call::UpdateKObjects { .. } => CallResult::Submitted(Outcome::Hold(cause)),
            Call::CreateKObject { .. }
            | Call::UpdateKObject { .. }
            | Call::DeleteKObject { .. } => CallResult::Written(Outcome::Hold(cause)),
            Call::FindCustomer { .. } | Call::GetKObject { .. } => {
                CallResult::KObject(Outcome::Hold(cause))
            }
            Call::ReadJob { .. } | Call::ReadJobState { .. } => {
                CallResult::Job(Outcome::Hold(cause))
            }
            Call::Probe => CallResult::Probed(Outcome::Delivered(())),
        })
    });
    traffic(&mut driver, 0);
    driver.run(3_600);
    assert!(driver.holds().len() >= 4, "{:?}", driver.holds());
    assert_eq!(driver.settled(), []);
    driver.all_is_well();
    driver.run_to_rest();
    assert_eq!(driver.settled().len(), 120);
}

#[test]
fn an_outage_is_waited_for_without_spinning_and_ends() {
    let mut driver = Driver::new(settings(), 1);
    traffic(&mut driver, 0);
    driver.answer(|call| {
        Some(match call {
            Call::Track { .. } | Call::Identify { .. } => CallResult::Tracked(Outcome::Ambiguous),
            Call::SearchCustomers { .. } => CallResult::Searched(Outcome::Ambiguous),
            Call::GetCustomer { .. } => CallResult::Customer(Outcome::Ambiguous),
            Call::CreateCustomers { .. }
            | Call::CreateKObjects { .. }
            | Call::UpdateKObjects { .. } => CallResult::Submitted(Outcome::Ambiguous),
            Call::CreateKObject { .. }
            | Call::UpdateKObject { .. }
            | Call::DeleteKObject { .. } => CallResult::Written(Outcome::Ambiguous),
            Call::FindCustomer { .. } | Call::GetKObject { .. } => {
                CallResult::KObject(Outcome::Ambiguous)
            }
            Call::ReadJob { .. } | Call::ReadJobState { .. } => CallResult::Job(Outcome::Ambiguous),
            Call::Probe => CallResult::Probed(Outcome::Ambiguous),
        })
    });
    traffic(&mut driver, 120);
    driver.run(3_600);
    assert!(driver.letters.is_empty(), "{:?}", driver.letters);
    driver.all_is_well();
    driver.run_to_rest();
    assert_eq!(driver.settled().len(), 240);
}
