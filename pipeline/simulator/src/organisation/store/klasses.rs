//! Klasses and the metadata of attributes.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::time::SimTime;

/// One klass.
#[derive(Debug)]
pub(crate) struct Klass {
    pub(crate) name: String,
    /// `displayName`, `icon`, `color`, `status` and the other fields of its body.
    pub(crate) fields: Map<String, Value>,
    pub(crate) created_at: SimTime,
    pub(crate) updated_at: SimTime,
    pub(crate) live: bool,
}

/// All klasses, by position and by name.
#[derive(Debug, Default)]
pub(crate) struct Klasses {
    all: Vec<Klass>,
    metadata: HashMap<String, Map<String, Value>>,
}

impl Klasses {
    pub(crate) fn get(&self, position: u16) -> Option<&Klass> {
        self.all
            .get(usize::from(position))
            .filter(|klass| klass.live)
    }

    pub(crate) fn get_mut(&mut self, position: u16) -> Option<&mut Klass> {
        self.all
            .get_mut(usize::from(position))
            .filter(|klass| klass.live)
    }

    pub(crate) fn find(&self, name: &str) -> Option<u16> {
        self.iter()
            .find(|(_, klass)| klass.name == name)
            .map(|(position, _)| position)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, &Klass)> {
        (0..).zip(&self.all).filter(|(_, klass)| klass.live)
    }

    /// Adds a klass whose name is free; `None` when there are 65,535 already.
    pub(crate) fn insert(
        &mut self,
        now: SimTime,
        name: String,
        fields: Map<String, Value>,
    ) -> Option<u16> {
        let position = u16::try_from(self.all.len()).ok()?;
        self.all.push(Klass {
            name,
            fields,
            created_at: now,
            updated_at: now,
            live: true,
        });
        Some(position)
    }

    /// The metadata of a resource, such as `customer` or `kobject.order`.
    pub(crate) fn metadata(&self, resource: &str) -> Option<&Map<String, Value>> {
        self.metadata.get(resource)
    }

    /// The configured attributes of a resource.
    pub(crate) fn configured(&self, resource: &str) -> Option<&Map<String, Value>> {
        self.metadata(resource)?.get("properties")?.as_object()
    }

    pub(crate) fn metadata_mut(&mut self, resource: &str) -> &mut Map<String, Value> {
        self.metadata.entry(resource.to_owned()).or_default()
    }
}
