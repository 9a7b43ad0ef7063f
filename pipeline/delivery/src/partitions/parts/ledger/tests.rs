//! What may be committed, in whatever order records settle.

use proptest::prelude::*;

use super::*;

fn runs(ledger: &Ledger) -> Vec<(i64, i64)> {
    ledger
        .settled_above()
        .map(|(first, last)| (first.0, last.0))
        .collect()
}

fn restored(frontier: i64, stamp: Option<i64>, runs: &[(i64, i64)]) -> Ledger {
    Ledger::restored(Restored {
        frontier: Offset(frontier),
        stamp,
        runs: runs
            .iter()
            .map(|(first, last)| (Offset(*first), Offset(*last)))
            .collect(),
    })
}

#[test]
fn nothing_to_commit_before_the_first_record() {
    assert_eq!(Ledger::default().frontier(), None);
}

#[test]
fn of_what_vanished_a_former_owner_may_have_settled_some() {
    let mut ledger = restored(10, Some(1), &[(12, 13), (20, 29), (50, 59)]);
    assert!(ledger.vouch(Offset(40), None));
    assert_eq!(ledger.admit(Offset(40), None), Admission::Open);
    assert_eq!(ledger.vanish(Offset(10), Offset(40)), 30 - 12);
    assert_eq!(ledger.admit(Offset(55), None), Admission::SettledBefore);
    assert_eq!(ledger.admit(Offset(60), None), Admission::Open);
    assert_eq!(ledger.vanish(Offset(56), Offset(60)), 0);
    assert_eq!(ledger.vanish(Offset(41), Offset(55)), 14 - 5);
    assert_eq!(ledger.frontier(), Some(Offset(40)));
}

#[test]
fn a_run_that_begins_in_what_vanished_is_counted_once() {
    let mut ledger = restored(5, Some(1), &[(10, 20)]);
    assert!(ledger.vouch(Offset(15), None));
    assert_eq!(ledger.admit(Offset(15), None), Admission::SettledBefore);
    assert_eq!(runs(&ledger), [(16, 20)]);
    assert_eq!(ledger.vanish(Offset(5), Offset(15)), 10 - 5);
    assert_eq!(ledger.admit(Offset(18), None), Admission::SettledBefore);
    assert_eq!(ledger.vanish(Offset(16), Offset(18)), 0);
    assert_eq!(ledger.admit(Offset(21), None), Admission::Open);
    assert_eq!(ledger.vanish(Offset(19), Offset(21)), 0);
    assert_eq!(ledger.settled(), 2);
}

#[test]
fn what_vanished_in_two_parts_is_passed_as_one() {
    let mut ledger = Ledger::committed_at(Offset(5));
    assert_eq!(ledger.vanish(Offset(6), Offset(10)), 4);
    assert_eq!(ledger.vanish(Offset(10), Offset(20)), 10);
    assert_eq!(ledger.frontier(), None, "5 is on its way");
    assert_eq!(ledger.admit(Offset(5), None), Admission::Open);
    assert!(ledger.settle(Offset(5)));
    assert_eq!(ledger.frontier(), Some(Offset(20)));
}

#[test]
fn the_frontier_passes_what_vanished_when_all_before_it_is_here() {
    let mut ledger = Ledger::committed_at(Offset(5));
    assert_eq!(ledger.frontier(), None);
    assert_eq!(ledger.vanish(Offset(7), Offset(20)), 13);
    assert_eq!(ledger.frontier(), None, "5 and 6 are on their way");
    assert_eq!(ledger.admit(Offset(5), None), Admission::Open);
    assert_eq!(ledger.admit(Offset(6), None), Admission::Open);
    assert!(ledger.settle(Offset(5)));
    assert_eq!(runs(&ledger), [(7, 19)]);
    assert!(ledger.settle(Offset(6)));
    assert_eq!(ledger.frontier(), Some(Offset(20)));
    let mut ledger = Ledger::committed_at(Offset(5));
    assert_eq!(ledger.vanish(Offset(5), Offset(20)), 15);
    assert_eq!(
        ledger.frontier(),
        Some(Offset(20)),
        "nothing was left to read"
    );
}

#[test]
fn a_new_life_is_committed_from_its_first_offset_on() {
    let mut ledger = Ledger::beginning_at(Offset(0));
    assert_eq!(ledger.frontier(), Some(Offset(0)));
    assert_eq!(runs(&ledger), []);
    assert_eq!(ledger.admit(Offset(3), None), Admission::Open);
    assert_eq!(ledger.frontier(), Some(Offset(3)), "no record below it");
}

