//! Objects: existing ones are updated, contradictions come to an end, and an object keeps its customer.

use std::time::Duration;

use ingest_delivery::fact::{Fact, Settlement};
use ingest_model::call::{Call, CallResult, ItemFate, ItemResult, JobReport, ObjectState, Written};
use ingest_model::operation::{KObject, MissingCustomer, Version};
use ingest_model::outcome::{HoldCause, JobTicket, Outcome, Rejection, RetryCause};

use crate::driver::Driver;
use crate::make::{
    by_email, made_and_not_named, object, owned, seen, settings, titled, track, versioned, write,
};

/// Every write is told that the object exists already, or has changed; every look finds it as it was.
fn contradictory() -> impl FnMut(&Call) -> Option<CallResult> {
    let mut refs: Vec<String> = Vec::new();
    move |call| match call {
        Call::CreateKObjects { items, .. } | Call::UpdateKObjects { items, .. } => {
            refs = items.iter().map(|item| item.reference.clone()).collect();
            Some(CallResult::Submitted(Outcome::Pending(JobTicket {
                id: "job".into(),
                created_ms: None,
            })))
        }
        Call::ReadJob { .. } => {
            let duplicate = |reference: &String| ItemResult {
                reference: reference.clone(),
                fate: ItemFate::Duplicate,
            };
            Some(CallResult::Job(Outcome::Delivered(JobReport {
                complete: true,
                items: refs.iter().map(duplicate).collect(),
                ..JobReport::default()
            })))
        }
        Call::CreateKObject { .. } => {
            Some(CallResult::Written(Outcome::Delivered(Written::Duplicate)))
        }
        Call::UpdateKObject { .. } => {
            Some(CallResult::Written(Outcome::Retry(RetryCause::Conflict)))
        }
        Call::GetKObject { .. } => Some(seen("there", None)),
        _ => None,
    }
}

#[test]
fn writes_and_looks_that_contradict_each_other_cost_a_bounded_number_of_requests() {
    for objects in [1, 2] {
        let mut driver = Driver::new(settings(), 1);
        driver.answer(contradictory());
        for n in 0..objects {
            let order = versioned(object("order", n), "7");
            driver.record(i64::try_from(n).unwrap(), write(order));
        }
        driver.run(600);
        assert!(driver.sent.len() < 80, "{} requests", driver.sent.len());
        driver.all_is_well();
        driver.run_to_rest();
    }
}

#[test]
fn writes_and_looks_that_contradict_each_other_end_while_others_succeed() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(contradictory());
    driver.record(0, write(object("order", 1)));
    for n in 1..1_000 {
        driver.record(n, track(n.unsigned_abs()));
        driver.run(5);
    }
    let reasons: Vec<_> = driver.letters.iter().map(|l| l.reason).collect();
    assert_eq!(reasons, [Rejection::RetriesExhausted]);
    let about_it = driver.calls(|call| !matches!(call, Call::Track { .. }));
    assert!(about_it.len() < 60, "{} requests", about_it.len());
    driver.run_to_rest();
}

#[test]
fn an_object_that_exists_and_cannot_be_found_costs_a_bounded_number_of_requests() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|call| match call {
        Call::CreateKObject { .. } => {
            Some(CallResult::Written(Outcome::Delivered(Written::Duplicate)))
        }
        _ => None,
    });
    driver.record(0, write(object("order", 1)));
    for n in 1..1_000 {
        driver.record(n, track(n.unsigned_abs()));
        driver.run(5);
    }
    let about_it = driver.calls(|call| !matches!(call, Call::Track { .. }));
    assert!(about_it.len() < 60, "{} requests", about_it.len());
    assert_eq!(driver.letters.len(), 1);
    driver.run_to_rest();
}

