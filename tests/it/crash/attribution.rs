//! Why each repeated tracking event was repeated.
//!
//! If the simulator accepted an event a second time, a disruption is the reason if the first time was before it ended and
//! the second after it began. The event was *settled since the last commit* if it was accepted after the last sample that
//! precedes the last commit known for its partition. If it was accepted earlier, its record was either under way at the
//! disruption, and there are no more of those than the requests in flight just before, or the commit did not cover it:
//! that would break promise P2. A repeat that no disruption explains must be due to an answer that a fault script lost
//! within the same sample.
//!
//! A record that leads to an event and an object is settled when both are. If the object was still open, the event comes
//! again, however long ago it was accepted: those repeats are counted separately.

use std::collections::BTreeMap;

use super::commits::Commits;
use super::world::Disruption;

/// How long a worker that continues may take to notice that its session is over.
const NOTICES_MS: i64 = 20_000;
/// How much earlier than recorded it may continue.
const WAKING_MS: i64 = 500;

/// One more acceptance of a tracking event. Times are the simulator's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Repeat {
    pub(super) number: usize,
    /// The partition's index.
    pub(super) partition: usize,
    pub(super) first_ms: i64,
    pub(super) again_ms: i64,
    /// The record also leads to an object.
    pub(super) with_object: bool,
}

/// Repeats due to one disruption.
#[derive(Debug, Clone, Default)]
pub(super) struct Share {
    /// Accepted since the last commit.
    pub(super) recent: u64,
    /// Accepted before that: under way, or not covered by the commit.
    pub(super) early: Vec<Repeat>,
    /// The most that may repeat: accepted since the last commit, and under way.
    pub(super) bound: u64,
}

impl Share {
    pub(super) fn repeats(&self) -> u64 {
        self.recent + u64::try_from(self.early.len()).unwrap()
    }
}

/// All repeats, by cause.
#[derive(Debug, Default)]
pub(super) struct Attribution {
    /// By disruption, in order.
    pub(super) shares: Vec<Share>,
    /// Answers that fault scripts lost.
    pub(super) lost_answers: u64,
    /// Repeats that those explain.
    pub(super) by_lost_answer: u64,
    /// Repeats of events whose records waited for their objects.
    pub(super) with_object: u64,
    /// Repeats around the waking of a worker that had been stopped; they count as under way when it was.
    pub(super) after_sleep: u64,
    pub(super) unexplained: Vec<Repeat>,
}

/// What the attribution is based on.
#[derive(Debug)]
pub(super) struct Evidence<'a> {
    pub(super) disruptions: &'a [Disruption],
    pub(super) commits: &'a Commits,
    /// Answers lost so far, by time.
    pub(super) lost_answers: &'a [(i64, u64)],
    /// When events were accepted, by partition, in order.
    pub(super) accepted: &'a BTreeMap<usize, Vec<i64>>,
    /// How long after a disruption the group may still reassign partitions because of it.
    pub(super) aftermath_ms: i64,
}

impl Evidence<'_> {
    pub(super) fn attribute(&self, repeats: &[Repeat]) -> Attribution {
        let mut attribution = Attribution {
            shares: self.disruptions.iter().map(|one| self.share(one)).collect(),
            lost_answers: self.lost_answers.last().map_or(0, |(_, count)| *count),
            ..Attribution::default()
        };
        for repeat in repeats {
            let candidates: Vec<usize> = (0..self.disruptions.len())
                .rev()
                .filter(|place| {
                    let disruption = &self.disruptions[*place];
                    let until_ms = disruption.until_ms.saturating_add(self.aftermath_ms);
                    repeat.first_ms <= until_ms && disruption.from_ms <= repeat.again_ms
                })
                .collect();
            // Who wakes joins the group again, and partitions change hands once more.
            let slept = [repeat.first_ms, repeat.again_ms]
                .into_iter()
                .find_map(|at| self.slept(at));
            let recent = candidates.iter().find(|place| {
                let from_ms = self.disruptions[**place].from_ms;
                self.commits.since(repeat.partition, from_ms) <= repeat.first_ms
            });
            if let Some(place) = recent {
                attribution.shares[*place].recent += 1;
            } else if self.answer_was_lost(repeat.first_ms) {
                attribution.by_lost_answer += 1;
            } else if repeat.with_object && (slept.is_some() || !candidates.is_empty()) {
                attribution.with_object += 1;
            } else if let Some(place) = slept {
                // Under way when it was stopped: a worker that wakes sends nothing before it knows that it is a member.
                attribution.shares[place].early.push(*repeat);
                attribution.after_sleep += 1;
            } else if let Some(place) = candidates.last() {
                // Under way at the first of them, if at all: no request outlives several.
                attribution.shares[*place].early.push(*repeat);
            } else {
                attribution.unexplained.push(*repeat);
            }
        }
        attribution
    }

    fn share(&self, disruption: &Disruption) -> Share {
        let settled: usize = self
            .accepted
            .iter()
            .map(|(partition, times)| {
                let since = self.commits.since(*partition, disruption.from_ms);
                let from = times.partition_point(|time| *time < since);
                let until = times.partition_point(|time| *time <= disruption.until_ms);
                until - from.min(until)
            })
            .sum();
        Share {
            bound: u64::try_from(settled).unwrap() + disruption.in_flight,
            ..Share::default()
        }
    }

    /// The sleep that ended just before this time.
    fn slept(&self, at_ms: i64) -> Option<usize> {
        self.disruptions.iter().position(|one| {
            one.woke_ms
                .is_some_and(|woke_ms| (-WAKING_MS..NOTICES_MS).contains(&(at_ms - woke_ms)))
        })
    }

    fn answer_was_lost(&self, at_ms: i64) -> bool {
        let after = self
            .lost_answers
            .partition_point(|(sampled, _)| *sampled <= at_ms);
        let count = |place: usize| self.lost_answers.get(place).map(|(_, count)| *count);
        // One sample more on either side: the event's time and the sample's are not taken together.
        let before = count(after.saturating_sub(2)).unwrap_or_default();
        let later = count(after + 1).or_else(|| count(after)).unwrap_or(before);
        later > before
    }
}

