//! Accepted answers: both JSON:API documents and flat objects, read in one pass.

pub(super) mod document;
pub(super) mod pick;

use std::borrow::Cow;
use std::sync::Arc;

use serde::de::{MapAccess, SeqAccess};

use self::pick::{Attributes, Fields, Object, Pick, Text, Value, each_field, fields, next, pick};
use super::reply::HttpReply;

/// What a call reads of an answer with a good status.
pub(super) trait Accepted<'a>: Sized {
    /// `None` if it cannot be read.
    fn read(reply: &'a HttpReply) -> Option<Self>;

    /// Whether it may be one with errors and no data.
    fn may_be_errors(&self) -> bool;
}

/// An answer of which `S` is read: of `data`, or of the whole if there is no `data`; of a list, `L`.
///
/// A list is as long as an answer can be: what is kept of each entry has to be small.
#[derive(Debug)]
pub(super) struct Answer<S, L = First<S>> {
    pub(super) subject: Subject<S, L>,
    /// Whether there is another page.
    pub(super) more: bool,
    errors_without_data: bool,
}

/// What an answer is about.
#[derive(Debug, Default)]
pub(super) enum Subject<S, L> {
    /// `null`: there is none.
    Nothing,
    /// An object.
    One(S),
    /// A list.
    Many(L),
    /// A number, a text or a truth value.
    #[default]
    Odd,
}

/// The first entry of a list, if there is one.
#[derive(Debug)]
pub(super) struct First<S>(Option<Object<S>>);

/// A resource: an object with `attributes`, or a flat object whose fields are the attributes.
#[derive(Debug, Default)]
pub(super) struct Resource<'a, T> {
    id: Text<'a>,
    attributes: Option<T>,
    own: T,
}

/// No attributes.
#[derive(Debug, Default)]
pub(super) struct Nothing;

fields! {
    struct Links {
        "next" => next: IsText,
    }
}

/// Whether a list has entries.
#[derive(Default)]
struct Listed(bool);

/// Whether a value is a text.
#[derive(Debug, Default)]
struct IsText(bool);

// === impl Answer ===

impl<S> Answer<S> {
    /// The subject, or the first in a list. `Some(None)` is an answer that says there is none.
    pub(super) fn one(self) -> Option<Option<S>> {
        match self.subject {
            Subject::Nothing => Some(None),
            Subject::One(object) => Some(Some(object)),
            Subject::Many(First(None)) => Some(None),
            Subject::Many(First(Some(Object(first)))) => first.map(Some),
            Subject::Odd => None,
        }
    }
}

impl<'a, S: Fields<'a>, L: Pick<'a>> Accepted<'a> for Answer<S, L> {
    fn read(reply: &'a HttpReply) -> Option<Self> {
        pick(reply.bytes())
    }

    fn may_be_errors(&self) -> bool {
        self.errors_without_data
    }
}

impl<'a, S: Fields<'a>, L: Pick<'a>> Pick<'a> for Answer<S, L> {
    fn null() -> Self {
        Self::about(Subject::null())
    }

    fn list<A: SeqAccess<'a>>(list: A) -> Result<Self, A::Error> {
        Ok(Self::about(Subject::list(list)?))
    }

    fn object<A: MapAccess<'a>>(object: A) -> Result<Self, A::Error> {
        let (mut data, mut own) = (None, S::default());
        let (mut errors, mut links) = (Listed(false), Object(None));
        each_field(object, |name, value| {
            match name {
                "data" => data = Some(value.pick::<Subject<S, L>>()?),
                "errors" => errors = value.pick()?,
                "links" => links = value.pick::<Object<Links>>()?,
                _ => own.field(name, value)?,
            }
            Ok(())
        })?;
        let no_data = matches!(data, None | Some(Subject::Nothing));
        Ok(Self {
            subject: data.unwrap_or(Subject::One(own)),
            more: matches!(
                links.0,
                Some(Links {
                    next: Some(IsText(true))
                })
            ),
            errors_without_data: errors.0 && no_data,
        })
    }
}

impl<S, L> Answer<S, L> {
    fn about(subject: Subject<S, L>) -> Self {
        Self {
            subject,
            more: false,
            errors_without_data: false,
        }
    }
}

impl<S, L> Default for Answer<S, L> {
    fn default() -> Self {
        Self::about(Subject::Odd)
    }
}

// === impl Subject ===

impl<'a, S: Fields<'a>, L: Pick<'a>> Pick<'a> for Subject<S, L> {
    fn null() -> Self {
        Self::Nothing
    }

    fn list<A: SeqAccess<'a>>(list: A) -> Result<Self, A::Error> {
        L::list(list).map(Self::Many)
    }

    fn object<A: MapAccess<'a>>(object: A) -> Result<Self, A::Error> {
        let Object(one) = Object::object(object)?;
        Ok(one.map_or(Self::Odd, Self::One))
    }
}

// === impl First ===

impl<'a, S: Fields<'a>> Pick<'a> for First<S> {
    fn list<A: SeqAccess<'a>>(mut list: A) -> Result<Self, A::Error> {
        let first = next(&mut list)?;
        <()>::list(list)?;
        Ok(Self(first))
    }
}

impl<S> Default for First<S> {
    fn default() -> Self {
        Self(None)
    }
}

// === impl Resource ===

impl<'a, T> Resource<'a, T> {
    /// Its Kustomer id; empty ids are ignored.
    pub(super) fn id(&self) -> Option<Arc<str>> {
        not_empty(self.id.as_ref()).map(Arc::from)
    }

    /// What is in `attributes` if there are any, else what is in the resource itself.
    pub(super) fn innermost(self) -> T {
        self.attributes.unwrap_or(self.own)
    }

    /// The attributes, and for those that are not there the fields of the resource itself.
    pub(super) fn attributes(self) -> T
    where
        T: Attributes<'a>,
    {
        match self.attributes {
            Some(attributes) => attributes.or(self.own),
            None => self.own,
        }
    }
}

impl<'a, T: Fields<'a>> Fields<'a> for Resource<'a, T> {
    fn field<A: MapAccess<'a>>(&mut self, name: &str, value: Value<'_, A>) -> Result<(), A::Error> {
        match name {
            "id" => self.id = value.pick()?,
            "attributes" => {
                let Object(attributes) = value.pick()?;
                self.attributes = Some(attributes.unwrap_or_default());
            }
            _ => self.own.field(name, value)?,
        }
        Ok(())
    }
}

/// A text, unless it is empty.
pub(super) fn not_empty<'t>(text: Option<&'t Cow<'_, str>>) -> Option<&'t str> {
    text.map(Cow::as_ref).filter(|text| !text.is_empty())
}

/// A time in an answer, as epoch milliseconds.
pub(super) fn time_ms(text: Option<&str>) -> Option<i64> {
    Some(text?.parse::<jiff::Timestamp>().ok()?.as_millisecond())
}

// === the little ones ===

impl<'a> Fields<'a> for Nothing {
    fn field<A: MapAccess<'a>>(
        &mut self,
        _name: &str,
        value: Value<'_, A>,
    ) -> Result<(), A::Error> {
        value.skip()
    }
}

impl<'a> Pick<'a> for Listed {
    fn list<A: SeqAccess<'a>>(list: A) -> Result<Self, A::Error> {
        Vec::<()>::list(list).map(|entries| Self(!entries.is_empty()))
    }
}

impl<'a> Pick<'a> for IsText {
    fn text(_text: Cow<'a, str>) -> Self {
        Self(true)
    }
}
