//! The room in one partition's commits: how far ahead it may be read, and whether its events may be started.
//!
//! What is settled above the frontier has to fit into the text beside the committed offset. A partition is read no further
//! ahead than its text can carry, whatever settles in which order, so the text never fills up in normal operation. Records
//! that came in before the source had paused, or a broker that accepts less than was known, can fill it anyway: then an
//! event is started only if the lowest unsettled record waits for it.

use super::commit_metadata::{Encoded, TextLimit, longest};
use super::ledger::Ledger;

/// Eighths of the limit that the longest possible text may take before reading pauses. The rest is for records that are
/// already on their way.
const REST: usize = 6;
/// The same for reading to resume.
const READ: usize = 5;
/// Eighths that the text itself may take before no more events are started.
const FULL: usize = 7;
/// The same for starting events again.
const ROOM: usize = 6;

/// How much room one partition's commits have.
#[derive(Debug, Default)]
pub(in crate::partitions) struct CommitRoom {
    /// How long a text of everything settled was at the last commit, in characters.
    wanted: usize,
    /// How much of it was sent.
    issued: usize,
    full: bool,
    rests: bool,
}

impl CommitRoom {
    /// Checks how far ahead the partition was read. `true` if it is to be paused or resumed.
    pub(in crate::partitions) fn look(&mut self, ledger: &Ledger, limit: TextLimit) -> bool {
        let open = u64::try_from(ledger.open()).unwrap_or(u64::MAX);
        let mark = if self.rests { READ } else { REST };
        let rests = limit.characters() > 0 && longest(open, ledger.span()) >= part(limit, mark);
        std::mem::replace(&mut self.rests, rests) != rests
    }

    /// Notes the text of a commit that is sent.
    pub(in crate::partitions) fn note(&mut self, text: &Encoded, limit: TextLimit) {
        self.wanted = text.characters;
        self.issued = text.characters.min(limit.characters());
        let mark = if self.full { ROOM } else { FULL };
        self.full = limit.characters() > 0 && self.wanted >= part(limit, mark);
    }

    /// How long the last text sent was, in characters.
    pub(in crate::partitions) fn issued(&self) -> usize {
        self.issued
    }

    /// The part of the longest allowed text that the last one took, or would have taken.
    pub(in crate::partitions) fn used(&self, limit: TextLimit) -> f64 {
        let whole = |characters: usize| f64::from(u32::try_from(characters).unwrap_or(u32::MAX));
        if limit.characters() == 0 {
            return 0.0;
        }
        whole(self.wanted) / whole(limit.characters())
    }

    /// Whether only events that the lowest unsettled record waits for may be started.
    pub(in crate::partitions) fn is_full(&self) -> bool {
        self.full
    }

    /// Whether the partition is not to be read for now.
    pub(in crate::partitions) fn rests(&self) -> bool {
        self.rests
    }
}

fn part(limit: TextLimit, eighths: usize) -> usize {
    limit.characters() * eighths / 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use ingest_model::record::Offset;

    fn read_to(ledger: &mut Ledger, room: &mut CommitRoom, from: i64) -> i64 {
        let mut next = from;
        loop {
            ledger.admit(Offset(next), None);
            next += 1;
            if room.look(ledger, TextLimit::default()) {
                return next;
            }
        }
    }

    #[test]
    fn a_partition_rests_before_its_text_can_fill_and_is_read_again_when_there_is_room() {
        let (mut ledger, mut room) = (Ledger::default(), CommitRoom::default());
        let end = read_to(&mut ledger, &mut room, 0);
        assert!(room.rests());
        assert!((40_000..50_000).contains(&end), "{end}");
        let mut settled = 0;
        while room.rests() {
            ledger.settle(Offset(settled));
            settled += 1;
            room.look(&ledger, TextLimit::default());
        }
        assert!(
            (7_000..8_500).contains(&settled),
            "an eighth is read at once, not record by record: {settled}"
        );
    }

    #[test]
    fn one_slow_record_below_many_settled_ones_keeps_nothing_back() {
        let (mut ledger, mut room) = (Ledger::default(), CommitRoom::default());
        ledger.admit(Offset(0), None);
        for offset in 1..300_000 {
            ledger.admit(Offset(offset), None);
            ledger.settle(Offset(offset));
            assert!(!room.look(&ledger, TextLimit::default()), "{offset}");
        }
    }

    #[test]
    fn without_a_text_nothing_has_to_fit() {
        let mut none = TextLimit::default();
        none.refused(0);
        let (mut ledger, mut room) = (Ledger::default(), CommitRoom::default());
        for offset in 0..70_000 {
            ledger.admit(Offset(offset), None);
            assert!(!room.look(&ledger, none));
        }
    }
}
