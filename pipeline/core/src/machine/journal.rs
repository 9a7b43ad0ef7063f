//! What survives a restart is written: facts when there is time, the intent of a write before it leaves.
//!
//! Nothing here waits. What is to be written goes into the slice's writer; a batch leaves as [`Effect::WriteState`] and is
//! answered by [`Input::StateWritten`](super::Input::StateWritten). A write whose intent is not acknowledged stays with its
//! operations under way, and while the topic takes nothing no further write is begun: that is a hold, and nothing is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::{Effect, Machine};
use crate::batch::Batch;
use crate::batch::OperationId;
use crate::directory::object_hash;
use crate::fact::Fact;
use crate::hold::{Family, Passage, Scope};
use crate::lookup::Lookup;
use crate::objects::history::History;
use crate::operation::Operation;
use crate::outcome::{HoldCause, JobTicket};
use crate::port::StateWriteId;
use crate::record::{Epoch, TopicPartition};
use crate::state_log::writer::{Capacity, SliceWriter};
use crate::state_log::{Content, Entity, Entry, Intent, IntentItem};
use crate::trouble::Trouble;
use crate::work;

/// Writes that may wait for their intents at once. Each has taken its permit already, so there are few.
const SUBMITS: usize = 8;
/// Records that one operation may carry while they are journalled one by one.
pub(super) const MERGED: usize = 256;

/// How state is kept. Real time: the brokers' clock is not the API's.
#[derive(Debug, Clone, Copy)]
pub struct StateSettings {
    /// Entries of one slice.
    pub capacity: Capacity,
    /// How long facts may wait for company.
    pub linger: Duration,
    /// Pause before a batch that failed, or a restore, is tried again.
    pub retry: Duration,
}

/// The writing side of all slices.
#[derive(Debug, Default)]
pub(super) struct Journal {
    pub(super) writers: BTreeMap<TopicPartition, Writer>,
    /// Batches under way.
    writes: BTreeMap<StateWriteId, (TopicPartition, Epoch)>,
    /// Writes that wait for their intents, in the order of their permits.
    submits: BTreeMap<u64, Submit>,
    /// Writes of which something is open, slice by slice.
    intents: BTreeMap<Entity, OpenIntent>,
    /// The write that carries an operation, or carried it last.
    of: Lookup<OperationId, Entity>,
    /// The topic took nothing when it was tried last.
    failing: bool,
    next_number: u64,
}

#[derive(Debug)]
pub(super) struct Writer {
    pub(super) epoch: Epoch,
    pub(super) slice: SliceWriter,
    /// Not before then: facts that wait for company, or a batch that failed.
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
    /// Bytes that what is remembered of the slices occupies, about.
    pub(super) fn bytes(&self) -> usize {
        self.writers.values().map(|one| one.slice.bytes()).sum()
    }
}

