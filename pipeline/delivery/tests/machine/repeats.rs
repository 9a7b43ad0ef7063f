//! Repeats and late identities: what an event said is not sent again over something later.

use ingest_delivery::fact::Settlement;
use ingest_delivery::machine::{MachineSettings, StateSettings};
use ingest_model::call::{Call, CallResult, ObjectState};
use ingest_model::operation::{CustomerKey, CustomerRef, MissingCustomer, Operation, Planned};
use ingest_model::outcome::{Outcome, RetryCause, SkipReason};
use ingest_model::reading::LifeCause;
use ingest_model::state_log::Entity;
use ingest_model::version::Version;
use serde_json::{Value, json};

use crate::driver::Driver;
use crate::make::{
    customer, identify, object, remembering, settings, shop, titled, track, versioned, write,
};

const REPEAT: Settlement = Settlement::Skipped(SkipReason::Repeat);
const STALE: Settlement = Settlement::Skipped(SkipReason::Stale);

/// An identity of customer 1 with these fields.
fn says(fields: Value) -> Planned {
    says_of(customer(1), fields)
}

fn says_of(customer: CustomerRef, fields: Value) -> Planned {
    let mut planned = identify(customer);
    if let (Operation::Identify(identify), Value::Object(fields)) = (&mut planned.operation, fields)
    {
        identify.fields = fields.into();
    }
    planned
}

/// What identities said, in order, without the keys.
fn said(driver: &Driver) -> Vec<Value> {
    let said = driver.sent.iter().filter_map(|(_, call)| match call {
        Call::Identify { identity } | Call::Track { identity, .. } => Some(identity.parse()),
        _ => None,
    });
    let fields = said.map(|mut identity| {
        identity.retain(|name, _| !matches!(name.as_str(), "externalId" | "email" | "phone"));
        Value::Object(identity)
    });
    fields.collect()
}

#[test]
fn an_older_identity_that_comes_again_does_not_win() {
    let mut driver = Driver::new(settings(), 2);
    let (ann, bea) = (says(json!({"name": "Ann"})), says(json!({"name": "Bea"})));
    for (offset, plan) in [ann.clone(), bea.clone(), ann, bea].into_iter().enumerate() {
        driver.record(i64::try_from(offset).unwrap(), plan);
        driver.run(5);
    }
    driver.run_to_rest();
    assert_eq!(
        said(&driver),
        [json!({"name": "Ann"}), json!({"name": "Bea"})]
    );
    let done = Settlement::Delivered;
    assert_eq!(driver.settled(), [done, done, REPEAT, REPEAT]);
}

#[test]
fn a_copy_that_arrives_before_its_original_has_ended_is_not_laid_over_what_came_between() {
    let mut driver = Driver::new(settings(), 1);
    let ann = says(json!({"name": "Ann"}));
    driver.record(0, ann.clone());
    driver.record(1, says(json!({"name": "Bea", "company": "Birch"})));
    driver.record(2, ann);
    driver.record(3, says(json!({"locale": "de"})));
    driver.run_to_rest();
    let expected = [
        json!({"name": "Ann"}),
        json!({"name": "Bea", "company": "Birch"}),
        json!({"locale": "de"}),
    ];
    assert_eq!(said(&driver), expected);
    assert_eq!(
        driver
            .settled()
            .iter()
            .filter(|one| **one == REPEAT)
            .count(),
        1
    );
}

#[test]
fn a_copy_is_sent_where_its_original_was_not() {
    let mut driver = Driver::new(settings(), 1);
    let mut refused = false;
    driver.answer(move |call| match call {
        Call::Identify { .. } if !std::mem::replace(&mut refused, true) => {
            Some(CallResult::Tracked(Outcome::Retry(RetryCause::ServerError)))
        }
        _ => None,
    });
    let ann = says(json!({"name": "Ann"}));
    driver.record(0, ann.clone());
    driver.record(1, ann);
    driver.run_to_rest();
    assert_eq!(said(&driver).len(), 2, "the first failed");
    assert_eq!(driver.settled(), [Settlement::Delivered, REPEAT]);
}