#[cfg(test)]
mod tests {
    use super::super::world::Kind;
    use super::*;
    use crate::real_kafka::wire::Committed;

    #[test]
    fn repeats_are_due_to_disruptions_lost_answers_or_nothing() {
        let mut commits = Commits::new(1, 0);
        for (at, offset) in [(1_000, 10), (2_000, 20), (3_000, 20)] {
            let metadata = Vec::new();
            commits.sample(at, vec![Committed { offset, metadata }]);
        }
        let disruptions = [Disruption {
            kind: Kind::Kill,
            from_ms: 2_500,
            until_ms: 2_500,
            woke_ms: None,
            in_flight: 1,
        }];
        let evidence = Evidence {
            disruptions: &disruptions,
            commits: &commits,
            lost_answers: &[
                (400, 0),
                (900, 0),
                (5_000, 0),
                (6_000, 1),
                (7_000, 1),
                (9_000, 1),
            ],
            accepted: &BTreeMap::from([(0, vec![500, 1_500, 2_400, 2_600])]),
            aftermath_ms: 0,
        };
        let repeat = |first_ms, again_ms| Repeat {
            number: 1,
            partition: 0,
            first_ms,
            again_ms,
            with_object: false,
        };
        let found = evidence.attribute(&[
            repeat(1_500, 2_600),
            repeat(500, 2_600),
            repeat(5_500, 5_600),
            repeat(8_500, 8_600),
        ]);
        assert_eq!(found.shares[0].recent, 1);
        assert_eq!(found.shares[0].early, [repeat(500, 2_600)]);
        assert_eq!(found.shares[0].bound, 3);
        assert_eq!((found.lost_answers, found.by_lost_answer), (1, 1));
        assert_eq!(found.unexplained, [repeat(8_500, 8_600)]);
    }

    #[test]
    fn what_was_under_way_at_a_stop_counts_for_it() {
        let disruptions = [Disruption {
            kind: Kind::LongStop,
            from_ms: 10_000,
            until_ms: 90_000,
            woke_ms: Some(90_000),
            in_flight: 2,
        }];
        let mut commits = Commits::new(1, 0);
        for (at, offset) in [(7_000, 8), (9_000, 9)] {
            let metadata = Vec::new();
            commits.sample(at, vec![Committed { offset, metadata }]);
        }
        let evidence = Evidence {
            disruptions: &disruptions,
            commits: &commits,
            lost_answers: &[(0, 0), (200_000, 0)],
            accepted: &BTreeMap::new(),
            aftermath_ms: 10_000,
        };
        let repeat = Repeat {
            number: 1,
            partition: 0,
            first_ms: 5_000,
            again_ms: 90_100,
            with_object: false,
        };
        let found = evidence.attribute(&[repeat]);
        assert_eq!(
            (found.shares[0].early.as_slice(), found.after_sleep),
            (&[repeat][..], 1)
        );
        // Its object was open when the partition changed hands because of the waking.
        let open = Repeat {
            first_ms: 30_000,
            again_ms: 91_000,
            with_object: true,
            ..repeat
        };
        let stopped = [Disruption {
            until_ms: 10_010,
            ..disruptions[0].clone()
        }];
        let found = Evidence {
            disruptions: &stopped,
            ..evidence
        }
        .attribute(&[open]);
        assert_eq!((found.with_object, found.after_sleep), (1, 0));
    }
}
