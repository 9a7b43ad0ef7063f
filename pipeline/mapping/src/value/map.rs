//! The fields of an object.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde::{Serialize, Serializer};

/// The fields of an object in their order, each name once.
#[derive(Debug, Clone)]
pub struct Map<'t, V>(Fields<'t, V>);

/// Few fields are searched one by one, which is quicker than hashing.
#[derive(Debug, Clone)]
enum Fields<'t, V> {
    Few(Vec<(Cow<'t, str>, V)>),
    Many(Box<IndexMap<Cow<'t, str>, V>>),
}

/// Up to so many fields are few.
const FEW: usize = 24;

// === impl Map ===

impl<V> Default for Map<'_, V> {
    fn default() -> Self {
        Self(Fields::Few(Vec::new()))
    }
}

impl<'t, V> Map<'t, V> {
    /// No fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// No fields, with room for so many.
    #[must_use]
    pub fn with_capacity(fields: usize) -> Self {
        Self(if fields <= FEW {
            Fields::Few(Vec::with_capacity(fields))
        } else {
            Fields::Many(Box::new(IndexMap::with_capacity(fields)))
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Fields::Few(fields) => fields.len(),
            Fields::Many(fields) => fields.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&V> {
        match &self.0 {
            Fields::Few(fields) => {
                let found = fields.iter().find(|(known, _)| known == name);
                found.map(|(_, value)| value)
            }
            Fields::Many(fields) => fields.get(name),
        }
    }

    /// As [`Map::get`], to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        match &mut self.0 {
            Fields::Few(fields) => {
                let found = fields.iter_mut().find(|(known, _)| known == name);
                found.map(|(_, value)| value)
            }
            Fields::Many(fields) => fields.get_mut(name),
        }
    }

    /// Whether there is a field of this name.
    #[must_use]
    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Adds a field at the end. If there is one of this name, its value is replaced in its place.
    pub fn insert(&mut self, name: impl Into<Cow<'t, str>>, value: V) {
        let name = name.into();
        match &mut self.0 {
            Fields::Few(fields) => {
                if let Some((_, old)) = fields.iter_mut().find(|(known, _)| *known == name) {
                    *old = value;
                } else if fields.len() < FEW {
                    fields.push((name, value));
                } else {
                    let mut many: IndexMap<_, _> = std::mem::take(fields).into_iter().collect();
                    many.insert(name, value);
                    self.0 = Fields::Many(Box::new(many));
                }
            }
            Fields::Many(fields) => {
                fields.insert(name, value);
            }
        }
    }

    /// Takes a field out; the others keep their order.
    pub fn remove(&mut self, name: &str) -> Option<V> {
        match &mut self.0 {
            Fields::Few(fields) => {
                let place = fields.iter().position(|(known, _)| known == name)?;
                Some(fields.remove(place).1)
            }
            Fields::Many(fields) => fields.shift_remove(name),
        }
    }

    /// All fields, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        let (few, many) = match &self.0 {
            Fields::Few(fields) => (Some(fields), None),
            Fields::Many(fields) => (None, Some(fields)),
        };
        let few = few.into_iter().flatten();
        let many = many.into_iter().flat_map(|fields| fields.iter());
        few.map(|(name, value)| (&**name, value))
            .chain(many.map(|(name, value)| (&**name, value)))
    }

    /// All values, in order.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// All values, in order, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        let (few, many) = match &mut self.0 {
            Fields::Few(fields) => (Some(fields), None),
            Fields::Many(fields) => (None, Some(fields)),
        };
        let few = few.into_iter().flatten().map(|(_, value)| value);
        few.chain(many.into_iter().flat_map(|fields| fields.values_mut()))
    }
}

/// Of fields with one name, the first gives the place and the last the value.
impl<'t, V> FromIterator<(Cow<'t, str>, V)> for Map<'t, V> {
    fn from_iter<I: IntoIterator<Item = (Cow<'t, str>, V)>>(fields: I) -> Self {
        let mut map = Self::new();
        for (name, value) in fields {
            map.insert(name, value);
        }
        map
    }
}

impl<'t, V> IntoIterator for Map<'t, V> {
    type Item = (Cow<'t, str>, V);
    type IntoIter =
        std::iter::Chain<std::vec::IntoIter<Self::Item>, indexmap::map::IntoIter<Cow<'t, str>, V>>;

    fn into_iter(self) -> Self::IntoIter {
        let (few, many) = match self.0 {
            Fields::Few(fields) => (fields, IndexMap::new()),
            Fields::Many(fields) => (Vec::new(), *fields),
        };
        few.into_iter().chain(many)
    }
}

/// The order of fields does not matter.
impl<V: PartialEq> PartialEq for Map<'_, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self
                .iter()
                .all(|(name, value)| other.get(name) == Some(value))
    }
}

impl<V: Eq> Eq for Map<'_, V> {}

impl<V: Serialize> Serialize for Map<'_, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}
