//! What the group had committed, and when: sampled from the broker, so that the judge knows for how long a partition was
//! not committed.

use crate::real_kafka::wire::Committed;

/// One committed offset of a partition.
#[derive(Debug, Clone)]
struct Change {
    /// The last sample that still showed the previous one.
    after_ms: i64,
    /// The first sample that showed this one.
    seen_ms: i64,
    committed: Committed,
}

/// The samples, as changes by partition. Times are the simulator's.
#[derive(Debug)]
pub(super) struct Commits {
    partitions: Vec<Vec<Change>>,
    last_ms: i64,
}

impl Commits {
    pub(super) fn new(partitions: usize, now_ms: i64) -> Self {
        let none = Change {
            after_ms: now_ms,
            seen_ms: now_ms,
            committed: Committed {
                offset: -1,
                metadata: Vec::new(),
            },
        };
        Self {
            partitions: vec![vec![none]; partitions],
            last_ms: now_ms,
        }
    }

    /// Takes a sample that was begun at `now_ms`.
    pub(super) fn sample(&mut self, now_ms: i64, found: Vec<Committed>) {
        for (changes, committed) in self.partitions.iter_mut().zip(found) {
            if changes.last().unwrap().committed != committed {
                changes.push(Change {
                    after_ms: self.last_ms,
                    seen_ms: now_ms,
                    committed,
                });
            }
        }
        self.last_ms = now_ms;
    }

    /// Since when, at a given time, a partition may have been without a commit: the last sample before the last commit
    /// that is known to have happened by then.
    pub(super) fn since(&self, partition: usize, at_ms: i64) -> i64 {
        let changes = &self.partitions[partition];
        let before = changes.partition_point(|change| change.seen_ms <= at_ms);
        changes[before.saturating_sub(1)].after_ms
    }

    /// The changes of each partition's commit: between which two samples, and to which offset.
    pub(super) fn changes(&self) -> Vec<Vec<(i64, i64, i64)>> {
        let one = |change: &Change| (change.after_ms, change.seen_ms, change.committed.offset);
        let partitions = self.partitions.iter();
        partitions
            .map(|changes| changes.iter().map(one).collect())
            .collect()
    }

    /// The committed offsets now.
    pub(super) fn offsets(&self) -> Vec<i64> {
        let last = |changes: &Vec<Change>| changes.last().unwrap().committed.offset;
        self.partitions.iter().map(last).collect()
    }

    /// The longest metadata that a commit carried, in bytes.
    pub(super) fn longest_metadata(&self) -> usize {
        let all = self.partitions.iter().flatten();
        all.map(|change| change.committed.metadata.len())
            .max()
            .unwrap_or_default()
    }
}

#[test]
fn a_commit_counts_from_the_sample_before_it_was_seen() {
    let committed = |offset| Committed {
        offset,
        metadata: Vec::new(),
    };
    let mut commits = Commits::new(1, 0);
    commits.sample(100, vec![committed(5)]);
    commits.sample(200, vec![committed(5)]);
    commits.sample(300, vec![committed(9)]);
    assert_eq!(
        [50, 100, 250, 299, 300, 900].map(|at| commits.since(0, at)),
        [0, 0, 0, 0, 200, 200]
    );
    assert_eq!(commits.offsets(), [9]);
}
