//! Which writes earlier owners of the partitions left open, and what became of their items as far as anybody knows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ingest_model::batch::OperationId;
use ingest_model::batch::Verb;
use ingest_model::known::Revision;
use ingest_model::known::{KnownObject, object_hash};
use ingest_model::operation::{KObject, Version};
use ingest_model::record::{Offset, TopicPartition};
use ingest_model::repeat::Changes;
use ingest_model::state_log::{Entity, OperationRef};

/// Writes that earlier owners left open.
#[derive(Debug, Default)]
pub(crate) struct Inheritance {
    pub(crate) intents: BTreeMap<Entity, Inherited>,
    /// Which of them write an object.
    pub(crate) objects: BTreeMap<u128, Vec<Entity>>,
    /// Operations that wait until it is known what became of them.
    pub(crate) waiting: BTreeMap<u128, Vec<OperationId>>,
}

#[derive(Debug)]
pub(crate) struct Inherited {
    pub(crate) partition: TopicPartition,
    pub(crate) at: Offset,
    pub(crate) verb: Verb,
    pub(crate) items: BTreeMap<String, Item>,
}

#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) object: u128,
    pub(crate) version: Option<Version>,
    pub(crate) operations: BTreeSet<OperationRef>,
    /// Operations of it have ended, or their records never come again: while it is in doubt, whoever writes the object next
    /// has to look.
    pub(crate) stray: bool,
    pub(crate) fate: Fate,
}

/// What became of an item, as far as anybody knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The job has not said.
    Waiting,
    /// It stands.
    Stored,
    /// It was not written.
    NotWritten,
    /// An object of this external id exists, or was changed by somebody else: read it first.
    Look,
    /// It stands or does not stand, and nothing of it is under way: read it first.
    LookInDoubt,
    /// Perhaps it is still under way.
    Doubt,
    /// It was in doubt, and this operation looks.
    Entrusted(OperationId),
    /// Refused for good.
    Refused(String),
}

impl Fate {
    /// Whoever writes the object next has to look first.
    pub(crate) fn is_in_doubt(&self) -> bool {
        match self {
            Self::Look | Self::LookInDoubt | Self::Doubt | Self::Entrusted(_) => true,
            Self::Waiting | Self::Stored | Self::NotWritten | Self::Refused(_) => false,
        }
    }
}

impl Item {
    /// The object as this write left it.
    pub(crate) fn stored(&self, id: Arc<str>, revision: Revision) -> KnownObject {
        KnownObject {
            id,
            version: self.version.clone(),
            fingerprint: None,
            revision,
            doubtful: false,
            changes: Changes::default(),
        }
    }

    /// Records below this offset never come again.
    pub(crate) fn pass(&mut self, committed: Offset) {
        self.end(|one| one.offset < committed);
    }

    /// These operations are not waited for any more. If nobody has looked, whoever writes the object next has to.
    pub(crate) fn end(&mut self, is_over: impl Fn(&OperationRef) -> bool) {
        let named = self.operations.len();
        self.operations.retain(|one| !is_over(one));
        self.stray |= self.operations.len() < named;
    }
}

impl Inheritance {
    /// Whether an operation waits for what became of an earlier owner's write of that object.
    pub(crate) fn is_waiting(&self, object: u128, id: OperationId) -> bool {
        let waiting = self.waiting.get(&object);
        waiting.is_some_and(|waiting| waiting.contains(&id))
    }

    /// How many writes of earlier owners are open.
    pub(crate) fn len(&self) -> usize {
        self.intents.len()
    }

    /// Nothing of a partition is of interest any more. The objects that were waited for.
    pub(crate) fn close_slice(&mut self, partition: &TopicPartition) -> BTreeSet<u128> {
        let gone: Vec<Entity> = self
            .intents
            .iter()
            .filter(|(_, one)| one.partition == *partition)
            .map(|(entity, _)| *entity)
            .collect();
        let removed = gone.into_iter().filter_map(|entity| self.remove(entity));
        let items = removed.flat_map(|one| one.items.into_values());
        items.map(|item| item.object).collect()
    }

    pub(crate) fn remove(&mut self, entity: Entity) -> Option<Inherited> {
        let gone = self.intents.remove(&entity)?;
        for item in gone.items.values() {
            if let Some(entities) = self.objects.get_mut(&item.object) {
                entities.retain(|other| *other != entity);
                if entities.is_empty() {
                    self.objects.remove(&item.object);
                }
            }
        }
        Some(gone)
    }

    /// The items that write an object, of any partition.
    pub(crate) fn items(&self, object: u128) -> impl Iterator<Item = (&Inherited, &Item)> {
        let entities = self.objects.get(&object).into_iter().flatten();
        let intents = entities.filter_map(|entity| self.intents.get(entity));
        intents.flat_map(move |one| {
            let items = one.items.values().filter(move |item| item.object == object);
            items.map(move |item| (one, item))
        })
    }

    pub(crate) fn items_mut(&mut self, object: u128) -> impl Iterator<Item = &mut Item> {
        let entities = self.objects.get(&object).cloned().unwrap_or_default();
        self.intents
            .iter_mut()
            .filter(move |(entity, _)| entities.contains(entity))
            .flat_map(move |(_, one)| {
                let items = one.items.values_mut();
                items.filter(move |item| item.object == object)
            })
    }

    /// What an operation was to look at has another fate now.
    pub(crate) fn looked(&mut self, object: u128, looker: OperationId, fate: &Fate) {
        if self.objects.contains_key(&object) {
            let items = self.items_mut(object);
            for item in items.filter(|item| item.fate == Fate::Entrusted(looker)) {
                item.fate = fate.clone();
            }
        }
    }

    /// Whether an earlier owner has begun to write this operation, and whether what became of it is in doubt.
    pub(crate) fn has_begun(
        &self,
        partition: &TopicPartition,
        object: &KObject,
        operation: OperationRef,
    ) -> (bool, bool) {
        if self.objects.is_empty() {
            return (false, false);
        }
        let hash = object_hash(&object.klass, &object.external_id);
        let mut fates = self
            .items(hash)
            .filter(|(one, item)| {
                one.partition == *partition && item.operations.contains(&operation)
            })
            .map(|(_, item)| &item.fate)
            .peekable();
        let begun = fates.peek().is_some();
        (begun, begun && fates.all(Fate::is_in_doubt))
    }
}
