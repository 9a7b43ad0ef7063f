//! The offsets of one epoch of a partition: one life of its log, within one assignment.
//!
//! The ledger is the only source of commits. It holds the unsettled offsets; every other offset from the first it saw to the
//! last is settled. The frontier is the lowest unsettled offset, or the one after the last if all are settled: so everything
//! below it is settled, in whatever order records settle. Gaps in the offsets (compaction, transactions) do not matter,
//! because only admitted offsets are waited for.
//!
//! What a former owner settled above its last commit is known from the text of that commit ([`super::commit_metadata`]): those
//! offsets are settled as soon as they are read.

use std::collections::{BTreeMap, VecDeque};

use super::commit_metadata::{Restored, Run};
use ingest_model::record::Offset;

/// The offsets of one partition and epoch: which are open, and what a commit may name.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Open offsets, with the times of their records in epoch milliseconds.
    open: BTreeMap<Offset, Option<i64>>,
    last: Option<Offset>,
    /// Where reading begins, if that is to be committed before the first record is read.
    start: Option<Offset>,
    settled: u64,
    /// Where reading begins, if that was committed.
    committed: Option<Offset>,
    /// Settled by a former owner, and not read again yet.
    restored: VecDeque<Run>,
    /// Settled by a former owner, and passed without being read: the log no longer has them.
    passed: Vec<Run>,
    /// Offsets without records, to be passed as soon as all records before them are admitted.
    empty: Option<Run>,
    /// The offset and time that must match for `restored` to count, until the first record is read.
    voucher: Option<(Offset, Option<i64>)>,
}

/// What became of an offset that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is open now.
    Open,
    /// A former owner has settled it: nothing is left to do.
    SettledBefore,
    /// It does not follow the last one: the source is broken.
    OutOfOrder,
}

impl Ledger {
    /// The ledger of a life that begins at this offset, whatever was committed before.
    #[must_use]
    pub fn beginning_at(start: Offset) -> Self {
        Self {
            start: Some(start),
            ..Self::default()
        }
    }

    /// The ledger of a partition that is read from a committed offset on.
    #[must_use]
    pub fn committed_at(offset: Offset) -> Self {
        Self {
            committed: Some(offset),
            ..Self::default()
        }
    }

    /// A ledger that knows what a former owner settled.
    #[must_use]
    pub fn restored(restored: Restored) -> Self {
        Self {
            committed: Some(restored.frontier),
            restored: restored.runs.into(),
            voucher: Some((restored.frontier, restored.stamp)),
            ..Self::default()
        }
    }

    /// Compares the first record read with the one that the former owner's commit named. `false` if they differ: then what was
    /// restored belongs to another life of the topic, and is discarded.
    pub fn vouch(&mut self, offset: Offset, stamp: Option<i64>) -> bool {
        let Some((frontier, expected)) = self.voucher.take() else {
            return true;
        };
        let other_record = offset == frontier && expected.is_some() && expected != stamp;
        if offset < frontier || other_record {
            self.restored.clear();
            return false;
        }
        true
    }

    /// Admits an offset; `stamp` is its record's time in epoch milliseconds.
    pub fn admit(&mut self, offset: Offset, stamp: Option<i64>) -> Admission {
        if self.last.is_some_and(|last| offset <= last) {
            return Admission::OutOfOrder;
        }
        self.pass(offset);
        self.last = Some(offset);
        let before = self
            .restored
            .front()
            .is_some_and(|(from, _)| *from <= offset);
        if before {
            self.settled += 1;
        } else {
            self.open.insert(offset, stamp);
        }
        self.pass_empty();
        if before {
            Admission::SettledBefore
        } else {
            Admission::Open
        }
    }

    /// Admits and settles neighbouring offsets, of so many records, from the first to the last. `false` if they do not follow
    /// the last one.
    pub fn skip(&mut self, first: Offset, last: Offset, records: u64) -> bool {
        if last < first || self.last.is_some_and(|known| first <= known) {
            return false;
        }
        self.pass(first);
        self.last = Some(last);
        // What a former owner settled among them has been read now.
        self.pass(last.next());
        self.settled += records;
        self.pass_empty();
        true
    }

    /// Records from `from` to before `to` were deleted before they were read. Returns how many of them nobody settled: those
    /// are lost.
    pub fn vanish(&mut self, from: Offset, to: Offset) -> u64 {
        let last = Offset(to.0 - 1);
        let shared = |run: &Run| {
            let (first, end) = (run.0.max(from), run.1.min(last));
            if first <= end {
                first.0.abs_diff(end.0) + 1
            } else {
                0
            }
        };
        let settled: u64 = self.passed.iter().chain(&self.restored).map(shared).sum();
        let before = self.empty.filter(|(_, end)| end.next() == from);
        self.empty = Some((before.map_or(from, |(first, _)| first), last));
        self.pass_empty();
        to.0.abs_diff(from.0).saturating_sub(settled)
    }

