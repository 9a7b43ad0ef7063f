//! Writes that an earlier owner of a partition left open: they are followed to their end, never begun again.
//!
//! The operations of an open write come again with their records; they wait in their lanes until its job is read, and then
//! settle by what became of their item. A write without a job is in doubt: nobody knows whether it left.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use crate::fact::Fact;
use crate::jobs::InheritedItem;
use crate::machine::Machine;
use crate::memory::inheritance::{Fate, Inherited, Item};
use crate::objects::history::History;
use crate::work;
use ingest_model::batch::OperationId;
use ingest_model::batch::{GroupKey, Verb};
use ingest_model::call::ItemFate;
use ingest_model::known::Revision;
use ingest_model::known::{KnownObject, object_hash};
use ingest_model::operation::Operation;
use ingest_model::outcome::Rejection;
use ingest_model::record::{Offset, TopicPartition};
use ingest_model::state_log::{Content, Entity, Entry, Intent, OperationRef};

impl Machine {
    /// Takes over a write that an earlier owner left open: its job is read, never submitted again.
    pub(in crate::machine) fn inherit(
        &mut self,
        now: Instant,
        partition: &TopicPartition,
        entity: Entity,
        intent: Intent,
    ) {
        let at = intent.at();
        let group = GroupKey {
            klass: intent.klass,
            verb: intent.verb,
        };
        let fate = match intent.job {
            Some(_) => Fate::Waiting,
            None => Fate::Doubt,
        };
        let mut items = BTreeMap::new();
        let mut named = BTreeMap::new();
        for item in intent.items {
            let objects = self
                .memory
                .inheritance
                .objects
                .entry(item.object)
                .or_default();
            if !objects.contains(&entity) {
                objects.push(entity);
            }
            let place = InheritedItem {
                intent: entity,
                reference: item.reference.clone(),
            };
            named.insert(item.reference.clone(), place);
            let kept = Item {
                object: item.object,
                version: item.version,
                operations: item.operations.into_iter().collect(),
                stray: false,
                fate: fate.clone(),
            };
            items.insert(item.reference, kept);
        }
        self.turn.fact(Fact::Inherited {
            items: items.len(),
            job: intent.job.is_some(),
        });
        let inherited = Inherited {
            partition: partition.clone(),
            at,
            verb: group.verb,
            items,
        };
        self.memory.inheritance.intents.insert(entity, inherited);
        if let Some(ticket) = intent.job {
            self.jobs
                .inherit(now, ticket, group, named, intent.with_refs);
        }
    }

    /// An inherited job has said what became of an item.
    pub(in crate::machine) fn inherited_fate(&mut self, item: &InheritedItem, fate: ItemFate) {
        let fate = match fate {
            ItemFate::Stored(id) => {
                self.inherited_stored(item, id);
                return;
            }
            ItemFate::Duplicate | ItemFate::Conflict => Fate::Look,
            ItemFate::Gone => {
                if let Some(object) = self.inherited_object(item) {
                    self.objects.cache.forget_hash(object);
                    self.forget_entity(Entity::Object(object));
                }
                Fate::NotWritten
            }
            ItemFate::Limited(_) | ItemFate::Transient(_) => Fate::NotWritten,
            ItemFate::Permanent(detail) => Fate::Refused(detail),
        };
        self.set_fate(item, fate);
    }

