//! Offset accounting of one assignment of a partition.
//!
//! The ledger is the only source of commits. It holds the offsets that are not settled; everything between the first
//! offset it saw and the last that is not among them is settled. The frontier is the lowest unsettled offset, or the one
//! after the last if none is: it can only name what is contiguous, whatever the order in which records settle. Gaps in the
//! offsets (compaction, transactions) are no concern, because only admitted offsets are waited for.

use std::collections::BTreeSet;

use crate::record::Offset;

/// Offsets of one partition and epoch: what is open, and how far a commit may go.
#[derive(Debug, Default)]
pub struct Ledger {
    open: BTreeSet<Offset>,
    last: Option<Offset>,
    settled: u64,
}

impl Ledger {
    /// Takes an offset in. `false` if it does not follow the last one: a broken source.
    pub fn admit(&mut self, offset: Offset) -> bool {
        if self.last.is_some_and(|last| offset <= last) {
            return false;
        }
        self.last = Some(offset);
        self.open.insert(offset)
    }

    /// Marks an offset settled. `false` if it is not open: settled twice, or never admitted.
    pub fn settle(&mut self, offset: Offset) -> bool {
        let was_open = self.open.remove(&offset);
        self.settled += u64::from(was_open);
        was_open
    }

    /// The offset a commit may name: all admitted offsets below it are settled. `None` before the first record.
    #[must_use]
    pub fn frontier(&self) -> Option<Offset> {
        match self.open.first() {
            Some(lowest) => Some(*lowest),
            None => self.last.map(Offset::next),
        }
    }

    /// How many offsets are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// How many were settled in this epoch.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.settled
    }

    /// Whether any offset below this one is open: the audit's own question.
    #[must_use]
    pub fn has_open_below(&self, offset: Offset) -> bool {
        self.open.range(..offset).next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_to_commit_before_the_first_record() {
        assert_eq!(Ledger::default().frontier(), None);
    }

    #[test]
    fn a_slow_record_holds_the_frontier() {
        let mut ledger = Ledger::default();
        for n in 5..8 {
            assert!(ledger.admit(Offset(n)));
        }
        assert!(ledger.settle(Offset(6)));
        assert!(ledger.settle(Offset(7)));
        assert_eq!(ledger.frontier(), Some(Offset(5)));
        assert!(ledger.settle(Offset(5)));
        assert_eq!(ledger.frontier(), Some(Offset(8)));
        assert!(!ledger.settle(Offset(5)), "settled once");
    }

    #[test]
    fn offsets_only_rise() {
        let mut ledger = Ledger::default();
        assert!(ledger.admit(Offset(5)));
        assert!(!ledger.admit(Offset(5)));
        assert!(!ledger.admit(Offset(4)));
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
                prop_assert!(ledger.admit(Offset(offset)));
                open.push(offset);
            }
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
            }
            prop_assert_eq!(ledger.open(), open.len());
        }
    }
}
