//! What is to be written to each slice, and which writes wait for that.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::common::turn::Turn;
use crate::seam::fact::Fact;
use crate::seam::port::{Effect, StateWriteId};
use ingest_model::batch::{Batch, OperationId};
use ingest_model::lookup::Lookup;
use ingest_model::outcome::JobTicket;
use ingest_model::record::{Epoch, TopicPartition};
use ingest_model::state_log::writer::{Capacity, SliceWriter};
use ingest_model::state_log::{Content, Entity, Entry, Intent, IntentItem};
use ingest_model::trouble::Trouble;

/// How many writes may wait for their intents at a time. Each already holds a permit, so there are few.
const SUBMITS: usize = 8;
/// How many records an operation may carry for each to be journalled.
pub(crate) const MERGED: usize = 256;

/// How state is kept. All times are real time: the brokers' clock is not the API's.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Copy)]
pub struct StateSettings {
    /// The most entries of one slice.
    pub capacity: Capacity,
    /// How long facts may wait for others to share a batch with.
    pub linger: Duration,
    /// How long to wait before a failed batch or restore is tried again.
    pub retry: Duration,
}

/// The writing side of all slices.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    writers: BTreeMap<TopicPartition, Writer>,
    /// Batches in flight.
    writes: BTreeMap<StateWriteId, (TopicPartition, Epoch)>,
    /// Writes that wait for their intents, in the order of their permits.
    submits: BTreeMap<u64, Submit>,
    /// Writes that are not concluded, slice by slice.
    intents: BTreeMap<Entity, OpenIntent>,
    /// The write that carries an operation, or last carried it.
    of: Lookup<OperationId, Entity>,
    /// The last attempt to use the topic failed.
    failing: bool,
    next_number: u64,
}

#[derive(Debug)]
struct Writer {
    epoch: Epoch,
    slice: SliceWriter,
    /// Not before this time: facts wait for others, or a batch failed.
    next_at: Option<Instant>,
    failed: bool,
}

#[derive(Debug)]
struct Submit {
    batch: Batch,
    missing: BTreeSet<Entity>,
}

#[derive(Debug)]
struct OpenIntent {
    partition: TopicPartition,
    submit: u64,
    said: Intent,
    open: BTreeSet<OperationId>,
}

impl Default for StateSettings {
    fn default() -> Self {
        Self {
            capacity: Capacity {
                facts: 20_000,
                events: 10_000,
            },
            linger: Duration::from_millis(250),
            retry: Duration::from_secs(1),
        }
    }
}

impl Journal {
    /// The bytes that what is remembered of the slices occupies, about.
    pub(crate) fn bytes(&self) -> usize {
        self.writers.values().map(|one| one.slice.bytes()).sum()
    }
}

impl Writer {
    fn new(epoch: Epoch, slice: SliceWriter) -> Self {
        Self {
            epoch,
            slice,
            next_at: None,
            failed: false,
        }
    }
}

impl Journal {
    /// Whether another write may be begun.
    pub(crate) fn may_submit(&self) -> bool {
        !self.failing && self.submits.len() < SUBMITS
    }

    /// Whether a write that waits for its intents carries an operation or decides about it.
    pub(crate) fn carries(&self, id: OperationId) -> bool {
        self.submits.values().any(|submit| submit.batch.carries(id))
    }

    /// How many writes wait for their intents.
    pub(crate) fn submits(&self) -> usize {
        self.submits.len()
    }

    /// How many entries wait to be written or acknowledged.
    pub(crate) fn waiting(&self) -> usize {
        self.writers.values().map(|one| one.slice.waiting()).sum()
    }

    pub(crate) fn is_failing(&self) -> bool {
        self.failing
    }

    /// An operation is left to the next owner of its partition.
    pub(crate) fn abandon(&mut self, id: OperationId) {
        self.of.remove(&id);
    }

