//! How far a partition has been read, and what its offsets say about the log.
//!
//! Offsets increase within one life of a partition. A record below the position begins another life: the topic was
//! recreated, or the log lost its end.
//!
//! A gap between two records is usually harmless: compaction and transaction markers leave such gaps. But if the log now
//! starts above the gap, its records were deleted before they were read. So each gap is kept until a log start is known
//! that was current when the gap was read.

use crate::record::Offset;

/// Gaps kept until they are judged. When there are more, the shortest is dropped unjudged: deleted records leave a long
/// one.
const GAPS: usize = 1_024;
/// Statistics that have to arrive after a disturbance before the fetch position can be trusted: the client copies it only
/// once a second, and a pause discards fetched records.
const CALM: u8 = 3;

/// The offsets from `from` up to, but not including, `to`.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub struct Gap {
    /// The first offset.
    pub from: Offset,
    /// The offset after the last.
    pub to: Offset,
}

/// What ends one life of a partition and begins another.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub enum LifeCause {
    /// The topic was deleted and created again with the same name.
    MadeAgain,
    /// The position went back: the log lost its end.
    WentBack,
}

impl LifeCause {
    /// Every value.
    pub const ALL: &'static [Self] = &[Self::MadeAgain, Self::WentBack];

    /// The label in metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MadeAgain => "made_again",
            Self::WentBack => "went_back",
        }
    }
}

/// What a record's offset says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is at the position or above.
    Follows,
    /// It is below: another life of the partition. Nothing was noted.
    WentBack,
}

/// The reading of one life of one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// The offset after the last record.
    next: Option<Offset>,
    /// There are known to be no records from `next` up to this offset.
    clear: Option<Offset>,
    /// How far the client had fetched at the last statistics.
    fetched: Option<Offset>,
    /// Statistics since the client last discarded what it had fetched.
    calm: u8,
    /// Gaps seen since the last statistics, and earlier ones.
    young: Vec<Gap>,
    old: Vec<Gap>,
    /// The end of the log, as last reported.
    end: Option<Offset>,
}

impl Reading {
    /// A reading that begins at this offset; `None` if it is not known before the first record.
    #[must_use]
    pub fn at(next: Option<Offset>) -> Self {
        Self {
            next,
            ..Self::default()
        }
    }

    /// A reading that begins at the end of a log. The end was asked for separately, so the first record may be slightly
    /// below or above it.
    #[must_use]
    pub fn from_end(end: Option<Offset>) -> Self {
        Self {
            clear: end,
            ..Self::default()
        }
    }

    /// Notes a record and says whether it follows.
    pub fn take(&mut self, offset: Offset) -> Step {
        if self.next.is_some_and(|next| offset < next) {
            return Step::WentBack;
        }
        if let Some(position) = self.position() {
            self.gap(position, offset);
        }
        self.next = Some(offset.next());
        Step::Follows
    }

    /// The client discarded what it had fetched, or may have: a pause, a resume, a seek.
    pub fn disturbed(&mut self) {
        self.calm = 0;
        self.fetched = None;
    }

    /// What the client reports from time to time: how far it has fetched, and where the log starts and ends. Returns the
    /// gaps whose records were deleted before they were read.
    pub fn statistics(
        &mut self,
        fetched: Option<Offset>,
        start: Option<Offset>,
        end: Option<Offset>,
    ) -> Vec<Gap> {
        self.end = self.end.max(end);
        self.calm = self.calm.saturating_add(1);
        self.fetched = fetched.filter(|_| self.calm >= CALM);
        let Some(start) = start else {
            return Vec::new();
        };
        // A gap seen since the last statistics may be younger than the log start reported with these.
        let judged = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
        let gone = judged.into_iter().filter_map(|gap| gap.below(start));
        gone.collect()
    }

    /// The client holds no untaken record, so nothing remains below the fetch position of the last statistics.
    pub fn emptied(&mut self) {
        let (Some(position), Some(fetched)) = (self.position(), self.fetched.take()) else {
            return;
        };
        if fetched > position {
            self.gap(position, fetched);
            self.clear = Some(fetched);
        }
    }

    /// The log starts here. Returns the offsets between the last record and that start that are known to hold no records: now none
    /// of them can come any more, so they may be passed. A transaction's marker at the end of a log would otherwise stay ahead.
    pub fn passed(&mut self, start: Option<Offset>) -> Option<Gap> {
        let from = self.next?;
        let to = start?.min(self.position()?);
        (from < to).then(|| {
            self.next = Some(to);
            Gap { from, to }
        })
    }

