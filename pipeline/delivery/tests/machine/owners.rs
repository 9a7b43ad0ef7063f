//! Customers that are named by an object of theirs: events that say which order they are about, and not whose.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use ingest_delivery::fact::{Fact, ResolvedBy, Settlement};
use ingest_delivery::machine::MachineSettings;
use ingest_model::body::Body;
use ingest_model::call::{Call, CallResult, CustomerFound, ObjectState};
use ingest_model::operation::{
    CustomerKey, CustomerRef, ExternalId, KObject, Klass, MissingCustomer, Occurrence, Operation,
    Planned,
};
use ingest_model::outcome::{HoldCause, Outcome, Rejection, RetryCause, SkipReason, Verdict};
use serde_json::Map;

use crate::driver::Driver;
use crate::make::{customer, identify, object, owned, settings, shop, track, versioned, write};

fn asking() -> MachineSettings {
    let mut settings = settings();
    settings.owners_of = BTreeSet::from([Klass("order".into())]);
    settings
}

/// Whoever the order with that number belongs to.
fn owner(number: u64, missing: MissingCustomer) -> CustomerRef {
    let id = ExternalId(format!("o{number}").into());
    let key = CustomerKey::of_object(&Klass("order".into()), &id);
    CustomerRef::new(vec![key], missing).unwrap()
}

/// An event about the order with that number.
fn shipped(number: u64, event: u128) -> Planned {
    shipped_of(owner(number, MissingCustomer::Park), event)
}

fn shipped_of(customer: CustomerRef, event: u128) -> Planned {
    let event_key = uuid::Uuid::from_u128(event);
    let occurrence = Occurrence {
        customer,
        name: format!("Shipped-{event}").into(),
        session_id: None,
        tracking_id: None,
        meta: Map::new(),
        event_key,
    };
    Planned {
        route: "shipped".into(),
        event_key,
        operation: Operation::Track(occurrence.into()),
    }
}

/// The order with that number, of the customer with the same number.
fn order(number: u64) -> Planned {
    write(owned(object("order", number), customer(number)))
}

/// What Kustomer shows of an order.
fn belongs_to(customer: Option<&str>) -> CallResult {
    CallResult::KObject(Outcome::Delivered(Some(ObjectState {
        id: "the order".into(),
        customer: customer.map(Into::into),
        ..ObjectState::default()
    })))
}

/// What Kustomer shows of a customer.
fn known_as(id: &str, keys: &[CustomerKey]) -> CallResult {
    CallResult::Customer(Outcome::Delivered(Some(CustomerFound {
        id: id.into(),
        keys: keys.to_vec(),
    })))
}

fn external(id: &str) -> CustomerKey {
    CustomerKey::ExternalId(id.into())
}

/// An organisation that has every order already, all of them of one customer.
fn with_orders(call: &Call) -> Option<CallResult> {
    match call {
        Call::GetKObject { .. } => Some(belongs_to(Some("c1"))),
        Call::GetCustomer {
            key: CustomerKey::Id(_),
        } => Some(known_as("c1", &[external("u1")])),
        _ => None,
    }
}

fn reads(driver: &Driver) -> (usize, usize) {
    let objects = driver.calls(|call| matches!(call, Call::GetKObject { .. }));
    let customers = driver.calls(|call| matches!(call, Call::GetCustomer { .. }));
    (objects.len(), customers.len())
}

/// Names of the events that were sent, with whom they were sent for.
fn events(driver: &Driver) -> Vec<(String, String)> {
    let text = |body: &Body, field: &str| {
        let value = body.parse().get(field).cloned().unwrap_or_default();
        value.as_str().unwrap_or_default().to_owned()
    };
    let all = driver.sent.iter().filter_map(|(_, call)| match call {
        Call::Track { identity, event } => {
            Some((text(event, "name"), text(identity, "externalId")))
        }
        _ => None,
    });
    all.collect()
}

fn sent(names: &[(&str, &str)]) -> Vec<(String, String)> {
    let all = names.iter();
    all.map(|(name, who)| ((*name).to_owned(), (*who).to_owned()))
        .collect()
}

