//! The values that expressions compute with.
//!
//! The content of a record is not copied: a value borrows it until it is changed. What an expression builds is counted
//! first, and every list and object knows its depth, so that no walk over a value can exhaust the stack.

use std::borrow::{Borrow, Cow};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use crate::mapping::expr::meter::{DECODED_DEPTH, Limit, MAX_DEPTH, Meter};
use crate::value::{Map, Value};
use indexmap::IndexMap;

/// A value.
#[derive(Debug, Clone)]
pub(crate) enum Val<'a> {
    Null,
    Bool(bool),
    /// A whole number that fits into 64 bits with a sign.
    Int(i64),
    /// A whole number above [`i64::MAX`].
    Big(u64),
    Float(f64),
    Text(Text<'a>),
    List(List<'a>),
    Object(Object<'a>),
}

#[derive(Debug, Clone)]
pub(crate) enum Text<'a> {
    Ref(&'a str),
    Own(Rc<String>),
}

#[derive(Debug, Clone)]
pub(crate) enum List<'a> {
    Ref(&'a Vec<Value<'a>>),
    Own(Rc<Items<'a>>),
}

#[derive(Debug, Clone)]
pub(crate) enum Object<'a> {
    Ref(&'a Map<'a>),
    Own(Rc<Fields<'a>>),
}

#[derive(Debug, Clone)]
pub(crate) struct Items<'a> {
    /// The most levels of nesting, this one included.
    pub(crate) depth: u16,
    pub(crate) items: Vec<Val<'a>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Fields<'a> {
    /// The most levels of nesting, this one included.
    pub(crate) depth: u16,
    pub(crate) fields: IndexMap<Text<'a>, Val<'a>>,
}

/// Bytes of an item of a list. A growing list may hold twice the room that it needs.
pub(crate) const ITEM: usize = 2 * size_of::<Val<'_>>();
/// Bytes of a list, not counting its items.
pub(crate) const LIST: usize = 64;
/// Bytes of a field of an object.
pub(crate) const FIELD: usize = 128;
/// Bytes of an object, not counting its fields.
pub(crate) const OBJECT: usize = 160;
/// Bytes of a text, not counting its content.
pub(crate) const TEXT: usize = 48;

/// Bytes of a key that are hashed in one step.
pub(crate) const HASHED: usize = 16;

// === impl Text ===

impl<'a> Text<'a> {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Ref(text) => text,
            Self::Own(text) => text,
        }
    }

    pub(super) fn into_cow(self) -> Cow<'a, str> {
        match self {
            Self::Ref(text) => Cow::Borrowed(text),
            Self::Own(text) => Cow::Owned(Rc::unwrap_or_clone(text)),
        }
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text<'_> {}

impl Hash for Text<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Borrow<str> for Text<'_> {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

// === impl List ===

impl<'a> List<'a> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Ref(items) => items.len(),
            Self::Own(list) => list.items.len(),
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<Val<'a>> {
        match self {
            Self::Ref(items) => items.get(index).map(Val::of),
            Self::Own(list) => list.items.get(index).cloned(),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Val<'a>> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    fn depth(&self) -> u16 {
        match self {
            Self::Ref(_) => DECODED_DEPTH,
            Self::Own(list) => list.depth,
        }
    }

    /// The items, to be changed. They are copied if anything else refers to them.
    pub(crate) fn into_items(self, meter: &Meter) -> Result<Items<'a>, Limit> {
        match self {
            Self::Own(list) => match Rc::try_unwrap(list) {
                Ok(list) => Ok(list),
                Err(shared) => {
                    meter.build(LIST + ITEM * shared.items.len())?;
                    Ok((*shared).clone())
                }
            },
            Self::Ref(items) => {
                meter.build(LIST + ITEM * items.len())?;
                Ok(Items {
                    depth: DECODED_DEPTH,
                    items: items.iter().map(Val::of).collect(),
                })
            }
        }
    }
}

// === impl Object ===

impl<'a> Object<'a> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Ref(fields) => fields.len(),
            Self::Own(object) => object.fields.len(),
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<Val<'a>> {
        match self {
            Self::Ref(fields) => fields.get(key).map(Val::of),
            Self::Own(object) => object.fields.get(key).cloned(),
        }
    }

    pub(crate) fn iter(&self) -> Box<dyn Iterator<Item = (Text<'a>, Val<'a>)> + '_> {
        match self {
            Self::Ref(fields) => Box::new(
                fields
                    .iter()
                    .map(|(key, value)| (Text::Ref(key), Val::of(value))),
            ),
            Self::Own(object) => Box::new(
                object
                    .fields
                    .iter()
                    .map(|(key, value)| (key.clone(), value.clone())),
            ),
        }
    }

    pub(crate) fn keys(&self) -> Vec<Text<'a>> {
        self.iter().map(|(key, _)| key).collect()
    }

    fn depth(&self) -> u16 {
        match self {
            Self::Ref(_) => DECODED_DEPTH,
            Self::Own(object) => object.depth,
        }
    }

    /// The fields, to be changed. They are copied if anything else refers to them.
    pub(crate) fn into_fields(self, meter: &Meter) -> Result<Fields<'a>, Limit> {
        match self {
            Self::Own(object) => match Rc::try_unwrap(object) {
                Ok(object) => Ok(object),
                Err(shared) => {
                    meter.build(OBJECT + FIELD * shared.fields.len())?;
                    Ok((*shared).clone())
                }
            },
            Self::Ref(fields) => {
                meter.build(OBJECT + FIELD * fields.len())?;
                Ok(Fields {
                    depth: DECODED_DEPTH,
                    fields: fields
                        .iter()
                        .map(|(key, value)| (Text::Ref(key), Val::of(value)))
                        .collect(),
                })
            }
        }
    }
}

