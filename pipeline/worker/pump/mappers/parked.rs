//! Records that wait for a schema that the registry has not given yet, and those behind them in their partitions.
//!
//! The first of them asks for the schema; the pump hears that the partition waits, and has it paused, so only what was on its way comes after. The
//! order within a partition is kept: a record is parked if an earlier one of its partition is. What is parked is charged to the budget, and let go
//! when the partition is taken away: whoever has it next reads it again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ingest_delivery::machine::SchemaMissing;
use ingest_encoding::SchemaId;
use ingest_model::record::{Epoch, Record, TopicPartition};
use ingest_registry::{Handle, Interest};
use tokio::sync::{mpsc, watch};

use super::batch::{Mapped, Unmapped, Work};

/// What waits in one thread.
#[derive(Debug)]
pub(super) struct Parked {
    registry: Interest,
    news: watch::Receiver<u64>,
    /// The task that asks the registry has ended, as it does while the process ends: there will be no news.
    ended: bool,
    partitions: BTreeMap<TopicPartition, Waiting>,
    /// Schemas to ask for.
    wanted: BTreeSet<SchemaId>,
    /// Schemas for which nothing waits here any more.
    left: BTreeSet<SchemaId>,
}

/// What waits in one partition.
#[derive(Debug)]
struct Waiting {
    records: VecDeque<(Record, Epoch)>,
    /// What the first of them waits for.
    schema: SchemaId,
    /// The last assignment under which something was read.
    epoch: Epoch,
    /// What all of them take.
    bytes: u64,
    /// The assignment and the bytes of which the pump was told.
    told: Option<(Epoch, u64)>,
}

/// What a record takes besides its bytes.
const BESIDE: usize = 300;

/// What a thread has to do next.
pub(super) enum Next {
    /// Records came.
    Batch(Unmapped),
    /// Partitions were assigned anew, or are taken away: what waits of them is read again.
    Forget(Vec<TopicPartition>),
    /// More schemas are known.
    News,
    /// Nothing comes any more.
    End,
}

// === impl Parked ===

