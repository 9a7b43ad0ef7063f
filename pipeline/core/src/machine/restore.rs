//! A partition's state comes back: it delivers no record before its slice is restored.

use std::time::Instant;

use super::journal::Writer;
use super::{Effect, Machine};
use crate::fact::Fact;
use crate::record::{Epoch, TopicPartition};
use crate::state_log::reduce::Slice;
use crate::state_log::writer::SliceWriter;
use crate::state_log::{Content, Entity, Entry, OwnerId, SliceId};
use crate::trouble::Trouble;

impl Machine {
    pub(super) fn ask_restore(&mut self, partition: &TopicPartition) {
        if let Some(assignment) = self.assignments.get_mut(partition) {
            assignment.restoring = true;
            assignment.restore_at = None;
            let epoch = assignment.epoch;
            let partition = partition.clone();
            self.turn.effect(Effect::Restore { partition, epoch });
        }
    }

    pub(super) fn on_restore_failed(
        &mut self,
        now: Instant,
        partition: &TopicPartition,
        epoch: Epoch,
        trouble: Trouble,
    ) {
        let retry = self.settings.state.unwrap_or_default().retry;
        let Some(assignment) = self.assignments.get_mut(partition) else {
            return;
        };
        if assignment.epoch != epoch || !assignment.restoring {
            return;
        }
        assignment.restore_failed = true;
        assignment.restore_at = Some(now + retry);
        self.turn.fact(Fact::StateFailed);
        self.state_fails(now, trouble);
    }

    /// Asks again for slices that could not be restored.
    pub(super) fn restore_again(&mut self, now: Instant) {
        let due: Vec<TopicPartition> = self
            .assignments
            .iter()
            .filter(|(_, one)| one.restore_at.is_some_and(|at| at <= now))
            .map(|(partition, _)| partition.clone())
            .collect();
        for partition in due {
            self.ask_restore(&partition);
        }
    }

    pub(super) fn next_restore(&self) -> Option<Instant> {
        self.assignments
            .values()
            .filter_map(|one| one.restore_at)
            .min()
    }

    pub(super) fn on_restored(
        &mut self,
        now: Instant,
        partition: &TopicPartition,
        epoch: Epoch,
        slice: Slice,
    ) {
        let Some(assignment) = self.assignments.get_mut(partition) else {
            return;
        };
        if assignment.epoch != epoch || !assignment.restoring {
            return;
        }
        assignment.restoring = false;
        assignment.restore_failed = false;
        assignment.restore_at = None;
        let settings = self.settings.state.unwrap_or_default();
        let owner = OwnerId::new(self.settings.seed, epoch.0);
        let writer = SliceWriter::new(SliceId::of(partition), owner, &slice, settings.capacity);
        self.journal
            .writers
            .insert(partition.clone(), Writer::new(epoch, writer));
        self.state_works();
        self.turn.fact(Fact::StateRestored {
            partition: partition.clone(),
            entries: slice.entries.len(),
            unknown: slice.unknown,
        });
        for (entity, _, Entry { content, .. }) in slice.entries {
            match (entity, content) {
                (Entity::Customer(hash), Content::Customer(id)) => {
                    self.directory.restore_customer(hash, id);
                }
                (Entity::Object(hash), Content::Object(object)) => {
                    self.directory.restore_object(hash, object);
                }
                (Entity::Event(key), Content::Event) => self.delivered_events.insert(key, ()),
                (Entity::Identity(name), Content::Identity(said)) => {
                    self.identities.restore(name, said);
                }
                (Entity::Intent(_), Content::Intent(intent)) => {
                    self.inherit(now, partition, entity, intent);
                }
                // The format gives each kind of entity its own kind of content.
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
        self.pauses_changed = true;
    }
}