// === impl Items, Fields ===

fn above(depth: u16) -> Result<u16, Limit> {
    if depth >= MAX_DEPTH {
        return Err(Limit("the expression builds too deep a value"));
    }
    Ok(depth + 1)
}

impl<'a> Items<'a> {
    pub(crate) fn new() -> Self {
        Self {
            depth: 1,
            items: Vec::new(),
        }
    }

    /// Appends an item; its room is counted first.
    pub(crate) fn push(&mut self, item: Val<'a>, meter: &Meter) -> Result<(), Limit> {
        meter.build(ITEM)?;
        self.depth = self.depth.max(above(item.depth())?);
        self.items.push(item);
        Ok(())
    }

    /// Notes the depth of an item that is put into `items` directly.
    pub(crate) fn holds(&mut self, item: &Val<'a>) -> Result<(), Limit> {
        self.depth = self.depth.max(above(item.depth())?);
        Ok(())
    }

    pub(crate) fn done(self) -> Val<'a> {
        Val::List(List::Own(Rc::new(self)))
    }
}

impl<'a> Fields<'a> {
    pub(crate) fn new() -> Self {
        Self {
            depth: 1,
            fields: IndexMap::new(),
        }
    }

    pub(crate) fn insert(
        &mut self,
        key: Text<'a>,
        value: Val<'a>,
        meter: &Meter,
    ) -> Result<(), Limit> {
        meter.build(FIELD)?;
        meter.steps(key.as_str().len() / HASHED)?;
        self.depth = self.depth.max(above(value.depth())?);
        self.fields.insert(key, value);
        Ok(())
    }

    pub(crate) fn done(self) -> Val<'a> {
        Val::Object(Object::Own(Rc::new(self)))
    }
}

// === impl Val ===

impl<'a> Val<'a> {
    /// A text whose bytes have been counted already.
    pub(crate) fn text(text: String) -> Self {
        Self::Text(Text::Own(Rc::new(text)))
    }

    /// A short text of our own.
    pub(crate) fn word(text: &str) -> Self {
        Self::text(text.to_owned())
    }

    /// A count.
    pub(crate) fn count(number: usize) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// A copy of a text; its bytes are counted here.
    pub(crate) fn copied(text: &str, meter: &Meter) -> Result<Self, Limit> {
        meter.build(TEXT + text.len())?;
        Ok(Self::text(text.to_owned()))
    }

    pub(crate) fn list(items: Vec<Self>, meter: &Meter) -> Result<Self, Limit> {
        let mut list = Items::new();
        meter.build(LIST)?;
        for item in items {
            list.push(item, meter)?;
        }
        Ok(list.done())
    }

    pub(crate) fn object(entries: Vec<(&str, Self)>, meter: &Meter) -> Result<Self, Limit> {
        let mut fields = Fields::new();
        meter.build(OBJECT)?;
        for (key, value) in entries {
            fields.insert(Text::Own(Rc::new(key.to_owned())), value, meter)?;
        }
        Ok(fields.done())
    }

    /// Neither null nor false.
    pub(crate) fn holds(&self) -> bool {
        !matches!(self, Self::Null | Self::Bool(false))
    }

    /// Null, 0, or empty.
    pub(crate) fn is_nothing(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) => text.as_str().is_empty(),
            Self::List(list) => list.len() == 0,
            Self::Object(object) => object.len() == 0,
            Self::Int(_) | Self::Big(_) | Self::Float(_) => self.as_f64() == Some(0.0),
            Self::Bool(_) => false,
        }
    }

    /// Its depth at most; 0 for what has no parts.
    pub(crate) fn depth(&self) -> u16 {
        match self {
            Self::List(list) => list.depth(),
            Self::Object(object) => object.depth(),
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Big(_)
            | Self::Float(_)
            | Self::Text(_) => 0,
        }
    }

    /// jq's name for its kind.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Int(_) | Self::Big(_) | Self::Float(_) => "number",
            Self::Text(_) => "string",
            Self::List(_) => "array",
            Self::Object(_) => "object",
        }
    }

    /// A number as a floating-point number.
    pub(crate) fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(whole) => Some(*whole as f64),
            Self::Big(whole) => Some(*whole as f64),
            Self::Float(float) => Some(*float),
            Self::Null | Self::Bool(_) | Self::Text(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.as_str()),
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Big(_)
            | Self::Float(_)
            | Self::List(_)
            | Self::Object(_) => None,
        }
    }
}
