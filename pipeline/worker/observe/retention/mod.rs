//! Retention: when will records be deleted before they are settled?
//!
//! Brokers delete by age, by size, or not at all. By age, the oldest unsettled record of a partition says how much time is left, and
//! how fast its age grows says when that will be over: not at all while the backlog gets younger, and all the time that is left while
//! nothing is settled. By size, the start of the log says how many settled records lie before the first unsettled one, and how fast
//! it comes nearer. Deletion goes by segments, so records may live longer than this says, and never shorter.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use ingest_delivery::machine::{PartitionView, Snapshot};
use ingest_kafka::reader::retention::Retention;
use ingest_kafka::{PartitionStatistics, Statistics};
use ingest_model::record::{Topic, TopicPartition};
use serde::Serialize;

use crate::observe::watchdog::unread;

/// How often a partition is looked at.
const EVERY: Duration = Duration::from_secs(20);
/// Over which time the growth of the age is measured, and over which at least.
const AGE_SPAN: Duration = Duration::from_secs(600);
const AGE_SPAN_LEAST: Duration = Duration::from_secs(30);
/// The same for the start of the log, which moves by whole segments.
const START_SPAN: Duration = Duration::from_secs(3_600);
const START_SPAN_LEAST: Duration = Duration::from_secs(600);
/// A backlog whose age grows by less than this part of the time that passes is taken to keep up.
const LEAST_GROWTH: f64 = 0.01;
/// Estimates beyond this are none.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);
/// Whoever is responsible is told of an end that is nearer than this.
const SOON: Duration = Duration::from_secs(86_400);

/// Watches how near each partition's unsettled records are to their deletion.
#[derive(Debug, Default)]
pub struct RetentionGuard {
    tracks: BTreeMap<TopicPartition, Track>,
}

/// What was seen of one partition.
#[derive(Debug, Default)]
struct Track {
    /// The time of the oldest unsettled record when it was last known. It is never later than the true one.
    oldest_ms: Option<i64>,
    samples: VecDeque<Sample>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    /// Seconds.
    age: Option<f64>,
    start: Option<i64>,
    frontier: Option<i64>,
}

/// What may become of one topic's unsettled records, at its partition that is worst off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Outlook {
    /// The topic.
    pub topic: String,
    /// The age at which brokers delete records (`retention.ms`); `null` if at none, or if it is not known.
    pub retention_seconds: Option<u64>,
    /// The size of a partition beyond which they do (`retention.bytes`); `null` likewise.
    pub retention_bytes: Option<u64>,
    /// Whether the brokers have said how long they keep records. They do not without the right `DescribeConfigs`.
    pub retention_known: bool,
    /// The partition that is worst off; `null` if none of this replica has unsettled records, or if nothing is known of them.
    pub partition: Option<i32>,
    /// The age of its oldest unsettled record.
    pub oldest_unsettled_seconds: Option<u64>,
    /// For how long that record will be there at least; `null` if it is not deleted by age.
    pub left_seconds: Option<u64>,
    /// When records will be deleted unsettled if everything goes on as in the last minutes; `null` if never, or not known yet.
    pub deleted_unsettled_in_seconds: Option<u64>,
}

/// One partition's part of an outlook, in seconds.
#[derive(Debug, Clone, Copy)]
struct Seen {
    age: Option<f64>,
    left: Option<f64>,
    deleted_in: Option<f64>,
}

// === impl RetentionGuard ===

impl RetentionGuard {
    /// The outlook of each topic of which this replica owns partitions; `now_ms` is the wall clock.
    pub fn look(
        &mut self,
        (now, now_ms): (Instant, i64),
        snapshot: &Snapshot,
        statistics: &Statistics,
        kept: &BTreeMap<Topic, Retention>,
    ) -> Vec<Outlook> {
        self.tracks.retain(|partition, _| {
            let owned = |view: &PartitionView| view.partition == *partition;
            snapshot.partitions.iter().any(owned)
        });
        let mut outlooks: BTreeMap<&Topic, (Outlook, Option<Seen>)> = BTreeMap::new();
        for view in &snapshot.partitions {
            let topic = &view.partition.topic;
            let retention = kept.get(topic).copied();
            let mut of_it = statistics.partitions.iter();
            let log = of_it.find(|one| one.partition == view.partition);
            let track = self.tracks.entry(view.partition.clone()).or_default();
            let waits = waits(view, statistics, log);
            let seen = track.look(
                (now, now_ms),
                view,
                waits,
                log,
                retention.unwrap_or_default(),
            );
            let (outlook, worst) = outlooks
                .entry(topic)
                .or_insert_with(|| (Outlook::new(topic, retention), None));
            if waits == Some(true) && worst.is_none_or(|known| seen.is_worse_than(&known)) {
                *worst = Some(seen);
                outlook.take(view.partition.partition.0, seen);
            }
        }
        let all = outlooks.into_values();
        all.map(|(outlook, _)| outlook).collect()
    }
}

/// Whether records of the partition wait to be settled; `None` while nobody knows.
fn waits(
    view: &PartitionView,
    statistics: &Statistics,
    log: Option<&PartitionStatistics>,
) -> Option<bool> {
    if view.unsettled > 0 || unread(view, statistics) > 0 {
        return Some(true);
    }
    let known = log.is_some_and(|log| log.lag.is_some()) && !view.restoring;
    known.then_some(false)
}

// === impl Track ===