impl Writer {
    pub(super) fn new(epoch: Epoch, slice: SliceWriter) -> Self {
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
    pub(super) fn may_submit(&self) -> bool {
        !self.failing && self.submits.len() < SUBMITS
    }

    /// Writes that wait for their intents.
    pub(super) fn submits(&self) -> usize {
        self.submits.len()
    }

    /// Entries that wait to be written, or to be acknowledged.
    pub(super) fn waiting(&self) -> usize {
        self.writers.values().map(|one| one.slice.waiting()).sum()
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failing
    }

    /// An operation is left to the next owner of its partition.
    pub(super) fn forget(&mut self, id: OperationId) {
        self.of.remove(&id);
    }

    /// Whether everything of a partition is written.
    pub(super) fn is_idle(&self, partition: &TopicPartition) -> bool {
        let writer = self.writers.get(partition);
        writer.is_none_or(|writer| writer.slice.is_idle())
    }

    /// The partition is gone, and with it whatever is open of it: the next owner finds that in the topic.
    pub(super) fn close_slice(&mut self, partition: &TopicPartition) {
        self.writers.remove(partition);
        self.writes.retain(|_, (other, _)| other != partition);
        self.intents.retain(|_, open| open.partition != *partition);
        for submit in self.submits.values_mut() {
            let intents = &self.intents;
            submit.missing.retain(|entity| intents.contains_key(entity));
        }
    }

    /// When a batch is to leave although nothing else happens.
    pub(super) fn next_flush(&self) -> Option<Instant> {
        let idle = self.writers.values().filter(|one| !one.slice.is_busy());
        idle.filter_map(|one| one.next_at).min()
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

impl Machine {
    /// Journals a write; it leaves when every slice that it concerns has it.
    pub(super) fn journal_write(&mut self, now: Instant, batch: Batch) {
        let Batch {
            group, operations, ..
        } = &batch;
        // The permit is taken, so a probe is under way from here on.
        let family = Family::KObjectWrite(group.klass.clone());
        if self.holds.passage(now, Some(&family)) == Passage::Probe {
            self.holds.probe_sent(Some(&family));
        }
        let mut slices: BTreeMap<TopicPartition, Vec<OperationId>> = BTreeMap::new();
        for id in operations {
            if let Some(state) = self.work.get(*id) {
                let partition = state.partition.clone();
                slices.entry(partition).or_default().push(*id);
            }
        }
        self.journal.next_number += 1;
        let submit = self.journal.next_number;
        let mut missing = BTreeSet::new();
        for (partition, ids) in slices {
            let items: Vec<IntentItem> = ids.iter().filter_map(|id| self.item(*id)).collect();
            let Some(writer) = self.journal.writers.get_mut(&partition) else {
                continue;
            };
            let said = Intent {
                klass: group.klass.clone(),
                verb: group.verb,
                with_refs: self.object_refs,
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
            self.journal.intents.insert(entity, open);
            for id in ids {
                let before = self.journal.of.insert(id, entity);
                // What was said of an earlier attempt ends when this one is journalled.
                if let Some(before) = before {
                    self.journal.end_item(id, before);
                }
            }
        }
        self.work.journal(operations);
        let waiting = Submit { batch, missing };
        self.journal.submits.insert(submit, waiting);
    }

    /// What an intent says of one operation.
    fn item(&self, id: OperationId) -> Option<IntentItem> {
        let state = self.work.get(id)?;
        let Operation::KObject(object) = &state.operation else {
            return None;
        };
        Some(IntentItem {
            reference: super::dispatch::reference(id),
            object: object_hash(&object.klass, &object.external_id),
            version: object.version.clone(),
            operations: self.partitions.operation_refs(id),
        })
    }

    /// The submission was accepted: its job is journalled.
    pub(super) fn journal_job(&mut self, operations: &[OperationId], ticket: &JobTicket) {
        let entities = operations.iter().filter_map(|id| self.journal.of.get(id));
        let entities: BTreeSet<Entity> = entities.copied().collect();
        for entity in entities {
            let Some(open) = self.journal.intents.get_mut(&entity) else {
                continue;
            };
            open.said.job = Some(ticket.clone());
            if let Some(writer) = self.journal.writers.get_mut(&open.partition) {
                writer.slice.intend(entity, entry_of(&open.said));
            }
        }
    }

    /// These were certainly not written: nothing is open of their intents.
    pub(super) fn journal_refused(&mut self, operations: &[OperationId]) {
        for id in operations {
            if let Some(entity) = self.journal.of.remove(id) {
                self.journal.end_item(*id, entity);
            }
        }
    }

    /// An operation has ended, and what it taught is on its way to the topic.
    pub(super) fn journal_end(&mut self, id: OperationId, state: &work::Entry, history: &History) {
        if let Some(entity) = self.journal.of.remove(&id) {
            self.journal.end_item(id, entity);
        }
        self.inherited_end(id, state, history);
    }

    /// A batch was answered.
    pub(super) fn on_state_written(
        &mut self,
        now: Instant,
        write: StateWriteId,
        result: Result<(), Trouble>,
    ) {
        let Some((partition, epoch)) = self.journal.writes.remove(&write) else {
            return;
        };
        let retry = self.settings.state.unwrap_or_default().retry;
        let Some(writer) = self.journal.writers.get_mut(&partition) else {
            return;
        };
        if writer.epoch != epoch {
            return;
        }
        writer.failed = result.is_err();
        if let Err(trouble) = result {
            writer.slice.failed();
            writer.next_at = Some(now + retry);
            self.turn.fact(Fact::StateFailed);
            self.state_fails(now, trouble);
            return;
        }
        writer.next_at = None;
        let journalled = writer.slice.acknowledged();
        self.state_works();
        for entity in journalled {
            let submit = self.journal.intents.get(&entity).map(|open| open.submit);
            if let Some(waiting) = submit.and_then(|n| self.journal.submits.get_mut(&n)) {
                waiting.missing.remove(&entity);
            }
        }
    }

    /// Writes whose intents are journalled, or concern nobody any more, leave.
    pub(super) fn send_journalled(&mut self, now: Instant) {
        if self.partitions.is_membership_in_doubt() {
            return;
        }
        let ready: Vec<u64> = self
            .journal
            .submits
            .iter()
            .filter(|(_, submit)| submit.missing.is_empty())
            .map(|(number, _)| *number)
            .collect();
        for number in ready {
            let Some(submit) = self.journal.submits.remove(&number) else {
                continue;
            };
            let mut batch = submit.batch;
            // What was left to the next owner meanwhile is not sent (I7).
            batch.operations.retain(|id| self.work.journalled(*id));
            if batch.operations.is_empty() {
                let family = Family::KObjectWrite(batch.group.klass);
                self.holds
                    .probe_lost(now, Some(&family), &mut self.turn.jitter);
                self.work.clear(&batch.rest);
            } else {
                self.leave(now, batch);
            }
        }
    }

    /// Ends the hold when nothing of the state topic fails any more.
    pub(super) fn state_works(&mut self) {
        let failing = self.journal.writers.values().any(|writer| writer.failed)
            || self.partitions.fails_to_restore();
        if failing || !self.journal.failing {
            return;
        }
        self.journal.failing = false;
        if let Some(cause) = self.holds.end(&Scope::State) {
            self.hold_ended(Scope::State, cause);
        }
    }

    pub(super) fn state_fails(&mut self, now: Instant, trouble: Trouble) {
        self.journal.failing = true;
        let seen = (1, Some(trouble));
        self.begin_hold(now, Scope::State, HoldCause::StateTopic, seen);
    }

    /// Lets batches leave: at once where a write waits or the partition drains, else when facts have had company.
    pub(super) fn flush_state(&mut self, now: Instant) {
        if self.settings.state.is_none() {
            return;
        }
        self.send_journalled(now);
        let linger = self.settings.state.unwrap_or_default().linger;
        let mut batches = Vec::new();
        for (partition, writer) in &mut self.journal.writers {
            if writer.slice.is_busy() || writer.slice.is_idle() {
                continue;
            }
            let draining = self.partitions.is_draining(partition);
            let at = *writer.next_at.get_or_insert(now + linger);
            let hurry = (writer.slice.is_urgent() || draining) && !writer.failed;
            if at > now && !hurry {
                continue;
            }
            writer.next_at = None;
            if let Some(records) = writer.slice.next_batch() {
                batches.push((partition.clone(), writer.epoch, records));
            }
        }
        batches.sort_by(|a, b| a.0.cmp(&b.0));
        for (partition, epoch, records) in batches {
            let write = StateWriteId(self.turn.number());
            let entries = records.len();
            self.journal
                .writes
                .insert(write, (partition.clone(), epoch));
            self.turn.fact(Fact::StateWritten { entries });
            self.turn.effect(Effect::WriteState {
                write,
                partition,
                records,
            });
        }
    }
}

fn entry_of(intent: &Intent) -> Entry {
    Entry {
        at: intent.at(),
        content: Content::Intent(intent.clone()),
    }
}
