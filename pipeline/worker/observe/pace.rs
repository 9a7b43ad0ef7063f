//! When the backlog will be gone, from what is left and from the pace of requests.
//!
//! Records are no measure: most of a topic may be skipped at once, a hundred objects share one request, and an event
//! costs a whole one. So what is left is counted in requests (operations by kind, at the recent cost of each kind), and
//! divided by the present rate of requests. Unread records are assumed to lead to as many operations as those read last.
//! Finding customers is counted apart, by the customers that records bring for the first time: a backlog of the same
//! customers soon needs none of it.
//! Whatever arrives from now on is not included.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ingest_delivery::hold::Scope;
use ingest_delivery::machine::{PartitionView, PerKind, Snapshot};
use ingest_kafka::PartitionStatistics;
use ingest_model::outcome::{HeldBy, HoldCause, Waits};
use ingest_model::record::{Offset, TopicPartition};

pub use super::drain::{Drain, DrainState, WithArrivals};

/// The period over which requests are averaged, in seconds.
const WINDOW: f64 = 60.0;
/// The period over which the cost of operations is averaged: shorter, because the first jobs and their reads cost more.
const COST_WINDOW: f64 = 30.0;
/// The number of records over which their operations are averaged.
const RECORDS: f64 = 20_000.0;
/// The number of records over which it is averaged how many new customers they bring.
const NEWCOMERS: f64 = 3_000.0;
/// What finding customers is assumed to cost until requests have shown it: so many requests for so many customers.
const FINDING: (f64, f64) = (3.0, 100.0);
/// The weight, in seconds, of what the quota allows in the estimate of the pace, until requests have shown another.
const TRUSTED: f64 = 5.0;
/// The assumed cost of operations until requests have shown it: so many requests for so many operations.
const COSTS: PerKind<(f64, f64)> = PerKind {
    tracking: (5.0, 5.0),
    identities: (5.0, 5.0),
    objects: (1.5, 100.0),
};
/// The same for reading what became of objects: with more weight, because the first jobs are read too early.
const READING: (f64, f64) = (33.0, 3_000.0);
/// Arrivals are known after so many seconds.
const WATCHED: f64 = 10.0;
/// A backlog that shrinks by less than this part of the pace does not shrink.
const EVEN: f64 = 0.01;
/// Below this part of what the quota allows, nothing counts as moving.
const STANDSTILL: f64 = 0.01;

/// Watches requests and records, one snapshot after the other.
#[derive(Debug, Default)]
pub struct Pace {
    last: Option<Look>,
    /// Seconds in which there was something to do, and requests sent in them.
    busy: f64,
    spent: f64,
    /// Requests spent on a kind, and the operations they were for; of objects, only what writes them.
    costs: PerKind<(f64, f64)>,
    /// Requests that read what became of objects, and the objects that ended.
    reading: (f64, f64),
    /// Seconds in which the ends of partitions were watched, and records that arrived in them.
    watched: f64,
    arrived: f64,
    ends: BTreeMap<TopicPartition, Offset>,
    /// Records read, and the operations they led to.
    read: f64,
    planned: PerKind<f64>,
    /// Records read, and the customers that they brought.
    readers: f64,
    newcomers: f64,
    /// Requests that found or made customers, and how many.
    finding: (f64, f64),
}

#[derive(Debug, Clone, Copy)]
struct Look {
    at: Instant,
    read: u64,
    planned: PerKind<u64>,
    /// Operations that have ended or are in flight.
    launched: PerKind<f64>,
    spent: PerKind<u64>,
    asked: u64,
    read_jobs: u64,
    ended: u64,
    customers: u64,
    found: u64,
    /// There were more operations than permits.
    busy: bool,
}

/// What is left, in requests.
struct Left {
    requests: f64,
    /// Records that are neither read nor kept back by a hold.
    unread: f64,
    anything: bool,
    /// What a record that arrives leads to, in requests.
    each: f64,
}

// === impl Look ===

impl Look {
    /// Nothing was done yet.
    fn start(at: Instant) -> Self {
        Self {
            at,
            read: 0,
            planned: PerKind::default(),
            launched: PerKind::default(),
            spent: PerKind::default(),
            asked: 0,
            read_jobs: 0,
            ended: 0,
            customers: 0,
            found: 0,
            busy: false,
        }
    }
}