#[test]
fn an_event_right_behind_its_order_needs_no_read() {
    let mut driver = Driver::new(asking(), 1);
    driver.record(1, order(1));
    driver.run_for(Duration::from_millis(1));
    driver.record(2, shipped(1, 7));
    driver.run_to_rest();
    assert_eq!(driver.settled(), [Settlement::Delivered; 2]);
    assert_eq!(events(&driver), sent(&[("Shipped-7", "u1")]));
    assert_eq!(reads(&driver), (0, 0));
}

#[test]
fn an_order_that_nobody_wrote_here_is_read_once_and_its_customer_once() {
    let mut driver = Driver::new(asking(), 1);
    driver.answer(with_orders);
    driver.record(1, shipped(1, 7));
    driver.run(5);
    driver.record(2, shipped(1, 8));
    driver.record(3, shipped(2, 9));
    driver.run_to_rest();
    assert_eq!(driver.settled(), [Settlement::Delivered; 3]);
    let all = [
        ("Shipped-7", "u1"),
        ("Shipped-8", "u1"),
        ("Shipped-9", "u1"),
    ];
    assert_eq!(events(&driver), sent(&all));
    assert_eq!(reads(&driver), (2, 1), "two orders of one customer");
    let by_object = |fact: &&Fact| {
        matches!(
            fact,
            Fact::Resolved {
                way: ResolvedBy::Object
            }
        )
    };
    assert_eq!(driver.facts.iter().filter(by_object).count(), 2);
}

#[test]
fn an_object_of_another_objects_customer_needs_the_id_alone() {
    let mut driver = Driver::new(asking(), 1);
    driver.answer(with_orders);
    let shipment = owned(object("shipment", 5), owner(1, MissingCustomer::Park));
    driver.record(1, write(shipment));
    driver.run_to_rest();
    assert_eq!(driver.settled(), [Settlement::Delivered]);
    assert_eq!(reads(&driver), (1, 0));
    let made = driver.calls(|call| matches!(call, Call::CreateKObject { .. }));
    let Some(Call::CreateKObject { body, .. }) = made.first() else {
        panic!("no object was made");
    };
    assert_eq!(body.parse()["customer"], "c1");
}

#[test]
fn an_order_that_comes_later_leads_its_events_on_at_once() {
    let mut driver = Driver::new(asking(), 2);
    driver.record(1, shipped(1, 7));
    driver.run(60);
    assert_eq!(events(&driver), []);
    assert_eq!(reads(&driver), (1, 0), "the next look is minutes away");
    driver.judged(shop(1), 1, Verdict::Emit(vec![order(1)]));
    driver.run(2);
    assert_eq!(events(&driver), sent(&[("Shipped-7", "u1")]));
    driver.run_to_rest();
    assert_eq!(driver.settled(), [Settlement::Delivered; 2]);
}

#[test]
fn an_order_that_never_comes_is_waited_for_as_long_as_stated_and_then_refused() {
    for (missing, most) in [(MissingCustomer::Park, 5), (MissingCustomer::Reject, 1)] {
        let mut driver = Driver::new(asking(), 1);
        let began = driver.now;
        driver.record(1, shipped_of(owner(1, missing), 7));
        driver.run_to_rest();
        let [letter] = driver.letters.as_slice() else {
            panic!("{missing:?}: {:?}", driver.letters);
        };
        assert_eq!(letter.reason, Rejection::UnknownCustomer);
        assert!(letter.detail.contains("no order has"), "{}", letter.detail);
        assert_eq!(letter.route.as_deref(), Some("shipped"));
        assert!(
            reads(&driver).0 <= most,
            "{missing:?}: {:?}",
            reads(&driver)
        );
        let last = driver.sent.last().unwrap().0 - began;
        let waits = missing == MissingCustomer::Park;
        assert_eq!(
            waits,
            last >= Duration::from_secs(590),
            "{missing:?}: {last:?}"
        );
    }
}

#[test]
fn an_order_of_nobody_is_named_as_the_reason() {
    for missing in [MissingCustomer::Reject, MissingCustomer::Skip] {
        let mut driver = Driver::new(asking(), 1);
        driver.answer(|call| match call {
            Call::GetKObject { .. } => Some(belongs_to(None)),
            _ => None,
        });
        driver.record(1, shipped_of(owner(1, missing), 7));
        driver.run_to_rest();
        let details: Vec<_> = driver.letters.iter().map(|one| &one.detail).collect();
        assert!(details[0].contains("belongs to nobody"), "{details:?}");
    }
}

