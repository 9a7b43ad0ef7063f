//! `KObjects`, their external ids and versions.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::history::History;
use super::parts::{ByPrint, at, at_mut, fingerprint, merge, next_position, packed, parsed};
use super::versions::version_of;
use crate::time::SimTime;

/// One `KObject`.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) klass: u16,
    pub(crate) live: bool,
    pub(crate) customer: Option<u32>,
    pub(crate) external_id: Option<Box<str>>,
    pub(crate) title: Box<str>,
    custom: Box<str>,
    version: Option<Box<str>>,
    // the rarer fields: description, icon, images, data, tags, company, importedAt
    rest: Option<Box<str>>,
    pub(crate) created_at: SimTime,
    pub(crate) updated_at: SimTime,
    pub(crate) rev: u64,
    /// What was written under its present version.
    pub(crate) history: History,
}

impl Object {
    /// An object from a checked create body; its identifiers are taken out of the body.
    pub(crate) fn new(
        now: SimTime,
        klass: u16,
        customer: Option<u32>,
        rev: u64,
        body: Map<String, Value>,
    ) -> Self {
        let (mut external_id, mut title, mut created_at) = (None, None, None);
        let (mut custom, mut rest) = (Map::new(), Map::new());
        for (name, value) in body {
            match (name.as_str(), value) {
                ("externalId", value) => external_id = text_of(Some(&value)),
                ("title", value) => title = text_of(Some(&value)),
                ("createdAt", value) => created_at = text_of(Some(&value)),
                ("customer", _) => {}
                ("custom", Value::Object(given)) => {
                    custom = given;
                    custom.retain(|_, value| !value.is_null());
                }
                ("custom", _) => {}
                (_, value) => drop(rest.insert(name, value)),
            }
        }
        Self {
            klass,
            live: true,
            customer,
            external_id,
            title: title.unwrap_or_default(),
            custom: packed(&custom),
            version: version_of(&custom).map(Into::into),
            rest: (!rest.is_empty()).then(|| packed(&rest)),
            created_at: created_at
                .and_then(|text| SimTime::parse(&text))
                .unwrap_or(now),
            updated_at: now,
            rev,
            history: History::default(),
        }
    }

    /// Merges a checked update: `custom` key by key, everything else as a whole.
    pub(crate) fn update(&mut self, now: SimTime, rev_step: u64, mut body: Map<String, Value>) {
        body.shift_remove("rev");
        if let Some(title) = text_of(body.shift_remove("title").as_ref()) {
            self.title = title;
        }
        if let Some(external_id) = text_of(body.shift_remove("externalId").as_ref()) {
            self.external_id = Some(external_id);
        }
        let created_at = text_of(body.shift_remove("createdAt").as_ref());
        if let Some(time) = created_at.and_then(|text| SimTime::parse(&text)) {
            self.created_at = time;
        }
        if let Some(Value::Object(changes)) = body.shift_remove("custom") {
            let mut custom = self.custom();
            merge(&mut custom, changes);
            self.custom = packed(&custom);
            self.version = version_of(&custom).map(Into::into);
        }
        if !body.is_empty() {
            let mut rest = self.rest();
            merge(&mut rest, body);
            self.rest = Some(packed(&rest));
        }
        self.updated_at = now;
        self.rev += rev_step;
    }

    pub(crate) fn custom(&self) -> Map<String, Value> {
        parsed(&self.custom)
    }

    /// Description, icon, images, data, tags, company and `importedAt`, where given.
    pub(crate) fn rest(&self) -> Map<String, Value> {
        self.rest.as_deref().map(parsed).unwrap_or_default()
    }

    pub(crate) fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }
}

fn text_of(value: Option<&Value>) -> Option<Box<str>> {
    value.and_then(Value::as_str).map(Into::into)
}

/// All objects.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    all: Vec<Object>,
    // the first living object of a klass and external id, and those created beside it
    by_external_id: ByPrint<Found>,
    by_klass: HashMap<u16, Vec<u32>>,
    live: u64,
}

/// The objects that share a klass and an external id; almost always one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) first: u32,
    beside: Option<Box<[u32]>>,
}

impl Objects {
    pub(crate) fn get(&self, position: u32) -> Option<&Object> {
        at(&self.all, position)
    }

    pub(crate) fn get_mut(&mut self, position: u32) -> Option<&mut Object> {
        at_mut(&mut self.all, position)
    }

    pub(crate) fn live(&self, position: u32) -> Option<&Object> {
        self.get(position).filter(|object| object.live)
    }

    /// How many exist.
    pub(crate) fn count(&self) -> u64 {
        self.live
    }

    /// Those of a klass in the order of their creation.
    pub(crate) fn of_klass(&self, klass: u16) -> impl Iterator<Item = (u32, &Object)> {
        let positions = self.by_klass.get(&klass).map_or(&[][..], Vec::as_slice);
        positions
            .iter()
            .filter_map(|position| self.live(*position).map(|object| (*position, object)))
    }

    pub(crate) fn find(&self, klass: u16, external_id: &str) -> Option<u32> {
        self.by_external_id
            .get(&fingerprint(&klass, external_id))
            .map(|found| found.first)
    }

