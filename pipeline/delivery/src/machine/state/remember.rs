//! What is learnt goes into the caches, and into the slice of the record that taught it.

use std::sync::Arc;

use crate::machine::Machine;
use crate::work::LaneId;
use ingest_model::batch::OperationId;
use ingest_model::known::{KnownObject, customer_hash};
use ingest_model::operation::{CustomerKey, Operation};
use ingest_model::outcome::SkipReason;
use ingest_model::record::{Offset, TopicPartition};
use ingest_model::repeat::ChangeKey;
use ingest_model::said::Ages;
use ingest_model::state_log::{Content, Entity, Entry};

/// How many of the last waiting operations of a lane are searched for a copy of an arriving one, besides the active ones.
const LOOKED_BACK: usize = 64;

impl Machine {
    /// The latest record that an operation is for.
    pub(in crate::machine) fn origin(&self, id: OperationId) -> Option<(TopicPartition, Offset)> {
        let partition = self.work.get(id)?.partition.clone();
        Some((partition, self.partitions.highest(id)?))
    }

    pub(in crate::machine) fn note(
        &mut self,
        origin: Option<(TopicPartition, Offset)>,
        entity: Entity,
        content: Content,
    ) {
        let Some((partition, at)) = origin else {
            return;
        };
        self.memory
            .journal
            .learn(&partition, entity, Entry { at, content });
    }

    /// The state of an operation's object is known.
    pub(in crate::machine) fn learn_object(&mut self, id: OperationId, learnt: KnownObject) {
        if !self.writes_object(id) {
            return;
        }
        let hash = self.objects.histories.of(id).object_hash();
        if self.settings.state.is_some() {
            let mut kept = learnt.clone();
            if kept.version.is_none() {
                // Without a version, nobody could tell if another state was written since.
                kept.fingerprint = None;
            }
            self.note(self.origin(id), Entity::Object(hash), Content::Object(kept));
        }
        self.objects.cache.learn(hash, learnt);
    }

    /// What an operation changes is stored already, though nothing was sent for it.
    pub(in crate::machine) fn note_made(&mut self, id: OperationId) {
        let Some(Operation::KObject(object)) = self.work.get(id).map(|state| &state.operation)
        else {
            return;
        };
        let hash = self.objects.histories.of(id).object_hash();
        let known = self.objects.cache.peek(hash);
        let version = object.version.as_ref();
        if let Some(mut known) = known.filter(|known| known.ties_with(version)).cloned() {
            known.changes.extend(self.partitions.changes(id));
            self.learn_object(id, known);
        }
    }

    /// The object of an operation is not what it was.
    pub(in crate::machine) fn forget_object(&mut self, id: OperationId) {
        if !self.writes_object(id) {
            return;
        }
        let hash = self.objects.histories.of(id).object_hash();
        self.objects.cache.forget(hash);
        self.forget_entity(Entity::Object(hash));
    }

    /// The object of an operation is not there. If that is because it was deleted, which states are older than that stays known.
    pub(in crate::machine) fn forget_standing(&mut self, id: OperationId) {
        let hash = self.objects.histories.of(id).object_hash();
        let known = self.objects.cache.peek(hash);
        if known.is_none_or(|known| !known.gone) {
            self.forget_object(id);
        }
    }

    /// An operation's customer is not there any more.
    pub(in crate::machine) fn forget_customer_of(&mut self, id: OperationId) {
        let operation = self.work.get(id).map(|state| &state.operation);
        if let Some(Operation::KObject(object)) = operation
            && object.klass.is_customer()
        {
            let key = CustomerKey::ExternalId(Arc::clone(&object.external_id.0));
            self.forget_customer(&key);
        }
    }

    fn writes_object(&self, id: OperationId) -> bool {
        let operation = self.work.get(id).map(|state| &state.operation);
        matches!(operation, Some(Operation::KObject(_)))
    }

    pub(in crate::machine) fn forget_customer(&mut self, key: &CustomerKey) {
        self.customers.ids.forget(key);
        self.customers.forget_owner(key);
        self.forget_entity(Entity::Customer(customer_hash(key)));
    }

    pub(in crate::machine) fn forget_entity(&mut self, entity: Entity) {
        self.memory.journal.forget(entity);
    }

    /// A customer's id is known. It is noted if it is new, or new to the slice of the operation that taught it.
    pub(in crate::machine) fn note_customer(
        &mut self,
        origin: Option<(TopicPartition, Offset)>,
        key: &CustomerKey,
        id: &Arc<str>,
        new: bool,
    ) {
        let entity = Entity::Customer(customer_hash(key));
        let known = origin
            .as_ref()
            .is_none_or(|(partition, _)| self.memory.journal.knows(partition, entity));
        if new || !known {
            let content = Content::Customer(Arc::clone(id));
            self.note(origin, entity, content);
        }
    }

    /// An event was delivered.
    pub(in crate::machine) fn note_event(&mut self, id: OperationId, key: u128) {
        if self.settings.state.is_some() {
            self.note(self.origin(id), Entity::Event(key), Content::Event);
        }
    }

    /// Why an arriving operation would have nothing to do if it were its turn. Its change of an object or customer was made
    /// before, so making it again could undo a later one. Or newer identities have stated all that it states; if they left a
    /// part, that remains.
    pub(in crate::machine) fn has_nothing_to_do(
        &mut self,
        operation: &mut Operation,
        object: Option<u128>,
        ages: &Ages,
        change: ChangeKey,
    ) -> Option<SkipReason> {
        match operation {
            // Decided when it is its turn, by its `eventKey`.
            Operation::Track(_) => None,
            Operation::Identify(identify) => self.customers.judge_said(identify, ages, &[change]),
            Operation::KObject(one) => {
                let made = match one.fold.as_deref() {
                    Some(fold) => self.objects.sessions.has_all(object?, fold),
                    None => self.objects.cache.peek(object?)?.changes.contains(change),
                };
                made.then_some(SkipReason::Repeat)
            }
        }
    }

    /// Whether another operation of the lane makes the same change. Only when that has ended is it known whether this one is a
    /// repeat; until then, it must not be merged over what is between the two.
    pub(in crate::machine) fn is_copy(
        &self,
        lane: LaneId,
        operation: &Operation,
        change: ChangeKey,
    ) -> bool {
        if matches!(operation, Operation::Track(_)) || operation.fold().is_some() {
            return false;
        }
        let mut before = self.work.latest_in_lane(lane, LOOKED_BACK);
        before.any(|id| self.partitions.changes(id).any(|one| one == change))
    }
}
