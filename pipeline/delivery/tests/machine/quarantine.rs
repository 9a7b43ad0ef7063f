//! A klass whose items keep failing the same way.

use ingest_delivery::fact::Settlement;
use ingest_delivery::machine::Input;
use ingest_model::call::{Call, CallResult, ItemFate, ItemResult, JobReport, Written};
use ingest_model::outcome::{HoldCause, JobTicket, Outcome, RetryCause};
use ingest_model::record::Topic;

use crate::driver::Driver;
use crate::make::{SHOP, object, settings, split, write};

fn klass_of(call: &Call) -> &str {
    match call {
        Call::CreateKObjects { klass, .. } | Call::CreateKObject { klass, .. } => &klass.0,
        _ => "",
    }
}

fn size_of(call: &Call) -> usize {
    match call {
        Call::CreateKObjects { items, .. } => items.len(),
        Call::CreateKObject { .. } => 1,
        _ => 0,
    }
}

/// Every item of klass `changed` fails; those of bulk requests, in their jobs.
fn items_fail(call: &Call) -> Option<CallResult> {
    let alone = Outcome::Reject("400: Invalid type: /custom/totalNum".to_owned());
    fail_items(call, alone, |reference| {
        ItemFate::Permanent(format!("Invalid type in item {reference}"))
    })
}

/// The same, but each item may be tried again.
fn items_wait(call: &Call) -> Option<CallResult> {
    let alone = Outcome::Retry(RetryCause::ServerError);
    fail_items(call, alone, |_| ItemFate::Transient("try later".to_owned()))
}

fn fail_items(
    call: &Call,
    alone: Outcome<Written>,
    fate: impl Fn(&str) -> ItemFate,
) -> Option<CallResult> {
    match call {
        Call::CreateKObjects { items, .. } if klass_of(call) == "changed" => {
            let refs: Vec<&str> = items.iter().map(|item| item.reference.as_str()).collect();
            Some(CallResult::Submitted(Outcome::Pending(JobTicket {
                id: format!("fails:{}", refs.join(",")).into(),
                created_ms: None,
            })))
        }
        Call::CreateKObject { .. } if klass_of(call) == "changed" => {
            Some(CallResult::Written(alone))
        }
        Call::ReadJob { job } => {
            let refs = job.strip_prefix("fails:")?;
            let items = refs.split(',').map(|reference| ItemResult {
                reference: reference.to_owned(),
                fate: fate(reference),
            });
            Some(CallResult::Job(Outcome::Delivered(JobReport {
                complete: true,
                items: items.collect(),
                ..JobReport::default()
            })))
        }
        _ => None,
    }
}

/// Every request about klass `changed` is refused as a whole.
fn wholes_are_refused(call: &Call) -> Option<CallResult> {
    match call {
        Call::CreateKObjects { .. } if klass_of(call) == "changed" => Some(split()),
        Call::CreateKObject { .. } if klass_of(call) == "changed" => Some(CallResult::Written(
            Outcome::Reject("400: Invalid type: /custom/totalNum".to_owned()),
        )),
        _ => None,
    }
}

/// Five hundred objects of a klass that changed, and as many of one that did not.
fn two_klasses(rule: fn(&Call) -> Option<CallResult>) -> Driver {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(rule);
    for n in 0..1_000 {
        let klass = if n % 2 == 0 { "changed" } else { "same" };
        driver.record(n, write(object(klass, n.unsigned_abs())));
    }
    driver
}

fn is_held(driver: &Driver) -> bool {
    driver
        .holds()
        .iter()
        .any(|(_, cause)| *cause == HoldCause::Quarantine)
}

