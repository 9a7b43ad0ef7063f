//! When records will be deleted, over speeds, kinds of retention, and what is not known.

use ingest_delivery::machine::{Machine, MachineSettings};
use ingest_model::record::{Epoch, Offset};

use super::*;
use crate::clock::Clock;

const HOUR: u64 = 3_600;

/// A partition of which one record in so many seconds is settled, and how its log is kept.
struct World {
    began: Instant,
    guard: RetentionGuard,
    kept: Option<Retention>,
}

/// What is known of the partition at some time: seconds since the beginning.
#[derive(Clone, Copy)]
struct Moment {
    at: u64,
    /// The time of the oldest record, in seconds since the beginning; `None` if it is not in memory.
    oldest: Option<i64>,
    start: i64,
    frontier: i64,
    lag: Option<u64>,
}

impl World {
    fn new(kept: Option<Retention>) -> Self {
        Self {
            began: Clock.now(),
            guard: RetentionGuard::default(),
            kept,
        }
    }

    fn look(&mut self, moment: Moment) -> Outlook {
        const BEGAN_MS: i64 = 1_700_000_000_000;
        let partition = TopicPartition::new("shop.events", 3);
        let now = self.began + Duration::from_secs(moment.at);
        let now_ms = BEGAN_MS + i64::try_from(moment.at).unwrap() * 1_000;
        let machine = Machine::new(MachineSettings::new(100, 1.0, 0, 1.0).unwrap(), now);
        let view = PartitionView {
            partition: partition.clone(),
            epoch: Epoch(1),
            unsettled: u64::from(moment.oldest.is_some()),
            settled: 0,
            frontier: Some(Offset(moment.frontier)),
            oldest_ms: moment.oldest.map(|at| BEGAN_MS + at * 1_000),
            read_to: Some(Offset(moment.frontier)),
            committed: Some(Offset(moment.frontier)),
            metadata_used: 0.0,
            kept_back: 0,
            draining: false,
            restoring: false,
            waits: None,
            stuck_since: None,
        };
        let snapshot = Snapshot {
            partitions: vec![view],
            ..machine.snapshot(now)
        };
        let log = PartitionStatistics {
            partition: partition.clone(),
            low_watermark: Some(Offset(moment.start)),
            high_watermark: None,
            lag: moment.lag,
            readable: true,
        };
        let statistics = Statistics {
            partitions: vec![log],
            ..Statistics::default()
        };
        let kept = self.kept.map(|kept| (partition.topic, kept));
        let kept: BTreeMap<Topic, Retention> = kept.into_iter().collect();
        let mut seen = self
            .guard
            .look((now, now_ms), &snapshot, &statistics, &kept);
        assert_eq!(seen.len(), 1);
        seen.remove(0)
    }
}

fn by_age(hours: u64) -> Option<Retention> {
    Some(Retention {
        age: Some(Duration::from_secs(hours * HOUR)),
        bytes: None,
    })
}

#[test]
fn nothing_settled_leaves_what_is_left_and_a_backlog_that_gets_younger_leaves_for_ever() {
    for (speed, expected) in [
        // seconds of the log that are settled in a second, and what is left then
        (0.0, Some(5 * HOUR)),
        (0.5, Some(10 * HOUR)),
        (1.0, None),
        (3.0, None),
    ] {
        let mut world = World::new(by_age(6));
        let mut last = Outlook::default();
        for at in (0..=600).step_by(20) {
            let settled = f64::from(u32::try_from(at).unwrap()) * speed;
            #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
            let oldest = settled as i64 - 3_000;
            last = world.look(Moment {
                at,
                oldest: Some(oldest),
                start: 0,
                frontier: 100,
                lag: Some(50),
            });
            if at < 30 {
                assert_eq!(last.deleted_unsettled_in_seconds, None, "too soon to say");
            }
        }
        let near = |found: u64, wanted: u64| found.abs_diff(wanted) <= wanted / 20;
        match (last.deleted_unsettled_in_seconds, expected) {
            (Some(found), Some(wanted)) => assert!(near(found, wanted), "{speed}: {found}"),
            (found, wanted) => assert_eq!(found, wanted, "{speed}"),
        }
        assert_eq!(last.partition, Some(3));
        assert!(last.retention_known && !last.is_urgent() || expected.is_some());
    }
}

