//! Writes that an earlier owner of a partition left open: they are followed to their end, never begun again.
//!
//! The operations of an open write come again with their records. They wait in their lanes until its job is read, and are then
//! settled by the results of their items. A write without a job is in doubt: nobody knows whether it was sent.

use std::sync::Arc;
use std::time::Instant;

use crate::jobs::InheritedItem;
use crate::machine::Machine;
use crate::memory::inheritance::{Care, Legacy};
use crate::memory::inherited::Fate;
use crate::objects::history::History;
use crate::seam::fact::Fact;
use crate::work;
use ingest_model::batch::{GroupKey, OperationId, Verb};
use ingest_model::call::ItemFate;
use ingest_model::known::{Affiliation, KnownObject, Revision, object_hash};
use ingest_model::operation::Operation;
use ingest_model::outcome::Rejection;
use ingest_model::record::{Offset, TopicPartition};
use ingest_model::state_log::{Content, Entity, Entry, Intent};

impl Machine {
    /// Takes over a write that an earlier owner left open: its job is read, never submitted again.
    pub(in crate::machine) fn inherit(
        &mut self,
        now: Instant,
        partition: &TopicPartition,
        entity: Entity,
        intent: Intent,
    ) {
        let references = self
            .memory
            .inheritance
            .take_over(partition, entity, &intent);
        self.turn.fact(Fact::Inherited {
            items: references.len(),
            job: intent.job.is_some(),
        });
        if let Some(ticket) = intent.job {
            let group = GroupKey {
                klass: intent.klass,
                verb: intent.verb,
            };
            let named = references.into_iter().map(|reference| {
                let place = InheritedItem {
                    intent: entity,
                    reference: reference.clone(),
                };
                (reference, place)
            });
            self.jobs
                .inherit(now, ticket, group, named.collect(), intent.with_refs);
        }
    }

    /// An inherited job has reported the result of an item.
    pub(in crate::machine) fn inherited_fate(&mut self, item: &InheritedItem, fate: ItemFate) {
        let fate = match fate {
            ItemFate::Stored(id) => {
                self.inherited_stored(item, id);
                return;
            }
            ItemFate::Duplicate | ItemFate::Conflict => Fate::Look,
            ItemFate::Gone => {
                if let Some(object) = self.inherited_object(item) {
                    self.objects.cache.forget(object);
                    self.forget_entity(Entity::Object(object));
                }
                Fate::NotWritten
            }
            ItemFate::Limited(_) | ItemFate::Transient(_) => Fate::NotWritten,
            ItemFate::Permanent(detail) => Fate::Refused(detail),
        };
        self.set_fate(item, fate);
    }

    /// An inherited job without references is complete; `clean` if it had no failures.
    pub(in crate::machine) fn inherited_unnamed(&mut self, item: &InheritedItem, clean: bool) {
        if clean {
            self.inherited_stored(item, None);
        } else {
            self.set_fate(item, Fate::LookInDoubt);
        }
    }

    /// Nobody knows what became of an inherited job.
    pub(in crate::machine) fn inherited_doubt(&mut self, item: &InheritedItem) {
        self.set_fate(item, Fate::Doubt);
    }

    fn inherited_object(&self, item: &InheritedItem) -> Option<u128> {
        let kept = self.memory.inheritance.item(item.intent, &item.reference);
        Some(kept?.1.object)
    }

    fn inherited_stored(&mut self, item: &InheritedItem, id: Option<Arc<str>>) {
        let Some((intent, kept)) = self.memory.inheritance.item(item.intent, &item.reference)
        else {
            return;
        };
        let before = self.objects.cache.by_hash(kept.object).cloned();
        // Where duplicates are allowed, the directory may know another object with the same external id.
        let same = before.filter(|before| match (&id, &before.id) {
            (Some(id), Some(before)) => id == before,
            (Some(_) | None, Some(_) | None) => true,
        });
        let (object, partition, at) = (kept.object, intent.partition.clone(), intent.at);
        let known = match (intent.verb, id, same) {
            // The object has a later state.
            (_, _, Some(before)) if before.is_newer_than(kept.version.as_ref()) => None,
            // It may have this state or another of its version. The changes known of that version stay known.
            (verb, id, Some(before)) if before.ties_with(kept.version.as_ref()) => {
                let revision = match verb {
                    Verb::Create => before.revision,
                    Verb::Update | Verb::Delete => Revision::Unknown,
                };
                Some(KnownObject {
                    id: id.or_else(|| before.id.clone()),
                    fingerprint: None,
                    revision,
                    // It was stored, so it is there.
                    gone: false,
                    // It may have been given another one.
                    company: Affiliation::default(),
                    ..before
                })
            }
            // An object created without an id in the answer must not be created again: it is read when its id is needed.
            (Verb::Create, id, _) => Some(kept.stored(id, Revision::SinceCreate(0))),
            // If the two cannot be compared, this write need not be the next one after it.
            (Verb::Update | Verb::Delete, Some(id), Some(before))
                if before.id.is_some() && before.is_older_than(kept.version.as_ref()) =>
            {
                Some(kept.stored(Some(id), before.revision.next()))
            }
            (Verb::Update | Verb::Delete, None, None) => None,
            (Verb::Update | Verb::Delete, id, before) => {
                let id = id.or_else(|| before?.id);
                Some(kept.stored(id, Revision::Unknown))
            }
        };
        if let Some(known) = known {
            self.objects.cache.restore(object, known.clone());
            let content = Content::Object(known);
            let entry = Entry { at, content };
            self.memory
                .journal
                .learn(&partition, Entity::Object(object), entry);
        }
        self.set_fate(item, Fate::Stored);
    }

