//! Progress: partitions that have records, wait for nothing, and whose records do not come.
//!
//! What is in memory has a cause that can be named, which the machine itself checks (I10): where it finds none, a restart reads the
//! records again. What is not even read is a matter of the client library and of this process: there, waiting helps nobody, and a
//! restart does. So the time is long, and whatever could explain the silence (a full budget, a hold, brokers that do not answer, a
//! partition without a leader, one that is handed back or restored) begins it anew.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ingest_delivery::charge::Gate;
use ingest_delivery::machine::{PartitionView, Snapshot};
use ingest_kafka::Statistics;
use ingest_model::record::{Offset, TopicPartition};

use super::words::plural;

/// How long records may be there without one of them being read.
pub const STALLED_AFTER: Duration = Duration::from_secs(600);
/// How long the owner of the state may say nothing. It speaks every second.
pub const SILENT_AFTER: Duration = Duration::from_secs(120);

/// Watches how far partitions are read.
#[derive(Debug, Default)]
pub struct Watchdog {
    /// How far each partition was read when that was last news, and when.
    marks: BTreeMap<TopicPartition, (Option<Offset>, Instant)>,
}

/// A partition whose records do not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stalled {
    /// The partition.
    pub partition: TopicPartition,
    /// Records that are there and were not read; `None` if one that was read does not get on.
    pub unread: Option<u64>,
    /// For how long nothing has happened.
    pub since: Duration,
}

// === impl Watchdog ===

impl Watchdog {
    /// The partitions whose records have not come for too long; `brokers_answer` says whether they could.
    pub fn look(
        &mut self,
        now: Instant,
        snapshot: &Snapshot,
        statistics: &Statistics,
        brokers_answer: bool,
    ) -> Vec<Stalled> {
        let known = &mut self.marks;
        known.retain(|partition, _| {
            let owned = |view: &PartitionView| view.partition == *partition;
            snapshot.partitions.iter().any(owned)
        });
        let mut stalled = Vec::new();
        for view in &snapshot.partitions {
            // what a drain has abandoned stays open for the next owner
            let stuck = view.stuck_since.filter(|_| !view.draining);
            let stuck = stuck.map(|since| now.saturating_duration_since(since));
            if let Some(since) = stuck.filter(|since| *since >= STALLED_AFTER) {
                stalled.push(Stalled {
                    partition: view.partition.clone(),
                    unread: None,
                    since,
                });
                continue;
            }
            let unread = unread(view, statistics);
            let read_to = view.read_to.max(view.frontier);
            let waits = view.draining || view.restoring || view.waits.is_some();
            let explained =
                waits || view.unsettled > 0 || snapshot.gate == Gate::Closed || !brokers_answer;
            let mark = known
                .entry(view.partition.clone())
                .or_insert((read_to, now));
            if explained || unread == 0 || mark.0 != read_to {
                *mark = (read_to, now);
                continue;
            }
            let since = now.saturating_duration_since(mark.1);
            if since >= STALLED_AFTER {
                stalled.push(Stalled {
                    partition: view.partition.clone(),
                    unread: Some(unread),
                    since,
                });
            }
        }
        stalled
    }
}

/// Records above the frontier, as the brokers see it.
pub(super) fn unread(view: &PartitionView, statistics: &Statistics) -> u64 {
    let mut all = statistics.partitions.iter();
    let of_it = all.find(|one| one.partition == view.partition && one.readable);
    let Some(lag) = of_it.and_then(|one| one.lag) else {
        return 0;
    };
    let settled = match (view.frontier, view.committed) {
        (Some(frontier), Some(committed)) => frontier.0.saturating_sub(committed.0),
        (Some(_) | None, None) | (None, Some(_)) => 0,
    };
    lag.saturating_sub(u64::try_from(settled).unwrap_or(0))
}

// === impl Stalled ===