#[test]
fn an_id_that_stands_for_the_thing_and_not_for_the_event_loses_nothing() {
    let mut driver = Driver::new(settings(), 1);
    let names = ["Ann", "Bea", "Cid"];
    for (offset, name) in (0..).zip(names) {
        let mut plan = says(json!({ "name": name }));
        plan.event_key = uuid::Uuid::from_u128(5);
        driver.record(2 * offset, plan);
        let mut plan = write(titled(object("order", 1), offset.unsigned_abs()));
        plan.event_key = uuid::Uuid::from_u128(6);
        driver.record(2 * offset + 1, plan);
        driver.run(90);
    }
    driver.run_to_rest();
    assert_eq!(driver.settled(), [Settlement::Delivered; 6]);
}

#[test]
fn a_late_identity_says_only_what_no_newer_one_has_said() {
    let mut driver = Driver::new(settings(), 1);
    driver.record_at(
        0,
        9_000,
        says(json!({"name": "Bea", "custom": {"planStr": "pro"}})),
    );
    driver.run(5);
    let late =
        json!({"name": "Ann", "company": "Alder", "custom": {"planStr": "free", "seatsNum": 3}});
    driver.record_at(1, 4_000, says(late));
    driver.run(5);
    driver.record_at(2, 6_000, says(json!({"name": "Eve"})));
    driver.record_at(3, 7_000, says(json!({"company": "Beech"})));
    driver.run_to_rest();
    let expected = [
        json!({"name": "Bea", "custom": {"planStr": "pro"}}),
        json!({"company": "Alder", "custom": {"seatsNum": 3}}),
        json!({"company": "Beech"}),
    ];
    assert_eq!(said(&driver), expected);
    assert_eq!(
        driver.settled().iter().filter(|one| **one == STALE).count(),
        1
    );
}

#[test]
fn late_identities_that_wait_together_merge_by_their_times() {
    let mut driver = Driver::new(settings(), 1);
    // Behind an event, so that they are queued together.
    driver.record(0, track(1));
    driver.record_at(1, 9_000, says(json!({"name": "Bea"})));
    driver.record_at(2, 4_000, says(json!({"name": "Ann", "company": "Alder"})));
    driver.run_to_rest();
    let expected = json!({"name": "Bea", "company": "Alder"});
    assert_eq!(said(&driver).last(), Some(&expected));
    driver.record_at(3, 5_000, says(json!({"company": "Beech"})));
    driver.run_to_rest();
    let expected = json!({"company": "Beech"});
    assert_eq!(
        said(&driver).last(),
        Some(&expected),
        "its company is the newer one"
    );
}

#[test]
fn a_late_identity_joins_one_that_is_ready_only_with_what_is_news() {
    let mut driver = Driver::new(settings(), 1);
    driver.record_at(0, 9_000, says(json!({"name": "Bea"})));
    driver.run(5);
    driver.answer(|call| match call {
        Call::Identify { .. } | Call::Track { .. } => {
            Some(CallResult::Tracked(Outcome::Retry(RetryCause::OrgQuota)))
        }
        _ => None,
    });
    driver.record_at(1, 2_000, says(json!({"company": "Alder"})));
    driver.run(2);
    driver.record_at(2, 3_000, says(json!({"name": "Ann", "locale": "de"})));
    driver.run(2);
    driver.all_is_well();
    driver.run_to_rest();
    assert!(
        said(&driver)[1..]
            .iter()
            .all(|one| one.get("name").is_none())
    );
    assert!(said(&driver).iter().any(|one| one.get("locale").is_some()));
}

#[test]
fn a_late_identity_keeps_its_keys() {
    let mut driver = Driver::new(settings(), 1);
    driver.record_at(0, 9_000, says(json!({"name": "Bea"})));
    driver.run(5);
    let keys = vec![
        CustomerKey::ExternalId("u1".into()),
        CustomerKey::Phone("+4930123456".into()),
    ];
    let with_phone = CustomerRef::new(keys, MissingCustomer::Create).unwrap();
    driver.record_at(1, 4_000, says_of(with_phone, json!({"name": "Ann"})));
    driver.run_to_rest();
    let Some((_, Call::Identify { identity })) = driver.sent.last() else {
        panic!("{:?}", driver.sent)
    };
    assert_eq!(
        Value::Object(identity.parse()),
        json!({"externalId": "u1", "phone": "+4930123456"})
    );
}

