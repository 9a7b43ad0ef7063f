//! Digests: events wait for company, are settled with the write that has them, and are never counted twice.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ingest_delivery::fact::{Fact, Settlement};
use ingest_model::call::{Call, CallResult, ObjectState, Written};
use ingest_model::operation::Version;
use ingest_model::outcome::{Outcome, Rejection, RetryCause, SkipReason, Verdict};
use ingest_model::record::Offset;
use serde_json::{Map, Value};

use crate::driver::Driver;
use crate::make::{settings, shop, viewed};

/// The object of one session, as the destination has it.
#[derive(Default)]
struct Stored {
    fields: Map<String, Value>,
    rev: i64,
    /// Writes that are stored and whose answers are lost.
    lose: u32,
    /// How many writes were stored.
    writes: u32,
}

impl Stored {
    fn answer(&mut self, call: &Call) -> Option<CallResult> {
        let written = |of: &mut Self, fields: &Map<String, Value>| {
            of.fields.extend(fields.clone());
            of.rev += 1;
            of.writes += 1;
            if of.lose > 0 {
                of.lose -= 1;
                return CallResult::Written(Outcome::Ambiguous);
            }
            CallResult::Written(Outcome::Delivered(Written::Stored {
                id: Some("session".into()),
                rev: Some(of.rev),
            }))
        };
        match call {
            Call::CreateKObject { .. } if self.rev > 0 => {
                Some(CallResult::Written(Outcome::Delivered(Written::Duplicate)))
            }
            Call::CreateKObject { body, .. } => Some(written(self, &body.parse())),
            Call::UpdateKObject { body, .. } => {
                let mut fields = body.parse();
                let rev = fields.remove("rev").and_then(|rev| rev.as_i64());
                if rev.is_some_and(|rev| rev != self.rev) {
                    return Some(CallResult::Written(Outcome::Retry(RetryCause::Conflict)));
                }
                Some(written(self, &fields))
            }
            Call::GetKObject { .. } => {
                let found = (self.rev > 0).then(|| ObjectState {
                    id: "session".into(),
                    rev: Some(self.rev),
                    version: self.fields["custom"]["ingestVersionStr"]
                        .as_str()
                        .map(Version::new),
                    customer: None,
                    shown: self.fields.clone(),
                    company: None,
                });
                Some(CallResult::KObject(Outcome::Delivered(found)))
            }
            _ => None,
        }
    }

    fn count(&self) -> u64 {
        self.fields["data"]["count"].as_u64().unwrap()
    }
}

/// A machine whose destination has one object.
fn with_one() -> (Driver, Rc<RefCell<Stored>>) {
    let stored = Rc::new(RefCell::new(Stored::default()));
    let driver = connected(&stored);
    (driver, stored)
}

fn connected(stored: &Rc<RefCell<Stored>>) -> Driver {
    let mut driver = Driver::new(settings(), 1);
    let destination = Rc::clone(stored);
    driver.answer(move |call| destination.borrow_mut().answer(call));
    driver
}

fn views(driver: &mut Driver, offsets: std::ops::Range<i64>) {
    for offset in offsets {
        driver.record(offset, viewed(1, shop(0), offset));
    }
}

#[test]
fn events_wait_for_their_patience_and_are_settled_with_their_write() {
    let (mut driver, stored) = with_one();
    views(&mut driver, 0..40);
    driver.run(19);
    views(&mut driver, 40..50);
    assert!(driver.sent.is_empty() && driver.settled().is_empty());
    driver.run(3);
    assert_eq!(driver.settled(), [Settlement::Delivered; 50]);
    assert_eq!(stored.borrow().count(), 50);
    assert_eq!(stored.borrow().fields["title"], "Views: 50");
    assert_eq!(
        stored.borrow().fields["custom"]["priceNum"].to_string(),
        "5"
    );
    views(&mut driver, 50..60);
    driver.run(25);
    assert_eq!((stored.borrow().count(), stored.borrow().writes), (60, 2));
    let reads = driver.calls(|call| matches!(call, Call::GetKObject { .. }));
    assert!(reads.is_empty(), "its own writes are known");
    driver.run_to_rest();
}

