//! A partition begins a new life while it is held, and records are deleted before they are read.

use std::time::Duration;

use ingest_delivery::fact::{Fact, Settlement};
use ingest_delivery::machine::Input;
use ingest_model::call::{Call, CallResult};
use ingest_model::outcome::{Outcome, Rejected, Rejection, RetryCause, Verdict};
use ingest_model::reading::Gap;
use ingest_model::reading::LifeCause;
use ingest_model::record::{Epoch, Offset, Traffic};
use ingest_model::trouble::{Trouble, TroubleKind};

use crate::driver::Driver;
use crate::make::{record, settings, shop, track};

/// Events of this customer fail until `all_is_well`.
fn nothing_of(driver: &mut Driver, customer: u64) {
    let held = format!("u{customer}");
    driver.answer(move |call| match call {
        Call::Track { identity, .. } if identity.parse()["externalId"] == held.as_str() => {
            Some(CallResult::Tracked(Outcome::Retry(RetryCause::ObjectQuota)))
        }
        _ => None,
    });
}

/// The last commit.
fn committed(driver: &Driver) -> Option<(Epoch, i64)> {
    let entry = driver.commits.last()?.last()?;
    Some((entry.epoch, entry.offset.0))
}

fn lost_in_hand(driver: &Driver) -> Vec<u64> {
    let records = |fact: &Fact| match fact {
        Fact::LifeCut { records, .. } => Some(*records),
        _ => None,
    };
    driver.facts.iter().filter_map(records).collect()
}

#[test]
fn a_new_life_is_committed_below_the_old_one_and_on_its_own_account() {
    let mut driver = Driver::new(settings(), 1);
    driver.record(299, track(1));
    driver.run(1);
    let old = driver.epoch(&shop(0));
    assert_eq!(committed(&driver), Some((old, 300)));
    let new = driver.begin_life(shop(0), 0, LifeCause::MadeAgain);
    driver.run(1);
    assert_eq!(
        committed(&driver),
        Some((new, 0)),
        "else a successor would begin at 300"
    );
    for offset in 0..3 {
        driver.record(offset, track(10 + u64::try_from(offset).unwrap()));
    }
    driver.run(1);
    assert_eq!(committed(&driver), Some((new, 3)));
    assert_eq!(driver.settled(), [Settlement::Delivered; 4]);
    driver.run_to_rest();
}

#[test]
fn what_is_in_hand_of_the_old_life_settles_there() {
    let mut driver = Driver::new(settings(), 1);
    nothing_of(&mut driver, 1);
    driver.record(5, track(1));
    driver.run_for(Duration::from_millis(50));
    let new = driver.begin_life(shop(0), 0, LifeCause::MadeAgain);
    for offset in 0..6 {
        driver.record(offset, track(20 + u64::try_from(offset).unwrap()));
    }
    driver.run(2);
    assert_eq!(
        committed(&driver),
        Some((new, 6)),
        "the old record at 5 keeps nothing back"
    );
    driver.all_is_well();
    driver.run(600);
    assert_eq!(driver.settled().len(), 7, "and is delivered all the same");
    assert_eq!(committed(&driver), Some((new, 6)));
    driver.run_to_rest();
}

#[test]
fn an_old_record_that_settles_is_not_the_new_one_at_its_offset() {
    let mut driver = Driver::new(settings(), 1);
    nothing_of(&mut driver, 2);
    driver.record(0, track(1));
    driver.run_for(Duration::from_millis(50));
    let new = driver.begin_life(shop(0), 0, LifeCause::WentBack);
    driver.record(0, track(2));
    driver.run(2);
    assert_eq!(driver.settled().len(), 1, "the old one");
    assert_eq!(committed(&driver), Some((new, 0)));
    driver.all_is_well();
    driver.run(600);
    assert_eq!(committed(&driver), Some((new, 1)));
    driver.run_to_rest();
}

#[test]
fn records_of_the_old_life_that_were_on_their_way_are_still_taken() {
    let mut driver = Driver::new(settings(), 1);
    let old = driver.epoch(&shop(0));
    let new = driver.begin_life(shop(0), 0, LifeCause::MadeAgain);
    driver.put(Input::Record {
        record: record(shop(0), 41),
        epoch: old,
        event_ms: None,
        traffic: Traffic::Live,
        verdict: Verdict::Emit(vec![track(1)]),
        dropped: Vec::new(),
        event_ids: None,
    });
    driver.run(1);
    assert_eq!(driver.settled(), [Settlement::Delivered]);
    assert_eq!(committed(&driver), Some((new, 0)));
    driver.run_to_rest();
}