/// The titles of writes of objects.
fn titles(driver: &Driver) -> Vec<u64> {
    let title = |call: &Call| match call {
        Call::CreateKObject { body, .. } | Call::UpdateKObject { body, .. } => {
            body.parse()["title"].as_u64()
        }
        _ => None,
    };
    driver
        .sent
        .iter()
        .filter_map(|(_, call)| title(call))
        .collect()
}

#[test]
fn an_older_state_that_comes_again_does_not_win_where_no_version_tells() {
    for version in [None, Some("12.5")] {
        let state = |title| {
            let order = titled(object("order", 1), title);
            write(match version {
                Some(version) => versioned(order, version),
                None => order,
            })
        };
        let (first, second) = (state(1), state(2));
        let versions: &[Option<&str>] = if version.is_some() {
            &[Some("12.5")]
        } else {
            &[None]
        };
        let mut driver = Driver::new(settings(), 1);
        driver.answer(remembering(versions));
        for (offset, plan) in (0..).zip([&first, &second, &first]) {
            driver.record(offset, plan.clone());
            driver.run(90);
        }
        driver.run_to_rest();
        assert_eq!(titles(&driver), [1, 2], "{version:?}");
        assert_eq!(driver.settled()[2], REPEAT);
        // Now each has to wait for the one before.
        let mut driver = Driver::new(settings(), 1);
        driver.answer(remembering(versions));
        driver.record(0, first.clone());
        driver.run_for(std::time::Duration::from_millis(250));
        assert_eq!(titles(&driver), [1], "under way");
        driver.record(1, second);
        driver.record(2, first);
        driver.run_to_rest();
        assert_eq!(titles(&driver), [1, 2], "{version:?}");
    }
}

/// Everything is sent one after the other, then the log is read again from its start, all at once.
fn read_twice(plans: &[Planned]) -> Driver {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(remembering(&[None]));
    for (offset, plan) in (0..).zip(plans) {
        driver.record(offset, plan.clone());
        driver.run(90);
    }
    driver.begin_life(shop(0), 0, LifeCause::WentBack);
    for (offset, plan) in (0..).zip(plans) {
        driver.record(offset, plan.clone());
    }
    driver.run_to_rest();
    assert_eq!(driver.settled().len(), 2 * plans.len());
    driver
}

#[test]
fn a_log_that_is_read_again_ends_where_it_ended_before() {
    // More states than are remembered; the second may be the same as the first.
    for (states, second) in [(20, 2), (17, 1), (18, 1), (33, 2)] {
        let titled = |n| titled(object("order", 1), if n == 2 { second } else { n });
        let orders: Vec<Planned> = (1..=states).map(|n| write(titled(n))).collect();
        let driver = read_twice(&orders);
        assert_eq!(titles(&driver).last(), Some(&states), "{states} {second}");
    }
    let names = (1..=20).map(|n| says(json!({ "name": format!("Ann {n}") })));
    let driver = read_twice(&names.collect::<Vec<_>>());
    assert_eq!(said(&driver).last(), Some(&json!({"name": "Ann 20"})));
}

#[test]
fn what_was_said_and_made_survives_a_restart() {
    let with_state = || MachineSettings {
        state: Some(StateSettings::default()),
        ..settings()
    };
    let mut before = Driver::new(with_state(), 1);
    before.run(1);
    before.answer(remembering(&[Some("3")]));
    let ann = says(json!({"name": "Ann"}));
    let order = |title| write(titled(versioned(object("order", 1), "3"), title));
    let (first, second) = (order(1), order(2));
    before.record_at(0, 4_000, ann.clone());
    before.record(1, first.clone());
    before.run(30);
    before.record_at(2, 9_000, says(json!({"name": "Bea"})));
    before.record(3, second);
    before.run_to_rest();

    let mut after = Driver::new(with_state(), 1);
    after.run(1);
    after.revoke(shop(0));
    after
        .slices
        .insert(shop(0), crate::state::slice_of(&before, &shop(0)));
    after.assign(shop(0));
    after.run(1);
    after.record_at(4, 4_000, ann);
    after.record(5, first);
    after.record_at(6, 5_000, says(json!({"name": "Eve"})));
    after.record_at(7, 10_000, says(json!({"name": "Cid"})));
    after.run_to_rest();
    assert_eq!(said(&after), [json!({"name": "Cid"})]);
    assert!(titles(&after).is_empty());
    let mut settled = after.settled();
    settled.sort_unstable();
    assert_eq!(settled, [Settlement::Delivered, STALE, REPEAT, REPEAT]);
}