#[test]
fn a_hundred_sessions_share_a_request() {
    let mut driver = Driver::new(settings(), 1);
    for offset in 0..300_i64 {
        let session = offset.unsigned_abs() % 100;
        driver.record(offset, viewed(session, shop(0), offset));
    }
    driver.run(40);
    let creates = driver.calls(|call| matches!(call, Call::CreateKObjects { .. }));
    assert_eq!(creates.len(), 1);
    let Call::CreateKObjects { items, .. } = creates[0] else {
        panic!("{creates:?}");
    };
    assert_eq!(items.len(), 100);
    assert!(
        items
            .iter()
            .all(|item| item.body.parse()["data"]["count"] == 3)
    );
    driver.run_to_rest();
}

#[test]
fn who_does_not_know_the_session_reads_it_first() {
    let (mut driver, stored) = with_one();
    views(&mut driver, 0..10);
    driver.run(30);
    // A successor whose predecessor committed less than it had written.
    let mut next = connected(&stored);
    views(&mut next, 4..12);
    next.run(30);
    assert_eq!(stored.borrow().count(), 12);
    assert_eq!(next.settled(), [Settlement::Delivered; 8]);
    next.run_to_rest();
    let mut third = connected(&stored);
    views(&mut third, 2..12);
    third.run(30);
    assert_eq!(
        third.settled(),
        [Settlement::Skipped(SkipReason::Repeat); 10]
    );
    assert_eq!((stored.borrow().count(), stored.borrow().writes), (12, 2));
    third.run_to_rest();
}

#[test]
fn a_partition_that_comes_back_is_read_again() {
    let (mut driver, stored) = with_one();
    views(&mut driver, 0..5);
    driver.run(30);
    driver.revoke(shop(0));
    driver.run(5);
    let mut other = connected(&stored);
    views(&mut other, 5..9);
    other.run(30);
    driver.assign(shop(0));
    views(&mut driver, 9..11);
    driver.run(30);
    assert_eq!(stored.borrow().count(), 11);
    let conflicts = driver
        .facts
        .iter()
        .filter(|fact| matches!(fact, Fact::Conflict));
    assert_eq!(conflicts.count(), 0, "it was read before it was written");
    driver.run_to_rest();
}

#[test]
fn a_write_whose_answer_is_lost_is_counted_once() {
    for write in 0..2 {
        let (mut driver, stored) = with_one();
        for round in 0..3 {
            stored.borrow_mut().lose = u32::from(round == write);
            views(&mut driver, round * 5..round * 5 + 5);
            driver.run(25);
        }
        driver.run_to_rest();
        let stored = stored.borrow();
        // What comes while a create is in doubt leaves together.
        let writes = u32::try_from(2 + write).unwrap();
        let found = (stored.count(), stored.writes);
        assert_eq!(found, (15, writes), "answer {write} lost");
        assert_eq!(driver.settled(), [Settlement::Delivered; 15]);
    }
}

#[test]
fn what_somebody_else_writes_in_between_is_kept() {
    let (mut driver, stored) = with_one();
    views(&mut driver, 0..3);
    driver.run(25);
    stored.borrow_mut().rev += 1;
    stored
        .borrow_mut()
        .fields
        .insert("tags".to_owned(), Value::from(vec!["vip"]));
    views(&mut driver, 3..4);
    driver.run(25);
    assert_eq!(stored.borrow().count(), 4);
    assert_eq!(stored.borrow().fields["tags"][0], "vip");
    assert!(
        driver
            .facts
            .iter()
            .any(|fact| matches!(fact, Fact::Conflict))
    );
    driver.run_to_rest();
}

#[test]
fn an_object_that_somebody_emptied_counts_on() {
    let (mut driver, stored) = with_one();
    views(&mut driver, 0..3);
    driver.run(25);
    stored.borrow_mut().rev += 1;
    stored.borrow_mut().fields.remove("data");
    views(&mut driver, 3..5);
    driver.run(25);
    assert_eq!(stored.borrow().count(), 5);
    driver.run_to_rest();
}

