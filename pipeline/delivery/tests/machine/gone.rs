//! Deletions among states, at random: lost answers, copies that arrive late, kills. What is there in the end is what the newest
//! record says, and nothing else.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use ingest_delivery::machine::{MachineSettings, StateSettings};
use ingest_model::call::{Call, CallResult, Written};
use ingest_model::operation::Planned;
use ingest_model::outcome::{Outcome, RetryCause};
use proptest::prelude::*;

use crate::deletions::{Shelf, deletion, state};
use crate::driver::Driver;
use crate::make::{settings, shop};

/// What a log says of one object at one place.
#[derive(Debug, Clone)]
struct Said {
    object: u64,
    version: Option<u32>,
    gone: bool,
    /// Seconds until the next record.
    pause: u64,
    /// The process is killed before the next record.
    killed: bool,
}

fn said(versions: impl Strategy<Value = Option<u32>>) -> impl Strategy<Value = Said> {
    let of = (
        0..3_u64,
        versions,
        any::<bool>(),
        prop_oneof![Just(0_u64), 1..8_u64, Just(70)],
        prop::bool::weighted(0.15),
    );
    of.prop_map(|(object, version, gone, pause, killed)| Said {
        object,
        version,
        gone,
        pause,
        killed,
    })
}

fn plan(one: &Said) -> Planned {
    let version = one.version.map(|version| version.to_string());
    if one.gone {
        deletion(one.object, version.as_deref())
    } else {
        state(one.object, version.as_deref())
    }
}

/// A destination that answers a part of what it gets, and does a part of the deletions only later.
fn unreliable(shelf: &Shelf, seed: u64) -> impl FnMut(&Call) -> Option<CallResult> + use<> {
    let (shelf, chance) = (shelf.clone(), Rc::new(RefCell::new(seed | 1)));
    let late: RefCell<Vec<Call>> = RefCell::default();
    move |call| {
        let mut chance = chance.borrow_mut();
        // Of a generator of Marsaglia's.
        *chance ^= *chance << 13;
        *chance ^= *chance >> 7;
        *chance ^= *chance << 17;
        let dice = *chance % 100;
        if dice % 3 == 0 {
            for copy in late.borrow_mut().drain(..) {
                shelf.answer(&copy);
            }
        }
        match call {
            Call::DeleteKObject { .. } => {
                if dice < 20 {
                    late.borrow_mut().push(call.clone());
                } else {
                    shelf.answer(call);
                }
                Some(CallResult::Written(if dice < 40 {
                    Outcome::Ambiguous
                } else {
                    Outcome::Delivered(Written::Gone)
                }))
            }
            Call::CreateKObject { .. } | Call::UpdateKObject { .. } if dice < 20 => {
                if dice < 10 {
                    shelf.answer(call);
                }
                Some(CallResult::Written(Outcome::Ambiguous))
            }
            Call::GetKObject { .. } if dice < 20 => {
                Some(CallResult::KObject(Outcome::Retry(RetryCause::ServerError)))
            }
            _ => shelf.answer(call),
        }
    }
}

/// Plays a log, from the last commit again after each kill, and returns the objects that are there in the end.
fn play(log: &[Said], remembers: bool, seed: u64) -> Vec<u64> {
    // Each process numbers its writes anew, as processes do.
    let settings = |process: u64| MachineSettings {
        state: remembers.then(StateSettings::default),
        seed: process,
        ..settings()
    };
    let shelf = Shelf::default();
    let plans: Vec<Planned> = log.iter().map(plan).collect();
    let mut driver = Driver::new(settings(seed), 1);
    driver.run(1);
    driver.answer(unreliable(&shelf, seed));
    let (mut next, mut life) = (0, seed);
    let mut kills: Vec<bool> = log.iter().map(|one| one.killed).collect();
    while next < log.len() {
        driver.record(i64::try_from(next).unwrap(), plans[next].clone());
        driver.run(log[next].pause);
        if std::mem::take(&mut kills[next]) {
            let entries = driver.commits.iter().flatten();
            let committed = entries.map(|entry| entry.offset.0).max().unwrap_or(0);
            // What was learnt in the last quarter of a second may be committed and not written.
            driver.run(1);
            let slice = remembers.then(|| crate::state::slice_of(&driver, &shop(0)));
            life = life.wrapping_mul(31).wrapping_add(7);
            let topic = std::mem::take(&mut driver.written);
            driver = Driver::new(settings(life), 1);
            driver.written = topic;
            driver.run(1);
            driver.answer(unreliable(&shelf, life));
            if let Some(slice) = slice {
                driver.revoke(shop(0));
                driver.slices.insert(shop(0), slice);
                driver.assign(shop(0));
                driver.run(1);
            }
            next = usize::try_from(committed).unwrap();
            continue;
        }
        next += 1;
    }
    let all = shelf.clone();
    driver.answer(move |call| all.answer(call));
    driver.run_to_rest();
    assert!(driver.letters.is_empty(), "{:?}", driver.letters);
    let holds = shelf.holds();
    let number = |(name, _): &(String, String)| name.get(1..).unwrap().parse().unwrap();
    holds.iter().map(number).collect()
}

/// The objects that the log leaves: the last record of an object's highest version decides.
fn left(log: &[Said]) -> Vec<u64> {
    let mut newest: BTreeMap<u64, &Said> = BTreeMap::new();
    for one in log {
        let known = newest.entry(one.object).or_insert(one);
        if one.version >= known.version {
            *known = one;
        }
    }
    let left = newest.into_iter().filter(|(_, one)| !one.gone);
    left.map(|(object, _)| object).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_newest_record_of_an_object_decides(
        log in prop::collection::vec(said((1..12_u32).prop_map(Some)), 1..14),
        seed in any::<u64>(),
    ) {
        prop_assert_eq!(play(&log, true, seed), left(&log));
    }

    /// Without a state topic, or without versions, what counts is the order of the partition.
    #[test]
    fn the_last_record_of_an_object_decides(
        log in prop::collection::vec(said(Just(None)), 1..14),
        rising in any::<bool>(),
        remembers in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let mut log = log;
        for (place, one) in (1..).zip(&mut log) {
            one.version = rising.then_some(place);
        }
        prop_assert_eq!(play(&log, remembers, seed), left(&log));
    }
}
