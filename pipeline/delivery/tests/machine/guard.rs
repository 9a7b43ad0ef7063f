//! The dead-letter guard: a topic with too many rejections is held, and nothing else.

use ingest_delivery::charge::Charge;
use ingest_delivery::fact::{Fact, Settlement};
use ingest_delivery::hold::Scope;
use ingest_delivery::machine::{Input, MachineSettings, TopicSettings};
use ingest_model::call::{Call, CallResult};
use ingest_model::outcome::{HoldCause, Outcome, Rejected, Rejection, SkipReason, Verdict, Waits};
use ingest_model::record::{Offset, Topic, TopicPartition};

use crate::driver::Driver;
use crate::make::{SHOP, brokers_silent, customer, object, owned, settings, shop, track, write};

const OTHER: &str = "other";

fn two_topics() -> MachineSettings {
    let mut settings = settings();
    let other = TopicSettings {
        weight: 1.0,
        keyed: true,
    };
    settings.topics.insert(Topic::new(OTHER), other);
    settings
}

fn other() -> TopicPartition {
    TopicPartition::new(OTHER, 0)
}

fn rejected() -> Verdict {
    let detail = "`order_id` has no value";
    Verdict::Reject(Rejected::new(Rejection::MissingField, detail))
}

fn emitted(number: u64) -> Verdict {
    Verdict::Emit(vec![track(number)])
}

/// From that offset on, every second record of partition 0 is rejected.
fn half_rejected(driver: &mut Driver, from: i64, records: i64) {
    for n in from..from + records {
        let skipped = Verdict::Skip(SkipReason::NoRoute);
        let verdict = if n % 2 == 0 { rejected() } else { skipped };
        driver.judged(shop(0), n, verdict);
    }
}

fn held() -> Vec<(Scope, HoldCause)> {
    let scope = Scope::Topic(Topic::new(SHOP));
    vec![(scope, HoldCause::DeadLetterGuard)]
}

fn release(driver: &mut Driver) {
    let hold = driver.machine.snapshot(driver.now).holds[0].id;
    driver.put(Input::ReleaseHold(hold));
}

#[test]
fn a_mapping_mistake_holds_its_topic_and_dead_letters_no_more() {
    let mut driver = Driver::new(two_topics(), 2);
    driver.judged(shop(1), 0, emitted(1));
    half_rejected(&mut driver, 0, 1_100);
    assert_eq!(driver.holds(), held());
    let began = driver.facts.iter().find_map(|fact| match fact {
        Fact::HoldBegan { scope, seen, .. } if *scope == held()[0].0 => seen.last.clone(),
        _ => None,
    });
    let (_, trouble) = began.expect("a hold with its cause");
    let said = "missing_field: `order_id` has no value";
    assert_eq!(trouble.to_string(), said);
    assert_eq!(driver.letters.len(), 499, "judged from 1,000 records on");
    assert_eq!(driver.paused, [shop(0), shop(1)].into());
    for view in driver.machine.snapshot(driver.now).partitions {
        let waits = (view.partition.topic.as_str() == SHOP).then_some(Waits::Guard);
        assert_eq!(view.waits, waits, "{}", view.partition);
    }
    // Good records that were admitted go on, and so does the other topic; nothing ends the hold.
    driver.judged(shop(1), 1, emitted(2));
    driver.judged(other(), 0, emitted(3));
    driver.run(6 * 3_600);
    assert_eq!(driver.sent.len(), 3, "and no probes");
    let delivered = |settlement: &&Settlement| **settlement == Settlement::Delivered;
    assert_eq!(driver.settled().iter().filter(delivered).count(), 3);
    assert_eq!(driver.letters.len(), 499);
    assert_eq!(driver.used(), 51, "the others wait, unsettled");
    assert_eq!(driver.holds(), held());
    assert_eq!(driver.machine.next_wake(driver.now), None);
}

#[test]
fn a_release_sends_what_waited_and_counts_afresh() {
    let mut driver = Driver::new(two_topics(), 2);
    half_rejected(&mut driver, 0, 1_100);
    driver.run(10);
    release(&mut driver);
    assert_eq!(driver.holds(), []);
    assert!(matches!(driver.facts.last(), Some(Fact::HoldEnded { .. })));
    assert_eq!(driver.letters.len(), 550);
    assert!(driver.paused.is_empty());
    let views = driver.machine.snapshot(driver.now).partitions;
    assert!(views.iter().all(|view| view.waits.is_none()));
    half_rejected(&mut driver, 1_100, 999);
    driver.run(10);
    assert_eq!(driver.holds(), [], "judged from 1,000 records on, again");
    driver.run_to_rest();
    half_rejected(&mut driver, 2_100, 10);
    assert_eq!(driver.holds(), held());
}

#[test]
fn refusals_of_the_api_in_a_row_hold_the_topic() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|call| match call {
        Call::Track { .. } => Some(CallResult::Tracked(Outcome::Reject("no".to_owned()))),
        _ => None,
    });
    for n in 0..300 {
        driver.judged(shop(0), n, emitted(n.unsigned_abs()));
    }
    driver.run(600);
    assert_eq!(driver.letters.len(), 99);
    assert_eq!(driver.holds(), held());
    assert_eq!(driver.used(), 201, "refused or not, they wait");
    release(&mut driver);
    driver.run_to_rest();
    assert_eq!(driver.letters.len(), 300);
}

