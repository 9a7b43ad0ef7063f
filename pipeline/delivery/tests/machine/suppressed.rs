//! People of whom nothing is sent: whatever names them ends as skipped, from the moment at which they are on the list.

use std::collections::BTreeSet;

use ingest_delivery::fact::Settlement;
use ingest_delivery::hold::{Pause, PausedBy, Scope};
use ingest_delivery::machine::Input;
use ingest_model::body::Body;
use ingest_model::call::{Call, CallResult, CustomerFound, ObjectState};
use ingest_model::operation::{
    CustomerKey, CustomerRef, ExternalId, KObject, Klass, MissingCustomer, Operation, Party,
    Planned,
};
use ingest_model::outcome::{Outcome, RetryCause, SkipReason};
use serde_json::json;

use crate::driver::Driver;
use crate::make::{by_email, customer, identify, object, owned, settings, track, write};

const SKIPPED: Settlement = Settlement::Skipped(SkipReason::Suppressed);
const ID: &str = "00000000000000000000c0a1";

fn external(number: u64) -> CustomerKey {
    CustomerKey::ExternalId(format!("u{number}").into())
}

fn email(text: &str) -> CustomerKey {
    CustomerKey::Email(text.into())
}

/// A customer that is written.
fn person(number: u64, address: &str) -> Planned {
    let contacts = json!({"emails": [{"type": "home", "email": address}]});
    let said = json!({"externalId": format!("u{number}"), "name": "Somebody"});
    let body = |value: &serde_json::Value| Body::from(value.as_object().unwrap());
    write(KObject {
        klass: Klass::customer(),
        external_id: ExternalId(format!("u{number}").into()),
        body: body(&said),
        party: Some(Box::new(Party {
            company: None,
            on_create: body(&contacts),
        })),
        ..object("customer", number)
    })
}

fn deletion(number: u64) -> Planned {
    let id = ExternalId(format!("o{number}").into());
    let version = ingest_model::operation::Version::new("9");
    write(KObject::deletion(Klass("order".into()), id, Some(version)))
}

#[test]
fn nothing_is_sent_of_whoever_is_listed_by_any_key() {
    let mut driver = Driver::new(settings(), 1);
    driver.put(Input::Suppressed(vec![
        external(1),
        email("ida@shop.example"),
    ]));
    let both = vec![external(7), email("ida@shop.example")];
    let both = CustomerRef::new(both, MissingCustomer::Create).unwrap();
    let about = [
        track(1),
        identify(customer(1)),
        write(owned(object("order", 1), customer(1))),
        identify(both),
        person(1, "other@shop.example"),
        person(8, "ida@shop.example"),
    ];
    let listed = about.len();
    for (offset, plan) in (0..).zip(about) {
        driver.record(offset, plan);
    }
    driver.run(120);
    assert_eq!(driver.calls(|_| true).len(), 0);
    assert_eq!(driver.settled(), vec![SKIPPED; listed]);
    // Others are not concerned, nor are objects of nobody, nor is the end of an object.
    let others = [track(2), write(object("order", 3)), deletion(4)];
    for (offset, plan) in (100..).zip(others) {
        driver.record(offset, plan);
    }
    driver.run(120);
    let sent = driver.settled().split_off(listed);
    assert_eq!(sent.len(), 3);
    assert!(!sent.contains(&SKIPPED), "{sent:?}");
    assert!(!driver.calls(|_| true).is_empty());
    driver.run_to_rest();
}

#[test]
fn what_waits_when_the_list_changes_is_not_sent_and_what_comes_after_the_end_is() {
    let mut driver = Driver::new(settings(), 1);
    let pause = Pause {
        scope: Scope::Destination,
        by: PausedBy::Person,
        lasts: None,
        reason: None,
    };
    let everything = Scope::Destination;
    driver.put(Input::Pause(pause));
    let event = |number: u64, who: u64| {
        let mut planned = track(number);
        if let Operation::Track(track) = &mut planned.operation {
            track.customer = customer(who);
        }
        planned
    };
    for n in 0..10 {
        driver.record(n, event(n.unsigned_abs() + 1, n.unsigned_abs() % 2));
    }
    driver.run(5);
    driver.put(Input::Suppressed(vec![external(1)]));
    driver.put(Input::Resume {
        scope: everything,
        by: None,
    });
    driver.run(60);
    assert_eq!(driver.calls(|_| true).len(), 5, "the other one's");
    let skipped = driver
        .settled()
        .iter()
        .filter(|one| **one == SKIPPED)
        .count();
    assert_eq!(skipped, 5);
    driver.put(Input::Suppressed(Vec::new()));
    driver.record(50, event(50, 1));
    driver.run(60);
    assert_eq!(
        driver.calls(|_| true).len(),
        6,
        "later records are sent again"
    );
    driver.run_to_rest();
}

/// The API is down: events wait for their next attempt, and an object for its customer. None is made.
#[test]
fn attempts_that_failed_are_not_repeated() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|call| match call {
        Call::Track { .. } => Some(CallResult::Tracked(Outcome::Retry(RetryCause::ServerError))),
        _ => None,
    });
    driver.record(0, track(1));
    driver.record(1, track(1_000));
    let parked = by_email("ida@shop.example", MissingCustomer::Park);
    driver.record(2, write(owned(object("order", 1), parked)));
    driver.run(2);
    driver.put(Input::Suppressed(vec![
        external(1),
        email("ida@shop.example"),
    ]));
    driver.sent.clear();
    driver.all_is_well();
    driver.run(600);
    let of = |call: &Call| format!("{call:?}");
    let calls: Vec<String> = driver.calls(|_| true).into_iter().map(of).collect();
    assert!(calls.iter().any(|call| call.contains("u1000")), "{calls:?}");
    assert!(
        !calls.iter().any(|call| call.contains("\"u1\"")),
        "{calls:?}"
    );
    assert!(!calls.iter().any(|call| call.contains("ida@")), "{calls:?}");
    driver.run_to_rest();
}