#[test]
fn an_order_that_is_not_there_is_not_marked_and_no_older_state_makes_it() {
    let mut driver = Driver::new(asking(), 1);
    let of = |version: &str, object: KObject| write(versioned(object, version));
    let mark = owned(object("order", 1), owner(1, MissingCustomer::Skip));
    driver.record(1, of("7", mark));
    driver.run_to_rest();
    // an event of the same route, and states from elsewhere
    driver.record(2, shipped_of(owner(1, MissingCustomer::Skip), 7));
    driver.record(3, of("5", object("order", 1)));
    driver.run_to_rest();
    let not_there = Settlement::Skipped(SkipReason::NotThere);
    let stale = Settlement::Skipped(SkipReason::Stale);
    assert_eq!(driver.settled(), [not_there, stale, not_there]);
    assert_eq!(reads(&driver), (2, 0));
    assert!(driver.letters.is_empty(), "{:?}", driver.letters);
    // a newer state makes it
    driver.record(4, of("8", object("order", 1)));
    driver.run_to_rest();
    assert_eq!(driver.settled()[3..], [Settlement::Delivered]);
}

#[test]
fn who_waits_for_an_order_and_who_does_not_have_each_their_own_way() {
    for mark_first in [true, false] {
        let mut driver = Driver::new(asking(), 2);
        let mark = owned(object("order", 1), owner(1, MissingCustomer::Skip));
        let mark = Verdict::Emit(vec![write(versioned(mark, "7"))]);
        let event = Verdict::Emit(vec![shipped(1, 8)]);
        let (first, second) = if mark_first {
            (mark, event)
        } else {
            (event, mark)
        };
        driver.judged(shop(0), 1, first);
        driver.judged(shop(1), 1, second);
        driver.run(60);
        // The mark is done with; the event waits for whatever writes the order.
        let not_there = Settlement::Skipped(SkipReason::NotThere);
        assert_eq!(driver.settled(), [not_there], "{mark_first}");
        assert_eq!(events(&driver), []);
        let newer = versioned(owned(object("order", 1), customer(1)), "8");
        driver.judged(shop(1), 2, Verdict::Emit(vec![write(newer)]));
        driver.run_to_rest();
        assert_eq!(events(&driver), sent(&[("Shipped-8", "u1")]));
        let delivered = Settlement::Delivered;
        assert_eq!(driver.settled(), [not_there, delivered, delivered]);
        assert!(driver.letters.is_empty(), "{:?}", driver.letters);
    }
}

#[test]
fn a_customer_whom_the_tracking_api_cannot_know_is_named_as_the_reason() {
    let mut driver = Driver::new(asking(), 1);
    driver.answer(|call| match call {
        Call::GetCustomer { .. } => Some(known_as("c1", &[])),
        _ => with_orders(call),
    });
    driver.record(1, shipped(1, 7));
    driver.run_to_rest();
    let details: Vec<_> = driver.letters.iter().map(|one| &one.detail).collect();
    assert!(details[0].contains("no external id"), "{details:?}");
    assert_eq!(reads(&driver), (1, 1));
}

#[test]
fn events_enter_the_customers_lane_in_the_order_of_their_arrival() {
    let mut driver = Driver::new(asking(), 1);
    driver.answer(with_orders);
    let named = |event: u128| {
        let mut plan = shipped(0, event);
        plan.operation.rename_customer(customer(1));
        plan
    };
    let mut offset = 0;
    for _ in 0..5 {
        for number in 1..=3 {
            offset += 1;
            driver.record(offset, shipped(number, u128::from(offset.unsigned_abs())));
        }
        driver.run_for(Duration::from_millis(30));
        offset += 1;
        driver.record(offset, named(u128::from(offset.unsigned_abs())));
    }
    driver.run_to_rest();
    assert_eq!(driver.settled().len(), 20);
    let all: Vec<u64> = events(&driver)
        .iter()
        .filter_map(|(name, _)| name.strip_prefix("Shipped-")?.parse().ok())
        .collect();
    assert_eq!(all.len(), 20);
    // From the first event on that was sent for an order, its customer is known.
    let of_order = |number: u64| all.iter().filter(move |one| (**one - 1) % 4 + 1 == number);
    for number in 1..=3 {
        assert!(of_order(number).is_sorted(), "{number}: {all:?}");
    }
    let later: Vec<_> = all.iter().filter(|one| **one > 8).collect();
    assert!(later.is_sorted(), "{all:?}");
}

