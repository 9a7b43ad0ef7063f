//! What one owner of a slice has to write: the latest of each entry, in an order in which it may become visible.
//!
//! One batch is in flight at a time, so entries reach the topic in the order in which they were given, and an entry that
//! changes meanwhile is written once. An intent disappears only in a batch after the facts that it led to: the next owner
//! either knows the object or finds the intent.
//!
//! The facts of a slice are a window: beyond the capacity, the oldest are deleted. What was found at the assignment stays
//! under the older owner's key until it changes; then it is written under this owner's key and the other key is deleted.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::format::{encode_key, encode_value};
use super::reduce::Slice;
use super::{Entity, Entry, EntryKey, OwnerId, SliceId, StateRecord};
use crate::lookup::Lookup;
use crate::lookup::map_bytes;

/// Entries in one batch.
const BATCH: usize = 500;
/// Entries that wait to be written. Beyond that, only objects and intents are added.
const WAITING: usize = 20_000;

/// How many entries of each kind a slice keeps.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Customers, what was said of them, and objects.
    pub facts: usize,
    /// Events that were delivered.
    pub events: usize,
}

/// The writing side of one assignment.
#[derive(Debug)]
pub struct SliceWriter {
    slice: SliceId,
    owner: OwnerId,
    facts: Window,
    events: Window,
    outbox: IndexMap<EntryKey, Option<Entry>>,
    under_way: Vec<(EntryKey, Option<Entry>)>,
    /// An intent waits to be written.
    urgent: bool,
    left_out: u64,
}

/// The entities that have an entry in the topic, oldest first.
#[derive(Debug)]
struct Window {
    places: Lookup<Entity, Place>,
    order: BTreeMap<u64, Entity>,
    next: u64,
    capacity: usize,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    number: u64,
    /// The owner under whose key the entry is, if that is another one.
    foreign: Option<OwnerId>,
}

/// Approximate bytes of an entity and its number in a window's order: tree nodes are two thirds full.
const ORDERED: usize = 64;

/// Approximate bytes of a waiting entry in the index of its map, and of its content, beyond its slot.
const HASHED: usize = 24;
const APART: usize = 200;