#[test]
fn what_nobody_else_can_read_has_the_time_of_the_drain() {
    for (well, lost) in [(true, vec![]), (false, vec![1])] {
        let mut driver = Driver::new(settings(), 1);
        nothing_of(&mut driver, 1);
        driver.record(7, track(1));
        driver.run(1);
        let new = driver.begin_life(shop(0), 0, LifeCause::MadeAgain);
        driver.record(0, track(2));
        driver.run(1);
        driver.put(Input::Revoked {
            partition: shop(0),
            epoch: new,
        });
        assert!(driver.handed_back.is_empty());
        if well {
            driver.all_is_well();
        }
        driver.run(600);
        assert_eq!(driver.handed_back, [shop(0)]);
        assert_eq!(lost_in_hand(&driver), lost);
        assert_eq!(driver.used(), 0);
        assert_eq!(committed(&driver), Some((new, 1)));
    }
}

#[test]
fn a_letter_of_an_old_life_has_the_time_of_the_drain() {
    for (well, lost) in [(true, vec![]), (false, vec![1])] {
        let mut driver = Driver::new(settings(), 1);
        let gone = Trouble::of_machines(TroubleKind::UnknownTopic, "there is no such topic");
        driver.letters_fail = Some(gone);
        let rejected = Rejected::new(Rejection::MissingField, "`.id` has no value");
        driver.judged(shop(0), 7, Verdict::Reject(rejected));
        driver.run(1);
        let new = driver.begin_life(shop(0), 0, LifeCause::MadeAgain);
        driver.record(0, track(2));
        driver.run(1);
        let tried = driver.letters.len();
        driver.revoke(shop(0));
        driver.run(10);
        assert!(driver.letters.len() > tried, "it is tried meanwhile");
        assert!(driver.handed_back.is_empty());
        if well {
            driver.letters_fail = None;
        }
        driver.run(600);
        assert_eq!(driver.handed_back, [shop(0)]);
        assert_eq!(lost_in_hand(&driver), lost);
        let rejection = Settlement::DeadLettered(Rejection::MissingField);
        assert_eq!(driver.settled().contains(&rejection), well);
        assert_eq!(driver.used(), 0);
        assert_eq!(committed(&driver), Some((new, 1)));
    }
}

#[test]
fn what_is_in_hand_of_an_old_life_is_counted_when_the_partition_is_lost() {
    let mut driver = Driver::new(settings(), 1);
    nothing_of(&mut driver, 1);
    driver.record(7, track(1));
    driver.record(8, track(1));
    driver.run(1);
    let new = driver.begin_life(shop(0), 0, LifeCause::MadeAgain);
    driver.record(0, track(1));
    driver.put(Input::Lost {
        partition: shop(0),
        epoch: new,
    });
    assert_eq!(lost_in_hand(&driver), [2], "the third stands in Kafka");
    driver.run_to_rest();
}

#[test]
fn the_frontier_passes_records_that_vanished_and_they_are_counted_once() {
    let mut driver = Driver::new(settings(), 1);
    driver.record(9, track(1));
    driver.run(1);
    let epoch = driver.epoch(&shop(0));
    let gap = Gap {
        from: Offset(10),
        to: Offset(5_000),
    };
    driver.put(Input::Vanished {
        partition: shop(0),
        epoch,
        gap,
    });
    driver.run(1);
    assert_eq!(committed(&driver), Some((epoch, 5_000)));
    let vanished = |fact: &Fact| match fact {
        Fact::Vanished { gap, records, .. } => Some((*gap, *records)),
        _ => None,
    };
    let vanished: Vec<_> = driver.facts.iter().filter_map(vanished).collect();
    assert_eq!(vanished, [(gap, 4_990)]);
    driver.run_to_rest();
}

#[test]
fn the_frontier_passes_what_holds_no_records_when_those_before_it_are_here_and_nothing_is_lost() {
    let mut driver = Driver::new(settings(), 1);
    let epoch = driver.epoch(&shop(0));
    // It may overtake the last record, which is still on its way.
    driver.put(Input::Empty {
        partition: shop(0),
        epoch,
        gap: Gap {
            from: Offset(10),
            to: Offset(13),
        },
    });
    driver.run(1);
    assert_eq!(committed(&driver), None);
    driver.record(9, track(1));
    driver.run(1);
    assert_eq!(committed(&driver), Some((epoch, 13)));
    driver.record(13, track(2));
    driver.run(1);
    assert_eq!(committed(&driver), Some((epoch, 14)));
    assert!(
        !driver
            .facts
            .iter()
            .any(|fact| matches!(fact, Fact::Vanished { .. }))
    );
    driver.run_to_rest();
}
