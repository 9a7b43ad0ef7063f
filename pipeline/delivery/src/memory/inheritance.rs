//! Writes that earlier owners of the partitions left open, and what is known of the fate of their items.

use std::collections::{BTreeMap, BTreeSet};

use super::inherited::{Fate, Inherited, Item};
use ingest_model::batch::{OperationId, Verb};
use ingest_model::record::{Offset, TopicPartition};
use ingest_model::state_log::{Entity, Intent, OperationRef};

/// Writes that earlier owners left open.
#[derive(Debug, Default)]
pub(crate) struct Inheritance {
    intents: BTreeMap<Entity, Inherited>,
    /// The writes of each object.
    objects: BTreeMap<u128, Vec<Entity>>,
    /// Operations on each object that wait for the fate of such a write.
    waiting: BTreeMap<u128, Vec<OperationId>>,
}

/// What earlier owners' writes of an object mean for an operation that is about to write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Legacy {
    /// The fate of one is not known until its job is read.
    Waits,
    /// All that the operation would write is stored.
    Stands,
    /// All that the operation would write was refused.
    Refused(String),
    /// It may go on, with care.
    Careful(Care),
}

/// What an operation has to do before it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Care {
    /// A write may still be in flight: wait as long as one with this verb can take.
    pub(crate) wait: Option<Verb>,
    /// Read the object first.
    pub(crate) look: bool,
    /// Its own write may be stored already.
    pub(crate) doubt: bool,
}

impl Inheritance {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Whether one of them writes this object.
    pub(crate) fn concerns(&self, object: u128) -> bool {
        self.objects.contains_key(&object)
    }

    /// How many writes of earlier owners are open.
    pub(crate) fn len(&self) -> usize {
        self.intents.len()
    }

    /// Whether this write is still needed.
    pub(crate) fn has(&self, entity: Entity) -> bool {
        self.intents.contains_key(&entity)
    }

    /// An item of a write, and the write.
    pub(crate) fn item(&self, entity: Entity, reference: &str) -> Option<(&Inherited, &Item)> {
        let one = self.intents.get(&entity)?;
        Some((one, one.items.get(reference)?))
    }

    /// Takes over a write. Returns the references of its items.
    pub(crate) fn take_over(
        &mut self,
        partition: &TopicPartition,
        entity: Entity,
        intent: &Intent,
    ) -> Vec<String> {
        let fate = match intent.job {
            Some(_) => Fate::Waiting,
            None => Fate::Doubt,
        };
        let mut items = BTreeMap::new();
        for item in &intent.items {
            let entities = self.objects.entry(item.object).or_default();
            if !entities.contains(&entity) {
                entities.push(entity);
            }
            let kept = Item {
                object: item.object,
                version: item.version.clone(),
                operations: item.operations.iter().copied().collect(),
                stray: false,
                fate: fate.clone(),
            };
            items.insert(item.reference.clone(), kept);
        }
        let references = items.keys().cloned().collect();
        let one = Inherited {
            partition: partition.clone(),
            at: intent.at(),
            verb: intent.verb,
            items,
        };
        self.intents.insert(entity, one);
        references
    }

    /// The fate of an item is known. Returns the operations that waited for it.
    pub(crate) fn settle_fate(
        &mut self,
        entity: Entity,
        reference: &str,
        fate: Fate,
    ) -> Vec<OperationId> {
        let one = self.intents.get_mut(&entity);
        let Some(item) = one.and_then(|one| one.items.get_mut(reference)) else {
            return Vec::new();
        };
        item.fate = fate;
        let object = item.object;
        self.take_waiting(object)
    }

    /// Takes the operations that wait for the fate of an object.
    pub(crate) fn take_waiting(&mut self, object: u128) -> Vec<OperationId> {
        self.waiting.remove(&object).unwrap_or_default()
    }

    /// An operation waits for the fate of an earlier write of the object.
    pub(crate) fn wait(&mut self, object: u128, id: OperationId) {
        self.waiting.entry(object).or_default().push(id);
    }

    /// Whether an operation waits for the fate of an earlier owner's write of that object.
    pub(crate) fn is_waiting(&self, object: u128, id: OperationId) -> bool {
        let waiting = self.waiting.get(&object);
        waiting.is_some_and(|waiting| waiting.contains(&id))
    }

    /// The writes of an object whose jobs have not shown its fate yet.
    pub(crate) fn unread(&self, object: u128) -> impl Iterator<Item = Entity> {
        let entities = self.objects.get(&object).into_iter().flatten();
        let waits = move |entity: &&Entity| {
            let one = self.intents.get(entity);
            let mut items = one.into_iter().flat_map(|one| one.items.values());
            items.any(|item| item.object == object && item.fate == Fate::Waiting)
        };
        entities.filter(waits).copied()
    }

