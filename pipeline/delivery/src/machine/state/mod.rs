//! Writes what has to survive a restart: facts when there is time, the intent of a write before the write is sent.
//!
//! Nothing here waits. Entries go into the slice's writer; a batch is sent as [`Effect::WriteState`] and answered by
//! [`Input::StateWritten`](super::Input::StateWritten). A write whose intent is not acknowledged has not been sent: its
//! operations wait, and are dropped if their partition leaves. While the topic accepts nothing, no further write is begun:
//! that is a hold, and nothing is lost.

mod inherit;
mod remember;
mod restore;

use std::collections::BTreeMap;
use std::time::Instant;

use crate::health::holds::Passage;
use crate::machine::Machine;
use crate::objects::history::History;
use crate::seam::fact::Fact;
use crate::seam::hold::{Family, Scope};
use crate::seam::port::StateWriteId;
use crate::work;
use ingest_model::batch::Batch;
use ingest_model::batch::OperationId;
use ingest_model::operation::Operation;
use ingest_model::outcome::HoldCause;
use ingest_model::record::TopicPartition;
use ingest_model::state_log::IntentItem;
use ingest_model::trouble::Trouble;

impl Machine {
    /// Journals a write; it is sent when every slice that it concerns has it.
    pub(in crate::machine) fn journal_write(&mut self, now: Instant, batch: Batch) {
        let Batch {
            group, operations, ..
        } = &batch;
        // The permit is taken, so a probe counts as in flight from here on.
        let family = Family::KObjectWrite(group.klass.clone());
        if self.health.holds.passage(now, Some(&family)) == Passage::Probe {
            self.health.holds.probe_sent(Some(&family));
        }
        let mut slices: BTreeMap<TopicPartition, Vec<(OperationId, IntentItem)>> = BTreeMap::new();
        for id in operations {
            if let (Some(entry), Some(item)) = (self.work.get(*id), self.item(*id)) {
                let partition = entry.partition.clone();
                slices.entry(partition).or_default().push((*id, item));
            }
        }
        self.work.journal(operations);
        let with_refs = self.objects.are_named();
        self.memory.journal.submit(batch, with_refs, slices);
    }

    /// The item of one operation in an intent.
    fn item(&self, id: OperationId) -> Option<IntentItem> {
        let state = self.work.get(id)?;
        let Operation::KObject(object) = &state.operation else {
            return None;
        };
        Some(IntentItem {
            reference: id.reference(),
            object: self.objects.histories.of(id).object_hash(),
            version: object.version.clone(),
            operations: self.partitions.operation_refs(id),
        })
    }

    /// These were certainly not written: they no longer keep their intents open.
    pub(in crate::machine) fn journal_refused(&mut self, operations: &[OperationId]) {
        for id in operations {
            self.memory.journal.end(*id);
        }
    }

    /// An operation has ended, and what was learnt from it is on its way to the topic.
    pub(in crate::machine) fn journal_end(
        &mut self,
        id: OperationId,
        entry: &work::Entry,
        history: &History,
    ) {
        self.memory.journal.end(id);
        self.inherited_end(id, entry, history);
    }

    /// A batch was answered.
    pub(in crate::machine) fn on_state_written(
        &mut self,
        now: Instant,
        write: StateWriteId,
        result: Result<(), Trouble>,
    ) {
        let retry = self.settings.state.unwrap_or_default().retry;
        match self
            .memory
            .journal
            .written(&self.turn, write, result, retry)
        {
            Some(Ok(())) => self.state_works(),
            Some(Err(trouble)) => {
                self.turn.fact(Fact::StateFailed);
                self.state_fails(now, trouble);
            }
            None => {}
        }
    }

    /// Sends the writes whose intents are journalled or not needed any more.
    pub(in crate::machine) fn send_journalled(&mut self, now: Instant) {
        if self.partitions.is_membership_in_doubt() {
            return;
        }
        for mut batch in self.memory.journal.take_journalled() {
            // What was left to the next owner meanwhile is not sent (I7).
            batch.operations.retain(|id| self.work.journalled(*id));
            if batch.operations.is_empty() {
                let family = Family::KObjectWrite(batch.group.klass);
                self.health
                    .holds
                    .probe_lost(now, Some(&family), &mut self.turn.jitter);
                self.work.clear(&batch.rest);
            } else {
                self.leave(now, batch);
            }
        }
    }

    /// Ends the hold when nothing of the state topic fails any more.
    pub(in crate::machine) fn state_works(&mut self) {
        if self.memory.journal.has_failed() || self.partitions.fails_to_restore() {
            return;
        }
        if self.memory.journal.works()
            && let Some(cause) = self.health.holds.end(&Scope::State)
        {
            self.hold_ended(Scope::State, cause);
        }
    }

    pub(in crate::machine) fn state_fails(&mut self, now: Instant, trouble: Trouble) {
        self.memory.journal.fails();
        let seen = (1, Some(trouble));
        self.begin_hold(now, Scope::State, HoldCause::StateTopic, seen);
    }

    /// Sends batches: at once if a write waits or the partition drains, otherwise when the linger is over.
    pub(in crate::machine) fn flush_state(&mut self, now: Instant) {
        if self.settings.state.is_none() {
            return;
        }
        self.send_journalled(now);
        let linger = self.settings.state.unwrap_or_default().linger;
        let draining = |partition: &TopicPartition| self.partitions.is_draining(partition);
        self.memory.journal.flush(&mut self.turn, linger, draining);
    }
}
