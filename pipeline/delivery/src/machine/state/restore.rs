//! A partition's state comes back: it delivers no record before its slice is restored.

use std::time::Instant;

use crate::machine::Machine;
use crate::seam::fact::Fact;
use ingest_model::record::{Epoch, TopicPartition};
use ingest_model::state_log::reduce::Slice;
use ingest_model::state_log::writer::SliceWriter;
use ingest_model::state_log::{Content, Entity, Entry, OwnerId, SliceId};
use ingest_model::trouble::Trouble;

impl Machine {
    pub(in crate::machine) fn on_restore_failed(
        &mut self,
        now: Instant,
        partition: &TopicPartition,
        epoch: Epoch,
        trouble: Trouble,
    ) {
        let retry = self.settings.state.unwrap_or_default().retry;
        let waits = self
            .partitions
            .restore_failed(&self.turn, partition, epoch, retry);
        if !waits {
            return;
        }
        self.turn.fact(Fact::StateFailed);
        self.state_fails(now, trouble);
    }

    /// Requests the slices again that could not be restored.
    pub(in crate::machine) fn restore_again(&mut self, now: Instant) {
        for partition in self.partitions.due_restores(now) {
            self.partitions.ask_restore(&mut self.turn, &partition);
        }
    }

    pub(in crate::machine) fn on_restored(
        &mut self,
        now: Instant,
        partition: &TopicPartition,
        epoch: Epoch,
        slice: Slice,
    ) {
        if !self.partitions.restored(partition, epoch) {
            return;
        }
        let settings = self.settings.state.unwrap_or_default();
        let owner = OwnerId::new(self.settings.seed, epoch.0);
        let writer = SliceWriter::new(SliceId::of(partition), owner, &slice, settings.capacity);
        self.memory.journal.open_slice(partition, epoch, writer);
        self.state_works();
        self.turn.fact(Fact::StateRestored {
            partition: partition.clone(),
            entries: slice.entries.len(),
            unknown: slice.unknown,
        });
        for (entity, _, Entry { content, .. }) in slice.entries {
            match (entity, content) {
                (Entity::Customer(hash), Content::Customer(id)) => {
                    self.customers.ids.restore(hash, &id);
                }
                (Entity::Object(hash), Content::Object(object)) => {
                    self.objects.cache.restore(hash, object);
                }
                (Entity::Event(key), Content::Event) => self.memory.events.insert(key, ()),
                (Entity::Identity(name), Content::Identity(said)) => {
                    self.customers.said.restore(name, said);
                }
                (Entity::Intent(_), Content::Intent(intent)) => {
                    self.inherit(now, partition, entity, intent);
                }
                // By the format, each kind of entity has its own kind of content.
                (
                    Entity::Customer(_)
                    | Entity::Object(_)
                    | Entity::Event(_)
                    | Entity::Identity(_)
                    | Entity::Intent(_),
                    Content::Customer(_)
                    | Content::Object(_)
                    | Content::Event
                    | Content::Identity(_)
                    | Content::Intent(_),
                ) => {}
            }
        }
    }
}