    /// Every object with this klass and external id, the first one first.
    pub(crate) fn sharing(&self, klass: u16, external_id: &str) -> Vec<u32> {
        let found = self.by_external_id.get(&fingerprint(&klass, external_id));
        found
            .into_iter()
            .flat_map(|found| {
                [found.first]
                    .into_iter()
                    .chain(found.beside.iter().flatten().copied())
            })
            .collect()
    }

    pub(crate) fn insert(&mut self, object: Object) -> u32 {
        let position = next_position(&self.all);
        self.by_klass
            .entry(object.klass)
            .or_default()
            .push(position);
        self.claim(position, object.klass, object.external_id.as_deref());
        self.all.push(object);
        self.live += 1;
        position
    }

    /// Updates an object; the caller has made sure that a new external id is free.
    pub(crate) fn update(
        &mut self,
        now: SimTime,
        position: u32,
        rev_step: u64,
        body: Map<String, Value>,
    ) {
        let Some(object) = at_mut(&mut self.all, position) else {
            return;
        };
        let before = object.external_id.clone();
        object.update(now, rev_step, body);
        let (klass, after) = (object.klass, object.external_id.clone());
        if before != after {
            self.release(position, klass, before.as_deref());
            self.claim(position, klass, after.as_deref());
        }
    }

    pub(crate) fn delete(&mut self, position: u32) {
        let Some(object) = at_mut(&mut self.all, position) else {
            return;
        };
        if !object.live {
            return;
        }
        object.live = false;
        object.custom = "{}".into();
        object.version = None;
        object.rest = None;
        let (klass, external_id) = (object.klass, object.external_id.take());
        self.live -= 1;
        self.release(position, klass, external_id.as_deref());
    }

    /// Gives an object to another customer.
    pub(crate) fn reassign(&mut self, position: u32, customer: u32) {
        if let Some(object) = at_mut(&mut self.all, position) {
            object.customer = Some(customer);
        }
    }

    fn claim(&mut self, position: u32, klass: u16, external_id: Option<&str>) {
        let Some(external_id) = external_id else {
            return;
        };
        self.by_external_id
            .entry(fingerprint(&klass, external_id))
            .and_modify(|found| {
                let beside = found
                    .beside
                    .iter()
                    .flatten()
                    .copied()
                    .chain([position])
                    .collect();
                found.beside = Some(beside);
            })
            .or_insert(Found {
                first: position,
                beside: None,
            });
    }

    fn release(&mut self, position: u32, klass: u16, external_id: Option<&str>) {
        let Some(external_id) = external_id else {
            return;
        };
        let print = fingerprint(&klass, external_id);
        let Some(found) = self.by_external_id.remove(&print) else {
            return;
        };
        let mut left = [found.first]
            .into_iter()
            .chain(found.beside.iter().flatten().copied())
            .filter(|other| *other != position);
        if let Some(first) = left.next() {
            let beside: Box<[u32]> = left.collect();
            let beside = (!beside.is_empty()).then_some(beside);
            self.by_external_id.insert(print, Found { first, beside });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: SimTime = SimTime::from_millis(1_000_000);

    fn object(body: &Value) -> Object {
        Object::new(NOW, 0, None, 1, body.as_object().cloned().unwrap())
    }

    #[test]
    fn an_update_merges_custom_and_replaces_data() {
        let mut object = object(&json!({"title": "a", "custom": {"aStr": "1", "bStr": "2"},
            "data": {"x": 1}, "externalId": "e"}));
        let update = json!({"custom": {"bStr": null, "cStr": "3"}, "data": {"y": 2}});
        object.update(NOW.plus_millis(5), 1, update.as_object().cloned().unwrap());
        assert_eq!(
            Value::Object(object.custom()),
            json!({"aStr": "1", "cStr": "3"})
        );
        assert_eq!(Value::Object(object.rest()), json!({"data": {"y": 2}}));
        assert_eq!((object.rev, object.updated_at), (2, NOW.plus_millis(5)));
        assert_eq!(&*object.title, "a");
    }

    #[test]
    fn the_next_object_of_an_external_id_takes_over() {
        let mut objects = Objects::default();
        let first = objects.insert(object(&json!({"title": "a", "externalId": "e"})));
        let second = objects.insert(object(&json!({"title": "b", "externalId": "e"})));
        assert_eq!(objects.find(0, "e"), Some(first));
        assert_eq!(objects.find(1, "e"), None);
        objects.delete(first);
        assert_eq!(objects.find(0, "e"), Some(second));
        objects.delete(second);
        assert_eq!((objects.find(0, "e"), objects.count()), (None, 0));
    }

    #[test]
    fn a_new_external_id_replaces_the_old_one() {
        let mut objects = Objects::default();
        let position = objects.insert(object(&json!({"title": "a", "externalId": "e"})));
        let body = json!({"externalId": "f"});
        objects.update(NOW, position, 1, body.as_object().cloned().unwrap());
        assert_eq!(
            (objects.find(0, "e"), objects.find(0, "f")),
            (None, Some(position))
        );
    }
}
