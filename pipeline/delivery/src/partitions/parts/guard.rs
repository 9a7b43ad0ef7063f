//! Trips when there are so many rejections that the mapping is more likely wrong than the records.
//!
//! Each record is judged twice: when it was decoded and mapped, in the order of its partition, and, if the mapping gave it
//! operations, when it ended at the destination. The two are counted separately: what the mapping rejects ends at once, and
//! counted together with deliveries that wait for permits it would look like a much larger share than it is. A topic trips the
//! guard by the share of rejections among its last records, or by a run in one partition for one reason. The counts are this
//! process's; a restart starts from zero.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ingest_model::outcome::Rejection;
use ingest_model::record::{Topic, TopicPartition};

/// How many of a topic's last records are counted.
const WINDOW: usize = 10_000;
/// From this many records on, the share of rejections is judged.
const JUDGED_FROM: usize = 1_000;
/// The guard trips when one record in this many (5 %) is rejected.
const ONE_IN: usize = 20;
/// It trips, whatever the share, when this many records of one partition in a row are rejected for one reason.
const RUN: usize = 100;

/// Counts rejections by topic, and knows which topics keep their dead letters back.
#[derive(Debug)]
pub(in crate::partitions) struct DeadLetterGuard {
    /// Topics that may dead-letter any number of records.
    accepted: BTreeSet<Topic>,
    shares: BTreeMap<Topic, [Share; 2]>,
    /// Mostly empty: a record that is not rejected ends the run of its partition.
    runs: BTreeMap<(TopicPartition, Judged), Run>,
    holding: BTreeSet<Topic>,
    tripped: Vec<Topic>,
}

/// Where a record was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Judged {
    Mapping,
    Destination,
}

/// The last records of a topic: `true` for a rejected one.
#[derive(Debug, Default)]
struct Share {
    last: VecDeque<bool>,
    rejected: usize,
}

/// Rejections in a row.
#[derive(Debug)]
struct Run {
    reason: Rejection,
    length: usize,
}

impl DeadLetterGuard {
    /// A guard that has counted nothing; the topics in `accepted` never trip it.
    pub(in crate::partitions) fn new(accepted: BTreeSet<Topic>) -> Self {
        Self {
            accepted,
            shares: BTreeMap::new(),
            runs: BTreeMap::new(),
            holding: BTreeSet::new(),
            tripped: Vec::new(),
        }
    }

    /// A record was decoded and mapped.
    pub(in crate::partitions) fn mapped(
        &mut self,
        partition: &TopicPartition,
        rejected: Option<Rejection>,
    ) {
        // Whatever the mapping is like, a person answers these.
        if rejected != Some(Rejection::PrivacyRequest) {
            self.count(partition, Judged::Mapping, rejected, 1);
        }
    }

    /// So many records were skipped, one after the other: they count as mapped.
    pub(in crate::partitions) fn skipped(&mut self, partition: &TopicPartition, records: u64) {
        self.count(partition, Judged::Mapping, None, records);
    }

    /// A record to which the mapping gave operations has ended.
    pub(in crate::partitions) fn ended(
        &mut self,
        partition: &TopicPartition,
        rejected: Option<Rejection>,
    ) {
        let counted = rejected.filter(|reason| tells_of_the_mapping(*reason));
        self.count(partition, Judged::Destination, counted, 1);
    }

    /// Whether dead letters of that topic are kept back.
    pub(in crate::partitions) fn is_holding(&self, topic: &Topic) -> bool {
        self.holding.contains(topic)
    }

    /// Whether dead letters of any topic are kept back.
    pub(in crate::partitions) fn is_holding_any(&self) -> bool {
        !self.holding.is_empty()
    }

    /// Topics that tripped the guard since the last call.
    pub(in crate::partitions) fn take_tripped(&mut self) -> Vec<Topic> {
        std::mem::take(&mut self.tripped)
    }

    /// A person accepts the rejections: letters of the topic may leave, and its counts start from zero.
    pub(in crate::partitions) fn release(&mut self, topic: &Topic) {
        self.holding.remove(topic);
        self.shares.remove(topic);
        self.runs.retain(|(of, _), _| of.topic != *topic);
    }

    fn count(
        &mut self,
        partition: &TopicPartition,
        stage: Judged,
        rejected: Option<Rejection>,
        records: u64,
    ) {
        let topic = &partition.topic;
        if self.accepted.contains(topic) || self.holding.contains(topic) {
            return;
        }
        let shares = match self.shares.get_mut(topic) {
            Some(shares) => shares,
            None => self.shares.entry(topic.clone()).or_default(),
        };
        let [mapping, destination] = shares;
        let share = match stage {
            Judged::Mapping => mapping,
            Judged::Destination => destination,
        };
        // More than the window holds would only push each other out.
        for _ in 0..records.min(WINDOW as u64) {
            share.push(rejected.is_some());
        }
        let many = share.is_too_much();
        let Some(reason) = rejected else {
            if !self.runs.is_empty() {
                self.runs.remove(&(partition.clone(), stage));
            }
            return;
        };
        let run = self
            .runs
            .entry((partition.clone(), stage))
            .or_insert(Run { reason, length: 0 });
        if run.reason != reason {
            *run = Run { reason, length: 0 };
        }
        run.length += 1;
        if many || run.length >= RUN {
            self.holding.insert(topic.clone());
            self.tripped.push(topic.clone());
        }
    }
}

