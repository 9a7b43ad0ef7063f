//! Events and identities: what shares a request, and what happens to lanes that turn out to be of one customer.

use std::sync::Arc;
use std::time::Duration;

use ingest_delivery::fact::{Fact, Settlement};
use ingest_delivery::machine::{Input, MachineSettings, StateSettings};
use ingest_model::call::Call;
use ingest_model::known::customer_hash;
use ingest_model::operation::{CustomerKey, CustomerRef, MissingCustomer, Operation, Planned};
use ingest_model::outcome::{DroppedField, SkipReason, Verdict};
use ingest_model::record::{Epoch, Offset, Traffic};
use ingest_model::state_log::reduce::Slice;
use ingest_model::state_log::{Content, Entity, Entry, OwnerId};
use serde_json::{Map, Value};

use crate::driver::Driver;
use crate::make::{by_email, customer, identify, record, settings, shop, track};

const EMAIL: &str = "ada@example.com";

/// The event with that number, of the customer with the e-mail address.
fn by_address(number: u64) -> Planned {
    let mut planned = track(number);
    if let Operation::Track(track) = &mut planned.operation {
        track.customer = by_email(EMAIL, MissingCustomer::Create);
    }
    planned
}

/// The event with that number, of customer 1.
fn of_customer_1(number: u64) -> Planned {
    let mut planned = track(number);
    if let Operation::Track(track) = &mut planned.operation {
        track.customer = customer(1);
    }
    planned
}

#[test]
fn a_repeat_does_not_ride_with_an_identity() {
    let mut driver = Driver::new(settings(), 1);
    driver.record(0, track(1));
    driver.run(2);
    // Both wait behind another event of the customer.
    driver.record(1, of_customer_1(50));
    driver.record(2, identify(customer(1)));
    driver.record(3, track(1));
    driver.run_to_rest();
    let events = driver.calls(|call| matches!(call, Call::Track { .. }));
    assert_eq!(events.len(), 2, "{events:?}");
    let repeat = Settlement::Skipped(SkipReason::Repeat);
    assert!(driver.settled().contains(&repeat));
}

#[test]
fn lanes_that_a_slice_makes_one_go_on() {
    let mut driver = Driver::new(
        MachineSettings {
            state: Some(StateSettings::default()),
            ..settings()
        },
        2,
    );
    driver.run(1);
    driver.revoke(shop(1));
    // The customer's external id is known.
    driver.record(0, track(7));
    driver.run(2);
    // Another partition's slice also knows the address, while events with both keys are in flight.
    let hash = customer_hash(&CustomerKey::Email(EMAIL.into()));
    let entry = Entry {
        at: Offset(0),
        content: Content::Customer(Arc::from("id of u7")),
    };
    let owner = OwnerId::new(99, 1);
    let slice = Slice {
        entries: vec![(Entity::Customer(hash), owner, entry)],
        ..Slice::default()
    };
    driver.slices.insert(shop(1), slice);
    driver.record(1, by_address(101));
    for offset in 2..8 {
        let mut planned = track(7);
        if let Operation::Track(track) = &mut planned.operation {
            track.event_key = uuid::Uuid::from_u128(200 + u128::try_from(offset).unwrap());
        }
        driver.record(offset, planned);
    }
    driver.assign(shop(1));
    driver.run_for(Duration::from_millis(20));
    driver.record(8, by_address(102));
    driver.run_to_rest();
    assert_eq!(driver.settled(), [Settlement::Delivered; 9]);
    assert_eq!(driver.machine.snapshot(driver.now).lanes, 0);
}

#[test]
fn a_field_left_out_is_counted_when_its_record_is_taken_in() {
    let mut driver = Driver::new(settings(), 1);
    let epoch = driver.epoch(&shop(0));
    let with_a_bad_field = |offset, epoch| Input::Record {
        record: record(shop(0), offset),
        epoch,
        event_ms: None,
        traffic: Traffic::Live,
        verdict: Verdict::Emit(vec![track(1)]),
        dropped: vec![DroppedField {
            route: Arc::from("checkout"),
            field: Arc::from("meta.total"),
            detail: "must be a number".to_owned(),
        }],
        event_ids: None,
    };
    driver.put(with_a_bad_field(0, epoch));
    // From another assignment: whoever owns that record counts it.
    driver.put(with_a_bad_field(1, Epoch(epoch.0 + 1)));
    driver.run_to_rest();
    let counted = driver.facts.iter().filter(|fact| {
        **fact
            == Fact::FieldDropped {
                topic: shop(0).topic,
                route: Arc::from("checkout"),
                field: Arc::from("meta.total"),
            }
    });
    assert_eq!(counted.count(), 1);
}

/// A customer with these keys.
fn known_by(keys: &[CustomerKey]) -> CustomerRef {
    CustomerRef::new(keys.to_vec(), MissingCustomer::Create).unwrap()
}

/// How many requests an identity and an event behind it take, given the keys of each, and the identity in the last
/// request.
fn requests(identified: &[CustomerKey], event: &[CustomerKey]) -> (usize, Map<String, Value>) {
    let mut driver = Driver::new(settings(), 1);
    // Both wait behind another event of the customer, whose id is known by then.
    let first = event[0].clone();
    let mut planned = [track(60), track(61)];
    for (planned, keys) in planned
        .iter_mut()
        .zip([std::slice::from_ref(&first), event])
    {
        if let Operation::Track(track) = &mut planned.operation {
            track.customer = known_by(keys);
        }
    }
    let [ahead, behind] = planned;
    driver.record(0, ahead);
    driver.record(1, identify(known_by(identified)));
    driver.record(2, behind);
    driver.run_to_rest();
    assert_eq!(driver.settled(), [Settlement::Delivered; 3]);
    let Some((_, Call::Track { identity, .. })) = driver.sent.last() else {
        panic!("{:?}", driver.sent);
    };
    (driver.sent.len() - 1, identity.parse())
}

#[test]
fn an_identity_that_adds_keys_rides_with_the_event() {
    let id = CustomerKey::ExternalId("u1".into());
    let email = CustomerKey::Email(EMAIL.into());
    let phone = CustomerKey::Phone("+4930123456".into());
    let all = [id, email, phone];
    let (with_phone, with_email) = (
        [all[0].clone(), all[2].clone()],
        [all[0].clone(), all[1].clone()],
    );
    for (identified, event) in [
        (&all[..], &all[..1]),
        (&all[..], &all[..2]),
        (&all[..1], &all[..]),
        (&with_phone[..], &with_email[..]),
    ] {
        let (requests, identity) = requests(identified, event);
        assert_eq!(requests, 1, "{identified:?} {event:?}");
        let keys = identified.iter().chain(event);
        for key in keys {
            assert_eq!(
                identity[key.kind()],
                **key.value(),
                "{identified:?} {event:?}"
            );
        }
    }
}

#[test]
fn an_identity_that_may_be_somebody_elses_rides_with_no_event() {
    let id = CustomerKey::ExternalId("u1".into());
    let (ada, bob) = (
        CustomerKey::Email(EMAIL.into()),
        CustomerKey::Email("bob@example.com".into()),
    );
    let (requests, _) = requests(&[id.clone(), ada], &[id, bob]);
    assert_eq!(requests, 2, "two addresses");
}