// === impl Pace ===

impl Pace {
    /// Takes in a snapshot, and returns when the present backlog will be gone.
    pub fn drain(
        &mut self,
        at: Instant,
        snapshot: &Snapshot,
        statistics: &[PartitionStatistics],
    ) -> Drain {
        let allowed = snapshot.allowed_per_second;
        let before = self.last.map(|look| look.at);
        self.look(at, snapshot, allowed);
        self.watch(
            before.map(|before| at.saturating_duration_since(before)),
            statistics,
        );
        let Some(left) = self.left(snapshot, statistics) else {
            return Drain::default();
        };
        if !left.anything {
            return Drain {
                state: DrainState::NothingToDo,
                left: Some(Duration::ZERO),
                with_arrivals: WithArrivals::NotKnown,
            };
        }
        if left.requests < f64::EPSILON && left.unread < 1.0 {
            return Drain {
                state: waits(snapshot),
                left: None,
                with_arrivals: WithArrivals::NotKnown,
            };
        }
        self.at_this_pace(&left, allowed)
    }

    fn at_this_pace(&self, left: &Left, allowed: f64) -> Drain {
        let per_second = (self.spent + TRUSTED * allowed) / (self.busy + TRUSTED);
        let reads = if self.busy > 0.0 {
            self.read / self.busy
        } else {
            0.0
        };
        let seconds = if left.requests > 0.0 {
            if per_second <= allowed * STANDSTILL || per_second <= f64::EPSILON {
                return Drain::default();
            }
            left.requests / per_second
        } else if reads > 0.0 {
            // The unread records lead to no request: they are gone as soon as they are read.
            left.unread / reads
        } else {
            return Drain::default();
        };
        match Duration::try_from_secs_f64(seconds) {
            Ok(time) => Drain {
                state: DrainState::Estimated,
                left: Some(time),
                with_arrivals: self.with_arrivals(left, per_second),
            },
            Err(_out_of_range) => Drain::default(),
        }
    }

    /// The same with what arrives.
    fn with_arrivals(&self, left: &Left, per_second: f64) -> WithArrivals {
        if self.watched < WATCHED {
            return WithArrivals::NotKnown;
        }
        let arrive = self.arrived / self.watched;
        let gains = per_second - arrive * left.each;
        if gains <= per_second * EVEN {
            let grows = if left.each > 0.0 {
                -gains / left.each
            } else {
                0.0
            };
            return WithArrivals::Never {
                grows: rounded(grows * 3_600.0),
            };
        }
        Duration::try_from_secs_f64(left.requests / gains)
            .map_or(WithArrivals::NotKnown, WithArrivals::Gone)
    }

    /// Notes how far partitions have grown since the last look.
    fn watch(&mut self, passed: Option<Duration>, statistics: &[PartitionStatistics]) {
        let mut arrived = 0.0;
        let mut ends = BTreeMap::new();
        for one in statistics {
            let Some(end) = one.high_watermark else {
                continue;
            };
            if let Some(before) = self.ends.get(&one.partition) {
                arrived += whole(u64::try_from(end.0.saturating_sub(before.0)).unwrap_or(0));
            }
            ends.insert(one.partition.clone(), end);
        }
        let known = !self.ends.is_empty() && ends.len() == self.ends.len();
        self.ends = ends;
        let Some(seconds) = passed.map(|passed| passed.as_secs_f64()) else {
            return;
        };
        if known {
            let fading = (-seconds / WINDOW).exp();
            self.watched = self.watched.mul_add(fading, seconds);
            self.arrived = self.arrived.mul_add(fading, arrived);
        }
    }