    /// Whether everything of a partition is written.
    pub(crate) fn is_idle(&self, partition: &TopicPartition) -> bool {
        let writer = self.writers.get(partition);
        writer.is_none_or(|writer| writer.slice.is_idle())
    }

    /// The partition is gone, and so is whatever is open of it: the next owner finds that in the topic.
    pub(crate) fn close_slice(&mut self, partition: &TopicPartition) {
        self.writers.remove(partition);
        self.writes.retain(|_, (other, _)| other != partition);
        self.intents.retain(|_, open| open.partition != *partition);
        for submit in self.submits.values_mut() {
            let intents = &self.intents;
            submit.missing.retain(|entity| intents.contains_key(entity));
        }
    }

    /// When the next batch is to be sent even if nothing else happens.
    pub(crate) fn next_flush(&self) -> Option<Instant> {
        let idle = self.writers.values().filter(|one| !one.slice.is_busy());
        idle.filter_map(|one| one.next_at).min()
    }

    /// Journals a write; it is sent when every slice that it concerns has it.
    pub(crate) fn submit(
        &mut self,
        batch: Batch,
        with_refs: bool,
        slices: BTreeMap<TopicPartition, Vec<(OperationId, IntentItem)>>,
    ) {
        self.next_number += 1;
        let submit = self.next_number;
        let mut missing = BTreeSet::new();
        for (partition, carried) in slices {
            let Some(writer) = self.writers.get_mut(&partition) else {
                continue;
            };
            let (ids, items): (Vec<_>, Vec<_>) = carried.into_iter().unzip();
            let said = Intent {
                klass: batch.group.klass.clone(),
                verb: batch.group.verb,
                with_refs,
                job: None,
                items,
            };
            let entity = writer.slice.owner().intent(submit);
            writer.slice.intend(entity, entry_of(&said));
            missing.insert(entity);
            let open = OpenIntent {
                partition,
                submit,
                said,
                open: ids.iter().copied().collect(),
            };
            self.intents.insert(entity, open);
            for id in ids {
                // The intent of an earlier attempt ends when this one is journalled.
                if let Some(before) = self.of.insert(id, entity) {
                    self.end_item(id, before);
                }
            }
        }
        let waiting = Submit { batch, missing };
        self.submits.insert(submit, waiting);
    }

    /// The submission was accepted: its job is journalled.
    pub(crate) fn accepted(&mut self, operations: &[OperationId], ticket: &JobTicket) {
        let entities = operations.iter().filter_map(|id| self.of.get(id));
        let entities: BTreeSet<Entity> = entities.copied().collect();
        for entity in entities {
            let Some(open) = self.intents.get_mut(&entity) else {
                continue;
            };
            open.said.job = Some(ticket.clone());
            if let Some(writer) = self.writers.get_mut(&open.partition) {
                writer.slice.intend(entity, entry_of(&open.said));
            }
        }
    }

    /// The operation has ended, or was certainly not written: it no longer keeps its intent open.
    pub(crate) fn end(&mut self, id: OperationId) {
        if let Some(entity) = self.of.remove(&id) {
            self.end_item(id, entity);
        }
    }

    /// A batch was answered. Returns the result; `None` if nobody waits for it.
    pub(crate) fn written(
        &mut self,
        turn: &Turn,
        write: StateWriteId,
        result: Result<(), Trouble>,
        retry: Duration,
    ) -> Option<Result<(), Trouble>> {
        let (partition, epoch) = self.writes.remove(&write)?;
        let writer = self.writers.get_mut(&partition)?;
        if writer.epoch != epoch {
            return None;
        }
        writer.failed = result.is_err();
        if result.is_err() {
            writer.slice.failed();
            writer.next_at = Some(turn.now + retry);
            return Some(result);
        }
        writer.next_at = None;
        for entity in writer.slice.acknowledged() {
            let submit = self.intents.get(&entity).map(|open| open.submit);
            if let Some(waiting) = submit.and_then(|n| self.submits.get_mut(&n)) {
                waiting.missing.remove(&entity);
            }
        }
        Some(result)
    }

