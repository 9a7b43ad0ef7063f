//! What needs no place in a request of its own, and how it is counted; identities that say nothing new.

use ingest_delivery::fact::{Fact, Saved, Settlement};
use ingest_delivery::machine::MachineSettings;
use ingest_model::call::{Call, CallResult};
use ingest_model::operation::{Operation, Planned};
use ingest_model::outcome::{Outcome, SkipReason};
use ingest_model::record::Topic;
use serde_json::{Map, Value};

use crate::driver::Driver;
use crate::make::{SHOP, customer, identify, object, settings, shop, track, viewed, write};

/// An identity of the customer with that number.
fn named(number: u64, name: &str) -> Planned {
    let mut plan = identify(customer(number));
    if let Operation::Identify(one) = &mut plan.operation {
        one.fields = Map::from_iter([("name".to_owned(), Value::from(name))]).into();
    }
    plan
}

/// The names that were sent.
fn names(driver: &Driver) -> Vec<String> {
    let sent = driver.sent.iter().filter_map(|(_, call)| match call {
        Call::Identify { identity } | Call::Track { identity, .. } => Some(identity.parse()),
        _ => None,
    });
    let names = sent.filter_map(|identity| Some(identity.get("name")?.as_str()?.to_owned()));
    names.collect()
}

fn by_customer() -> MachineSettings {
    let mut settings = settings();
    settings.by_customer.insert(Topic::new(SHOP));
    settings
}

#[test]
fn an_identity_that_says_what_was_said_last_is_not_sent_where_nobody_else_speaks() {
    for (settings, wanted) in [
        (by_customer(), vec!["Ann", "Anna", "Ann"]),
        (settings(), vec!["Ann", "Ann", "Anna", "Ann"]),
    ] {
        let mut driver = Driver::new(settings, 1);
        for (offset, name) in (1..).zip(["Ann", "Ann", "Anna", "Ann"]) {
            driver.record_at(offset, offset * 1_000, named(1, name));
            driver.run(5);
        }
        assert_eq!(names(&driver), wanted);
        driver.run_to_rest();
        let saved = |fact: &&Fact| {
            matches!(
                fact,
                Fact::Saved {
                    way: Saved::Unchanged
                }
            )
        };
        assert_eq!(driver.facts.iter().filter(saved).count(), 4 - wanted.len());
    }
}

#[test]
fn what_is_said_again_makes_what_is_older_late() {
    let mut driver = Driver::new(by_customer(), 1);
    driver.record_at(1, 1_000, named(1, "Ann"));
    driver.run(5);
    driver.record_at(2, 9_000, named(1, "Ann"));
    driver.run(5);
    driver.record_at(3, 5_000, named(1, "Anna"));
    driver.run_to_rest();
    assert_eq!(names(&driver), ["Ann"]);
    let skipped = [
        Settlement::Delivered,
        Settlement::Skipped(SkipReason::Unchanged),
        Settlement::Skipped(SkipReason::Stale),
    ];
    assert_eq!(driver.settled(), skipped);
}

#[test]
fn nothing_is_left_out_once_somebody_else_may_have_spoken() {
    // Another owner had the partition, or a request may have arrived that was then refused.
    for by_move in [true, false] {
        let mut driver = Driver::new(by_customer(), 1);
        driver.record_at(1, 1_000, named(1, "Ann"));
        driver.run(5);
        let mut next = 2;
        if by_move {
            driver.revoke(shop(0));
            driver.run(5);
            driver.assign(shop(0));
        } else {
            let mut answers = vec![Outcome::Reject("no".to_owned()), Outcome::Ambiguous];
            driver.answer(move |call| match call {
                Call::Identify { .. } => answers.pop().map(CallResult::Tracked),
                _ => None,
            });
            driver.record_at(2, 2_000, named(1, "Anna"));
            driver.run(60);
            driver.all_is_well();
            next = 3;
        }
        driver.record_at(next, 3_000, named(1, "Ann"));
        driver.run_to_rest();
        let last = names(&driver);
        assert_eq!(last.last().map(String::as_str), Some("Ann"), "{by_move}");
        assert!(last.len() >= 2, "{by_move}: {last:?}");
    }
}

#[test]
fn what_is_merged_folded_or_fused_is_counted() {
    let mut driver = Driver::new(settings(), 1);
    let ways = |driver: &Driver| -> Vec<Saved> {
        let all = driver.facts.iter().filter_map(|fact| match fact {
            Fact::Saved { way } => Some(*way),
            _ => None,
        });
        all.collect()
    };
    // Nothing is sent yet: the first records of a burst wait.
    driver.record(1, write(object("order", 1)));
    driver.record(2, write(object("order", 1)));
    driver.record(3, viewed(1, shop(0), 3));
    driver.record(4, viewed(1, shop(0), 4));
    driver.run_to_rest();
    assert_eq!(ways(&driver), [Saved::Coalesced, Saved::Digested]);
    // One request of the customer is under way; what comes meanwhile waits for it.
    driver.record(5, track(7));
    driver.record(6, named(7, "Ann"));
    driver.record(7, {
        let mut event = track(7);
        if let Operation::Track(one) = &mut event.operation {
            one.event_key = uuid::Uuid::from_u128(77);
        }
        event
    });
    driver.run_to_rest();
    assert_eq!(ways(&driver)[2..], [Saved::Fused]);
}