/// An object is created, and an update of it waits behind a hold until the directory has forgotten the object. Returns
/// the writes of the object after its create.
fn writes_after_eviction(first: KObject, second: KObject) -> Vec<Call> {
    let mut settings = settings();
    settings.directory_capacity = 4;
    let mut driver = Driver::new(settings, 1);
    driver.record(1, write(first));
    driver.run(10);
    let created = driver.sent.len();
    driver.answer(|call| match call {
        Call::GetKObject { .. } => Some(seen("object 1", Some("1"))),
        _ if is_order(call) => {
            let held = Outcome::Hold(HoldCause::MissingKlass);
            Some(CallResult::Written(held))
        }
        _ => None,
    });
    driver.record(2, write(second));
    driver.run(2);
    for n in 10..30 {
        driver.record(n, write(object("other", n.unsigned_abs())));
        driver.run(1);
    }
    driver.answer(|call| match call {
        Call::GetKObject { .. } => Some(seen("object 1", Some("1"))),
        _ => None,
    });
    driver.run_to_rest();
    let after = driver.sent.into_iter().skip(created).map(|(_, call)| call);
    after.filter(is_order).collect()
}

fn is_order(call: &Call) -> bool {
    match call {
        Call::CreateKObject { klass, .. } | Call::UpdateKObject { klass, .. } => {
            &*klass.0 == "order"
        }
        _ => false,
    }
}

#[test]
fn an_update_whose_directory_entry_was_evicted_is_still_an_update() {
    let ann = by_email("ann@example.com", MissingCustomer::Create);
    let order = owned(object("order", 1), ann);
    let later = titled(order.clone(), 2);
    for (first, second) in [
        (order.clone(), later.clone()),
        (versioned(order, "1"), versioned(later, "2")),
    ] {
        let writes = writes_after_eviction(first, second);
        assert!(!writes.is_empty());
        for call in writes {
            let Call::UpdateKObject { id, .. } = call else {
                panic!("an update became {call:?}");
            };
            assert_eq!(&*id, "object 1");
        }
    }
}

#[test]
fn states_of_two_customers_never_merge_into_one() {
    let mut driver = Driver::new(settings(), 1);
    let of = |email: &str, title| {
        let customer = by_email(email, MissingCustomer::Create);
        write(titled(owned(object("order", 1), customer), title))
    };
    driver.record(1, of("ann@example.com", 1));
    driver.record(2, of("bob@example.com", 2));
    driver.run_to_rest();
    let written: Vec<(u64, String)> = driver
        .sent
        .iter()
        .filter_map(|(_, call)| match call {
            Call::CreateKObject { body, .. } => Some(body),
            _ => None,
        })
        .map(|body| {
            let customer = body.parse()["customer"].as_str().unwrap().to_owned();
            (body.parse()["title"].as_u64().unwrap(), customer)
        })
        .collect();
    assert_eq!(written, [(1, "id of ann@example.com".to_owned())]);
    let update = driver.calls(|call| matches!(call, Call::UpdateKObject { .. }));
    assert_eq!(update.len(), 1, "the second state is written on its own");
    assert_eq!(driver.settled(), [Settlement::Delivered; 2]);
}

#[test]
fn states_of_one_customer_merge_while_they_wait() {
    let mut driver = Driver::new(settings(), 1);
    for n in 1..4 {
        let customer = by_email("ann@example.com", MissingCustomer::Create);
        let order = owned(object("order", 1), customer);
        driver.record(n, write(titled(order, n.unsigned_abs())));
    }
    driver.run_to_rest();
    let creates = driver.calls(|call| matches!(call, Call::CreateKObject { .. }));
    let [Call::CreateKObject { body, .. }] = creates[..] else {
        panic!("{creates:?}");
    };
    assert_eq!(body.parse()["title"], 3);
    assert_eq!(driver.settled(), [Settlement::Delivered; 3]);
}

#[test]
fn an_object_that_was_made_and_not_named_is_read_before_it_is_updated() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(made_and_not_named("1"));
    driver.record(0, write(versioned(object("order", 1), "1")));
    driver.run(30);
    assert_eq!(driver.sent.len(), 1, "its id is not needed yet");
    driver.record(1, write(titled(versioned(object("order", 1), "2"), 2)));
    driver.run_to_rest();
    let creates = driver.calls(|call| matches!(call, Call::CreateKObject { .. }));
    assert_eq!(creates.len(), 1, "made once");
    let updates =
        driver.calls(|call| matches!(call, Call::UpdateKObject { id, .. } if &**id == "there"));
    assert_eq!(updates.len(), 1);
    assert_eq!(driver.settled(), [Settlement::Delivered; 2]);
}