#[test]
fn a_session_that_somebody_deleted_is_made_again_with_all_that_is_known() {
    let (mut driver, stored) = with_one();
    views(&mut driver, 0..3);
    driver.run(25);
    let before = std::mem::take(&mut *stored.borrow_mut());
    let destination = Rc::clone(&stored);
    driver.answer(move |call| match call {
        Call::UpdateKObject { .. } => Some(CallResult::Written(Outcome::Delivered(Written::Gone))),
        _ => destination.borrow_mut().answer(call),
    });
    views(&mut driver, 3..5);
    driver.run(60);
    assert_eq!(before.count(), 3);
    assert_eq!(stored.borrow().count(), 5);
    driver.run_to_rest();
}

#[test]
fn a_refused_write_dead_letters_the_records_that_it_carried() {
    let (mut driver, stored) = with_one();
    views(&mut driver, 0..3);
    driver.run(25);
    driver.answer(|call| match call {
        Call::UpdateKObject { .. } => Some(CallResult::Written(Outcome::Reject("bad".to_owned()))),
        _ => None,
    });
    views(&mut driver, 3..7);
    driver.run(25);
    let destination = Rc::clone(&stored);
    driver.answer(move |call| destination.borrow_mut().answer(call));
    views(&mut driver, 7..9);
    driver.run(25);
    let reasons: Vec<_> = driver.letters.iter().map(|letter| letter.reason).collect();
    assert_eq!(reasons, [Rejection::RefusedByApi; 4]);
    assert_eq!(stored.borrow().count(), 5, "the others are counted");
    // What was refused comes again, replayed.
    driver.record(9, viewed(1, shop(0), 9));
    driver.run(25);
    assert_eq!(stored.borrow().count(), 6);
    driver.run_to_rest();
}

#[test]
fn nobody_waits_for_more_events_when_records_have_no_room() {
    let mut settings = settings();
    settings.budget.records = 20;
    let mut driver = Driver::new(settings, 1);
    views(&mut driver, 0..20);
    assert!(!driver.paused.is_empty(), "the gate is closed");
    driver.run(3);
    assert_eq!(driver.settled().len(), 20);
    assert!(driver.paused.is_empty());
    driver.run_to_rest();
}

#[test]
fn a_session_is_read_again_when_it_was_forgotten() {
    let (mut driver, stored) = with_one();
    views(&mut driver, 0..2);
    driver.run(25);
    let reads = |driver: &Driver| {
        let reads = driver.calls(|call| matches!(call, Call::GetKObject { .. }));
        reads.len()
    };
    views(&mut driver, 2..4);
    driver.run(590);
    assert_eq!(reads(&driver), 0);
    // The gap is over, and steps have passed since.
    for _ in 0..4 {
        driver.put(ingest_delivery::machine::Input::Wake);
        driver.run_for(Duration::from_secs(61));
        driver.put(ingest_delivery::machine::Input::Wake);
    }
    views(&mut driver, 4..6);
    driver.run(25);
    assert_eq!(reads(&driver), 1);
    assert_eq!(stored.borrow().count(), 6);
    driver.run_to_rest();
}

#[test]
fn what_waits_is_left_to_the_next_owner() {
    let (mut driver, stored) = with_one();
    views(&mut driver, 0..5);
    driver.run(2);
    driver.revoke(shop(0));
    driver.run(5);
    assert_eq!(driver.handed_back, [shop(0)]);
    assert!(driver.sent.is_empty());
    let committed = driver.commits.iter().flatten().map(|entry| entry.offset);
    assert!(
        committed.max().unwrap_or(Offset(0)) <= Offset(0),
        "nothing of it is settled"
    );
    let mut next = connected(&stored);
    views(&mut next, 0..5);
    next.run(30);
    assert_eq!(stored.borrow().count(), 5);
    let verdict = Verdict::Skip(SkipReason::NoRoute);
    next.judged(shop(0), 5, verdict);
    next.run_to_rest();
}
