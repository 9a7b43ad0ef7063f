//! Partitions whose committed offset lies below the start of their log. Pure.
//!
//! Records were deleted there before they were read. The client would go on somewhere by itself. These partitions are not read
//! instead, until a person has decided. An offset above the end is another matter: while one waited, the log would grow beyond the
//! offset, and nobody could tell any more that what was written meanwhile was not read. There, reading begins anew at once.

use std::collections::{BTreeMap, BTreeSet};

use ingest_model::reading::Gap;
use ingest_model::record::{Epoch, Offset, Topic, TopicPartition};

use crate::port::LostPosition;
use crate::settings::OnLostPosition;

/// The partitions that wait, and those of which somebody has decided.
#[derive(Debug)]
pub(super) struct Positions {
    policy: OnLostPosition,
    waiting: BTreeMap<TopicPartition, (Epoch, LostPosition)>,
    decided: BTreeSet<(TopicPartition, Epoch)>,
    changed: bool,
}

impl Positions {
    pub(super) fn new(policy: OnLostPosition) -> Self {
        Self {
            policy,
            waiting: BTreeMap::new(),
            decided: BTreeSet::new(),
            changed: false,
        }
    }

    /// Whether a partition may be read from this committed offset, given its log. Where that is not known it may: a jump is told of
    /// when it is seen.
    pub(super) fn may_start(
        &mut self,
        (partition, epoch): (&TopicPartition, Epoch),
        committed: Option<Offset>,
        log: Option<Gap>,
    ) -> bool {
        let lost = committed
            .zip(log)
            .filter(|(offset, log)| *offset < log.from)
            .filter(|_| self.policy == OnLostPosition::Hold)
            .filter(|_| !self.decided.contains(&(partition.clone(), epoch)));
        let Some((committed, log)) = lost else {
            self.decided.remove(&(partition.clone(), epoch));
            self.changed |= self.waiting.remove(partition).is_some();
            return true;
        };
        let partition = partition.clone();
        let position = LostPosition {
            partition: partition.clone(),
            committed,
            log,
        };
        let known = self.waiting.insert(partition, (epoch, position.clone()));
        self.changed |= known.is_none_or(|(_, known)| known != position);
        false
    }

    /// A person has decided that the partitions of this topic are read from the start of their logs. Returns those that wait.
    pub(super) fn begin_anew(&mut self, topic: &Topic) -> Vec<(TopicPartition, Epoch)> {
        let of_it = self.waiting.iter().filter(|(one, _)| one.topic == *topic);
        let all: Vec<_> = of_it
            .map(|(one, (epoch, _))| (one.clone(), *epoch))
            .collect();
        self.decided.extend(all.iter().cloned());
        all
    }

    /// Forgets the partitions that are not waited for any more in that epoch.
    pub(super) fn keep(&mut self, waits: impl Fn(&TopicPartition, Epoch) -> bool) {
        let before = self.waiting.len();
        self.waiting.retain(|one, (epoch, _)| waits(one, *epoch));
        self.decided.retain(|(one, epoch)| waits(one, *epoch));
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

    fn log(from: i64, to: i64) -> Option<Gap> {
        Some(Gap {
            from: Offset(from),
            to: Offset(to),
        })
    }

    #[test]
    fn what_lies_below_the_log_waits_and_nothing_else() {
        for (policy, offset, log, may) in [
            (OnLostPosition::Hold, Some(5), log(0, 9), true),
            (OnLostPosition::Hold, Some(9), log(0, 9), true),
            (OnLostPosition::Hold, Some(7), log(7, 9), true),
            (OnLostPosition::Hold, Some(6), log(7, 9), false),
            (OnLostPosition::Hold, Some(10), log(0, 9), true),
            (OnLostPosition::Hold, None, log(7, 9), true),
            (OnLostPosition::Hold, Some(6), None, true),
            (OnLostPosition::Earliest, Some(6), log(7, 9), true),
            (OnLostPosition::Latest, Some(10), log(0, 9), true),
        ] {
            let mut positions = Positions::new(policy);
            let partition = TopicPartition::new("t", 0);
            let at = (&partition, Epoch(1));
            let offset = offset.map(Offset);
            assert_eq!(
                positions.may_start(at, offset, log),
                may,
                "{policy:?} {offset:?} {log:?}"
            );
            assert_eq!(positions.news().is_none(), may);
            assert_eq!(positions.news(), None, "told once");
        }
    }

    #[test]
    fn a_partition_waits_until_it_is_decided_or_it_leaves() {
        let mut positions = Positions::new(OnLostPosition::Hold);
        let three = [0, 1, 2].map(|number| TopicPartition::new("t", number));
        let may_start = |positions: &mut Positions, number: usize, epoch, from| {
            let partition = (&three[number], Epoch(epoch));
            positions.may_start(partition, Some(Offset(3)), log(from, 9))
        };
        for number in 0..3 {
            assert!(!may_start(&mut positions, number, 1, 5));
        }
        assert_eq!(positions.news().unwrap().len(), 3);
        assert!(!may_start(&mut positions, 1, 1, 7));
        assert_eq!(
            positions.news().unwrap()[1].log.from,
            Offset(7),
            "more is gone"
        );
        positions.keep(|partition, _| *partition != three[2]);
        assert_eq!(positions.news().unwrap().len(), 2);
        assert_eq!(positions.begin_anew(&Topic::new("other")), []);
        assert_eq!(positions.begin_anew(&Topic::new("t")).len(), 2);
        assert!(may_start(&mut positions, 0, 1, 5));
        assert!(may_start(&mut positions, 1, 1, 7));
        assert_eq!(positions.news(), Some(Vec::new()));
        assert!(
            !may_start(&mut positions, 1, 2, 7),
            "the decision was for one assignment"
        );
    }
}
