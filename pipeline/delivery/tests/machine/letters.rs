//! The topic for letters is missing, forbidden, limited to smaller records, or slow: what waits, who is told, and how it
//! ends.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ingest_delivery::charge::Charge;
use ingest_delivery::fact::{Fact, Settlement};
use ingest_delivery::hold::{LetterTopic, Scope};
use ingest_delivery::machine::{Input, MachineSettings};
use ingest_model::outcome::{HeldBy, HoldCause, Rejected, Rejection, Verdict};
use ingest_model::record::Topic;
use ingest_model::trouble::{Trouble, TroubleKind};

use crate::driver::Driver;
use crate::make::{SHOP, brokers_silent, committed, settings, shop, track};

const DEAD: (Scope, HoldCause) = (
    Scope::Letters(LetterTopic::Dead),
    HoldCause::DeadLetterTopic,
);
const HELD: (Scope, HoldCause) = (Scope::Letters(LetterTopic::Held), HoldCause::HoldTopic);

fn trouble(kind: TroubleKind) -> Option<Trouble> {
    Some(Trouble::of_machines(kind, "shop.dead: the brokers say so"))
}

fn rejected(driver: &mut Driver, offset: i64) {
    let rejected = Rejected {
        route: Some(Arc::from("test")),
        ..Rejected::new(Rejection::MissingField, "`.id` has no value")
    };
    driver.judged(shop(0), offset, Verdict::Reject(rejected));
}

fn delivered(driver: &Driver) -> usize {
    let settled = driver.settled();
    let delivered = settled.iter().filter(|one| **one == Settlement::Delivered);
    delivered.count()
}

fn small(diverts: bool) -> MachineSettings {
    let mut settings = settings();
    settings.budget = Charge {
        records: 100,
        bytes: 64 << 20,
    };
    if diverts {
        let routes = BTreeSet::from([Arc::from("test")]);
        settings.diverting.insert(Topic::new(SHOP), routes);
    }
    settings
}

#[test]
fn a_topic_that_is_gone_holds_its_letters_and_nothing_else() {
    for kind in [TroubleKind::UnknownTopic, TroubleKind::NotAuthorized] {
        let mut driver = Driver::new(settings(), 1);
        driver.letters_fail = trouble(kind);
        for n in 0..20 {
            rejected(&mut driver, n * 2);
            driver.record(n * 2 + 1, track(n.unsigned_abs()));
        }
        driver.run(1);
        assert_eq!(driver.holds(), [DEAD]);
        let hold = driver.machine.snapshot(driver.now).holds.remove(0);
        let (_, last) = hold.seen.last.expect("the cause");
        assert_eq!(last.kind, kind);
        assert!((20..=25).contains(&hold.seen.times), "with a few tries");
        driver.run(10);
        assert_eq!(delivered(&driver), 20, "good records go on");
        driver.letters.clear();
        driver.run(120);
        let tries = driver.letters.len();
        assert!(
            (10..=60).contains(&tries),
            "one at a time: {tries} in two minutes"
        );
        assert_eq!(driver.machine.snapshot(driver.now).letters, 0);

        driver.letters_fail = None;
        driver.run(10);
        assert_eq!(driver.holds(), []);
        assert_eq!(driver.settled().len(), 40);
        driver.run_to_rest();
    }
}

#[test]
fn letters_that_do_not_come_back_begin_the_hold_and_the_first_that_does_ends_it() {
    let mut driver = Driver::new(settings(), 1);
    rejected(&mut driver, 0);
    let gone = trouble(TroubleKind::UnknownTopic).unwrap();
    driver.put(Input::LettersStuck {
        to: LetterTopic::Dead,
        trouble: gone.clone(),
    });
    assert_eq!(driver.holds(), [DEAD]);
    rejected(&mut driver, 1);
    assert_eq!(driver.letters.len(), 1, "the second waits");
    driver.run(1);
    assert_eq!(driver.holds(), []);
    assert_eq!(driver.settled().len(), 2);
    // Without a letter in flight, nothing waits for the topic.
    driver.put(Input::LettersStuck {
        to: LetterTopic::Dead,
        trouble: gone,
    });
    assert_eq!(driver.holds(), []);
    driver.run_to_rest();
}

#[test]
fn a_letter_that_is_too_large_waits_alone() {
    let mut driver = Driver::new(settings(), 1);
    driver.letters_fail = trouble(TroubleKind::TooLarge);
    driver.letters_fail_of = Some(0);
    rejected(&mut driver, 0);
    driver.run(1);
    assert_eq!(driver.holds(), [DEAD]);
    for n in 1..10 {
        rejected(&mut driver, n);
    }
    driver.run(1);
    assert_eq!(driver.settled().len(), 9, "the others pass");
    assert_eq!(driver.holds(), [DEAD], "and say nothing of the one");
    driver.letters_fail = None;
    driver.run(10);
    assert_eq!(driver.holds(), []);
    driver.run_to_rest();
    let began = driver
        .facts
        .iter()
        .filter(|fact| matches!(fact, Fact::HoldBegan { .. }));
    assert_eq!(began.count(), 1);
}

#[test]
fn a_letter_that_is_under_way_is_not_tried_a_second_time() {
    let mut driver = Driver::new(settings(), 1);
    driver.letters_fail = trouble(TroubleKind::TooLarge);
    rejected(&mut driver, 0);
    rejected(&mut driver, 1);
    driver.run_for(Duration::from_millis(50));
    assert_eq!(driver.letters_of, [0, 1]);
    // From now on nothing is heard of the first one, and the others are refused.
    driver.letters_lost_of = Some(0);
    driver.letters_of.clear();
    driver.run(60);
    rejected(&mut driver, 2);
    driver.run(600);
    let tries = |offset: i64| driver.letters_of.iter().filter(|of| **of == offset).count();
    assert_eq!(tries(0), 1, "{:?}", driver.letters_of);
    assert!(tries(1) > 1, "{:?}", driver.letters_of);
}

