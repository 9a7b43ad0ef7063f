//! Records that are a batch: each member ends by itself, the record as a whole, and its letter names those that failed.

use std::collections::BTreeSet;
use std::sync::Arc;

use ingest_delivery::fact::Settlement;
use ingest_model::call::{Call, CallResult};
use ingest_model::operation::Planned;
use ingest_model::outcome::Batch;
use ingest_model::outcome::{HoldCause, Outcome, Rejected, Rejection, Verdict};
use ingest_model::record::Topic;

use crate::driver::Driver;
use crate::make::{SHOP, object, settings, shop, split, track, write};

fn batch(operations: Vec<(Planned, Vec<u32>)>, refused: &[u32]) -> Verdict {
    let (planned, members) = operations.into_iter().unzip();
    let why = || Rejected::new(Rejection::MissingCustomer, "event 1 of the batch: nobody");
    Verdict::Batch(Box::new(Batch {
        planned,
        members,
        refused: refused.to_vec(),
        rejected: (!refused.is_empty()).then(why),
    }))
}

/// Refuses to create the object with that title.
fn refusing(title: u64) -> impl FnMut(&Call) -> Option<CallResult> {
    move |call| match call {
        Call::CreateKObject { body, .. } if body.parse()["title"] == title => Some(
            CallResult::Written(Outcome::Reject("400: no such attribute".to_owned())),
        ),
        Call::CreateKObjects { .. } => Some(split()),
        _ => None,
    }
}

#[test]
fn a_batch_without_fault_is_delivered_as_a_whole() {
    let mut driver = Driver::new(settings(), 1);
    let all = vec![(track(1), vec![0]), (write(object("order", 2)), vec![1, 2])];
    driver.judged(shop(0), 0, batch(all, &[]));
    driver.run(30);
    assert_eq!(driver.settled(), [Settlement::Delivered]);
    assert_eq!(driver.used(), 0);
    assert!(driver.letters.is_empty());
}

#[test]
fn a_bad_member_loses_no_other_and_is_named_by_the_letter() {
    let mut driver = Driver::new(settings(), 1);
    let good = vec![(track(1), vec![0]), (track(2), vec![2])];
    driver.judged(shop(0), 0, batch(good, &[1, 3]));
    assert!(driver.letters.is_empty(), "before the others have ended");
    driver.run(30);
    let sent = driver.calls(|call| matches!(call, Call::Track { .. }));
    assert_eq!(sent.len(), 2);
    assert_eq!(driver.letters.len(), 1);
    assert_eq!(driver.letters[0].reason, Rejection::MissingCustomer);
    assert_eq!(driver.members, [Some("1,3".to_owned())]);
    assert_eq!(
        driver.settled(),
        [Settlement::DeadLettered(Rejection::MissingCustomer)]
    );
    assert_eq!(driver.used(), 0);
}

#[test]
fn only_bad_members_are_a_letter_at_once() {
    let mut driver = Driver::new(settings(), 1);
    driver.judged(shop(0), 0, batch(Vec::new(), &[4, 5, 6]));
    driver.run(1);
    assert_eq!(driver.members, [Some("4-6".to_owned())]);
    assert_eq!(driver.used(), 0);
}

#[test]
fn what_the_api_refuses_is_named_beside_what_the_mapping_rejects() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(refusing(7));
    let all = vec![
        (track(1), vec![0]),
        (write(object("order", 7)), vec![2, 4]),
        (track(3), vec![3]),
    ];
    driver.judged(shop(0), 0, batch(all, &[1]));
    driver.run(60);
    assert_eq!(driver.letters.len(), 1);
    assert_eq!(driver.members, [Some("1-2,4".to_owned())]);
    // a record that is no batch has a letter without members
    driver.record(1, write(object("order", 7)));
    driver.run(60);
    assert_eq!(driver.members.len(), 2);
    assert_eq!(driver.members[1], None);
}

/// A driver with routes that divert, and a klass that is missing.
fn held() -> Driver {
    let mut settings = settings();
    settings.budget.records = 10;
    let routes = BTreeSet::from([Arc::from("route")]);
    settings.diverting.insert(Topic::new(SHOP), routes);
    let mut driver = Driver::new(settings, 1);
    driver.answer(|call| match call {
        Call::CreateKObject { .. } => {
            Some(CallResult::Written(Outcome::Hold(HoldCause::MissingKlass)))
        }
        Call::CreateKObjects { .. } => Some(CallResult::Submitted(Outcome::Hold(
            HoldCause::MissingKlass,
        ))),
        _ => None,
    });
    driver
}

#[test]
fn members_that_are_diverted_are_named_too() {
    let mut driver = held();
    for offset in 0..9 {
        let number = offset * 2;
        let all = vec![
            (track(number), vec![0]),
            (write(object("order", number)), vec![1]),
        ];
        driver.judged(shop(0), i64::try_from(offset).unwrap(), batch(all, &[]));
    }
    driver.run(120);
    assert!(!driver.diverted.is_empty());
    assert!(
        driver
            .members
            .iter()
            .all(|members| members.as_deref() == Some("1"))
    );
}

/// What is held and what is rejected have a letter each; an event of which both is true is rejected.
#[test]
fn members_that_are_held_do_not_go_under_the_reason_of_one_that_is_rejected() {
    let mut driver = held();
    for offset in 0..9 {
        let number = offset * 2;
        let all = vec![
            (track(number), vec![0]),
            (write(object("order", number)), vec![1, 3]),
        ];
        let refused: &[u32] = if offset == 8 { &[1, 3] } else { &[2, 3] };
        driver.judged(shop(0), i64::try_from(offset).unwrap(), batch(all, refused));
    }
    driver.run(120);
    let letters = driver.members.iter().flatten();
    let (mut held, mut dead, mut both) = (0, 0, 0);
    for members in letters {
        match members.as_str() {
            "1" => held += 1,
            "2-3" => dead += 1,
            "1,3" => both += 1,
            other => panic!("{other}"),
        }
    }
    assert!(held > 0, "{:?}", driver.members);
    assert_eq!((held, held + both), (dead, driver.letters.len()));
    assert_eq!(driver.diverted.len(), held);
    let settled = driver.settled();
    assert_eq!(settled.len(), driver.letters.len(), "once each");
    let rejected = Settlement::DeadLettered(Rejection::MissingCustomer);
    assert!(settled.iter().all(|one| *one == rejected), "{settled:?}");
}