/// An event names an order. Whose it is turns out to be somebody who is listed by another key.
#[test]
fn customers_whom_an_object_names_are_found_out() {
    let mut settings = settings();
    settings.owners_of = BTreeSet::from([Klass("order".into())]);
    let mut driver = Driver::new(settings, 1);
    driver.answer(|call| match call {
        Call::GetKObject { .. } => {
            Some(CallResult::KObject(Outcome::Delivered(Some(ObjectState {
                id: "the order".into(),
                customer: Some(ID.into()),
                ..ObjectState::default()
            }))))
        }
        Call::GetCustomer { .. } => Some(CallResult::Customer(Outcome::Delivered(Some(
            CustomerFound {
                id: ID.into(),
                keys: vec![external(1), email("ida@shop.example")],
            },
        )))),
        _ => None,
    });
    driver.put(Input::Suppressed(vec![email("ida@shop.example")]));
    let id = ExternalId("o1".into());
    let owner = vec![CustomerKey::of_object(&Klass("order".into()), &id)];
    let mut shipped = track(5);
    if let Operation::Track(track) = &mut shipped.operation {
        track.customer = CustomerRef::new(owner, MissingCustomer::Park).unwrap();
    }
    driver.record(0, shipped);
    driver.run(60);
    assert_eq!(driver.settled(), [SKIPPED]);
    // By now it is known that this is her, too.
    driver.record(1, track(1));
    driver.record(2, write(object("order", 1)));
    driver.run(60);
    assert_eq!(driver.settled(), vec![SKIPPED; 3]);
    let writes = |call: &Call| !matches!(call, Call::GetKObject { .. } | Call::GetCustomer { .. });
    assert_eq!(driver.calls(writes).len(), 0);
    driver.run_to_rest();
}

/// A customer with an address besides its number.
fn both(number: u64, address: &str) -> CustomerRef {
    let keys = vec![external(number), email(address)];
    CustomerRef::new(keys, MissingCustomer::Create).unwrap()
}

fn pause_all(driver: &mut Driver) {
    driver.put(Input::Pause(Pause {
        scope: Scope::Destination,
        by: PausedBy::Person,
        lasts: None,
        reason: None,
    }));
}

fn resume_all(driver: &mut Driver) {
    driver.put(Input::Resume {
        scope: Scope::Destination,
        by: None,
    });
}

fn said_of(driver: &Driver, text: &str) -> usize {
    driver
        .calls(|call| format!("{call:?}").contains(text))
        .len()
}

#[test]
fn an_event_does_not_leave_with_an_identity_that_is_nobodys_on_the_list() {
    let mut driver = Driver::new(settings(), 1);
    pause_all(&mut driver);
    driver.record(0, identify(customer(1)));
    let mut event = track(1);
    if let Operation::Track(track) = &mut event.operation {
        track.customer = both(1, "ida@shop.example");
    }
    driver.record(1, event);
    driver.run(1);
    driver.put(Input::Suppressed(vec![email("ida@shop.example")]));
    resume_all(&mut driver);
    driver.run(120);
    assert_eq!(said_of(&driver, "ida@"), 0);
    let settled = driver.settled();
    assert_eq!(settled.len(), 2);
    assert_eq!(settled.iter().filter(|one| **one == SKIPPED).count(), 1);
    driver.run_to_rest();
}

#[test]
fn nobody_is_asked_about_again_for_whom_nothing_waits_any_more() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|call| {
        let failed = RetryCause::ServerError;
        Some(match call {
            Call::SearchCustomers { .. } => CallResult::Searched(Outcome::Retry(failed)),
            Call::CreateCustomers { .. } => CallResult::Submitted(Outcome::Retry(failed)),
            Call::Identify { .. } => CallResult::Tracked(Outcome::Retry(failed)),
            _ => return None,
        })
    });
    driver.record(0, write(owned(object("order", 1), customer(1))));
    driver.run_for(std::time::Duration::from_millis(20));
    let asked = driver.calls(|_| true).len();
    assert_eq!(asked, 1, "the answer is on its way");
    driver.put(Input::Suppressed(vec![external(1)]));
    driver.run(600);
    assert_eq!(driver.settled(), [SKIPPED]);
    let of = |call: &Call| format!("{call:?}");
    let calls: Vec<String> = driver.calls(|_| true).into_iter().map(of).collect();
    assert_eq!(
        calls.iter().filter(|call| call.contains("u1")).count(),
        asked,
        "{calls:?}"
    );
    driver.run_to_rest();
}

#[test]
fn keys_of_the_list_are_not_sent_for_others_who_wait_for_the_same_customer() {
    let mut driver = Driver::new(settings(), 1);
    pause_all(&mut driver);
    let with_address = both(1, "ida@shop.example");
    driver.record(0, write(owned(object("order", 1), with_address)));
    driver.record(1, write(owned(object("order", 2), customer(1))));
    driver.run(1);
    driver.put(Input::Suppressed(vec![email("ida@shop.example")]));
    resume_all(&mut driver);
    driver.run(120);
    assert_eq!(said_of(&driver, "ida@"), 0);
    let settled = driver.settled();
    assert_eq!(settled.len(), 2, "{settled:?}");
    assert!(settled.contains(&SKIPPED));
    assert!(settled.contains(&Settlement::Delivered));
    driver.run_to_rest();
}