#[test]
fn what_was_said_is_remembered_even_if_the_id_of_the_customer_is_not() {
    let with_state = || MachineSettings {
        state: Some(StateSettings::default()),
        ..settings()
    };
    let mut before = Driver::new(with_state(), 1);
    before.run(1);
    before.answer(remembering(&[None]));
    let (ann, bea) = (says(json!({"name": "Ann"})), says(json!({"name": "Bea"})));
    before.record_at(0, 4_000, ann.clone());
    before.run(30);
    before.record_at(1, 9_000, bea.clone());
    before.run_to_rest();
    // The process died between two batches, or the entry was among those that had no room.
    let mut slice = crate::state::slice_of(&before, &shop(0));
    let all = slice.entries.len();
    slice
        .entries
        .retain(|(entity, _, _)| !matches!(entity, Entity::Customer(_)));
    assert!(slice.entries.len() < all, "the id was known");

    let mut after = Driver::new(with_state(), 1);
    after.run(1);
    after.revoke(shop(0));
    after.slices.insert(shop(0), slice);
    after.assign(shop(0));
    after.run(1);
    after.record_at(0, 4_000, ann);
    after.run(30);
    after.record_at(1, 9_000, bea);
    after.record_at(2, 5_000, says(json!({"name": "Eve"})));
    after.run_to_rest();
    assert!(said(&after).is_empty(), "{:?}", said(&after));
    let mut settled = after.settled();
    settled.sort_unstable();
    assert_eq!(settled, [STALE, REPEAT, REPEAT]);
}

#[test]
fn a_message_that_comes_again_minutes_or_days_later_is_sent_once() {
    let mut driver = Driver::new(settings(), 1);
    let seen = track(1);
    driver.record(0, seen.clone());
    driver.run(5 * 60);
    driver.record(1, seen.clone());
    driver.run(3 * 24 * 3_600);
    driver.record(2, seen);
    driver.run_to_rest();
    assert_eq!(driver.settled(), [Settlement::Delivered, REPEAT, REPEAT]);
    let events = driver.calls(|call| matches!(call, Call::Track { .. }));
    assert_eq!(events.len(), 1);
}

/// A destination with one object, whose title is its version.
fn showing_the_title_as_version() -> impl FnMut(&Call) -> Option<CallResult> {
    let mut shown = serde_json::Map::new();
    move |call| {
        match call {
            Call::CreateKObject { body, .. } | Call::UpdateKObject { body, .. } => {
                shown.extend(body.parse());
            }
            Call::GetKObject { .. } => {
                let title = shown.get("title")?;
                return Some(CallResult::KObject(Outcome::Delivered(Some(ObjectState {
                    id: "object 1".into(),
                    rev: None,
                    version: Some(Version::new(&title.to_string())),
                    customer: None,
                    shown: shown.clone(),
                    company: None,
                }))));
            }
            _ => {}
        }
        None
    }
}

/// A creation, a change and a mark that the thing is gone, in every order that topics without keys may bring: an update may come
/// before the creation, and one after the deletion.
#[test]
fn states_of_a_thing_end_with_the_newest_in_whatever_order_they_come() {
    let state = |number: u64| {
        let version = number.to_string();
        write(titled(versioned(object("order", 1), &version), number))
    };
    for order in [
        [1, 2, 3],
        [1, 3, 2],
        [2, 1, 3],
        [2, 3, 1],
        [3, 1, 2],
        [3, 2, 1],
    ] {
        for pause in [0, 60] {
            let mut driver = Driver::new(settings(), 1);
            driver.answer(showing_the_title_as_version());
            for (offset, number) in (0..).zip(order) {
                driver.record(offset, state(number));
                driver.run(pause);
            }
            driver.run_to_rest();
            assert_eq!(titles(&driver).last(), Some(&3), "{order:?} {pause}");
            assert_eq!(driver.settled().len(), 3, "{order:?} {pause}");
            let creates = driver.calls(|call| {
                matches!(
                    call,
                    Call::CreateKObject { .. } | Call::CreateKObjects { .. }
                )
            });
            assert_eq!(creates.len(), 1, "{order:?} {pause}");
        }
    }
}