impl Parked {
    pub(super) fn new(registry: &Handle) -> Self {
        Self {
            news: registry.news(),
            registry: registry.interest(),
            ended: false,
            partitions: BTreeMap::new(),
            wanted: BTreeSet::new(),
            left: BTreeSet::new(),
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

    /// Asks for the schemas that are wanted, and says which are not any longer.
    pub(super) async fn ask(&mut self) {
        while let Some(schema) = self.left.pop_first() {
            if !self.partitions.values().any(|one| one.schema == schema) {
                self.ended |= !self.registry.leave(schema).await;
            }
        }
        while let Some(schema) = self.wanted.pop_first() {
            self.ended |= !self.registry.want(schema).await;
        }
    }

    /// Lets go of what waits of partitions that were assigned anew, or are taken away. Nobody has to be told: a new assignment waits for nothing.
    pub(super) fn forget(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            if let Some(waiting) = self.partitions.remove(partition) {
                self.left.insert(waiting.schema);
            }
        }
    }

    /// Tells the pump which partitions wait, and what that takes, where it does not know.
    pub(super) fn tell(&mut self, all: &mut Vec<Mapped>) {
        for (partition, waiting) in &mut self.partitions {
            let now = Some((waiting.epoch, waiting.bytes));
            if std::mem::replace(&mut waiting.told, now) != now {
                all.push(waiting.missing(partition, true));
            }
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
    pub(super) fn first(&mut self, record: Record, epoch: Epoch, schema: SchemaId) {
        let partition = record.position.partition.clone();
        self.wanted.insert(schema);
        let waiting = Waiting {
            bytes: taken_by(&record),
            records: VecDeque::from([(record, epoch)]),
            schema,
            epoch,
            told: None,
        };
        self.partitions.insert(partition, waiting);
    }

    /// A record of a partition of which others wait.
    pub(super) fn behind(&mut self, record: Record, epoch: Epoch) {
        if let Some(waiting) = self.partitions.get_mut(&record.position.partition) {
            waiting.epoch = epoch;
            waiting.bytes += taken_by(&record);
            waiting.records.push_back((record, epoch));
        }
    }

    /// The record that has waited longest.
    pub(super) fn take(&mut self, partition: &TopicPartition) -> Option<(Record, Epoch)> {
        let waiting = self.partitions.get_mut(partition)?;
        let (record, epoch) = waiting.records.pop_front()?;
        waiting.bytes = waiting.bytes.saturating_sub(taken_by(&record));
        Some((record, epoch))
    }

    /// A record that waits still.
    pub(super) fn back(
        &mut self,
        partition: &TopicPartition,
        (record, epoch): (Record, Epoch),
        schema: SchemaId,
    ) {
        self.wanted.insert(schema);
        if let Some(waiting) = self.partitions.get_mut(partition) {
            waiting.bytes += taken_by(&record);
            waiting.records.push_front((record, epoch));
            if waiting.schema != schema {
                self.left
                    .insert(std::mem::replace(&mut waiting.schema, schema));
            }
        }
    }

    /// Records of a partition were taken, and put into `all` from there on. What they took is given back before they are charged; the partition goes
    /// on if none of its records waits.
    pub(super) fn settle(
        &mut self,
        partition: &TopicPartition,
        from: usize,
        all: &mut Vec<Mapped>,
    ) {
        let Some(waiting) = self.partitions.get_mut(partition) else {
            return;
        };
        if from < all.len() {
            waiting.told = Some((waiting.epoch, waiting.bytes));
            all.insert(from, waiting.missing(partition, true));
        }
        if waiting.records.is_empty() {
            all.push(waiting.missing(partition, false));
            self.partitions.remove(partition);
        }
    }
}

// === impl Waiting ===

impl Waiting {
    fn missing(&self, partition: &TopicPartition, waits: bool) -> Mapped {
        Mapped::Waits(SchemaMissing {
            partition: partition.clone(),
            epoch: self.epoch,
            waits,
            bytes: self.bytes,
        })
    }
}

fn taken_by(record: &Record) -> u64 {
    u64::try_from(record.payload_bytes() + BESIDE).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;
    use ingest_encoding::Encoding;
    use ingest_mapping::decode::{Format, Limits};
    use ingest_mapping::mapping::Mapping;
    use ingest_mapping::route::Pipeline;
    use ingest_model::record::{Offset, Position, Topic};
    use ingest_registry::{RegistryClient, RegistrySettings, RegistryStatus};

    use super::super::{Batch, Judge, Mappers};
    use super::*;

    fn judge() -> Judge {
        let mapping = "routes: [ { name: a, on: '*', skip: because } ]";
        let mapping = Arc::new(Mapping::compile(mapping, "m.yaml").unwrap());
        let pipeline = Pipeline::new(Format::Json, Limits::default(), mapping).unwrap();
        let path = (Encoding::registry(), pipeline);
        Judge::new(HashMap::from([(Topic::new("orders"), path)]))
    }

    fn record(partition: i32, offset: i64, schema: u8, value: &Arc<[u8]>) -> (Record, Epoch) {
        let header = ingest_model::record::Header {
            name: "__value_schema_id".to_owned(),
            value: Some(Bytes::from(vec![0, 0, 0, 0, schema])),
        };
        let record = Record {
            position: Position {
                partition: TopicPartition::new("orders", partition),
                offset: Offset(offset),
            },
            key: None,
            value: Some(Bytes::from_owner(Arc::clone(value))),
            headers: vec![header],
            timestamp_ms: None,
        };
        (record, Epoch(1))
    }

    /// What was told of partitions that wait.
    async fn told(mapped: &mut mpsc::Receiver<Batch>) -> Vec<(i32, bool, u64)> {
        let batch = mapped.recv().await.expect("a batch");
        let missing = batch.all.iter().filter_map(|one| match one {
            Mapped::Waits(missing) => Some(missing),
            Mapped::Record(_) | Mapped::Skipped(..) => None,
        });
        missing
            .map(|one| (one.partition.partition.0, one.waits, one.bytes))
            .collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_waits_is_charged_and_let_go_with_its_partition() {
        let settings = RegistrySettings::new("http://127.0.0.1:1".parse().unwrap());
        let client = RegistryClient::new(&settings).unwrap();
        let (handle, service) = ingest_registry::start(client, settings.cache);
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(service.run());
        let (mapped_in, mut mapped) = mpsc::channel(4);
        let judge = judge().knowing(Arc::<ingest_registry::Store>::clone(handle.store()));
        let (mappers, _threads) =
            Mappers::start(1, judge, None, Some(&handle), &mapped_in).unwrap();
        let value: Arc<[u8]> = Arc::from(vec![b' '; 10_000]);
        let of = |partition, offset, schema| record(partition, offset, schema, &value);
        assert!(
            mappers
                .put(vec![of(0, 1, 7), of(1, 1, 7), of(2, 1, 8)])
                .await
        );
        let one = told(&mut mapped).await;
        let bytes = one.first().map_or(0, |(_, _, bytes)| *bytes);
        assert!(bytes > 10_000, "{one:?}");
        assert_eq!(one, [(0, true, bytes), (1, true, bytes), (2, true, bytes)]);
        assert!(mappers.put(vec![of(0, 2, 7), of(0, 3, 9)]).await);
        assert_eq!(told(&mut mapped).await, [(0, true, 3 * bytes)]);
        assert_eq!(Arc::strong_count(&value), 6);
        let until = async |wanted: &dyn Fn(&RegistryStatus) -> bool| {
            for _ in 0..500 {
                if wanted(&handle.status()) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            panic!("{:?}", handle.status());
        };
        until(&|status| status.wanted == 2 && status.failing_schemas == 2).await;
        // one of two that wait for a schema is taken away, and the only one that waits for another
        let gone = [0, 2].map(|partition| TopicPartition::new("orders", partition));
        assert!(mappers.forget(gone.to_vec()).await);
        until(&|status| status.wanted == 1).await;
        assert_eq!(Arc::strong_count(&value), 2, "they are free");
        // the schema comes: what it took is given back before the record is charged
        let schema = ingest_encoding::Schema::compile(ingest_encoding::SchemaType::Json, "{}", &[]);
        let store = handle.store();
        store.known(SchemaId::Number(7), Arc::new(schema.unwrap()));
        assert!(handle.interest().want(SchemaId::Number(7)).await);
        assert_eq!(told(&mut mapped).await, [(1, true, 0), (1, false, 0)]);
    }
}
