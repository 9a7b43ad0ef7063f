//! The fields of an object.

use std::borrow::Cow;
use std::mem;

use serde::{Serialize, Serializer};

/// The fields of an object in their order, each name once. They are searched one by one while they are few, which is quicker
/// than hashing, and by an index of their names beyond that.
#[derive(Debug, Clone)]
pub struct Map<'t, V> {
    fields: Vec<(Cow<'t, str>, V)>,
    /// Places in `fields`, by name; `None` while they are few.
    index: Option<Box<Index>>,
}

/// The places of fields, by their names.
#[derive(Debug, Clone)]
struct Index(Vec<usize>);

/// Up to so many fields have no index.
const FEW: usize = 24;

// === impl Map ===

impl<V> Default for Map<'_, V> {
    fn default() -> Self {
        Self::with_capacity(0)
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
        Self {
            fields: Vec::with_capacity(fields),
            index: None,
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The value of a field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&V> {
        let place = self.place(name).ok()?;
        self.fields.get(place).map(|(_, value)| value)
    }

    /// As [`Map::get`], to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        let place = self.place(name).ok()?;
        self.fields.get_mut(place).map(|(_, value)| value)
    }

    /// Whether there is a field of this name.
    #[must_use]
    pub fn contains_key(&self, name: &str) -> bool {
        self.place(name).is_ok()
    }

    /// Adds a field at the end. If there is one of this name, its value is replaced in its place.
    pub fn insert(&mut self, name: impl Into<Cow<'t, str>>, value: V) {
        let name = name.into();
        match self.place(&name) {
            Ok(place) => {
                if let Some((_, old)) = self.fields.get_mut(place) {
                    *old = value;
                }
            }
            Err(rank) => {
                let place = self.fields.len();
                self.fields.push((name, value));
                match &mut self.index {
                    Some(index) => index.0.insert(rank.min(index.0.len()), place),
                    None if place >= FEW => self.number(),
                    None => {}
                }
            }
        }
    }

    /// Takes a field out; the others keep their order.
    pub fn remove(&mut self, name: &str) -> Option<V> {
        let place = self.place(name).ok()?;
        let (_, value) = self.fields.remove(place);
        self.index = None;
        if self.fields.len() > FEW {
            self.number();
        }
        Some(value)
    }

    /// All fields, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &V)> {
        self.fields.iter().map(|(name, value)| (&**name, value))
    }

    /// All values, in order.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &V> {
        self.fields.iter().map(|(_, value)| value)
    }

    /// All values, in order, to be changed.
    pub fn values_mut(&mut self) -> impl ExactSizeIterator<Item = &mut V> {
        self.fields.iter_mut().map(|(_, value)| value)
    }

    /// The place of a field, or else where its name would stand in the index.
    fn place(&self, name: &str) -> Result<usize, usize> {
        match &self.index {
            None => {
                let found = self.fields.iter().position(|(known, _)| known == name);
                found.ok_or(usize::MAX)
            }
            Some(index) => {
                let found = index
                    .0
                    .binary_search_by(|place| self.name(*place).cmp(name));
                found.map(|rank| index.0.get(rank).copied().unwrap_or(usize::MAX))
            }
        }
    }

    fn name(&self, place: usize) -> &str {
        self.fields.get(place).map_or("", |(name, _)| name)
    }

    /// Makes the index.
    fn number(&mut self) {
        let mut index: Vec<usize> = (0..self.fields.len()).collect();
        index.sort_unstable_by(|left, right| self.name(*left).cmp(self.name(*right)));
        self.index = Some(Box::new(Index(index)));
    }
}

/// Of fields with one name, the first gives the place and the last the value.
impl<'t, V> FromIterator<(Cow<'t, str>, V)> for Map<'t, V> {
    fn from_iter<I: IntoIterator<Item = (Cow<'t, str>, V)>>(fields: I) -> Self {
        let mut map = Self::new();
        for (name, value) in fields {
            if map.fields.len() < FEW {
                map.insert(name, value);
            } else {
                map.fields.push((name, value));
            }
        }
        if map.fields.len() > FEW {
            map.unite();
        }
        map
    }
}

impl<'t, V> IntoIterator for Map<'t, V> {
    type Item = (Cow<'t, str>, V);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.fields.into_iter()
    }
}

impl<V> Map<'_, V> {
    /// Makes the index of fields some of which may have the same name.
    fn unite(&mut self) {
        let mut order: Vec<usize> = (0..self.fields.len()).collect();
        order.sort_by(|left, right| self.name(*left).cmp(self.name(*right)));
        let mut repeated = false;
        for pair in order.windows(2) {
            repeated |= matches!(pair, [left, right] if self.name(*left) == self.name(*right));
        }
        if !repeated {
            self.index = Some(Box::new(Index(order)));
            return;
        }
        let fields = mem::take(&mut self.fields);
        let mut places = indexmap::IndexMap::with_capacity(fields.len());
        for (name, value) in fields {
            places.insert(name, value);
        }
        self.fields = places.into_iter().collect();
        if self.fields.len() > FEW {
            self.number();
        }
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