#[test]
fn a_slow_record_holds_the_frontier() {
    let mut ledger = Ledger::default();
    for n in 5..8 {
        assert_eq!(ledger.admit(Offset(n), None), Admission::Open);
    }
    assert!(ledger.settle(Offset(6)));
    assert!(ledger.settle(Offset(7)));
    assert_eq!(ledger.frontier(), Some(Offset(5)));
    assert_eq!(runs(&ledger), [(6, 7)]);
    assert!(ledger.settle(Offset(5)));
    assert_eq!(ledger.frontier(), Some(Offset(8)));
    assert_eq!(runs(&ledger), []);
    assert!(!ledger.settle(Offset(5)), "settled once");
}

#[test]
fn offsets_only_rise() {
    let mut ledger = Ledger::default();
    assert_eq!(ledger.admit(Offset(5), None), Admission::Open);
    assert_eq!(ledger.admit(Offset(5), None), Admission::OutOfOrder);
    assert_eq!(ledger.admit(Offset(4), None), Admission::OutOfOrder);
}

#[test]
fn a_run_of_skipped_records_is_settled_at_once() {
    let mut ledger = restored(5, Some(1), &[(7, 8), (18, 30)]);
    assert_eq!(ledger.vanish(Offset(21), Offset(23)), 0);
    assert_eq!(ledger.admit(Offset(5), Some(1)), Admission::Open);
    assert!(ledger.skip(Offset(12), Offset(20), 9));
    assert_eq!(runs(&ledger), [(6, 30)]);
    for (first, last) in [(20, 24), (15, 16), (25, 24)] {
        assert!(!ledger.skip(Offset(first), Offset(last), 1), "{first}");
    }
    assert_eq!(ledger.vanish(Offset(6), Offset(12)), 6 - 2);
    assert_eq!(ledger.admit(Offset(23), None), Admission::SettledBefore);
    assert!(ledger.settle(Offset(5)) && ledger.settled() == 11);
    assert_eq!(ledger.frontier(), Some(Offset(24)));
}

#[test]
fn what_a_former_owner_settled_is_settled_when_read() {
    let mut ledger = restored(5, Some(1), &[(7, 8), (20, 29)]);
    assert!(ledger.vouch(Offset(5), Some(1)));
    assert_eq!(ledger.admit(Offset(5), Some(1)), Admission::Open);
    assert_eq!(runs(&ledger), [(7, 8), (20, 29)]);
    assert_eq!(ledger.admit(Offset(6), None), Admission::Open);
    assert_eq!(ledger.admit(Offset(7), None), Admission::SettledBefore);
    assert_eq!(runs(&ledger), [(7, 8), (20, 29)]);
    assert_eq!(ledger.admit(Offset(8), None), Admission::SettledBefore);
    assert_eq!(ledger.admit(Offset(9), None), Admission::Open);
    assert!(ledger.settle(Offset(6)));
    assert!(ledger.settle(Offset(9)));
    assert_eq!(ledger.frontier(), Some(Offset(5)));
    assert_eq!(runs(&ledger), [(6, 9), (20, 29)]);
    assert!(ledger.settle(Offset(5)));
    assert_eq!(ledger.frontier(), Some(Offset(10)));
    assert_eq!(runs(&ledger), [(20, 29)]);
}

#[test]
fn another_record_at_the_offset_voids_what_was_restored() {
    for (offset, stamp, good) in [
        (5, Some(1), true),
        (5, Some(2), false),
        (4, Some(1), false),
        (6, Some(9), true),
    ] {
        let mut ledger = restored(5, Some(1), &[(7, 8)]);
        assert_eq!(ledger.vouch(Offset(offset), stamp), good);
        assert_eq!(ledger.settled_above().count(), usize::from(good));
    }
}

proptest! {
    #[test]
    fn the_frontier_is_contiguous_in_any_order(
        gaps in prop::collection::vec(1_i64..4, 1..60),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
    ) {
        let mut ledger = Ledger::default();
        let mut offset = 0;
        let mut open: Vec<i64> = Vec::new();
        for gap in gaps {
            offset += gap;
            prop_assert_eq!(ledger.admit(Offset(offset), None), Admission::Open);
            open.push(offset);
        }
        let all = open.clone();
        let mut before = ledger.frontier();
        for index in order {
            if open.is_empty() {
                break;
            }
            let settled = open.remove(index.index(open.len()));
            prop_assert!(ledger.settle(Offset(settled)));
            let expected = open.iter().min().copied().unwrap_or(offset + 1);
            prop_assert_eq!(ledger.frontier(), Some(Offset(expected)));
            prop_assert!(!ledger.has_open_below(Offset(expected)));
            prop_assert!(ledger.frontier() >= before, "it never goes back");
            before = ledger.frontier();
            let above = runs(&ledger);
            for one in &all {
                let in_runs = above.iter().any(|(first, last)| first <= one && one <= last);
                prop_assert_eq!(in_runs, *one > expected && !open.contains(one));
            }
            prop_assert!(above.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "{:?}", above);
        }
        prop_assert_eq!(ledger.open(), open.len());
    }
}