impl Track {
    fn look(
        &mut self,
        (now, now_ms): (Instant, i64),
        view: &PartitionView,
        waits: Option<bool>,
        log: Option<&PartitionStatistics>,
        kept: Retention,
    ) -> Seen {
        self.oldest_ms = match waits {
            Some(false) => None,
            Some(true) | None => view.oldest_ms.or(self.oldest_ms),
        };
        let oldest = self.oldest_ms.filter(|_| waits == Some(true));
        let age = oldest.map(|at| seconds_between(at, now_ms));
        let sample = Sample {
            at: now,
            age,
            start: log.and_then(|log| log.low_watermark).map(|offset| offset.0),
            frontier: view.frontier.or(view.committed).map(|offset| offset.0),
        };
        let left = kept.age.zip(age);
        let left = left.map(|(kept, age)| (kept.as_secs_f64() - age).max(0.0));
        let by_age = left
            .zip(self.growth(&sample))
            .and_then(|(left, growth)| (growth >= LEAST_GROWTH).then(|| left / growth));
        let by_size = kept.bytes.and_then(|_| self.start_arrives_in(&sample));
        self.keep(sample);
        let soonest = match (by_age, by_size) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (one, None) | (None, one) => one,
        };
        Seen {
            age,
            left,
            deleted_in: soonest.filter(|seconds| *seconds <= LONGEST.as_secs_f64()),
        }
    }

    /// How many seconds the oldest record has aged in a second: 1 while nothing is settled, below 0 while the backlog gets younger.
    /// Only since records have waited: before, nothing had an age.
    fn growth(&self, now: &Sample) -> Option<f64> {
        let waited = |sample: &Sample| sample.age.is_some();
        let then = self.at_least(now, AGE_SPAN, AGE_SPAN_LEAST, waited)?;
        let (before, after) = then.age.zip(now.age)?;
        Some((after - before) / span(&then, now))
    }

    /// In how many seconds the start of the log reaches the first unsettled record at the present pace of both.
    fn start_arrives_in(&self, now: &Sample) -> Option<f64> {
        let then = self.at_least(now, START_SPAN, START_SPAN_LEAST, |_| true)?;
        let moved = |a: Option<i64>, b: Option<i64>| Some(count(b? - a?));
        let nearer = moved(then.start, now.start)? - moved(then.frontier, now.frontier)?;
        let between = moved(now.start, now.frontier)?.max(0.0);
        (nearer > 0.0).then(|| between / (nearer / span(&then, now)))
    }

    /// The oldest sample that is not older than `most`, if it is older than `least`.
    fn at_least(
        &self,
        now: &Sample,
        most: Duration,
        least: Duration,
        counts: impl Fn(&Sample) -> bool,
    ) -> Option<Sample> {
        let ago = |sample: &Sample| now.at.saturating_duration_since(sample.at);
        let recent = |sample: &&Sample| ago(sample) <= most && counts(sample);
        let found = self.samples.iter().find(recent);
        found.filter(|sample| ago(sample) >= least).copied()
    }

    fn keep(&mut self, sample: Sample) {
        let since = |one: &Sample| sample.at.saturating_duration_since(one.at);
        if self.samples.back().is_some_and(|last| since(last) < EVERY) {
            return;
        }
        self.samples.push_back(sample);
        while self
            .samples
            .front()
            .is_some_and(|first| since(first) > START_SPAN)
        {
            self.samples.pop_front();
        }
    }
}

// === impl Seen ===

impl Seen {
    /// The one whose records go first is worse; then the one with less time left; then the older one.
    fn is_worse_than(&self, other: &Self) -> bool {
        let sooner = |a: Option<f64>, b: Option<f64>| {
            a.unwrap_or(f64::INFINITY)
                .total_cmp(&b.unwrap_or(f64::INFINITY))
        };
        sooner(self.deleted_in, other.deleted_in)
            .then(sooner(self.left, other.left))
            .then(sooner(other.age, self.age))
            .is_lt()
    }
}

// === impl Outlook ===

impl Outlook {
    fn new(topic: &Topic, kept: Option<Retention>) -> Self {
        let limits = kept.unwrap_or_default();
        Self {
            topic: topic.as_str().to_owned(),
            retention_seconds: limits.age.map(|age| age.as_secs()),
            retention_bytes: limits.bytes,
            retention_known: kept.is_some(),
            ..Self::default()
        }
    }

    fn take(&mut self, partition: i32, seen: Seen) {
        self.partition = Some(partition);
        self.oldest_unsettled_seconds = seen.age.map(whole);
        self.left_seconds = seen.left.map(whole);
        self.deleted_unsettled_in_seconds = seen.deleted_in.map(whole);
    }

    /// Whether somebody should be told now.
    #[must_use]
    pub fn is_urgent(&self) -> bool {
        self.is_lost_soon() || self.is_old()
    }

    /// Records go within a day at this pace.
    #[must_use]
    pub fn is_lost_soon(&self) -> bool {
        let soon = |seconds: u64| seconds < SOON.as_secs();
        self.deleted_unsettled_in_seconds.is_some_and(soon)
    }

    /// The oldest record has used three quarters of its time.
    #[must_use]
    pub fn is_old(&self) -> bool {
        match (self.oldest_unsettled_seconds, self.left_seconds) {
            (Some(age), Some(left)) => age > left.saturating_mul(3),
            (Some(_) | None, None) | (None, Some(_)) => false,
        }
    }
}

fn span(then: &Sample, now: &Sample) -> f64 {
    now.at.saturating_duration_since(then.at).as_secs_f64()
}

fn seconds_between(from_ms: i64, to_ms: i64) -> f64 {
    Duration::from_millis(u64::try_from(to_ms.saturating_sub(from_ms)).unwrap_or(0)).as_secs_f64()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "estimates that are not negative and below a year, or ages of records"
)]
fn whole(seconds: f64) -> u64 {
    seconds as u64
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn count(offsets: i64) -> f64 {
    offsets as f64
}

#[cfg(test)]
mod tests;