#[test]
fn customers_who_are_not_there_hold_nothing() {
    let mut driver = Driver::new(settings(), 1);
    driver.answer(|call| match call {
        Call::Identify { .. } => Some(CallResult::Tracked(Outcome::Hold(HoldCause::MissingRole))),
        _ => crate::customers::nobody(call),
    });
    for n in 0..150 {
        let mut nobody = customer(n);
        nobody.missing = ingest_model::operation::MissingCustomer::Reject;
        let order = owned(object("order", n), nobody);
        driver.record(i64::try_from(n).unwrap(), write(order));
    }
    driver.run_to_rest();
    assert_eq!(driver.letters.len(), 150);
    let unknown = |letter: &Rejected| letter.reason == Rejection::UnknownCustomer;
    assert!(driver.letters.iter().all(unknown));
}

#[test]
fn a_few_rejections_are_not_many_because_the_others_wait_for_permits() {
    let mut driver = Driver::new(settings(), 1);
    for n in 0..10_000_i64 {
        let bad = n % 25 == 0;
        let verdict = if bad {
            rejected()
        } else {
            emitted(n.unsigned_abs())
        };
        driver.judged(shop(0), n, verdict);
        if n % 1_000 == 0 {
            driver.run(5);
        }
    }
    assert_eq!(driver.letters.len(), 400, "4 %");
    assert_eq!(driver.holds(), []);
}

#[test]
fn a_topic_whose_rejections_are_accepted_is_never_held() {
    let mut settings = settings();
    settings.accept_dead_letters.insert(Topic::new(SHOP));
    let mut driver = Driver::new(settings, 1);
    for n in 0..5_000 {
        driver.judged(shop(0), n, rejected());
    }
    driver.run_to_rest();
    assert_eq!(driver.letters.len(), 5_000);
}

#[test]
fn letters_that_wait_do_not_delay_a_drain_and_are_left_to_the_next_owner() {
    let mut driver = Driver::new(settings(), 1);
    half_rejected(&mut driver, 0, 1_100);
    driver.run(10);
    driver.put(Input::Shutdown);
    driver.run(1);
    assert!(driver.drained);
    assert_eq!(driver.used(), 0);
    assert_eq!(driver.letters.len(), 500);
    let last = driver.commits.last().unwrap()[0].offset;
    assert_eq!(last, Offset(1_000), "the first whose letter waited");
}

#[test]
fn a_record_that_is_refused_while_its_held_partition_drains_is_left_to_the_next_owner() {
    let mut driver = Driver::new(settings(), 2);
    driver.answer(|call| match call {
        Call::Track { .. } => Some(CallResult::Tracked(Outcome::Reject("no".to_owned()))),
        _ => None,
    });
    half_rejected(&mut driver, 0, 1_100);
    driver.judged(shop(1), 7, emitted(1));
    driver.revoke(shop(1));
    driver.run(1);
    assert_eq!(driver.handed_back, [shop(1)]);
    assert_eq!(driver.letters.len(), 500);
    let beyond = |entry: &&ingest_delivery::machine::CommitEntry| {
        entry.partition == shop(1) && entry.offset > Offset(7)
    };
    assert_eq!(driver.commits.iter().flatten().find(beyond), None);
}

#[test]
fn a_partition_that_comes_while_its_topic_is_held_rests_too() {
    let mut driver = Driver::new(settings(), 2);
    half_rejected(&mut driver, 0, 1_100);
    driver.revoke(shop(1));
    driver.run(1);
    driver.paused.clear();
    driver.assign(shop(1));
    assert_eq!(driver.paused, [shop(1)].into());
    release(&mut driver);
    assert!(driver.paused.is_empty());
}

#[test]
fn the_gate_and_the_guard_pause_each_for_themselves() {
    let mut settings = two_topics();
    settings.budget = Charge {
        records: 200,
        bytes: 64 << 20,
    };
    let mut driver = Driver::new(settings, 1);
    half_rejected(&mut driver, 0, 1_000);
    driver.run(1);
    half_rejected(&mut driver, 1_000, 20);
    for n in 0..250 {
        driver.judged(other(), n, emitted(n.unsigned_abs()));
    }
    assert_eq!(driver.paused, [shop(0), other()].into());
    driver.run(60);
    assert_eq!(
        driver.paused,
        [shop(0)].into(),
        "the gate opened, the hold stays"
    );
    for n in 250..500 {
        driver.judged(other(), n, emitted(n.unsigned_abs()));
    }
    release(&mut driver);
    assert_eq!(
        driver.paused,
        [shop(0), other()].into(),
        "the gate is closed"
    );
    driver.run(60);
    assert!(driver.paused.is_empty());
    driver.run_to_rest();
}

#[test]
fn a_letter_that_the_brokers_did_not_take_waits_with_the_others() {
    let mut driver = Driver::new(settings(), 1);
    driver.letters_fail = Some(brokers_silent());
    half_rejected(&mut driver, 0, 1_100);
    driver.run(5);
    assert_eq!(driver.letters.len(), 500, "each once");
    assert_eq!(driver.used(), 550);
    assert_eq!(driver.machine.snapshot(driver.now).letters, 0);
    driver.letters_fail = None;
    release(&mut driver);
    assert_eq!(driver.letters.len(), 500 + 550);
    driver.run_to_rest();
}
