//! Which name each customer had, and when: sampled from the simulator, so that the judge knows when a wrong one was written.

use std::collections::BTreeMap;

use super::SCALE;
use super::world::{Disruption, Kind};

/// How long after a stopped worker continued a request may arrive that it had begun before it was stopped; the simulator's time.
const LATE_MS: i64 = 2_000 * SCALE as i64;

/// One name of a customer.
#[derive(Debug)]
struct Change {
    /// The last sample that still showed the previous one.
    after_ms: i64,
    /// The first sample that showed this one.
    seen_ms: i64,
    name: String,
}

/// The samples, as changes by customer. Times are the simulator's.
#[derive(Debug, Default)]
pub(super) struct Names {
    changes: BTreeMap<String, Vec<Change>>,
    last_ms: i64,
}

impl Names {
    /// Takes a sample of external ids and names.
    pub(super) fn sample(&mut self, now_ms: i64, found: impl Iterator<Item = (String, String)>) {
        for (customer, name) in found {
            let changes = self.changes.entry(customer).or_default();
            if changes.last().is_none_or(|last| last.name != name) {
                changes.push(Change {
                    after_ms: self.last_ms,
                    seen_ms: now_ms,
                    name,
                });
            }
        }
        self.last_ms = now_ms;
    }

    /// Whether the last name may be from a worker that had begun to write it when it was stopped for longer than its session:
    /// nothing in an identity tells Kustomer that it is outdated.
    pub(super) fn is_late(&self, customer: &str, disruptions: &[Disruption]) -> bool {
        let Some(last) = self.changes.get(customer).and_then(|all| all.last()) else {
            return false;
        };
        disruptions
            .iter()
            .filter(|one| one.kind == Kind::LongStop)
            .filter_map(|one| one.woke_ms)
            .any(|woke| woke <= last.seen_ms && last.after_ms <= woke + LATE_MS)
    }

    /// The last names and when they came, and what happened around the last.
    pub(super) fn evidence(&self, customer: &str, disruptions: &[Disruption]) -> String {
        let Some(all) = self.changes.get(customer) else {
            return "no name was seen".to_owned();
        };
        let last: Vec<String> = all
            .iter()
            .rev()
            .take(4)
            .map(|one| format!("{} in {}..{}", one.name, one.after_ms, one.seen_ms))
            .collect();
        let at = all.last().map_or(0, |one| one.seen_ms);
        let near: Vec<String> = disruptions
            .iter()
            .filter(|one| one.from_ms <= at && at - one.until_ms.min(at) < 10 * LATE_MS)
            .map(|one| {
                format!(
                    "{:?} {}..{} woke {:?}",
                    one.kind, one.from_ms, one.until_ms, one.woke_ms
                )
            })
            .collect();
        format!("{}; around it {}", last.join(", "), near.join(", "))
    }
}

#[test]
fn a_name_is_late_only_right_after_a_worker_woke() {
    let mut names = Names::default();
    let seen = |name: &str| std::iter::once(("u-1".to_owned(), name.to_owned()));
    names.sample(1_000, seen("Customer 1"));
    names.sample(50_000, seen("Customer 9"));
    names.sample(90_000, seen("Customer 9"));
    names.sample(92_500, seen("Customer 1"));
    let stop = |kind, woke_ms| Disruption {
        kind,
        from_ms: 60_000,
        until_ms: 62_000,
        woke_ms,
        in_flight: 3,
    };
    assert!(names.is_late("u-1", &[stop(Kind::LongStop, Some(91_000))]));
    assert!(names.is_late("u-1", &[stop(Kind::LongStop, Some(75_000))]));
    for other in [
        stop(Kind::LongStop, Some(60_000)),
        stop(Kind::LongStop, Some(93_000)),
        stop(Kind::LongStop, None),
        stop(Kind::Kill, None),
    ] {
        assert!(!names.is_late("u-1", &[other]));
    }
    assert!(!names.is_late("u-2", &[stop(Kind::LongStop, Some(91_000))]));
    let said = names.evidence("u-1", &[stop(Kind::LongStop, Some(91_000))]);
    assert!(said.contains("Customer 1 in 90000..92500"), "{said}");
}
