//! Partitions whose committed offset lies below the start of their log. Pure.
//!
//! Records were deleted there before they were read. The client would go on somewhere by itself. These partitions are not read
//! instead, until a person has decided. An offset above the end is another matter: while one waited, the log would grow beyond the
//! offset, and nobody could tell any more that what was written meanwhile was not read. There, reading begins anew at once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ingest_model::reading::Gap;
use ingest_model::record::{Epoch, Offset, Topic, TopicPartition};

use crate::port::LostPosition;
use crate::settings::OnLostPosition;

/// How long a log is asked for before reading begins without an answer.
const LOG_PATIENCE: Duration = Duration::from_secs(15);

/// What becomes of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judged {
    /// It is read.
    Starts,
    /// Its log has to be asked for again.
    AskAgain,
    /// It waits for a person.
    Waits,
}

/// The partitions that wait, and those of which somebody has decided.
#[derive(Debug)]
pub(super) struct Positions {
    policy: OnLostPosition,
    waiting: BTreeMap<TopicPartition, (Epoch, LostPosition)>,
    /// The offsets below which somebody has decided not to look, in this process.
    decided: BTreeMap<TopicPartition, Offset>,
    /// Since when the log of a partition could not be asked for.
    unknown: BTreeMap<TopicPartition, (Epoch, Instant)>,
    changed: bool,
}

impl Positions {
    pub(super) fn new(policy: OnLostPosition) -> Self {
        Self {
            policy,
            waiting: BTreeMap::new(),
            decided: BTreeMap::new(),
            unknown: BTreeMap::new(),
            changed: false,
        }
    }

    /// What becomes of a partition with this committed offset, given its log. Where that is not known for long, reading begins: a
    /// jump is told of when it is seen.
    pub(super) fn judge(
        &mut self,
        now: Instant,
        (partition, epoch): (&TopicPartition, Epoch),
        committed: Option<Offset>,
        log: Option<Gap>,
    ) -> Judged {
        let held = self.policy == OnLostPosition::Hold;
        let Some(committed) = committed.filter(|_| held) else {
            return Judged::Starts;
        };
        let Some(log) = log else {
            let known = self.unknown.get(partition);
            let since = known.filter(|(of, _)| *of == epoch).map(|(_, at)| *at);
            let since = since.unwrap_or(now);
            if now.saturating_duration_since(since) >= LOG_PATIENCE {
                self.unknown.remove(partition);
                return Judged::Starts;
            }
            self.unknown.insert(partition.clone(), (epoch, since));
            return Judged::AskAgain;
        };
        self.unknown.remove(partition);
        if committed >= log.from || self.decided.get(partition) == Some(&committed) {
            self.changed |= self.waiting.remove(partition).is_some();
            return Judged::Starts;
        }
        let partition = partition.clone();
        let position = LostPosition {
            partition: partition.clone(),
            committed,
            log,
        };
        let known = self.waiting.insert(partition, (epoch, position.clone()));
        self.changed |= known.is_none_or(|(_, known)| known != position);
        Judged::Waits
    }

    /// A person has decided that the partitions of this topic are read from the start of their logs. Returns those that wait.
    pub(super) fn begin_anew(&mut self, topic: &Topic) -> Vec<(TopicPartition, Epoch)> {
        let of_it = self.waiting.iter().filter(|(one, _)| one.topic == *topic);
        let all: Vec<_> = of_it
            .map(|(one, (epoch, _))| (one.clone(), *epoch))
            .collect();
        for (partition, (_, position)) in &self.waiting {
            if partition.topic == *topic {
                self.decided.insert(partition.clone(), position.committed);
            }
        }
        all
    }

    /// Forgets the partitions that are not waited for any more in that epoch.
    pub(super) fn keep(&mut self, waits: impl Fn(&TopicPartition, Epoch) -> bool) {
        let before = self.waiting.len();
        self.waiting.retain(|one, (epoch, _)| waits(one, *epoch));
        self.unknown.retain(|one, (epoch, _)| waits(one, *epoch));
        self.changed |= self.waiting.len() != before;
    }