impl SliceWriter {
    /// Approximate bytes in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let entries = self.outbox.capacity() + self.under_way.capacity();
        let places = entries * (size_of::<(EntryKey, Option<Entry>)>() + HASHED);
        self.facts.bytes() + self.events.bytes() + places + self.waiting() * APART
    }

    /// The writer of an assignment, which continues from what the slice holds. Intents are taken over at once.
    #[must_use]
    pub fn new(slice: SliceId, owner: OwnerId, held: &Slice, capacity: Capacity) -> Self {
        let mut writer = Self {
            slice,
            owner,
            facts: Window::new(capacity.facts),
            events: Window::new(capacity.events),
            outbox: IndexMap::new(),
            under_way: Vec::new(),
            urgent: false,
            left_out: 0,
        };
        for (entity, by, entry) in &held.entries {
            match entity {
                Entity::Intent(_) => {
                    writer.put(*entity, owner, Some(entry.clone()));
                    if *by != owner {
                        writer.put(*entity, *by, None);
                    }
                }
                Entity::Customer(_)
                | Entity::Object(_)
                | Entity::Event(_)
                | Entity::Identity(_) => {
                    let foreign = (*by != owner).then_some(*by);
                    writer.enter(*entity, foreign);
                }
            }
        }
        for (entity, by) in &held.outranked {
            writer.put(*entity, *by, None);
        }
        writer
    }

    /// The owner that writes.
    #[must_use]
    pub fn owner(&self) -> OwnerId {
        self.owner
    }

    /// A fact was learnt. If too much waits already, it is dropped, unless it is about an object: a lost fact about a
    /// customer or event only costs units, and a late identity may be sent again after a restart.
    pub fn learn(&mut self, entity: Entity, entry: Entry) {
        let may_be_left_out = match entity {
            Entity::Customer(_) | Entity::Event(_) | Entity::Identity(_) => true,
            Entity::Object(_) | Entity::Intent(_) => false,
        };
        if may_be_left_out && self.outbox.len() >= WAITING {
            self.left_out += 1;
            return;
        }
        let before = self.enter(entity, None);
        self.put(entity, self.owner, Some(entry));
        if let Some(foreign) = before.and_then(|place| place.foreign) {
            self.put(entity, foreign, None);
        }
    }

    /// A fact no longer holds.
    pub fn forget(&mut self, entity: Entity) {
        if let Some(place) = self.window(entity).and_then(|w| w.leave(entity)) {
            self.put(entity, place.foreign.unwrap_or(self.owner), None);
        }
    }

    /// Whether the topic has, or will have, an entry of this entity.
    #[must_use]
    pub fn knows(&self, entity: Entity) -> bool {
        self.facts.places.contains_key(&entity) || self.events.places.contains_key(&entity)
    }

    /// A write is about to be sent, or has become a job.
    pub fn intend(&mut self, entity: Entity, entry: Entry) {
        self.put(entity, self.owner, Some(entry));
        self.urgent = true;
    }

    /// Nothing of this write is open any more.
    pub fn conclude(&mut self, entity: Entity) {
        // Its copy may not have been written yet, nor the deletion under its former owner's key: neither may overtake
        // what the write has led to.
        let earlier: Vec<EntryKey> = self
            .outbox
            .keys()
            .filter(|key| key.entity == entity)
            .cloned()
            .collect();
        for key in earlier {
            self.outbox.shift_remove(&key);
            self.outbox.insert(key, None);
        }
        self.put(entity, self.owner, None);
    }

    /// The next batch, unless one is in flight or there is nothing to write.
    pub fn next_batch(&mut self) -> Option<Vec<StateRecord>> {
        if !self.under_way.is_empty() || self.outbox.is_empty() {
            return None;
        }
        let mut count = 0;
        let mut facts = false;
        for (key, value) in self.outbox.iter().take(BATCH) {
            let ends_intent = value.is_none() && matches!(key.entity, Entity::Intent(_));
            if ends_intent && facts {
                break;
            }
            facts |= value.is_some() && matches!(key.entity, Entity::Object(_));
            count += 1;
        }
        self.under_way = self.outbox.drain(..count).collect();
        self.urgent = self.urgent && self.has_intent();
        let records = self.under_way.iter().map(|(key, value)| StateRecord {
            key: encode_key(key),
            value: value.as_ref().map(encode_value),
        });
        Some(records.collect())
    }

    /// The batch in flight was acknowledged. Returns the writes that are now journalled.
    pub fn acknowledged(&mut self) -> Vec<Entity> {
        let written = std::mem::take(&mut self.under_way);
        let intents = written.into_iter().filter_map(|(key, value)| {
            let is_intent = value.is_some() && matches!(key.entity, Entity::Intent(_));
            (is_intent && key.owner == self.owner).then_some(key.entity)
        });
        intents.collect()
    }

    /// The batch in flight failed: it is sent again before everything else, with whatever has changed since.
    pub fn failed(&mut self) {
        let mut again: IndexMap<EntryKey, Option<Entry>> = IndexMap::new();
        let mut ends: IndexMap<EntryKey, Option<Entry>> = IndexMap::new();
        for (key, value) in std::mem::take(&mut self.under_way) {
            // What has changed takes the place of the old value; the end of a write stays behind the facts that the write
            // has led to.
            let newest = self.outbox.shift_remove(&key).unwrap_or(value);
            let into = if newest.is_none() && matches!(key.entity, Entity::Intent(_)) {
                &mut ends
            } else {
                &mut again
            };
            into.insert(key, newest);
        }
        again.extend(std::mem::take(&mut self.outbox));
        again.extend(ends);
        self.outbox = again;
        self.urgent = self.has_intent();
    }

    /// Whether nothing waits and nothing is in flight.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.outbox.is_empty() && self.under_way.is_empty()
    }

    /// Whether a batch is in flight.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// Whether a write waits for its intent to be journalled.
    #[must_use]
    pub fn is_urgent(&self) -> bool {
        self.urgent
    }

    /// Entries that wait to be written.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.outbox.len() + self.under_way.len()
    }

    /// Facts that were dropped because too much waited.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Enters an entity as the newest of its window, and deletes the oldest if the window is full. Returns its previous
    /// place.
    fn enter(&mut self, entity: Entity, foreign: Option<OwnerId>) -> Option<Place> {
        let window = self.window(entity)?;
        let before = window.leave(entity);
        let number = window.next;
        window.next += 1;
        window.order.insert(number, entity);
        window.places.insert(entity, Place { number, foreign });
        let oldest = if window.places.len() > window.capacity {
            window.order.first_key_value().map(|(_, oldest)| *oldest)
        } else {
            None
        };
        if let Some(oldest) = oldest {
            self.forget(oldest);
        }
        before
    }

    fn has_intent(&self) -> bool {
        self.outbox
            .iter()
            .any(|(key, value)| value.is_some() && matches!(key.entity, Entity::Intent(_)))
    }

    fn window(&mut self, entity: Entity) -> Option<&mut Window> {
        match entity {
            Entity::Customer(_) | Entity::Object(_) | Entity::Identity(_) => Some(&mut self.facts),
            Entity::Event(_) => Some(&mut self.events),
            Entity::Intent(_) => None,
        }
    }

    fn put(&mut self, entity: Entity, owner: OwnerId, value: Option<Entry>) {
        let key = EntryKey {
            slice: self.slice,
            entity,
            owner,
        };
        if value.is_none() {
            // A deletion never goes ahead of what was given before it.
            self.outbox.shift_remove(&key);
        }
        self.outbox.insert(key, value);
    }
}

impl Window {
    fn bytes(&self) -> usize {
        map_bytes::<Entity, Place>(self.places.capacity()) + self.order.len() * ORDERED
    }

    fn new(capacity: usize) -> Self {
        Self {
            places: Lookup::default(),
            order: BTreeMap::new(),
            next: 0,
            capacity: capacity.max(1),
        }
    }

    fn leave(&mut self, entity: Entity) -> Option<Place> {
        let place = self.places.remove(&entity)?;
        self.order.remove(&place.number);
        Some(place)
    }
}