    /// What this means for an operation of a partition that carries out all of `wanted` on an object.
    pub(crate) fn judge(
        &self,
        partition: &TopicPartition,
        object: u128,
        wanted: &[OperationRef],
    ) -> Legacy {
        let is = |fate: &Fate| self.items(object).any(|(_, item)| item.fate == *fate);
        if is(&Fate::Waiting) {
            return Legacy::Waits;
        }
        if self.all_are(partition, object, wanted, |fate| *fate == Fate::Stored) {
            return Legacy::Stands;
        }
        // One of its writes was refused; but if the fate of another is in doubt, the object may have been stored by that.
        let unsure = self.items(object).any(|(_, item)| item.fate.is_in_doubt());
        let refused = |fate: &Fate| matches!(fate, Fate::Refused(_));
        if !unsure && self.all_are(partition, object, wanted, refused) {
            let detail = self.items(object).find_map(|(_, item)| match &item.fate {
                Fate::Refused(detail) => Some(detail.clone()),
                Fate::Waiting
                | Fate::Stored
                | Fate::NotWritten
                | Fate::Look
                | Fate::LookInDoubt
                | Fate::Doubt
                | Fate::Entrusted(_) => None,
            });
            return Legacy::Refused(detail.unwrap_or_default());
        }
        let verb = self.items(object).map(|(one, _)| one.verb).max();
        let in_doubt = is(&Fate::LookInDoubt);
        Legacy::Careful(Care {
            wait: is(&Fate::Doubt).then_some(verb.unwrap_or(Verb::Create)),
            look: in_doubt || is(&Fate::Look),
            doubt: in_doubt,
        })
    }

    /// Whether all of these operations belong to items of the partition whose fate fits.
    fn all_are(
        &self,
        partition: &TopicPartition,
        object: u128,
        wanted: &[OperationRef],
        fits: impl Fn(&Fate) -> bool,
    ) -> bool {
        let items = self.items(object);
        let items = items.filter(|(one, item)| one.partition == *partition && fits(&item.fate));
        let done: BTreeSet<&OperationRef> = items.flat_map(|(_, item)| &item.operations).collect();
        wanted.iter().all(|one| done.contains(one))
    }

    /// This operation looks at an object that is in doubt. The first one to come does, and all that follow know what it finds.
    /// Until then the state topic is not changed.
    pub(crate) fn entrust(&mut self, object: u128, id: OperationId) {
        for item in self.items_mut(object) {
            match item.fate {
                Fate::Doubt | Fate::LookInDoubt | Fate::Look => item.fate = Fate::Entrusted(id),
                Fate::Waiting
                | Fate::Stored
                | Fate::NotWritten
                | Fate::Entrusted(_)
                | Fate::Refused(_) => {}
            }
        }
    }

    /// The items that an operation was to look at have this fate now.
    pub(crate) fn looked(&mut self, object: u128, looker: OperationId, fate: &Fate) {
        if self.objects.contains_key(&object) {
            let items = self.items_mut(object);
            for item in items.filter(|item| item.fate == Fate::Entrusted(looker)) {
                item.fate = fate.clone();
            }
        }
    }

    /// Operations on an object have ended, one of which may have written it. Returns the writes that are no longer needed, and
    /// their partitions.
    pub(crate) fn ended(
        &mut self,
        partition: &TopicPartition,
        object: u128,
        ended: &[OperationRef],
        was_written: bool,
    ) -> Vec<(Entity, TopicPartition)> {
        let entities = self.objects.get(&object).cloned().unwrap_or_default();
        for entity in &entities {
            let one = self.intents.get_mut(entity);
            let Some(one) = one.filter(|one| one.partition == *partition) else {
                continue;
            };
            for item in one.items.values_mut().filter(|item| item.object == object) {
                // What was stored before this write is overwritten.
                let void = was_written && item.fate == Fate::Stored;
                item.end(|one| void || ended.contains(one));
            }
        }
        self.sweep(entities)
    }

    /// Records of a partition below an offset never come again. Returns the writes that are no longer needed. Operations that
    /// are still listed were never seen here: their records had been deleted.
    pub(crate) fn pass(
        &mut self,
        partition: &TopicPartition,
        committed: Offset,
    ) -> Vec<(Entity, TopicPartition)> {
        let of_partition = |one: &Inherited| one.partition == *partition && one.at < committed;
        let mut below = Vec::new();
        for (entity, one) in &mut self.intents {
            if of_partition(one) {
                one.items.values_mut().for_each(|item| item.pass(committed));
                below.push(*entity);
            }
        }
        self.sweep(below)
    }

    /// Removes all writes that are no longer needed.
    pub(crate) fn sweep_all(&mut self) -> Vec<(Entity, TopicPartition)> {
        self.sweep(self.intents.keys().copied().collect())
    }

    fn sweep(&mut self, entities: Vec<Entity>) -> Vec<(Entity, TopicPartition)> {
        let mut gone = Vec::new();
        for entity in entities {
            let known = self.intents.get(&entity);
            if known.is_some_and(|one| !one.items.values().any(Item::is_of_interest))
                && let Some(one) = self.remove(entity)
            {
                gone.push((entity, one.partition));
            }
        }
        gone
    }

