//! Fields of a body that change: laid over, left out, written again.

use std::borrow::Cow;

use super::text::{Part, named};

/// The fields of an object as texts, in order, each name once. A field that is replaced keeps its place.
#[derive(Debug, Clone, Default)]
pub struct Fields<'t> {
    list: Vec<(&'t str, Cow<'t, str>)>,
    /// Where the next name is expected: two states of one thing mostly have the same fields in the same order.
    next: usize,
}

impl<'t> Fields<'t> {
    fn place_of(&mut self, name: &str) -> Option<usize> {
        let expected = self.list.get(self.next);
        let place = if expected.is_some_and(|(known, _)| *known == name) {
            self.next
        } else {
            self.list.iter().position(|(known, _)| *known == name)?
        };
        self.next = place + 1;
        Some(place)
    }

    /// The value of a field, whose name is given as it is written.
    pub fn get(&mut self, name: &str) -> Option<Cow<'t, str>> {
        let place = self.place_of(name)?;
        self.list.get(place).map(|(_, value)| value.clone())
    }

    /// Sets the value of a field; a new one comes last.
    pub fn put(&mut self, name: &'t str, value: impl Into<Cow<'t, str>>) {
        let place = self.place_of(name);
        match place.and_then(|place| self.list.get_mut(place)) {
            Some((_, old)) => *old = value.into(),
            None => self.list.push((name, value.into())),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The object.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Quotes, colon and comma, and the braces.
        let bytes = self
            .list
            .iter()
            .map(|(name, value)| name.len() + value.len() + 4);
        let mut text = String::with_capacity(bytes.sum::<usize>() + 2);
        text.push('{');
        for (place, (name, value)) in self.list.iter().enumerate() {
            if place > 0 {
                text.push(',');
            }
            named(&mut text, name);
            text.push_str(value);
        }
        text.push('}');
        text
    }
}

impl<'t> FromIterator<Part<'t>> for Fields<'t> {
    fn from_iter<T: IntoIterator<Item = Part<'t>>>(parts: T) -> Self {
        let one = |part: Part<'t>| (part.name, Cow::Borrowed(part.value));
        Self {
            list: parts.into_iter().map(one).collect(),
            next: 0,
        }
    }
}