impl Stalled {
    /// What to say of it.
    #[must_use]
    pub fn in_words(&self) -> String {
        let (partition, minutes) = (&self.partition, self.since.as_secs() / 60);
        match self.unread {
            Some(unread) => format!(
                "stalled: {partition}: {} there, and none has been read for {minutes} min, although nothing keeps them back",
                plural(unread, "record")
            ),
            None => format!(
                "stalled: {partition}: its oldest record has not got on for {minutes} min, and nothing is known that leads it on"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use ingest_delivery::machine::{Machine, MachineSettings};
    use ingest_kafka::PartitionStatistics;
    use ingest_model::outcome::Waits;
    use ingest_model::record::Epoch;

    use super::*;
    use crate::clock::Clock;

    fn view(read_to: i64) -> PartitionView {
        PartitionView {
            partition: TopicPartition::new("shop.events", 3),
            epoch: Epoch(1),
            unsettled: 0,
            settled: 0,
            frontier: Some(Offset(read_to)),
            oldest_ms: None,
            read_to: Some(Offset(read_to)),
            committed: Some(Offset(10)),
            metadata_used: 0.0,
            kept_back: 0,
            draining: false,
            restoring: false,
            waits: None,
            stuck_since: None,
        }
    }

    fn snapshot(now: Instant, views: Vec<PartitionView>) -> Snapshot {
        let machine = Machine::new(MachineSettings::new(100, 1.0, 0, 1.0).unwrap(), now);
        Snapshot {
            partitions: views,
            ..machine.snapshot(now)
        }
    }

    fn lag(lag: u64) -> Statistics {
        Statistics {
            partitions: vec![PartitionStatistics {
                partition: TopicPartition::new("shop.events", 3),
                low_watermark: None,
                high_watermark: None,
                lag: Some(lag),
                readable: true,
            }],
            ..Statistics::default()
        }
    }

    /// What is stalled after eleven minutes in which the partition looks like this.
    fn after(views: impl Fn(u64) -> PartitionView, lag_of: u64, brokers: bool) -> Vec<Stalled> {
        let start = Clock.now();
        let mut dog = Watchdog::default();
        let mut stalled = Vec::new();
        for minute in 0..=11 {
            let now = start + Duration::from_secs(60 * minute);
            let snapshot = snapshot(now, vec![views(minute)]);
            stalled = dog.look(now, &snapshot, &lag(lag_of), brokers);
        }
        stalled
    }

    #[test]
    fn records_that_do_not_come_for_no_reason_are_told() {
        let stalled = after(|_| view(10), 7, true);
        assert_eq!(stalled.len(), 1);
        let said = stalled[0].in_words();
        assert!(said.contains("shop.events[3]: 7 records there"), "{said}");
        assert!(said.contains("11 min"), "{said}");
    }

    #[test]
    fn a_record_that_nothing_leads_on_is_told_whatever_is_in_hand() {
        let start = Clock.now();
        let stuck = |_: u64| {
            let mut view = view(17);
            (view.unsettled, view.stuck_since) = (3, Some(start));
            view
        };
        let stalled = after(stuck, 7, false);
        assert_eq!(stalled.len(), 1);
        let said = stalled[0].in_words();
        assert!(said.contains("has not got on for"), "{said}");
    }

    #[test]
    fn what_can_be_explained_is_not() {
        let quiet = |views: &dyn Fn(u64) -> PartitionView, lag, brokers| {
            assert_eq!(after(views, lag, brokers), []);
        };
        quiet(&|_| view(10), 0, true);
        quiet(&|_| view(17), 7, true);
        quiet(&|_| view(10), 7, false);
        quiet(
            &|minute| view(10 + i64::try_from(minute / 5).unwrap()),
            7,
            true,
        );
        let of = |change: fn(&mut PartitionView)| {
            move |_: u64| {
                let mut view = view(10);
                change(&mut view);
                view
            }
        };
        quiet(&of(|view| view.unsettled = 1), 7, true);
        quiet(&of(|view| view.draining = true), 7, true);
        quiet(&of(|view| view.restoring = true), 7, true);
        quiet(&of(|view| view.waits = Some(Waits::Schema)), 7, true);
    }

    #[test]
    fn a_partition_that_nobody_leads_is_not_stalled() {
        let start = Clock.now();
        let mut dog = Watchdog::default();
        let mut statistics = lag(7);
        statistics.partitions[0].readable = false;
        for minute in 0..=11 {
            let now = start + Duration::from_secs(60 * minute);
            let snapshot = snapshot(now, vec![view(10)]);
            assert_eq!(dog.look(now, &snapshot, &statistics, true), []);
        }
    }

    #[test]
    fn a_partition_that_comes_back_begins_anew() {
        let start = Clock.now();
        let mut dog = Watchdog::default();
        let at = |minutes: u64| start + Duration::from_secs(60 * minutes);
        let mut look = |minutes: u64, views: Vec<PartitionView>| {
            let now = at(minutes);
            dog.look(now, &snapshot(now, views), &lag(7), true).len()
        };
        assert_eq!(look(0, vec![view(10)]), 0);
        assert_eq!(look(9, vec![]), 0);
        assert_eq!(look(11, vec![view(10)]), 0);
        assert_eq!(look(20, vec![view(10)]), 0);
        assert_eq!(look(21, vec![view(10)]), 1);
    }
}