    /// A new life of a partition begins: the operations of its writes do not come again, or come with all those before them.
    /// But the writes themselves may still be in flight.
    pub(crate) fn begin_life(&mut self, partition: &TopicPartition) {
        let intents = self.intents.values_mut();
        for one in intents.filter(|one| one.partition == *partition) {
            for item in one.items.values_mut() {
                item.operations.clear();
                item.stray = true;
            }
        }
    }

    /// Removes the writes of a partition. Returns their objects.
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

    fn remove(&mut self, entity: Entity) -> Option<Inherited> {
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

    fn items_mut(&mut self, object: u128) -> impl Iterator<Item = &mut Item> {
        let entities = self.objects.get(&object).cloned().unwrap_or_default();
        self.intents
            .iter_mut()
            .filter(move |(entity, _)| entities.contains(entity))
            .flat_map(move |(_, one)| {
                let items = one.items.values_mut();
                items.filter(move |item| item.object == object)
            })
    }

    /// Whether an earlier owner had begun to write this operation, and whether the fate of that is in doubt.
    pub(crate) fn has_begun(
        &self,
        partition: &TopicPartition,
        object: u128,
        operation: OperationRef,
    ) -> (bool, bool) {
        let mut fates = self
            .items(object)
            .filter(|(one, item)| {
                one.partition == *partition && item.operations.contains(&operation)
            })
            .map(|(_, item)| &item.fate)
            .peekable();
        let begun = fates.peek().is_some();
        (begun, begun && fates.all(Fate::is_in_doubt))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ingest_model::operation::Klass;
    use ingest_model::outcome::JobTicket;
    use ingest_model::state_log::IntentItem;

    use super::*;

    const OBJECT: u128 = 42;
    const ENTITY: Entity = Entity::Intent(3);

    fn operation() -> OperationRef {
        OperationRef {
            offset: Offset(5),
            ordinal: 0,
            mark: 9,
        }
    }

    fn pier() -> TopicPartition {
        TopicPartition::new("pier", 0)
    }

    fn inheritance(job: Option<&str>) -> Inheritance {
        let intent = Intent {
            klass: Klass(Arc::from("order")),
            verb: Verb::Update,
            with_refs: true,
            job: job.map(|id| JobTicket {
                id: Arc::from(id),
                created_ms: None,
            }),
            items: vec![IntentItem {
                reference: "r".to_owned(),
                object: OBJECT,
                version: None,
                operations: vec![operation()],
            }],
        };
        let mut inheritance = Inheritance::default();
        assert_eq!(inheritance.take_over(&pier(), ENTITY, &intent), ["r"]);
        inheritance
    }

    #[test]
    fn who_waits_for_a_job_waits_until_the_items_fate_is_known() {
        let mut inheritance = inheritance(Some("j"));
        let judged = inheritance.judge(&pier(), OBJECT, &[operation()]);
        assert_eq!(judged, Legacy::Waits);
        inheritance.wait(OBJECT, OperationId(1));
        assert!(inheritance.is_waiting(OBJECT, OperationId(1)));
        assert_eq!(inheritance.unread(OBJECT).collect::<Vec<_>>(), [ENTITY]);
        let heirs = inheritance.settle_fate(ENTITY, "r", Fate::Stored);
        assert_eq!(heirs, [OperationId(1)]);
        assert!(!inheritance.is_waiting(OBJECT, OperationId(1)));
        assert_eq!(inheritance.unread(OBJECT).count(), 0);
        let judged = inheritance.judge(&pier(), OBJECT, &[operation()]);
        assert_eq!(judged, Legacy::Stands);
    }

    #[test]
    fn a_write_in_doubt_is_looked_at_by_who_comes_first_and_needed_until_somebody_has() {
        let mut inheritance = inheritance(None);
        let care = Care {
            wait: Some(Verb::Update),
            look: false,
            doubt: false,
        };
        let judged = inheritance.judge(&pier(), OBJECT, &[operation()]);
        assert_eq!(judged, Legacy::Careful(care));
        inheritance.entrust(OBJECT, OperationId(1));
        let care = Care { wait: None, ..care };
        let judged = inheritance.judge(&pier(), OBJECT, &[operation()]);
        assert_eq!(judged, Legacy::Careful(care), "another does not wait");
        assert_eq!(
            inheritance.pass(&pier(), Offset(6)),
            [],
            "nobody knows what became of it"
        );
        inheritance.looked(OBJECT, OperationId(1), &Fate::NotWritten);
        assert_eq!(inheritance.sweep_all(), [(ENTITY, pier())]);
        assert!(inheritance.is_empty());
    }

    #[test]
    fn a_refusal_says_why_unless_another_write_may_be_stored() {
        let mut inheritance = inheritance(Some("j"));
        let fate = Fate::Refused("too long".to_owned());
        inheritance.settle_fate(ENTITY, "r", fate);
        let judged = inheritance.judge(&pier(), OBJECT, &[operation()]);
        assert_eq!(judged, Legacy::Refused("too long".to_owned()));
        let other = OperationRef {
            ordinal: 1,
            ..operation()
        };
        let judged = inheritance.judge(&pier(), OBJECT, &[operation(), other]);
        assert!(matches!(judged, Legacy::Careful(_)), "{judged:?}");
    }
}
