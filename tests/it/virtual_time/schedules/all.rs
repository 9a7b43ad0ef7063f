//! The tests: many schedules once, and some of them twice.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use ingest_delivery::fact::OutcomeLabel;
use ingest_model::outcome::HoldCause;

use super::coverage::Coverage;
use super::{Steps, faults, play};

const SCHEDULES: u64 = 1_000;
/// How many schedules are played twice, to compare all of their steps.
const TWICE: u64 = 60;
/// After this many failures, the rest is not played.
const MOST_FAILURES: usize = 20;

/// A seed that failed can be played again: a machine's decisions depend on nothing but its inputs.
#[test]
fn a_schedule_is_a_function_of_its_seed() {
    let digest = |seed| play(seed, &mut Coverage::default(), Steps::Digested);
    let mut digests = BTreeSet::new();
    for seed in 0..TWICE {
        let once = digest(seed);
        assert!(once.is_some(), "no digest of schedule {seed}");
        assert_eq!(once, digest(seed), "schedule {seed} is not the same twice");
        digests.insert(once);
    }
    assert_eq!(
        digests.len() as u64,
        TWICE,
        "schedules differ from each other"
    );
}

#[test]
#[expect(
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test that says what it covered, set from outside"
)]
fn schedules_lose_nothing_and_keep_order() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    let mut coverage = Coverage::default();
    if let Some(seed) = number("INGEST_SCHEDULE_SEED") {
        let told = number("INGEST_SCHEDULE_STEPS").is_some();
        let steps = if told { Steps::Told } else { Steps::Digested };
        let digest = play(seed, &mut coverage, steps).unwrap_or_default();
        eprintln!("schedule {seed}: digest {digest:016x}");
        return;
    }
    let schedules = number("INGEST_SCHEDULES").unwrap_or(SCHEDULES);
    let started = Instant::now();
    let first = number("INGEST_SCHEDULES_FROM").unwrap_or(0);
    let next = AtomicU64::new(first);
    let all = Mutex::new(coverage);
    let failed = Mutex::new(Vec::new());
    let digests = Mutex::new(BTreeMap::new());
    let to = std::env::var_os("INGEST_SCHEDULE_DIGESTS");
    let steps = if to.is_some() {
        Steps::Digested
    } else {
        Steps::Forgotten
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut mine = Coverage::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + schedules {
                        break;
                    }
                    let played = catch_unwind(AssertUnwindSafe(|| play(seed, &mut mine, steps)));
                    match played {
                        Ok(digest) => {
                            let mut all = digests.lock().unwrap_or_else(PoisonError::into_inner);
                            all.extend(digest.map(|digest| (seed, digest)));
                        }
                        Err(_) => {
                            let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                            failed.push(seed);
                            if failed.len() >= MOST_FAILURES {
                                break;
                            }
                        }
                    }
                    if seed % 10_000 == 9_999 {
                        eprintln!("{} schedules in {:.0?}", seed + 1, started.elapsed());
                    }
                }
                all.lock().unwrap_or_else(PoisonError::into_inner).add(mine);
            });
        }
    });
    if let Some(file) = to {
        let digests = digests.into_inner().unwrap_or_else(PoisonError::into_inner);
        let lines = digests
            .iter()
            .map(|(seed, digest)| format!("{seed} {digest:016x}\n"));
        std::fs::write(file, lines.collect::<String>()).unwrap();
    }
    let coverage = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    eprintln!(
        "{schedules} schedules in {:.0?}: outcomes {:?}, faults {:?}, holds {:?}, {} pauses, {} kills, {} moves, {} stops, {} sleeps, {} losses, {} topics made \
         again, {} logs truncated, {} vanishings, {} turns with failing commits, {} ties, {} late identities, {} copies, {} events repeated of {} that may",
        started.elapsed(),
        coverage.outcomes,
        coverage.faults,
        coverage.holds,
        coverage.pauses,
        coverage.kills,
        coverage.moves,
        coverage.stops,
        coverage.sleeps,
        coverage.losses,
        coverage.made_again,
        coverage.truncated,
        coverage.vanished,
        coverage.failed_commits,
        coverage.ties,
        coverage.late,
        coverage.copies,
        coverage.repeats,
        coverage.may_repeat,
    );
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(
        failed.is_empty(),
        "failed: {failed:?}; INGEST_SCHEDULE_SEED plays one alone"
    );
    if schedules >= SCHEDULES {
        for outcome in OutcomeLabel::ALL {
            assert!(
                coverage.outcomes.contains_key(outcome.as_str()),
                "no schedule saw {outcome:?}"
            );
        }
        // No route diverts here, letters fail only briefly, and no position is lost: `letters.rs` and `positions.rs` in
        // `pipeline/delivery/tests/machine` cover these three.
        let elsewhere = [
            HoldCause::DeadLetterTopic,
            HoldCause::HoldTopic,
            HoldCause::LostPosition,
        ];
        let played = |cause: &&HoldCause| !elsewhere.contains(cause);
        for cause in HoldCause::ALL.iter().filter(played) {
            assert!(
                coverage.holds.contains_key(cause.as_str()),
                "no schedule saw {cause:?}"
            );
        }
        for name in faults::NAMES {
            let count = coverage.faults.get(name).copied().unwrap_or_default();
            assert!(count > 0, "no schedule saw {name}: {:?}", coverage.faults);
        }
        for (what, count) in [
            ("kills", coverage.kills),
            ("moves", coverage.moves),
            ("stops", coverage.stops),
            ("sleeps", coverage.sleeps),
            ("losses", coverage.losses),
            ("topics made again", coverage.made_again),
            ("truncated logs", coverage.truncated),
            ("vanishings", coverage.vanished),
            ("failing commits", coverage.failed_commits),
            ("ties of versions", coverage.ties),
            ("late identities", coverage.late),
            ("copies of records", coverage.copies),
            ("end in which nothing may be set back", coverage.never_back),
        ] {
            assert!(count > 0, "no schedule had {what}");
        }
    }
}
