//! The rules on which the promises rest, one test each. `tests/mutations` removes each rule from a copy of the sources
//! and expects that rule's test to fail.

use std::time::Duration;

use ingest_delivery::fact::Settlement;
use ingest_delivery::machine::{Committed, Input};
use ingest_delivery::port::Metadata;
use ingest_model::call::{Call, CallResult};
use ingest_model::outcome::{Outcome, Rejected, Rejection, RetryCause, SkipReason, Verdict};
use ingest_model::record::{Epoch, Offset, Traffic};

use crate::driver::Driver;
use crate::make::{self, brokers_silent, object, settings, shop, titled, track, versioned, write};

fn is_create(call: &Call) -> bool {
    matches!(call, Call::CreateKObject { .. })
}

fn is_look(call: &Call) -> bool {
    matches!(call, Call::GetKObject { .. })
}

/// Five records from offset 10 on, of which only the first does not settle.
fn one_slow_record() -> Driver {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|call| {
        let first =
            matches!(call, Call::Track { identity, .. } if identity.parse()["externalId"] == "u1");
        let busy = Outcome::Retry(RetryCause::ObjectQuota);
        first.then_some(CallResult::Tracked(busy))
    });
    for number in 1..=5 {
        driver.record(9 + number, track(u64::try_from(number).unwrap()));
    }
    driver.run(30);
    assert_eq!(driver.settled().len(), 4);
    driver
}

#[test]
fn a_commit_stops_at_the_lowest_record_that_is_open() {
    let mut driver = one_slow_record();
    let mut committed = driver.commits.iter().flatten();
    assert!(committed.all(|entry| entry.offset <= Offset(10)));
    driver.all_is_well();
    driver.run_to_rest();
    assert_eq!(driver.commits.last().unwrap()[0].offset, Offset(15));
}

#[test]
fn what_a_former_owner_settled_above_its_commit_is_not_sent_again() {
    let former = one_slow_record();
    let last = former.commits.last().unwrap()[0].clone();
    let mut driver = Driver::new(settings(), 1);
    driver.revoke(shop(0));
    driver.run(1);
    let epoch = Epoch(9);
    driver.put(Input::Assigned {
        partition: shop(0),
        epoch,
        committed: Some(Committed {
            offset: last.offset,
            metadata: last.metadata.map_or(Metadata::None, Metadata::Text),
        }),
    });
    for number in 1..=5 {
        driver.put(Input::Record {
            record: make::record(shop(0), 9 + number),
            epoch,
            event_ms: None,
            traffic: Traffic::Live,
            verdict: Verdict::Emit(vec![track(u64::try_from(number).unwrap())]),
            dropped: Vec::new(),
            event_ids: None,
        });
    }
    driver.run_to_rest();
    let sent = driver.calls(|call| matches!(call, Call::Track { .. }));
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(driver.commits.last().unwrap()[0].offset, Offset(15));
}

#[test]
fn a_record_of_an_older_assignment_is_left_to_its_owner() {
    let mut driver = Driver::new(settings(), 1);
    let before = driver.epoch(&shop(0));
    driver.revoke(shop(0));
    driver.run(1);
    assert_eq!(driver.handed_back, [shop(0)]);
    driver.assign(shop(0));
    driver.put(Input::Record {
        record: make::record(shop(0), 7),
        epoch: before,
        event_ms: None,
        traffic: Traffic::Live,
        verdict: Verdict::Emit(vec![track(1)]),
        dropped: Vec::new(),
        event_ids: None,
    });
    driver.run(30);
    assert!(driver.sent.is_empty(), "{:?}", driver.sent);
    assert!(driver.commits.iter().flatten().next().is_none());
}

#[test]
fn a_create_in_doubt_is_looked_at_after_the_wait_before_it_is_sent_again() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|call| is_create(call).then_some(CallResult::Written(Outcome::Ambiguous)));
    driver.record(1, write(versioned(object("order", 1), "1")));
    driver.run(1);
    driver.all_is_well();
    driver.run(50);
    assert_eq!(
        driver.calls(is_create).len(),
        1,
        "a copy may still be running"
    );
    assert_eq!(driver.calls(is_look).len(), 0);
    driver.run_to_rest();
    assert_eq!(driver.calls(is_look).len(), 1);
    assert_eq!(driver.calls(is_create).len(), 2);
    let look = driver.sent.iter().position(|(_, call)| is_look(call));
    let again = driver.sent.iter().rposition(|(_, call)| is_create(call));
    assert!(look < again);
    assert!(driver.sent[look.unwrap()].0 - driver.sent[0].0 >= Duration::from_secs(60));
}

#[test]
fn an_older_version_never_follows_a_newer_one() {
    let mut driver = Driver::new(settings(), 2);
    let order = |version, title| write(versioned(titled(object("order", 1), title), version));
    driver.record(1, order("2026-02-02T10:00:00Z", 2));
    driver.run(30);
    let before = driver.sent.len();
    let older = Verdict::Emit(vec![order("2026-02-01T10:00:00Z", 1)]);
    driver.judged(shop(1), 1, older);
    driver.run_to_rest();
    assert_eq!(
        driver.settled(),
        [
            Settlement::Delivered,
            Settlement::Skipped(SkipReason::Stale)
        ]
    );
    let writes = driver.sent[before..].iter();
    let updates = writes.filter(|(_, call)| {
        matches!(
            call,
            Call::UpdateKObject { .. } | Call::UpdateKObjects { .. }
        )
    });
    assert_eq!(updates.count(), 0, "{:?}", driver.sent);
}

#[test]
fn a_rejected_record_stays_open_until_its_letter_is_acknowledged() {
    let mut driver = Driver::new(settings(), 1);
    driver.letters_fail = Some(brokers_silent());
    let rejected = Rejected::new(Rejection::MissingField, "`order_id` has no value");
    driver.judged(shop(0), 4, Verdict::Reject(rejected));
    driver.run(10);
    assert!(driver.letters.len() > 1, "sent again and again");
    assert_eq!((driver.used(), driver.settled().len()), (1, 0));
    let committed = driver.commits.iter().flatten();
    assert!(
        committed
            .map(|entry| entry.offset)
            .all(|at| at <= Offset(4))
    );
    driver.letters_fail = None;
    driver.run_to_rest();
    let reason = Rejection::MissingField;
    assert_eq!(driver.settled(), [Settlement::DeadLettered(reason)]);
    assert_eq!(driver.commits.last().unwrap()[0].offset, Offset(5));
}