/// Whether a rejection at the destination says something about the mapping. A missing customer, or a record that keeps
/// failing, does not.
fn tells_of_the_mapping(reason: Rejection) -> bool {
    match reason {
        Rejection::InvalidJson
        | Rejection::InvalidUtf8
        | Rejection::InvalidEncoding
        | Rejection::UnknownSchema
        | Rejection::TooDeep
        | Rejection::TooLarge
        | Rejection::FormatMismatch
        | Rejection::InvalidEnvelope
        | Rejection::MappingFailed
        | Rejection::MissingField
        | Rejection::MissingCustomer
        | Rejection::IllegalField
        | Rejection::ItemTooLarge
        | Rejection::MixedVersions
        | Rejection::ProcessDied
        | Rejection::RefusedByApi => true,
        Rejection::UnknownCustomer | Rejection::RetriesExhausted | Rejection::PrivacyRequest => {
            false
        }
    }
}

impl Share {
    fn push(&mut self, rejected: bool) {
        if self.last.len() == WINDOW && self.last.pop_front() == Some(true) {
            self.rejected -= 1;
        }
        self.last.push_back(rejected);
        self.rejected += usize::from(rejected);
    }

    fn is_too_much(&self) -> bool {
        self.last.len() >= JUDGED_FROM && self.rejected * ONE_IN >= self.last.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAD: Option<Rejection> = Some(Rejection::MissingField);

    fn guard() -> DeadLetterGuard {
        DeadLetterGuard::new(BTreeSet::from([Topic::new("accepted")]))
    }

    fn shop(partition: i32) -> TopicPartition {
        TopicPartition::new("shop", partition)
    }

    /// Counts `records`, of which every `nth` is rejected, over four partitions. Returns after how many the guard trips.
    fn trips_after(
        records: usize,
        nth: usize,
        count: impl Fn(&mut DeadLetterGuard, &TopicPartition, bool),
    ) -> Option<usize> {
        let mut guard = guard();
        (1..=records).find(|n| {
            count(
                &mut guard,
                &shop(i32::try_from(n % 4).unwrap()),
                n % nth == 0,
            );
            !guard.take_tripped().is_empty()
        })
    }

    #[test]
    fn a_twentieth_trips_from_a_thousand_records_on() {
        let mapped = |guard: &mut DeadLetterGuard, of: &TopicPartition, bad: bool| {
            guard.mapped(of, BAD.filter(|_| bad));
        };
        assert_eq!(
            trips_after(20_000, 3, mapped),
            Some(1_002),
            "the first rejected one"
        );
        assert_eq!(trips_after(20_000, 20, mapped), Some(1_000));
        assert_eq!(trips_after(50_000, 21, mapped), None);
        let refused = |guard: &mut DeadLetterGuard, of: &TopicPartition, bad: bool| {
            guard.ended(of, Some(Rejection::RefusedByApi).filter(|_| bad));
        };
        assert_eq!(trips_after(20_000, 20, refused), Some(1_000));
        let unknown = |guard: &mut DeadLetterGuard, of: &TopicPartition, bad: bool| {
            guard.ended(of, Some(Rejection::UnknownCustomer).filter(|_| bad));
        };
        assert_eq!(trips_after(20_000, 2, unknown), None);
        let private = |guard: &mut DeadLetterGuard, of: &TopicPartition, bad: bool| {
            guard.mapped(of, Some(Rejection::PrivacyRequest).filter(|_| bad));
        };
        assert_eq!(
            trips_after(20_000, 1, private),
            None,
            "a person answers them"
        );
    }

    #[test]
    fn only_the_last_records_count() {
        let mut guard = guard();
        for n in 0..40_000 {
            guard.mapped(&shop(0), BAD.filter(|_| n % 25 == 0));
        }
        assert_eq!(guard.take_tripped(), [], "4 %");
        for n in 0..3_000 {
            guard.mapped(&shop(0), BAD.filter(|_| n % 5 == 0));
        }
        assert_eq!(
            guard.take_tripped(),
            [Topic::new("shop")],
            "a fifth of late"
        );
    }

    #[test]
    fn a_hundred_in_a_row_of_one_partition_for_one_reason_trip() {
        let mut guard = guard();
        for _ in 0..99 {
            guard.mapped(&shop(0), BAD);
            guard.mapped(&shop(1), BAD);
        }
        guard.mapped(&shop(1), Some(Rejection::InvalidJson));
        guard.mapped(&shop(1), BAD);
        assert_eq!(guard.take_tripped(), []);
        guard.mapped(&shop(0), None);
        guard.mapped(&shop(0), BAD);
        assert_eq!(guard.take_tripped(), [], "a good one in between");
        for _ in 0..99 {
            guard.mapped(&shop(0), BAD);
        }
        assert_eq!(guard.take_tripped(), [Topic::new("shop")]);
        assert!(guard.is_holding(&Topic::new("shop")));
    }

    #[test]
    fn a_release_starts_afresh_and_an_accepted_topic_never_trips() {
        let mut guard = guard();
        for _ in 0..500 {
            guard.mapped(&shop(0), BAD);
            guard.mapped(&TopicPartition::new("accepted", 0), BAD);
        }
        assert_eq!(guard.take_tripped(), [Topic::new("shop")], "once");
        guard.release(&Topic::new("shop"));
        for _ in 0..99 {
            guard.mapped(&shop(0), BAD);
        }
        assert!(!guard.is_holding(&Topic::new("shop")));
        guard.mapped(&shop(0), BAD);
        assert!(guard.is_holding(&Topic::new("shop")));
    }
}