    /// Updates the averages with what happened since the last snapshot.
    fn look(&mut self, at: Instant, snapshot: &Snapshot, allowed: f64) {
        let progress = &snapshot.progress;
        let waiting = progress.waiting.sum();
        let now = Look {
            at,
            read: progress.read,
            planned: progress.planned,
            launched: progress
                .ended
                .zip(progress.under_way)
                .map(|(ended, under_way)| whole(ended) + whole(under_way)),
            spent: progress.spent,
            asked: progress.asked,
            read_jobs: progress.read_jobs,
            ended: progress.ended.objects,
            customers: progress.customers,
            found: progress.customers.saturating_sub(progress.customers_open),
            busy: whole(waiting) > allowed,
        };
        // What was done before the first look counts, too: a full budget may have been read by then.
        let before = self.last.replace(now).unwrap_or_else(|| Look::start(at));
        let read = gained(now.read, before.read);
        let planned = now.planned.zip(before.planned).map(|(a, b)| gained(a, b));
        let fading = (-read / RECORDS).exp();
        self.read = self.read.mul_add(fading, read);
        self.planned = self
            .planned
            .zip(planned)
            .map(|(sum, new)| sum.mul_add(fading, new));
        let fading = (-read / NEWCOMERS).exp();
        self.readers = self.readers.mul_add(fading, read);
        let newcomers = gained(now.customers, before.customers);
        self.newcomers = self.newcomers.mul_add(fading, newcomers);
        let asked = gained(now.asked, before.asked);
        let spent = now.spent.zip(before.spent).map(|(a, b)| gained(a, b));
        let read_jobs = gained(now.read_jobs, before.read_jobs);
        let writes = PerKind {
            objects: (spent.objects - asked - read_jobs).max(0.0),
            ..spent
        };
        let launched = now
            .launched
            .zip(before.launched)
            .map(|(a, b)| (a - b).max(0.0));
        let seconds = at.saturating_duration_since(before.at).as_secs_f64();
        let fading = (-seconds / COST_WINDOW).exp();
        self.costs = self.costs.zip(writes.zip(launched)).map(
            |((requests, operations), (spent, launched))| {
                (
                    requests.mul_add(fading, spent),
                    operations.mul_add(fading, launched),
                )
            },
        );
        let ended = gained(now.ended, before.ended);
        self.reading.0 = self.reading.0.mul_add(fading, read_jobs);
        self.reading.1 = self.reading.1.mul_add(fading, ended);
        let found = gained(now.found, before.found);
        self.finding.0 = self.finding.0.mul_add(fading, asked);
        self.finding.1 = self.finding.1.mul_add(fading, found);
        if seconds <= 0.0 {
            return;
        }
        let fading = (-seconds / WINDOW).exp();
        if before.busy && now.busy {
            self.busy = self.busy.mul_add(fading, seconds);
            self.spent = self.spent.mul_add(fading, spent.sum());
        } else if !now.busy {
            // After a pause the pace is measured anew.
            (self.busy, self.spent) = (0.0, 0.0);
        }
    }

    /// What is left; `None` while nothing is known of unread records.
    fn left(&self, snapshot: &Snapshot, statistics: &[PartitionStatistics]) -> Option<Left> {
        let ends: BTreeMap<&TopicPartition, &PartitionStatistics> =
            statistics.iter().map(|one| (&one.partition, one)).collect();
        let held = |scope: &Scope| snapshot.holds.iter().any(|hold| hold.scope == *scope);
        let all_held = held(&Scope::Destination);
        let (mut unread, mut kept) = (0, 0);
        for view in &snapshot.partitions {
            let of_it = ends.get(&view.partition)?;
            let count = unread_of(view.read_to, of_it)?;
            let waits = view.waits.is_some_and(|why| {
                why == Waits::Schema || why.by().is_some_and(|by| by != HeldBy::Parked)
            });
            let topic = Scope::Topic(view.partition.topic.clone());
            if all_held || waits || view.restoring || held(&topic) {
                kept += count;
            } else {
                unread += count;
            }
        }
        let progress = &snapshot.progress;
        let costs = self
            .costs
            .zip(COSTS)
            .map(|((spent, of), (known, known_of))| (spent + known) / (of + known_of));
        let tracking_held = held(&Scope::Family(ingest_delivery::hold::Family::Tracking));
        let finding = (self.finding.0 + FINDING.0) / (self.finding.1 + FINDING.1);
        let waiting = progress.waiting.map(whole).zip(costs);
        let reading = (self.reading.0 + READING.0) / (self.reading.1 + READING.1);
        let in_flight = if all_held {
            0
        } else {
            progress.under_way.objects
        };
        let unfinished = whole(progress.waiting.objects) + whole(in_flight);
        // Somebody who is not held waits for each of these.
        let newcomers = progress.customers_open.min(progress.waiting.objects);
        let mut requests = waiting.map(|(count, cost)| count * cost).sum()
            + unfinished * reading
            + whole(newcomers) * finding;
        let unread = whole(unread);
        if unread > 0.0 && self.read <= 0.0 {
            return None;
        }
        let mut planned = self.planned.map(|planned| planned / self.read.max(1.0));
        if tracking_held {
            (planned.tracking, planned.identities) = (0.0, 0.0);
        }
        let each = planned.zip(costs).map(|(count, cost)| count * cost).sum()
            + planned.objects * reading
            + self.newcomers / self.readers.max(1.0) * finding;
        requests += unread * each;
        let under_way = progress.under_way.sum();
        // Operations in flight are paid for, but not done yet.
        if requests < f64::EPSILON && under_way > 0 && !all_held {
            requests = 1.0;
        }
        Some(Left {
            requests,
            unread,
            anything: unread > 0.0 || kept > 0 || snapshot.used.records > 0,
            each,
        })
    }
}