    /// Where the log starts and ends while nothing is fetched. Returns what was deleted before it was read.
    pub fn resting(&mut self, start: Option<Offset>, end: Option<Offset>) -> Option<Gap> {
        self.end = self.end.max(end);
        let position = self.position()?;
        let to = start.filter(|start| *start > position)?;
        self.clear = Some(to);
        Some(Gap { from: position, to })
    }

    /// Offsets above the last record that are known to hold no records, and so are no backlog.
    #[must_use]
    pub fn empty_ahead(&self) -> u64 {
        match (self.next, self.position()) {
            (Some(next), Some(position)) => position.0.abs_diff(next.0),
            (_, _) => 0,
        }
    }

    /// What was left unread in a life that is over, as far as its end was known.
    #[must_use]
    pub fn unread(&self) -> Option<Gap> {
        let (from, to) = (self.position()?, self.end?);
        (from < to).then_some(Gap { from, to })
    }

    /// The offset at which the next record is expected.
    fn position(&self) -> Option<Offset> {
        self.next.max(self.clear)
    }

    fn gap(&mut self, from: Offset, to: Offset) {
        if from >= to {
            return;
        }
        if self.young.len() + self.old.len() >= GAPS {
            let shortest = |gaps: &[Gap]| {
                let lengths = gaps.iter().enumerate();
                lengths.map(|(place, gap)| (gap.records(), place)).min()
            };
            match (shortest(&self.young), shortest(&self.old)) {
                (Some((young, place)), old) if old.is_none_or(|(old, _)| young < old) => {
                    self.young.remove(place);
                }
                (_, Some((_, place))) => {
                    self.old.remove(place);
                }
                (_, None) => {}
            }
        }
        self.young.push(Gap { from, to });
    }
}