    fn set_fate(&mut self, item: &InheritedItem, fate: Fate) {
        let inheritance = &mut self.memory.inheritance;
        let heirs = inheritance.settle_fate(item.intent, &item.reference, fate);
        self.wake_heirs(heirs);
    }

    /// Operations that waited for the fate of a write are checked again.
    fn wake_heirs(&mut self, heirs: Vec<OperationId>) {
        for id in heirs {
            self.work.inherited_known(id);
        }
    }

    /// Decides what earlier owners' writes mean for the head of a lane. `true` if the operation goes on as usual.
    pub(in crate::machine) fn judge_inherited(&mut self, now: Instant, id: OperationId) -> bool {
        if self.memory.inheritance.is_empty() {
            return true;
        }
        let Some(state) = self.work.get(id) else {
            return true;
        };
        if !matches!(state.operation, Operation::KObject(_)) {
            return true;
        }
        let hash = self.objects.histories.of(id).object_hash();
        if !self.memory.inheritance.concerns(hash) {
            return true;
        }
        let wanted = self.partitions.operation_refs(id);
        let inheritance = &mut self.memory.inheritance;
        match inheritance.judge(&state.partition, hash, &wanted) {
            Legacy::Waits => {
                inheritance.wait(hash, id);
                self.work.wait_for_inherited(id);
                false
            }
            Legacy::Stands => {
                self.note_made(id);
                self.finish_delivered(id);
                false
            }
            Legacy::Refused(detail) => {
                self.finish_rejected(id, Rejection::RefusedByApi, detail);
                false
            }
            Legacy::Careful(care) => {
                inheritance.entrust(hash, id);
                self.take_care(now, id, care)
            }
        }
    }

    /// Does what is needed before a write. `true` if the operation goes on.
    fn take_care(&mut self, now: Instant, id: OperationId, care: Care) -> bool {
        if let Some(verb) = care.wait
            && let Some(wait) = self.wait_in_doubt(id, verb)
        {
            self.work.park(id, now + wait);
            return false;
        }
        if care.look {
            self.objects.histories.look_first(id);
        }
        if care.doubt {
            self.objects.histories.doubt(id);
        }
        true
    }

    /// An operation has ended: earlier owners' writes of it are no longer needed.
    pub(in crate::machine) fn inherited_end(
        &mut self,
        id: OperationId,
        state: &work::Entry,
        history: &History,
    ) {
        if self.memory.inheritance.is_empty() {
            return;
        }
        if !matches!(state.operation, Operation::KObject(_)) {
            return;
        }
        let hash = history.object_hash();
        // Its look got no answer, so nothing is known: whoever writes next has to look.
        let fate = if history.is_to_look() {
            Fate::Doubt
        } else {
            Fate::NotWritten
        };
        self.memory.inheritance.looked(hash, id, &fate);
        let ended = self.partitions.operation_refs(id);
        let was_written = history.last_write.is_some();
        let inheritance = &mut self.memory.inheritance;
        let gone = inheritance.ended(&state.partition, hash, &ended, was_written);
        self.conclude(gone);
    }

    /// An operation is left to the next owner of its partition: what it was to look at is in doubt as before.
    pub(in crate::machine) fn inherited_left(&mut self, id: OperationId, work: &Operation) {
        if let Operation::KObject(object) = work {
            let hash = object_hash(&object.klass, &object.external_id);
            self.memory.inheritance.looked(hash, id, &Fate::Doubt);
        }
    }

    /// Records below this offset never come again: earlier owners' writes for them are no longer needed, unless their fate is
    /// in doubt.
    pub(in crate::machine) fn sweep_inherited(
        &mut self,
        partition: &TopicPartition,
        committed: Offset,
    ) {
        let gone = self.memory.inheritance.pass(partition, committed);
        self.conclude(gone);
    }

    /// An inherited job has ended: what was kept only for its result is no longer needed.
    pub(in crate::machine) fn inherited_job_ended(&mut self) {
        let committed = self.partitions.acknowledged();
        for (partition, committed) in committed {
            self.sweep_inherited(&partition, committed);
        }
        let gone = self.memory.inheritance.sweep_all();
        self.conclude(gone);
    }

    /// The state topic need not keep these writes any longer.
    fn conclude(&mut self, gone: Vec<(Entity, TopicPartition)>) {
        for (entity, partition) in gone {
            self.memory.journal.conclude(&partition, entity);
        }
    }

    /// A partition begins a new life: the records of writes that were left open do not come again.
    pub(in crate::machine) fn disinherit(&mut self, partition: &TopicPartition) {
        self.memory.inheritance.begin_life(partition);
    }

    /// A partition is gone, with all that was kept of it; the next owner finds that in the topic.
    pub(in crate::machine) fn close_state(&mut self, partition: &TopicPartition) {
        if self.settings.state.is_none() {
            return;
        }
        self.memory.journal.close_slice(partition);
        for object in self.memory.inheritance.close_slice(partition) {
            let heirs = self.memory.inheritance.take_waiting(object);
            self.wake_heirs(heirs);
        }
        self.state_works();
        let inheritance = &self.memory.inheritance;
        self.jobs.disown(|item| !inheritance.has(item.intent));
    }
}