    /// Takes the writes whose intents are journalled, or are not needed any more.
    pub(crate) fn take_journalled(&mut self) -> Vec<Batch> {
        let ready = self
            .submits
            .extract_if(.., |_, submit| submit.missing.is_empty());
        ready.map(|(_, submit)| submit.batch).collect()
    }

    /// Sends batches: at once if a write waits or the partition drains, otherwise when the linger is over.
    pub(crate) fn flush(
        &mut self,
        turn: &mut Turn,
        linger: Duration,
        is_draining: impl Fn(&TopicPartition) -> bool,
    ) {
        for (partition, writer) in &mut self.writers {
            if writer.slice.is_busy() || writer.slice.is_idle() {
                continue;
            }
            let at = *writer.next_at.get_or_insert(turn.now + linger);
            let urgent = writer.slice.is_urgent() || is_draining(partition);
            if at > turn.now && (!urgent || writer.failed) {
                continue;
            }
            writer.next_at = None;
            let Some(records) = writer.slice.next_batch() else {
                continue;
            };
            let write = StateWriteId(turn.number());
            let entries = records.len();
            self.writes.insert(write, (partition.clone(), writer.epoch));
            turn.fact(Fact::StateWritten { entries });
            turn.effect(Effect::WriteState {
                write,
                partition: partition.clone(),
                records,
            });
        }
    }

    // === slices ===

    /// The slice of a partition is restored, and is written from now on.
    pub(crate) fn open_slice(
        &mut self,
        partition: &TopicPartition,
        epoch: Epoch,
        slice: SliceWriter,
    ) {
        let writer = Writer::new(epoch, slice);
        self.writers.insert(partition.clone(), writer);
    }

    /// Adds a fact to the slice of a partition.
    pub(crate) fn learn(&mut self, partition: &TopicPartition, entity: Entity, entry: Entry) {
        if let Some(writer) = self.writers.get_mut(partition) {
            writer.slice.learn(entity, entry);
        }
    }

    /// Whether the slice of a partition holds that entity, or is not written.
    pub(crate) fn knows(&self, partition: &TopicPartition, entity: Entity) -> bool {
        let writer = self.writers.get(partition);
        writer.is_none_or(|writer| writer.slice.knows(entity))
    }

    /// Removes that entity from all slices.
    pub(crate) fn forget(&mut self, entity: Entity) {
        for writer in self.writers.values_mut() {
            writer.slice.forget(entity);
        }
    }

    /// A write that an earlier owner began is concluded.
    pub(crate) fn conclude(&mut self, partition: &TopicPartition, entity: Entity) {
        if let Some(writer) = self.writers.get_mut(partition) {
            writer.slice.conclude(entity);
        }
    }

    // === the topic ===

    /// An attempt to use the topic failed.
    pub(crate) fn fails(&mut self) {
        self.failing = true;
    }

    /// Whether a batch has failed and not been accepted since.
    pub(crate) fn has_failed(&self) -> bool {
        self.writers.values().any(|writer| writer.failed)
    }

    /// Nothing of the topic fails any more. `true` if something did.
    pub(crate) fn works(&mut self) -> bool {
        std::mem::take(&mut self.failing)
    }

    fn end_item(&mut self, id: OperationId, entity: Entity) {
        let Some(open) = self.intents.get_mut(&entity) else {
            return;
        };
        open.open.remove(&id);
        if !open.open.is_empty() {
            return;
        }
        if let Some(open) = self.intents.remove(&entity)
            && let Some(writer) = self.writers.get_mut(&open.partition)
        {
            writer.slice.conclude(entity);
        }
    }
}

fn entry_of(intent: &Intent) -> Entry {
    Entry {
        at: intent.at(),
        content: Content::Intent(intent.clone()),
    }
}