#[test]
fn a_changed_klass_waits_and_is_tried_one_item_at_a_time() {
    for rule in [items_fail, wholes_are_refused] {
        let mut driver = two_klasses(rule);
        driver.run(300);
        assert!(is_held(&driver));
        assert!(
            driver.letters.len() < 20,
            "{} letters",
            driver.letters.len()
        );
        assert_eq!(
            driver.used() + driver.letters.len() as u64,
            500,
            "klass `same` is healthy"
        );
        let spent = driver.calls(|call| klass_of(call) == "changed").len();
        assert!(spent <= 60, "{spent} requests until it was clear");
        driver.sent.clear();
        driver.run(3_600);
        let tried = driver.calls(|call| klass_of(call) == "changed");
        assert!(
            tried.iter().all(|call| size_of(call) == 1),
            "one item at a time"
        );
        assert!(
            (50..=150).contains(&tried.len()),
            "{} in an hour",
            tried.len()
        );
        let letters = driver.letters.len();
        driver.all_is_well();
        driver.run(120);
        assert!(!is_held(&driver), "the first object that stands ends it");
        assert_eq!(driver.letters.len(), letters);
        driver.run_to_rest();
        assert_eq!(driver.settled().len(), 1_000);
    }
}

#[test]
fn a_person_who_releases_it_takes_the_errors_as_they_come() {
    let mut settings = settings();
    settings.accept_dead_letters.insert(Topic::new(SHOP));
    let mut driver = Driver::new(settings, 1);
    driver.answer(items_fail);
    for n in 0..200 {
        driver.record(n, write(object("changed", n.unsigned_abs())));
    }
    driver.run(120);
    assert!(is_held(&driver));
    let id = driver.machine.snapshot(driver.now).holds[0].id;
    driver.put(Input::ReleaseHold(id));
    driver.run(120);
    assert!(!is_held(&driver));
    assert_eq!(driver.letters.len(), 200, "each with its own error");
    driver.run_to_rest();
}

#[test]
fn bad_items_at_the_head_do_not_keep_a_good_klass_back() {
    let mut driver = Driver::new(settings(), 1);
    let bad = |call: &Call| match call {
        Call::CreateKObject { body, .. } => body.parse()["title"].as_u64().unwrap() < 25,
        _ => false,
    };
    driver.answer(move |call| match call {
        Call::CreateKObjects { items, .. }
            if items
                .iter()
                .any(|item| item.body.parse()["title"].as_u64().unwrap() < 25) =>
        {
            Some(split())
        }
        _ if bad(call) => Some(CallResult::Written(Outcome::Reject("400: no".to_owned()))),
        _ => None,
    });
    for n in 0..25 {
        driver.record(n, write(object("order", n.unsigned_abs())));
    }
    driver.run(120);
    assert!(is_held(&driver));
    for n in 25..50 {
        driver.record(n, write(object("order", n.unsigned_abs())));
    }
    driver.run(3_600);
    assert!(!is_held(&driver), "another item is tried each time");
    assert_eq!(driver.letters.len(), 25);
    assert_eq!(driver.settled().len(), 50);
    driver.run_to_rest();
}

#[test]
fn one_bad_item_among_many_puts_nobody_into_quarantine() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|call| match call {
        Call::CreateKObjects { items, .. }
            if items
                .iter()
                .any(|item| item.body.parse()["title"].as_u64().unwrap() % 50 == 0) =>
        {
            Some(split())
        }
        Call::CreateKObject { body, .. } if body.parse()["title"].as_u64().unwrap() % 50 == 0 => {
            Some(CallResult::Written(Outcome::Reject("400: no".to_owned())))
        }
        _ => None,
    });
    for n in 0..5_000 {
        driver.record(n, write(object("order", n.unsigned_abs())));
    }
    driver.run(900);
    assert!(driver.holds().is_empty());
    assert_eq!(driver.letters.len(), 100);
    driver.run_to_rest();
}

#[test]
fn a_klass_whose_items_all_wait_dead_letters_nothing_however_many_jobs_are_accepted() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(items_wait);
    for n in 0..40 {
        driver.record(n, write(object("changed", n.unsigned_abs())));
    }
    driver.run(2 * 3_600);
    let submits = driver.calls(|call| size_of(call) > 1 && klass_of(call) == "changed");
    assert!(submits.len() > 10, "{} bulk requests", submits.len());
    assert!(driver.letters.is_empty(), "{:?}", driver.letters);
    driver.all_is_well();
    driver.run_to_rest();
    assert_eq!(driver.settled(), [Settlement::Delivered; 40]);
}