#[test]
fn what_an_object_says_of_the_customer_of_an_identity_is_found_out_first() {
    let mut driver = Driver::new(asking(), 1);
    driver.answer(with_orders);
    driver.record(1, identify(owner(1, MissingCustomer::Park)));
    driver.run_to_rest();
    let identities = driver.calls(|call| matches!(call, Call::Identify { .. }));
    let [Call::Identify { identity }] = identities.as_slice() else {
        panic!("{identities:?}");
    };
    assert_eq!(identity.as_str(), r#"{"externalId":"u1"}"#);
}

#[test]
fn a_customer_that_is_gone_is_looked_for_again_once() {
    for found in [Some("c2"), None] {
        let mut driver = Driver::new(asking(), 1);
        let before = Rc::new(RefCell::new(true));
        let first = Rc::clone(&before);
        driver.answer(move |call| match call {
            // The customer was merged into another one after the order was read.
            Call::GetKObject { .. } => {
                let now = if first.replace(false) {
                    Some("c1")
                } else {
                    found.or(Some("c1"))
                };
                Some(belongs_to(now))
            }
            Call::GetCustomer {
                key: CustomerKey::Id(id),
            } if &**id == "c2" => Some(known_as("c2", &[external("u2")])),
            Call::GetCustomer { .. } => Some(CallResult::Customer(Outcome::Delivered(None))),
            _ => None,
        });
        driver.record(1, shipped(1, 7));
        driver.run_to_rest();
        match found {
            Some(_) => assert_eq!(events(&driver), sent(&[("Shipped-7", "u2")])),
            None => assert_eq!(driver.letters[0].reason, Rejection::UnknownCustomer),
        }
        assert_eq!(reads(&driver), (2, 2));
    }
}

#[test]
fn reads_that_fail_or_are_held_hold_nothing_but_their_events() {
    for answer in [
        Outcome::Hold(HoldCause::MissingRole),
        Outcome::Retry(RetryCause::ServerError),
    ] {
        let mut driver = Driver::new(asking(), 1);
        let failing = CallResult::KObject(answer.clone());
        driver.answer(move |call| match call {
            Call::GetKObject { .. } => Some(failing.clone()),
            _ => None,
        });
        driver.record(1, shipped(1, 1_007));
        driver.run(1);
        for number in 2..50 {
            driver.record(number, track(number.unsigned_abs()));
            driver.run(2);
        }
        assert!(
            driver.settled().len() >= 40,
            "{answer:?}: {:?}",
            driver.holds()
        );
        assert_eq!(driver.letters, [], "{answer:?}");
        driver.answer(with_orders);
        driver.run_to_rest();
        assert_eq!(driver.settled(), [Settlement::Delivered; 49], "{answer:?}");
    }
}

#[test]
fn what_waits_for_an_object_is_left_to_the_next_owner_of_its_partition() {
    let mut driver = Driver::new(asking(), 2);
    driver.record(1, shipped(1, 7));
    driver.judged(shop(1), 1, Verdict::Emit(vec![shipped(1, 8)]));
    driver.run(10);
    driver.revoke(shop(0));
    driver.run(10);
    assert_eq!(driver.handed_back, [shop(0)]);
    driver.answer(with_orders);
    driver.run_to_rest();
    assert_eq!(events(&driver), sent(&[("Shipped-8", "u1")]));
}

#[test]
fn an_update_of_an_object_that_names_its_own_customer_reads_it_once() {
    let mut driver = Driver::new(asking(), 1);
    driver.answer(with_orders);
    let update = owned(object("order", 1), owner(1, MissingCustomer::Park));
    driver.record(1, write(update));
    driver.run_to_rest();
    assert_eq!(driver.settled(), [Settlement::Delivered]);
    assert_eq!(reads(&driver), (1, 0));
    let updates = driver.calls(|call| matches!(call, Call::UpdateKObject { .. }));
    assert_eq!(updates.len(), 1, "{:?}", driver.sent);
}