#[test]
fn what_is_not_in_memory_is_as_old_as_it_was_when_it_was_last_known() {
    let mut world = World::new(by_age(1));
    let mut moment = Moment {
        at: 0,
        oldest: Some(-2_700),
        start: 0,
        frontier: 100,
        lag: Some(50),
    };
    let seen = world.look(moment);
    assert_eq!(seen.left_seconds, Some(900));
    assert!(!seen.is_urgent(), "exactly three quarters");
    (moment.at, moment.oldest) = (30, None);
    let seen = world.look(moment);
    assert_eq!(seen.oldest_unsettled_seconds, Some(2_730));
    assert_eq!(seen.left_seconds, Some(870));
    assert!(seen.is_urgent());
    (moment.at, moment.lag) = (60, Some(0));
    let seen = world.look(moment);
    assert_eq!(
        (seen.partition, seen.left_seconds),
        (None, None),
        "all is settled"
    );
    (moment.at, moment.lag) = (90, Some(7));
    let seen = world.look(moment);
    assert_eq!(seen.left_seconds, None, "of the new ones nothing is known");
    assert!(!seen.is_urgent());
}

#[test]
fn a_backlog_that_was_not_known_at_first_has_not_aged_in_that_time() {
    let week = by_age(7 * 24);
    for first in [None, Some(0)] {
        let mut world = World::new(week);
        let mut moment = Moment {
            at: 0,
            oldest: None,
            start: 0,
            frontier: 100,
            lag: first,
        };
        world.look(moment);
        // An hour old, and settled as fast as it was written.
        (moment.oldest, moment.lag) = (Some(-3_600), Some(50));
        for at in (20..=600).step_by(20) {
            let settled = i64::try_from(at).unwrap();
            (moment.at, moment.oldest) = (at, Some(settled - 3_600));
            let seen = world.look(moment);
            assert_eq!(seen.deleted_unsettled_in_seconds, None, "{first:?} {at}");
            assert!(!seen.is_urgent());
        }
    }
}

#[test]
fn deletion_by_size_comes_as_fast_as_the_log_is_cut() {
    let bytes = Some(1 << 30);
    let mut world = World::new(Some(Retention { age: None, bytes }));
    let mut last = Outlook::default();
    for at in (0_u64..=3_600).step_by(60) {
        let settled = i64::try_from(at).unwrap();
        last = world.look(Moment {
            at,
            oldest: Some(0),
            // Three offsets a second go, in segments of 600, and one a second is settled.
            start: settled * 3 / 600 * 600,
            frontier: 10_000 + settled,
            lag: Some(500_000),
        });
        if at < 600 {
            assert_eq!(last.deleted_unsettled_in_seconds, None, "too soon to say");
        }
    }
    // 13,600 settled, 10,800 gone: 2,800 between them, 2 fewer a second.
    let found = last.deleted_unsettled_in_seconds.unwrap();
    assert!(found.abs_diff(1_400) < 200, "{found}");
    assert!(last.is_urgent());
    assert_eq!((last.left_seconds, last.retention_bytes), (None, bytes));
}

#[test]
fn without_limits_or_without_an_answer_nothing_is_foretold() {
    let moment = |at| Moment {
        at,
        oldest: Some(-9_000_000),
        start: 0,
        frontier: 100,
        lag: Some(50),
    };
    for (kept, known) in [(None, false), (Some(Retention::default()), true)] {
        let mut world = World::new(kept);
        let last = (0..40).map(|n| world.look(moment(n * 20))).last().unwrap();
        assert_eq!(last.retention_known, known);
        assert_eq!(last.deleted_unsettled_in_seconds, None);
        assert_eq!((last.left_seconds, last.is_urgent()), (None, false));
        assert_eq!(last.oldest_unsettled_seconds, Some(9_000_780));
    }
}