/// Updates of one object, one after the other, each with one conflict. The look that follows shows, in the object with
/// that id, what `theirs` returns for the update's number. Returns how often the lock was turned off.
fn conflicts(id: fn(u64) -> String, theirs: fn(u64) -> u64) -> usize {
    let version = |number: u64| format!("{number:06}");
    let mut driver = Driver::new(settings(), 1);
    driver.record(0, write(versioned(object("order", 1), &version(0))));
    driver.run(1);
    for number in 1..=150_u64 {
        let mut refused = false;
        driver.answer(move |call| match call {
            Call::UpdateKObject { .. } if !refused => {
                refused = true;
                let conflict = Outcome::Retry(RetryCause::Conflict);
                Some(CallResult::Written(conflict))
            }
            Call::GetKObject { .. } => {
                let shown = ObjectState {
                    id: id(number).into(),
                    rev: Some(i64::try_from(10 * number).unwrap()),
                    version: Some(Version::new(&format!("{:06}", theirs(number)))),
                    customer: None,
                    shown: serde_json::Map::new(),
                    company: None,
                };
                Some(CallResult::KObject(Outcome::Delivered(Some(shown))))
            }
            _ => None,
        });
        let state = versioned(
            titled(object("order", 1), number + 1),
            &version(10 * number),
        );
        driver.record(i64::try_from(number).unwrap(), write(state));
        driver.run(60);
    }
    let met = |fact: &&Fact| matches!(fact, Fact::Conflict);
    assert_eq!(driver.facts.iter().filter(met).count(), 150);
    let off = |fact: &&Fact| matches!(fact, Fact::LockOff);
    driver.facts.iter().filter(off).count()
}

fn only(_: u64) -> String {
    "object 1".to_owned()
}

#[test]
fn conflicts_with_what_others_wrote_never_turn_the_lock_off() {
    assert_eq!(conflicts(only, |number| 10 * number - 5), 0);
}

#[test]
fn conflicts_although_nobody_else_wrote_turn_the_lock_off() {
    assert_eq!(conflicts(only, |number| 10 * (number - 1)), 1);
}

#[test]
fn conflicts_after_which_a_copy_is_found_never_turn_the_lock_off() {
    let copy = |number| format!("copy {number}");
    assert_eq!(conflicts(copy, |number| 10 * (number - 1)), 0);
}

#[test]
fn an_endpoint_that_fails_for_a_quarter_of_an_hour_dead_letters_nothing_while_others_answer() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|call| match call {
        Call::CreateKObject { .. } => {
            Some(CallResult::Written(Outcome::Retry(RetryCause::ServerError)))
        }
        Call::CreateKObjects { .. } => Some(CallResult::Submitted(Outcome::Retry(
            RetryCause::ServerError,
        ))),
        _ => None,
    });
    for n in 0..3 {
        driver.record(n, write(object("order", u64::try_from(n).unwrap())));
    }
    // Every failure has a success of another kind next to it.
    for n in 3..9_003 {
        driver.record(n, track(u64::try_from(n).unwrap()));
        driver.run_for(Duration::from_millis(100));
    }
    assert!(driver.letters.is_empty(), "{:?}", driver.letters);
    driver.all_is_well();
    driver.run_to_rest();
    assert_eq!(driver.settled(), [Settlement::Delivered; 9_003]);
}

#[test]
fn updates_without_an_answer_dead_letter_nothing_while_looks_and_creates_succeed() {
    for version in [Some("2"), None] {
        let mut driver = Driver::new(settings(), 1);
        driver.answer(|call| match call {
            Call::UpdateKObject { .. } => Some(CallResult::Written(Outcome::Ambiguous)),
            Call::GetKObject { .. } => Some(seen("object 1", Some("1"))),
            _ => None,
        });
        driver.record(0, write(versioned(object("order", 0), "1")));
        driver.run(5);
        let later = titled(object("order", 0), 2);
        let later = match version {
            Some(version) => versioned(later, version),
            None => later,
        };
        driver.record(1, write(later));
        for n in 2..1_500_i64 {
            let other = versioned(object("order", n.unsigned_abs()), "1");
            driver.record(n, write(other));
            driver.run(5);
        }
        assert!(driver.letters.is_empty(), "{:?}", driver.letters);
        driver.all_is_well();
        driver.run_to_rest();
        assert_eq!(driver.settled(), [Settlement::Delivered; 1_500]);
    }
}
