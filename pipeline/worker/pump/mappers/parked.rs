//! Records that wait for a schema that the registry has not given yet, and those behind them in their partitions.
//!
//! The first of them asks for the schema; the pump hears that the partition waits, and has it paused, so only what was on its way comes after. The
//! order within a partition is kept: a record is parked if an earlier one of its partition is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ingest_encoding::SchemaId;
use ingest_model::record::{Epoch, Record, TopicPartition};
use ingest_registry::Handle;
use tokio::sync::{mpsc, watch};

use super::batch::{Mapped, Unmapped, Work};

/// What waits in one thread.
#[derive(Debug)]
pub(super) struct Parked {
    registry: Handle,
    news: watch::Receiver<u64>,
    /// The task that asks the registry has ended, as it does while the process ends: there will be no news.
    ended: bool,
    partitions: BTreeMap<TopicPartition, Waiting>,
    /// Schemas to ask for.
    wanted: BTreeSet<SchemaId>,
}

/// What waits in one partition.
#[derive(Debug)]
struct Waiting {
    records: VecDeque<(Record, Epoch)>,
    /// The assignment under which the pump was told.
    told: Epoch,
}

/// What a thread has to do next.
pub(super) enum Next {
    /// Records came.
    Batch(Unmapped),
    /// Partitions were assigned anew: what waits of them is read again.
    Forget(Vec<TopicPartition>),
    /// More schemas are known.
    News,
    /// Nothing comes any more.
    End,
}

// === impl Parked ===

impl Parked {
    pub(super) fn new(registry: Handle) -> Self {
        Self {
            news: registry.news(),
            registry,
            ended: false,
            partitions: BTreeMap::new(),
            wanted: BTreeSet::new(),
        }
    }

    /// Waits for records, or for news if something waits for it. News go first: they let records go that came earlier.
    pub(super) async fn next(&mut self, batches: &mut mpsc::Receiver<Work>) -> Next {
        loop {
            let hopes = !self.partitions.is_empty() && !self.ended;
            tokio::select! { biased;
                changed = self.news.changed(), if hopes => match changed {
                    Ok(()) => return Next::News,
                    Err(_) => self.ended = true,
                },
                work = batches.recv() => return match work {
                    Some(Work::Records(batch)) => Next::Batch(batch),
                    Some(Work::Forget(partitions)) => Next::Forget(partitions),
                    None => Next::End,
                },
            }
        }
    }

    /// Asks for the schemas that are wanted.
    pub(super) async fn ask(&mut self) {
        while let Some(schema) = self.wanted.pop_first() {
            self.ended |= !self.registry.want(schema).await;
        }
    }

    /// Lets go of what waits of partitions that were assigned anew. Nobody has to be told: a new assignment waits for nothing.
    pub(super) fn forget(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.partitions.remove(partition);
        }
    }

    /// Whether records of a partition wait.
    pub(super) fn holds(&self, partition: &TopicPartition) -> bool {
        self.partitions.contains_key(partition)
    }

    pub(super) fn partitions(&self) -> Vec<TopicPartition> {
        self.partitions.keys().cloned().collect()
    }

    /// The first record of a partition that waits.
    pub(super) fn first(
        &mut self,
        record: Record,
        epoch: Epoch,
        schema: SchemaId,
        all: &mut Vec<Mapped>,
    ) {
        let partition = record.position.partition.clone();
        self.wanted.insert(schema);
        let waiting = Waiting {
            records: VecDeque::from([(record, epoch)]),
            told: epoch,
        };
        self.partitions.insert(partition.clone(), waiting);
        all.push(Mapped::Waits {
            partition,
            epoch,
            waits: true,
        });
    }

    /// A record of a partition of which others wait.
    pub(super) fn behind(&mut self, record: Record, epoch: Epoch, all: &mut Vec<Mapped>) {
        let partition = &record.position.partition;
        let Some(waiting) = self.partitions.get_mut(partition) else {
            return;
        };
        if waiting.told != epoch {
            waiting.told = epoch;
            all.push(Mapped::Waits {
                partition: partition.clone(),
                epoch,
                waits: true,
            });
        }
        waiting.records.push_back((record, epoch));
    }

    /// The record that has waited longest.
    pub(super) fn take(&mut self, partition: &TopicPartition) -> Option<(Record, Epoch)> {
        self.partitions.get_mut(partition)?.records.pop_front()
    }

    /// A record that waits still.
    pub(super) fn back(
        &mut self,
        partition: &TopicPartition,
        record: (Record, Epoch),
        schema: SchemaId,
    ) {
        self.wanted.insert(schema);
        if let Some(waiting) = self.partitions.get_mut(partition) {
            waiting.records.push_front(record);
        }
    }

    /// Lets a partition go on if none of its records waits.
    pub(super) fn settle(&mut self, partition: &TopicPartition, all: &mut Vec<Mapped>) {
        let empty = |waiting: &Waiting| waiting.records.is_empty();
        if !self.partitions.get(partition).is_some_and(empty) {
            return;
        }
        if let Some(waiting) = self.partitions.remove(partition) {
            all.push(Mapped::Waits {
                partition: partition.clone(),
                epoch: waiting.told,
                waits: false,
            });
        }
    }
}