#[test]
fn what_passes_is_tried_again_quietly_unless_it_goes_on() {
    let mut driver = Driver::new(settings(), 1);
    driver.letters_fail = Some(brokers_silent());
    rejected(&mut driver, 0);
    driver.run(8);
    assert_eq!(driver.holds(), []);
    driver.run(10);
    assert_eq!(driver.holds(), [DEAD]);
    driver.letters_fail = None;
    driver.run(10);
    assert_eq!(driver.holds(), []);
    driver.run_to_rest();
}

#[test]
fn letters_that_wait_are_held_work_and_at_its_limit_the_routes_decide() {
    for diverts in [false, true] {
        let mut driver = Driver::new(small(diverts), 1);
        driver.letters_fail = trouble(TroubleKind::UnknownTopic);
        // Fewer than the guard would take for a wrong mapping.
        for n in 0..30 {
            rejected(&mut driver, n * 3);
            rejected(&mut driver, n * 3 + 1);
            driver.record(n * 3 + 2, track(n.unsigned_abs()));
        }
        driver.letters_fail = trouble(TroubleKind::UnknownTopic).filter(|_| !diverts);
        driver.run(10);
        assert_eq!(delivered(&driver), 30);
        if diverts {
            let by = HeldBy::Hold(HoldCause::DeadLetterTopic);
            assert!(driver.diverted.iter().all(|held| held.by == by));
            assert!(!driver.diverted.is_empty());
        } else {
            assert_eq!(driver.machine.snapshot(driver.now).held.records, 60);
            assert!(driver.paused.contains(&shop(0)));
        }
        driver.letters_fail = None;
        driver.run(20);
        assert!(driver.paused.is_empty());
        driver.run_to_rest();
    }
}

#[test]
fn nothing_is_set_aside_on_a_hold_topic_that_is_gone() {
    let mut driver = Driver::new(small(true), 1);
    driver.letters_fail = trouble(TroubleKind::UnknownTopic);
    for n in 0..95 {
        rejected(&mut driver, n);
    }
    driver.run(5);
    assert!(driver.holds().contains(&HELD), "{:?}", driver.holds());
    let aside = driver.diverted.len();
    driver.run(60);
    assert!(driver.diverted.len() - aside < 30, "one at a time");
    let view = driver.machine.snapshot(driver.now);
    assert_eq!(view.held.records, 95, "both kinds of letters wait");
    assert!(driver.paused.contains(&shop(0)));
    driver.letters_fail = None;
    driver.run(30);
    assert_eq!(driver.holds(), []);
    driver.run_to_rest();
}

#[test]
fn a_partition_is_handed_back_with_its_letters_unsent() {
    let mut driver = Driver::new(settings(), 2);
    driver.letters_fail = trouble(TroubleKind::UnknownTopic);
    for n in 0..5 {
        rejected(&mut driver, n);
    }
    driver.run(3);
    driver.revoke(shop(0));
    driver.run(1);
    assert_eq!(driver.handed_back, [shop(0)]);
    assert_eq!(driver.used(), 0);
    let committed = driver.commits.iter().flatten();
    assert_eq!(committed.filter(|entry| entry.offset.0 > 0).count(), 0);
    driver.run(30);
    assert_eq!(driver.holds(), [], "nobody waits for it any more");
    driver.run_to_rest();
}

#[test]
fn a_person_may_end_the_hold_and_it_comes_back_with_its_cause() {
    let mut driver = Driver::new(settings(), 1);
    driver.letters_fail = trouble(TroubleKind::NotAuthorized);
    for n in 0..5 {
        rejected(&mut driver, n);
    }
    driver.run(3);
    let id = driver.machine.snapshot(driver.now).holds[0].id;
    driver.letters.clear();
    driver.put(Input::ReleaseHold(id));
    assert_eq!(driver.letters.len(), 5);
    driver.run(1);
    assert_eq!(driver.holds(), [DEAD]);
    driver.letters_fail = None;
    driver.run_to_rest();
}

#[test]
fn a_letter_that_is_let_go_before_its_pause_is_over_leaves_once() {
    let pause = Duration::from_millis(990);
    let mut driver = Driver::new(
        MachineSettings {
            asleep_after: Some(Duration::from_secs(30)),
            ..settings()
        },
        1,
    );
    let release = |driver: &mut Driver| {
        let hold = driver.machine.snapshot(driver.now).holds.remove(0);
        driver.put(Input::ReleaseHold(hold.id));
    };
    driver.letters_fail = trouble(TroubleKind::UnknownTopic);
    rejected(&mut driver, 0);
    driver.record(1, track(1));
    driver.run_for(Duration::from_millis(50));
    assert_eq!(driver.holds(), [DEAD]);
    driver.letters.clear();
    driver.hold_commits = true;
    driver.now += Duration::from_secs(40);
    rejected(&mut driver, 2);
    release(&mut driver);
    assert_eq!(driver.letters.len(), 0, "another member may be the owner");
    driver.run_for(pause - Duration::from_millis(100));
    driver.hold_commits = false;
    let entries = driver.commits.last().cloned().unwrap();
    driver.put(committed(&entries, true));
    rejected(&mut driver, 3);
    driver.run_for(Duration::from_millis(100));
    assert_eq!(driver.letters.len(), 1, "that of the third failed");
    driver.letters_fail = None;
    release(&mut driver);
    driver.run(5);
    assert_eq!(driver.used(), 0);
    assert_eq!(driver.letters.len(), 4, "each left once");
}