    /// Passes offsets without records, if all records before them are here.
    fn pass_empty(&mut self) {
        let next = self
            .last
            .map(Offset::next)
            .or(self.start)
            .or(self.committed);
        if let Some((from, last)) = self.empty.filter(|(from, _)| next == Some(*from)) {
            debug_assert!(from <= last, "a gap has an offset");
            self.empty = None;
            self.pass(last.next());
            self.last = Some(last);
        }
    }

    /// Drops what a former owner settled below this offset: what was not read of it will not be read any more.
    fn pass(&mut self, offset: Offset) {
        let unread = self.last.map(Offset::next);
        while let Some((first, last)) = self.restored.front_mut() {
            if *first >= offset {
                break;
            }
            let from = unread.map_or(*first, |unread| unread.max(*first));
            let to = (*last).min(Offset(offset.0 - 1));
            if from <= to {
                self.passed.push((from, to));
            }
            if *last >= offset {
                // The passed part must not stay ahead: it would be counted twice.
                *first = offset;
                break;
            }
            self.restored.pop_front();
        }
    }

    /// Marks an offset settled. `false` if it is not open: settled twice, or never admitted.
    pub fn settle(&mut self, offset: Offset) -> bool {
        let was_open = self.open.remove(&offset).is_some();
        self.settled += u64::from(was_open);
        was_open
    }

    /// The offset that a commit may name: all admitted offsets below it are settled. `None` before the first record, except at
    /// the beginning of a new life.
    #[must_use]
    pub fn frontier(&self) -> Option<Offset> {
        match self.open.first_key_value() {
            Some((lowest, _)) => Some(*lowest),
            None => self.last.map(Offset::next).or(self.start),
        }
    }

    /// The offset after the last one admitted.
    #[must_use]
    pub fn read_to(&self) -> Option<Offset> {
        self.last.map(Offset::next)
    }

    /// The time of the record at the frontier in epoch milliseconds, if a record is open there.
    #[must_use]
    pub fn frontier_stamp(&self) -> Option<i64> {
        *self.open.first_key_value()?.1
    }

    /// The time in epoch milliseconds of the oldest record that is not settled, as far as it is known: before the first one is read,
    /// the former owner's commit says it.
    #[must_use]
    pub fn oldest_stamp(&self) -> Option<i64> {
        let named = self.voucher.and_then(|(_, stamp)| stamp);
        self.frontier_stamp().or(named)
    }

    /// Settled offsets at or above the frontier, as ascending runs that are not adjacent; gaps in the offsets count as settled.
    pub fn settled_above(&self) -> impl Iterator<Item = Run> {
        let after_last = self.last.map(Offset::next);
        let next_open = self
            .open
            .keys()
            .skip(1)
            .copied()
            .chain(after_last)
            .map(|offset| Offset(offset.0 - 1));
        let read = self
            .open
            .keys()
            .map(|offset| offset.next())
            .zip(next_open)
            .filter(|(first, last)| first <= last);
        let unread = self.restored.iter().filter_map(move |(first, last)| {
            let first = after_last.map_or(*first, |unread| unread.max(*first));
            (first <= *last).then_some((first, *last))
        });
        Joined {
            runs: read.chain(unread),
            ahead: None,
        }
    }

    /// Whether this offset is unsettled.
    #[must_use]
    pub fn is_open(&self, offset: Offset) -> bool {
        self.open.contains_key(&offset)
    }

    /// How many offsets there are from the frontier to the last one read, inclusive; 0 if all are settled.
    #[must_use]
    pub fn span(&self) -> u64 {
        let lowest = self.open.first_key_value().map(|(lowest, _)| lowest);
        lowest
            .zip(self.last)
            .map_or(0, |(lowest, last)| last.0.abs_diff(lowest.0) + 1)
    }

    /// How many offsets are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// How many offsets were settled in this epoch.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.settled
    }

    /// Whether any offset below this one is open: for the audit, computed independently of the frontier.
    #[must_use]
    pub fn has_open_below(&self, offset: Offset) -> bool {
        self.open.range(..offset).next().is_some()
    }
}

/// Merges adjacent runs.
struct Joined<I> {
    runs: I,
    ahead: Option<Run>,
}

impl<I: Iterator<Item = Run>> Iterator for Joined<I> {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        let (first, mut last) = self.ahead.take().or_else(|| self.runs.next())?;
        for run in self.runs.by_ref() {
            if last.next() < run.0 {
                self.ahead = Some(run);
                break;
            }
            last = last.max(run.1);
        }
        Some((first, last))
    }
}

#[cfg(test)]
mod tests;