/// Unread records of a partition: up to the end that the brokers report, and no more than its lag. If nothing was ever
/// read or committed, everything in the log.
fn unread_of(read_to: Option<Offset>, statistics: &PartitionStatistics) -> Option<u64> {
    let beyond = |from: Option<Offset>| {
        let (from, end) = from.zip(statistics.high_watermark)?;
        Some(u64::try_from(end.0.saturating_sub(from.0)).unwrap_or_default())
    };
    match (beyond(read_to), statistics.lag) {
        (Some(beyond), Some(lag)) => Some(beyond.min(lag)),
        (None, None) => beyond(statistics.low_watermark),
        (one, other) => one.or(other),
    }
}

/// What the backlog waits for.
fn waits(snapshot: &Snapshot) -> DrainState {
    let schema = |view: &PartitionView| view.waits == Some(Waits::Schema);
    let mut state = if snapshot.partitions.iter().any(schema) {
        DrainState::WaitsForHealth
    } else {
        DrainState::NotKnown
    };
    for hold in &snapshot.holds {
        match hold.cause {
            HoldCause::BadToken
            | HoldCause::Billing
            | HoldCause::MissingRole
            | HoldCause::MissingKlass
            | HoldCause::DeadLetterGuard
            | HoldCause::Quarantine
            | HoldCause::DeadLetterTopic
            | HoldCause::HoldTopic
            | HoldCause::LostPosition => return DrainState::WaitsForPerson,
            HoldCause::Unhealthy | HoldCause::StateTopic => state = DrainState::WaitsForHealth,
            HoldCause::Paused if state == DrainState::WaitsForHealth => {}
            HoldCause::Paused => state = DrainState::WaitsForPause,
        }
    }
    state
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to what the type holds before the cast"
)]
fn rounded(number: f64) -> u64 {
    number.clamp(0.0, 1e15).round() as u64
}

fn gained(now: u64, before: u64) -> f64 {
    whole(now.saturating_sub(before))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "exact up to 2^53, which no count here reaches"
)]
fn whole(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use ingest_kafka::PartitionStatistics;
    use ingest_model::record::Offset;

    use super::unread_of;

    fn partition(low: i64, high: i64, lag: Option<u64>) -> PartitionStatistics {
        PartitionStatistics {
            partition: ingest_model::record::TopicPartition::new("shop.events", 0),
            low_watermark: Some(Offset(low)),
            high_watermark: Some(Offset(high)),
            lag,
            readable: true,
        }
    }

    #[test]
    fn a_partition_that_never_had_a_record_leaves_the_rest_known() {
        assert_eq!(unread_of(None, &partition(0, 0, None)), Some(0));
        assert_eq!(unread_of(None, &partition(40, 100, None)), Some(60));
        assert_eq!(unread_of(None, &partition(0, 100, Some(30))), Some(30));
        let read_to = Some(Offset(90));
        assert_eq!(unread_of(read_to, &partition(0, 100, None)), Some(10));
        assert_eq!(unread_of(read_to, &partition(0, 100, Some(30))), Some(10));
    }
}
