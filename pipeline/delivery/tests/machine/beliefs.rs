//! What was found out beforehand takes the place of caution, and answers that show otherwise bring it back.

use std::time::Duration;

use ingest_delivery::beliefs::Beliefs;
use ingest_delivery::machine::MachineSettings;
use ingest_model::call::{Call, CallResult, JobReport};
use ingest_model::outcome::Outcome;

use crate::driver::Driver;
use crate::make::{object, seen, settings, titled, versioned, write};

fn believing(beliefs: Beliefs) -> MachineSettings {
    MachineSettings {
        beliefs,
        ..settings()
    }
}

fn is_create(call: &Call) -> bool {
    matches!(call, Call::CreateKObject { .. })
}

/// An order is made whose answer is lost; how many creates leave within ten seconds.
fn creates_in_doubt(driver: &mut Driver, offset: i64) -> usize {
    let before = driver.calls(is_create).len();
    let mut answered = false;
    driver.answer(move |call| {
        let lost = is_create(call) && !std::mem::replace(&mut answered, true);
        lost.then_some(CallResult::Written(Outcome::Ambiguous))
    });
    driver.record(
        offset,
        write(versioned(object("order", offset.unsigned_abs()), "1")),
    );
    driver.run(10);
    driver.calls(is_create).len() - before
}

#[test]
fn a_create_in_doubt_is_sent_again_at_once_where_duplicates_are_believed_to_be_refused() {
    for (refuses_duplicates, sent) in [(true, 2), (false, 1)] {
        let mut driver = Driver::new(
            believing(Beliefs {
                refuses_duplicates,
                ..Beliefs::default()
            }),
            1,
        );
        assert_eq!(creates_in_doubt(&mut driver, 1), sent);
        driver.all_is_well();
        driver.run_to_rest();
        assert_eq!(driver.settled().len(), 1);
    }
}

#[test]
fn another_object_of_the_same_external_id_ends_the_belief_that_there_is_none() {
    let mut driver = Driver::new(
        believing(Beliefs {
            refuses_duplicates: true,
            ..Beliefs::default()
        }),
        1,
    );
    driver.record(0, write(versioned(object("order", 0), "1")));
    driver.run(5);
    // Nobody knows its revision, so it is read before its update; somebody else's is found.
    driver.answer(|call| {
        matches!(call, Call::GetKObject { .. }).then(|| seen("made by others", Some("1")))
    });
    driver.record(1, write(versioned(titled(object("order", 0), 2), "2")));
    driver.run(5);
    assert_eq!(creates_in_doubt(&mut driver, 2), 1);
    driver.all_is_well();
    driver.run_to_rest();
    assert_eq!(driver.settled().len(), 3);
}

#[test]
fn items_have_no_references_from_the_first_request_on_where_they_are_believed_to_be_refused() {
    for refuses_references in [true, false] {
        let mut driver = Driver::new(
            believing(Beliefs {
                refuses_references,
                ..Beliefs::default()
            }),
            1,
        );
        driver.answer(move |call| {
            let told = JobReport {
                complete: true,
                failures: Some(0),
                ..JobReport::default()
            };
            let read = matches!(call, Call::ReadJob { .. } | Call::ReadJobState { .. });
            (read && refuses_references).then_some(CallResult::Job(Outcome::Delivered(told)))
        });
        for number in 0..3 {
            driver.record(number, write(object("order", number.unsigned_abs())));
        }
        driver.run_for(Duration::from_secs(60));
        let named = driver.calls(|call| match call {
            Call::CreateKObjects { with_refs, .. } => *with_refs != refuses_references,
            _ => false,
        });
        assert_eq!(named.len(), 1, "{refuses_references}: {:?}", driver.sent);
        driver.run_to_rest();
    }
}