    /// All that wait, if that has changed since the last call.
    pub(super) fn news(&mut self) -> Option<Vec<LostPosition>> {
        let waiting = self.waiting.values();
        std::mem::take(&mut self.changed)
            .then(|| waiting.map(|(_, position)| position.clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn log(from: i64, to: i64) -> Option<Gap> {
        Some(Gap {
            from: Offset(from),
            to: Offset(to),
        })
    }

    #[test]
    fn what_lies_below_the_log_waits_and_nothing_else() {
        use Judged::{AskAgain, Starts, Waits};
        use OnLostPosition::{Earliest, Hold, Latest};
        for (policy, offset, log, expected) in [
            (Hold, Some(5), log(0, 9), Starts),
            (Hold, Some(9), log(0, 9), Starts),
            (Hold, Some(7), log(7, 9), Starts),
            (Hold, Some(6), log(7, 9), Waits),
            (Hold, Some(10), log(0, 9), Starts),
            (Hold, None, log(7, 9), Starts),
            (Hold, None, None, Starts),
            (Hold, Some(6), None, AskAgain),
            (Earliest, Some(6), log(7, 9), Starts),
            (Earliest, Some(6), None, Starts),
            (Latest, Some(10), log(0, 9), Starts),
        ] {
            let mut positions = Positions::new(policy);
            let partition = TopicPartition::new("t", 0);
            let at = (&partition, Epoch(1));
            let offset = offset.map(Offset);
            let judged = positions.judge(clock::now(), at, offset, log);
            assert_eq!(judged, expected, "{policy:?} {offset:?} {log:?}");
            assert_eq!(positions.news().is_some(), expected == Waits);
            assert_eq!(positions.news(), None, "told once");
        }
    }

    #[test]
    fn a_log_that_nobody_tells_is_not_waited_for_for_ever() {
        let mut positions = Positions::new(OnLostPosition::Hold);
        let partition = TopicPartition::new("t", 0);
        let mut judge = |now, epoch, log| {
            positions.judge(now, (&partition, Epoch(epoch)), Some(Offset(3)), log)
        };
        let now = clock::now();
        assert_eq!(judge(now, 1, None), Judged::AskAgain);
        assert_eq!(judge(now + LOG_PATIENCE / 2, 1, None), Judged::AskAgain);
        let late = now + LOG_PATIENCE;
        assert_eq!(judge(late, 2, None), Judged::AskAgain, "it came back");
        assert_eq!(judge(late + LOG_PATIENCE, 2, None), Judged::Starts);
        assert_eq!(judge(late + LOG_PATIENCE, 3, None), Judged::AskAgain);
        assert_eq!(judge(late + LOG_PATIENCE, 3, log(5, 9)), Judged::Waits);
    }

    #[test]
    fn a_partition_waits_until_it_is_decided_or_it_leaves() {
        let now = clock::now();
        let mut positions = Positions::new(OnLostPosition::Hold);
        let three = [0, 1, 2].map(|number| TopicPartition::new("t", number));
        let judge = |positions: &mut Positions, number: usize, epoch, committed, from| {
            let partition = (&three[number], Epoch(epoch));
            positions.judge(now, partition, Some(Offset(committed)), log(from, 9))
        };
        for number in 0..3 {
            assert_eq!(judge(&mut positions, number, 1, 3, 5), Judged::Waits);
        }
        assert_eq!(positions.news().unwrap().len(), 3);
        assert_eq!(judge(&mut positions, 1, 1, 3, 7), Judged::Waits);
        assert_eq!(
            positions.news().unwrap()[1].log.from,
            Offset(7),
            "more is gone"
        );
        positions.keep(|partition, _| *partition != three[2]);
        assert_eq!(positions.news().unwrap().len(), 2);
        assert_eq!(positions.begin_anew(&Topic::new("other")), []);
        assert_eq!(positions.begin_anew(&Topic::new("t")).len(), 2);
        assert_eq!(judge(&mut positions, 0, 1, 3, 5), Judged::Starts);
        // It left before the decision was carried out, and comes back.
        positions.keep(|_, _| false);
        assert_eq!(positions.news(), Some(Vec::new()));
        assert_eq!(judge(&mut positions, 1, 2, 3, 7), Judged::Starts);
        assert_eq!(
            judge(&mut positions, 1, 3, 4, 7),
            Judged::Waits,
            "another offset"
        );
        assert_eq!(
            judge(&mut positions, 2, 2, 3, 7),
            Judged::Waits,
            "nobody decided"
        );
    }
}
