//! Records reach the workers: no sooner than they arrive, no faster than a worker reads, and not while a partition is paused.

use std::time::{Duration, Instant};

use ingest_delivery::machine::{Input, SkippedRun};
use ingest_model::outcome::Verdict;
use ingest_model::record::{Epoch, TopicPartition};

use super::super::traffic::Arriving;
use super::World;
use super::feed::AHEAD;
use super::others::by_others;

/// A worker takes so many records at a time, and the next ones a millisecond later.
const AT_ONCE: usize = 50;
const READS: Duration = Duration::from_millis(1);

// === impl World ===

impl World<'_> {
    /// When a worker can read next.
    pub(super) fn next_feed(&mut self) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        for (number, replica) in self.replicas.iter().enumerate() {
            let may = |name: &TopicPartition| {
                let partition = self.partitions.get(name);
                partition.is_some_and(|one| one.replica == number && !one.paused)
            };
            if self.feed.has(may) {
                let at = replica.reads_from.max(self.now);
                next = Some(next.map_or(at, |known| known.min(at)));
            }
        }
        if self.feed.count < AHEAD {
            let reads = self.partitions.values().any(|partition| !partition.paused);
            let at = self.feed.next_at().map(|at| self.origin + at);
            let first = self.replicas.iter().map(|one| one.reads_from).min();
            let at = at.zip(first).map(|(at, first)| at.max(first));
            next = [next, at.filter(|_| reads)].into_iter().flatten().min();
        }
        next
    }

    /// Lets the workers read what has arrived.
    pub(super) fn feed(&mut self) {
        let now = self.elapsed();
        for at in self.feed.take(now) {
            self.tally.arrives(at, 1);
        }
        for replica in 0..self.replicas.len() {
            let may_read = self.replicas.get(replica);
            if may_read.is_some_and(|one| one.reads_from <= self.now) && self.read(replica, now) {
                let next = self.now + READS;
                if let Some(one) = self.replicas.get_mut(replica) {
                    one.reads_from = next;
                }
            }
        }
    }

    /// Passes the next records to a machine. Whether there were any.
    fn read(&mut self, replica: usize, now: Duration) -> bool {
        let mut inputs = Vec::with_capacity(AT_ONCE);
        let mut named = Vec::new();
        // As the mapper threads do: neighbours that are skipped come in at once.
        let mut skipped: Option<SkippedRun> = None;
        // Nothing is paused or resumed while records are taken.
        let partitions = &self.partitions;
        let mut open = self.feed.open(|name| {
            let partition = partitions.get(name);
            partition.is_some_and(|one| one.replica == replica && !one.paused)
        });
        let taken: Vec<Arriving> = std::iter::from_fn(|| open.pop()).take(AT_ONCE).collect();
        for Arriving { at, mapped } in taken {
            let epoch = self.epoch_at(&mapped.record.position.partition);
            let waited = now.saturating_sub(at);
            let verdict = mapped.verdict_after(waited);
            if let Verdict::Skip(reason) = verdict {
                let run = skipped.as_mut();
                if !run.is_some_and(|run| run.add(&mapped.record, epoch, *reason)) {
                    let run = SkippedRun::of(&mapped.record, epoch, *reason);
                    inputs.extend(skipped.replace(run).map(Input::Skipped));
                }
                continue;
            }
            inputs.extend(skipped.take().map(Input::Skipped));
            self.tally.reads(now, at, verdict);
            let event_ms = mapped.event_ms;
            let traffic = mapped.traffic_after(&self.rules, waited);
            let (record, verdict) = mapped.taken_after(waited);
            let waited_for = verdict.planned().iter().filter_map(by_others);
            named.extend(waited_for.cloned());
            let input = Input::Record {
                record,
                epoch,
                event_ms,
                traffic,
                verdict,
                dropped: Vec::new(),
                event_ids: None,
            };
            inputs.push(input);
        }
        inputs.extend(skipped.map(Input::Skipped));
        let any = !inputs.is_empty();
        self.let_exist(&named);
        if any {
            self.step_all(replica, inputs);
        }
        any
    }

    fn epoch_at(&mut self, name: &TopicPartition) -> Epoch {
        self.tally.takes(self.elapsed());
        let partition = self.partitions.get_mut(name);
        partition.map_or(Epoch(0), |partition| {
            partition.read_to += 1;
            partition.epoch
        })
    }
}