    /// An inherited job is complete without saying which items failed.
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
        let intent = self.memory.inheritance.intents.get(&item.intent)?;
        Some(intent.items.get(&item.reference)?.object)
    }

    fn inherited_stored(&mut self, item: &InheritedItem, id: Option<Arc<str>>) {
        let Some(intent) = self.memory.inheritance.intents.get(&item.intent) else {
            return;
        };
        let Some(kept) = intent.items.get(&item.reference) else {
            return;
        };
        let before = self.objects.cache.by_hash(kept.object);
        // Where duplicates are allowed, what the directory knows may be another object of the same external id.
        let same = before.filter(|before| {
            let named = id.as_ref().filter(|_| before.has_id());
            named.is_none_or(|id| *id == before.id)
        });
        let (object, partition, at) = (kept.object, intent.partition.clone(), intent.at);
        let known = match (intent.verb, id, same) {
            // A later state stands.
            (_, _, Some(before)) if before.is_newer_than(kept.version.as_ref()) => None,
            // It may be this state or another of its version. What was made of it stays known.
            (verb, id, Some(before)) if before.ties_with(kept.version.as_ref()) => {
                let revision = match verb {
                    Verb::Create => before.revision,
                    Verb::Update => Revision::Unknown,
                };
                Some(KnownObject {
                    id: id.unwrap_or_else(|| Arc::clone(&before.id)),
                    fingerprint: None,
                    revision,
                    ..before
                })
            }
            // An object that was made and not named must not be made again: it is read when its id is needed.
            (Verb::Create, id, _) => {
                let id = id.unwrap_or_else(|| Arc::from(""));
                Some(kept.stored(id, Revision::SinceCreate(0)))
            }
            // Where the two cannot be compared, this write need not be the next.
            (Verb::Update, Some(id), Some(before))
                if before.has_id() && before.is_older_than(kept.version.as_ref()) =>
            {
                Some(kept.stored(id, before.revision.next()))
            }
            (Verb::Update, id, before) => id
                .or_else(|| before.map(|one| one.id))
                .map(|id| kept.stored(id, Revision::Unknown)),
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
        let Some(kept) = self
            .memory
            .inheritance
            .intents
            .get_mut(&item.intent)
            .and_then(|intent| intent.items.get_mut(&item.reference))
        else {
            return;
        };
        kept.fate = fate;
        let object = kept.object;
        self.wake_heirs(object);
    }

    /// Operations that waited for this object look again.
    fn wake_heirs(&mut self, object: u128) {
        for id in self
            .memory
            .inheritance
            .waiting
            .remove(&object)
            .unwrap_or_default()
        {
            self.work.inherited_known(id);
        }
    }

    /// What an earlier owner's write means for the head of a lane. `true` if the operation goes on as any other.
    pub(in crate::machine) fn judge_inherited(&mut self, now: Instant, id: OperationId) -> bool {
        if self.memory.inheritance.objects.is_empty() {
            return true;
        }
        let Some(state) = self.work.get(id) else {
            return true;
        };
        let Operation::KObject(object) = &state.operation else {
            return true;
        };
        let hash = object_hash(&object.klass, &object.external_id);
        if !self.memory.inheritance.objects.contains_key(&hash) {
            return true;
        }
        let is = |fate: &Fate| {
            self.memory
                .inheritance
                .items(hash)
                .any(|(_, item)| item.fate == *fate)
        };
        if is(&Fate::Waiting) {
            self.memory
                .inheritance
                .waiting
                .entry(hash)
                .or_default()
                .push(id);
            self.work.wait_for_inherited(id);
            return false;
        }
        let wanted = self.partitions.operation_refs(id);
        let within = |fits: &dyn Fn(&Fate) -> bool| {
            let items = self
                .memory
                .inheritance
                .items(hash)
                .filter(|(one, item)| one.partition == state.partition && fits(&item.fate));
            let done: BTreeSet<OperationRef> = items
                .flat_map(|(_, item)| item.operations.iter().copied())
                .collect();
            wanted.iter().all(|one| done.contains(one))
        };
        if within(&|fate| *fate == Fate::Stored) {
            self.note_made(id);
            self.finish_delivered(id);
            return false;
        }
        // One of several writes of it was refused; where it is not known what became of another, it may stand.
        let unsure = self
            .memory
            .inheritance
            .items(hash)
            .any(|(_, item)| item.fate.is_in_doubt());
        if !unsure && within(&|fate| matches!(fate, Fate::Refused(_))) {
            let detail = self.memory.inheritance.items(hash).find_map(|(_, item)| {
                if let Fate::Refused(detail) = &item.fate {
                    Some(detail.clone())
                } else {
                    None
                }
            });
            self.finish_rejected(id, Rejection::RefusedByApi, detail.unwrap_or_default());
            return false;
        }
        let (doubt, look_in_doubt) = (is(&Fate::Doubt), is(&Fate::LookInDoubt));
        let look = is(&Fate::Look) || look_in_doubt;
        let verbs = self.memory.inheritance.items(hash).map(|(one, _)| one.verb);
        let verb = verbs.max().unwrap_or(Verb::Create);
        // Whoever comes first looks; what it finds is known to all that follow. Until then the topic has it as it was.
        for item in self.memory.inheritance.items_mut(hash) {
            match item.fate {
                Fate::Doubt | Fate::LookInDoubt | Fate::Look => item.fate = Fate::Entrusted(id),
                Fate::Waiting
                | Fate::Stored
                | Fate::NotWritten
                | Fate::Entrusted(_)
                | Fate::Refused(_) => {}
            }
        }
        if doubt && let Some(wait) = self.wait_in_doubt(id, verb) {
            self.work.park(id, now + wait);
            return false;
        }
        if look {
            self.objects.histories.look_first(id);
        }
        if look_in_doubt {
            self.objects.histories.doubt(id);
        }
        true
    }

    /// An operation has ended: an earlier owner's write of it is of no interest any more.
    pub(in crate::machine) fn inherited_end(
        &mut self,
        id: OperationId,
        state: &work::Entry,
        history: &History,
    ) {
        if self.memory.inheritance.objects.is_empty() {
            return;
        }
        let Operation::KObject(object) = &state.operation else {
            return;
        };
        let hash = object_hash(&object.klass, &object.external_id);
        // Without an answer to its look nothing is known: whoever writes next looks.
        let fate = if history.is_to_look() {
            Fate::Doubt
        } else {
            Fate::NotWritten
        };
        self.memory.inheritance.looked(hash, id, &fate);
        let ended = self.partitions.operation_refs(id);
        let entities = self.memory.inheritance.objects.get(&hash).cloned();
        for entity in entities.unwrap_or_default() {
            let intent = self.memory.inheritance.intents.get_mut(&entity);
            let of_partition = intent.filter(|one| one.partition == state.partition);
            let items = of_partition
                .into_iter()
                .flat_map(|one| one.items.values_mut());
            for item in items.filter(|item| item.object == hash) {
                // What was stored before this was written stands no longer.
                let void = history.last_write.is_some() && item.fate == Fate::Stored;
                item.end(|one| void || ended.contains(one));
            }
            self.sweep_intent(entity);
        }
    }

    /// An operation is left to the next owner of its partition: what it was to look at is in doubt as before.
    pub(in crate::machine) fn inherited_left(&mut self, id: OperationId, work: &Operation) {
        if let Operation::KObject(object) = work {
            let hash = object_hash(&object.klass, &object.external_id);
            self.memory.inheritance.looked(hash, id, &Fate::Doubt);
        }
    }

    /// Records below this offset never come again: what was written for them is of no interest any more, unless nobody knows what
    /// became of it. An operation that is still named then was never seen here: its record had been deleted.
    pub(in crate::machine) fn sweep_inherited(
        &mut self,
        partition: &TopicPartition,
        committed: Offset,
    ) {
        let mut below: Vec<Entity> = self
            .memory
            .inheritance
            .intents
            .iter_mut()
            .filter(|(_, one)| one.partition == *partition && one.at < committed)
            .map(|(entity, one)| {
                for item in one.items.values_mut() {
                    item.pass(committed);
                }
                *entity
            })
            .collect();
        below.sort_unstable();
        for entity in below {
            self.sweep_intent(entity);
        }
    }

    /// Lets go of an inherited write, if nothing of it is waited for.
    fn sweep_intent(&mut self, entity: Entity) {
        let Some(intent) = self.memory.inheritance.intents.get(&entity) else {
            return;
        };
        let of_interest = |item: &Item| {
            let open = !item.operations.is_empty() || item.fate == Fate::Waiting;
            open || (item.stray && item.fate.is_in_doubt())
        };
        if intent.items.values().any(of_interest) {
            return;
        }
        if let Some(gone) = self.memory.inheritance.remove(entity) {
            self.memory.journal.conclude(&gone.partition, entity);
        }
    }

    /// An inherited job has ended: what was kept for its answer alone is of no interest any more.
    pub(in crate::machine) fn inherited_job_ended(&mut self) {
        let committed = self.partitions.acknowledged();
        for (partition, committed) in committed {
            self.sweep_inherited(&partition, committed);
        }
        let mut all: Vec<Entity> = self.memory.inheritance.intents.keys().copied().collect();
        all.sort_unstable();
        for entity in all {
            self.sweep_intent(entity);
        }
    }

    /// A partition begins a new life: the records of writes that were left open do not come again, or all before them do, too.
    /// The writes themselves may still be under way.
    pub(in crate::machine) fn disinherit(&mut self, partition: &TopicPartition) {
        let intents = self.memory.inheritance.intents.values_mut();
        for one in intents.filter(|one| one.partition == *partition) {
            for item in one.items.values_mut() {
                item.operations.clear();
                item.stray = true;
            }
        }
    }

    /// A partition is gone, with all that was kept of it. Whoever comes next finds it in the topic.
    pub(in crate::machine) fn close_state(&mut self, partition: &TopicPartition) {
        if self.settings.state.is_none() {
            return;
        }
        self.memory.journal.close_slice(partition);
        for object in self.memory.inheritance.close_slice(partition) {
            self.wake_heirs(object);
        }
        self.state_works();
        let intents = &self.memory.inheritance.intents;
        self.jobs.disown(|item| !intents.contains_key(&item.intent));
    }
}