impl Gap {
    /// The number of offsets.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.to.0.abs_diff(self.from.0)
    }

    /// The part below an offset.
    fn below(self, start: Offset) -> Option<Self> {
        let to = self.to.min(start);
        (self.from < to).then_some(Self { to, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(from: i64, to: i64) -> Gap {
        Gap {
            from: Offset(from),
            to: Offset(to),
        }
    }

    fn at(next: i64) -> Reading {
        Reading::at(Some(Offset(next)))
    }

    fn statistics(reading: &mut Reading, fetched: i64, start: i64) -> Vec<Gap> {
        let (fetched, start) = (Some(Offset(fetched)), Some(Offset(start)));
        reading.statistics(fetched, start, None)
    }

    #[test]
    fn a_record_below_the_position_is_another_life() {
        let mut reading = at(300);
        assert_eq!(reading.take(Offset(300)), Step::Follows);
        assert_eq!(reading.take(Offset(305)), Step::Follows);
        assert_eq!(reading.take(Offset(305)), Step::WentBack);
        assert_eq!(reading.take(Offset(0)), Step::WentBack);
        assert_eq!(
            reading.take(Offset(306)),
            Step::Follows,
            "nothing was noted"
        );
        let mut reading = at(300);
        assert_eq!(reading.take(Offset(0)), Step::WentBack, "also the first");
        assert_eq!(Reading::at(None).take(Offset(77)), Step::Follows);
    }

    #[test]
    fn what_is_known_to_be_empty_is_passed_when_the_log_starts_above_it() {
        let mut reading = at(10);
        reading.take(Offset(10));
        for _ in 0..CALM {
            statistics(&mut reading, 12, 0);
        }
        reading.emptied();
        assert_eq!(reading.empty_ahead(), 1, "a marker at 11");
        assert_eq!(reading.passed(Some(Offset(11))), None);
        assert_eq!(reading.passed(Some(Offset(12))), Some(gap(11, 12)));
        assert_eq!(reading.passed(Some(Offset(12))), None, "once");
        assert_eq!(
            (reading.empty_ahead(), reading.take(Offset(12))),
            (0, Step::Follows)
        );
        let mut unknown = at(10);
        assert_eq!(
            unknown.passed(Some(Offset(50))),
            None,
            "these have vanished"
        );
        assert_eq!(unknown.resting(Some(Offset(50)), None), Some(gap(10, 50)));
    }

    #[test]
    fn gaps_below_the_start_of_the_log_are_what_vanished() {
        let mut reading = at(10);
        reading.take(Offset(10));
        reading.take(Offset(12)); // a marker at 11
        reading.take(Offset(80));
        assert_eq!(
            statistics(&mut reading, 81, 75),
            [],
            "they may be older than the gap"
        );
        assert_eq!(statistics(&mut reading, 81, 75), [gap(11, 12), gap(13, 75)]);
        assert_eq!(statistics(&mut reading, 81, 80), [], "said once");
    }

    #[test]
    fn what_is_passed_over_on_purpose_did_not_vanish() {
        let mut reading = Reading::from_end(Some(Offset(100)));
        assert_eq!(reading.take(Offset(98)), Step::Follows, "came in between");
        for offset in 99..=100 {
            assert_eq!(reading.take(Offset(offset)), Step::Follows);
        }
        assert_eq!(reading.empty_ahead(), 0);
        for _ in 0..3 {
            assert_eq!(statistics(&mut reading, 101, 90), []);
        }
        let mut reading = Reading::from_end(Some(Offset(100)));
        assert_eq!(reading.resting(Some(Offset(90)), Some(Offset(100))), None);
        let vanished = reading.resting(Some(Offset(130)), Some(Offset(130)));
        assert_eq!(vanished, Some(gap(100, 130)));
        let mut unknown = Reading::from_end(None);
        assert_eq!(unknown.take(Offset(7)), Step::Follows);
    }

    #[test]
    fn gaps_above_the_start_of_the_log_are_harmless() {
        let mut reading = at(10);
        reading.take(Offset(10));
        reading.take(Offset(40));
        for _ in 0..3 {
            assert_eq!(statistics(&mut reading, 41, 11), []);
        }
        assert_eq!(
            statistics(&mut reading, 41, 41),
            [],
            "judged when it was new"
        );
    }

    #[test]
    fn what_vanished_is_seen_although_no_record_follows() {
        let mut reading = at(100);
        for _ in 0..3 {
            assert_eq!(statistics(&mut reading, 5_000, 5_000), []);
        }
        assert_eq!(reading.empty_ahead(), 0, "records may wait in the client");
        reading.emptied();
        assert_eq!(reading.empty_ahead(), 4_900);
        statistics(&mut reading, 5_000, 5_000);
        assert_eq!(statistics(&mut reading, 5_000, 5_000), [gap(100, 5_000)]);
        assert_eq!(reading.take(Offset(5_000)), Step::Follows);
        statistics(&mut reading, 5_001, 5_000);
        assert_eq!(statistics(&mut reading, 5_001, 5_000), [], "counted once");
    }

    #[test]
    fn a_marker_at_the_end_is_no_backlog() {
        let mut reading = at(0);
        reading.take(Offset(0));
        for _ in 0..2 {
            statistics(&mut reading, 2, 0);
            reading.emptied();
            assert_eq!(
                reading.empty_ahead(),
                0,
                "the fetch position may be an old one"
            );
        }
        statistics(&mut reading, 2, 0);
        reading.emptied();
        assert_eq!(reading.empty_ahead(), 1);
        reading.disturbed();
        assert_eq!(reading.empty_ahead(), 1, "what is known stays known");
        statistics(&mut reading, 9, 0);
        reading.emptied();
        assert_eq!(reading.empty_ahead(), 1);
        reading.take(Offset(2));
        assert_eq!(reading.empty_ahead(), 0);
    }

    #[test]
    fn while_nothing_is_fetched_the_start_of_the_log_says_all() {
        let mut reading = at(50);
        assert_eq!(reading.resting(Some(Offset(50)), Some(Offset(90))), None);
        let gone = reading.resting(Some(Offset(70)), Some(Offset(90)));
        assert_eq!(gone, Some(gap(50, 70)));
        assert_eq!(reading.resting(Some(Offset(70)), Some(Offset(90))), None);
        assert_eq!(reading.unread(), Some(gap(70, 90)));
        reading.take(Offset(72));
        statistics(&mut reading, 73, 70);
        assert_eq!(statistics(&mut reading, 73, 70), [], "70 to 72 held none");
        assert_eq!(reading.unread(), Some(gap(73, 90)));
    }

    #[test]
    fn of_too_many_gaps_the_long_ones_are_kept() {
        let mut reading = at(0);
        reading.take(Offset(1_000));
        for n in 0..5_000 {
            reading.take(Offset(1_002 + 2 * n));
        }
        assert!(reading.young.len() <= GAPS);
        assert!(reading.young.contains(&gap(0, 1_000)));
    }
}
