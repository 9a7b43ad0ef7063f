//! The content of a record in a form that does not depend on its format.

use std::borrow::Cow;

use crate::identity::{self, Unusable};
use crate::value::{Map, Value};

/// A decoded record: who, what, when, and the content for the mapping.
///
/// `payload` is what jq expressions see as `.`. The other fields come from the envelope, so that routes, order and repeats
/// do not depend on the format.
#[derive(Debug, Clone, PartialEq)]
pub struct Event<'t> {
    /// The format of the record, for example `segment`.
    pub source: &'static str,
    /// The kind of message, if the format has kinds: `track`, `identify`, `page` and so on.
    pub kind: Option<&'static str>,
    /// The name of the event, for example `Order Completed`. Routes compare it folded.
    pub name: String,
    /// The producer's id of the occurrence, by which repeats are recognised.
    pub id: Option<String>,
    /// When it happened, or else the timestamp of the record.
    pub time: Option<jiff::Timestamp>,
    /// The customer as the envelope names it.
    pub customer: CustomerHints,
    /// The content.
    pub payload: Value<'t>,
    /// Whether the event is a deletion.
    pub deleted: bool,
    /// What only some formats say.
    pub more: Option<Box<More<'t>>>,
    /// What the envelope says but cannot be used.
    pub notes: Notes,
}

/// What only some formats say of an event.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct More<'t> {
    /// What its thing's state is compared by.
    pub version: Versioned,
    /// The id of the thing that the event is about.
    pub subject: Option<String>,
    /// The fields of the envelope, by their names.
    pub attributes: Map<'t>,
    /// The content before the change.
    pub before: Option<Value<'t>>,
    /// Whether it tells what has been so for a while, and not what happens now.
    pub snapshot: bool,
    /// Whether it asks for something that the law demands, so that it must not be passed over in silence.
    pub must_be_seen: bool,
}

/// By what the states of a thing are compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Versioned {
    /// The time of the event.
    #[default]
    ByTime,
    /// This number or text, which the source counts up.
    By(String),
    /// Nothing: the event does not say where its source was, and other events of the topic do.
    Unknown,
}

/// What the envelope says about the customer, without values that identify nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomerHints {
    /// The Kustomer id.
    pub id: Option<String>,
    /// The external id.
    pub external_id: Option<String>,
    /// The e-mail address in lower case.
    pub email: Option<String>,
    /// The phone number.
    pub phone: Option<String>,
    /// The id of a visitor who is not yet known. It never identifies a customer.
    pub anonymous_id: Option<String>,
}

/// The kinds of keys that identify a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyKind {
    /// The Kustomer id.
    Id,
    /// The external id: the customer's id in the shop.
    ExternalId,
    /// The e-mail address.
    Email,
    /// The phone number.
    Phone,
}

/// Why a time in an event is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BadTime {
    /// It is in no known form.
    Unreadable,
    /// It is before 2000, or more than a day after the record (or after 2100-01-01, if the record has no time).
    Implausible,
}

/// A value that should identify the customer but is not used. The value itself is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusedKey {
    /// The field, or the rule of the mapping, that has it.
    pub at: Cow<'static, str>,
    /// The kind of key that it should be.
    pub kind: KeyKind,
    /// Why it is not used.
    pub why: Unusable,
}

/// What a record says but cannot be used, and is no reason to reject it. It is counted, and shown by `explain`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    keys: Vec<UnusedKey>,
    time: Option<(&'static str, BadTime)>,
    zoneless: Option<&'static str>,
    events: BatchEvents,
}

/// What became of the events of a record that is a batch; of any other, nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BatchEvents {
    /// Lead to operations.
    pub emitted: u64,
    /// Are not wanted.
    pub skipped: u64,
    /// Go to the dead-letter topic.
    pub rejected: u64,
}

// === impl Event ===

impl Event<'_> {
    /// Whether it tells what has been so for a while, and not what happens now.
    #[must_use]
    pub fn is_snapshot(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.snapshot)
    }

    /// What the state in it is compared by: the source's own count, or else the time.
    #[must_use]
    pub fn version(&self) -> Option<String> {
        match self.more.as_ref().map(|more| &more.version) {
            Some(Versioned::By(version)) => Some(version.clone()),
            Some(Versioned::Unknown) => None,
            Some(Versioned::ByTime) | None => self.time.map(|time| time.to_string()),
        }
    }
}

// === impl Versioned ===

impl Versioned {
    /// What the source itself counts, if it does.
    #[must_use]
    pub fn counted(self) -> Option<String> {
        match self {
            Self::By(version) => Some(version),
            Self::ByTime | Self::Unknown => None,
        }
    }
}

// === impl KeyKind ===

impl KeyKind {
    /// Every value.
    pub const ALL: &'static [Self] = &[Self::Id, Self::ExternalId, Self::Email, Self::Phone];

    /// The label in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::ExternalId => "external_id",
            Self::Email => "email",
            Self::Phone => "phone",
        }
    }
}

// === impl BadTime ===

impl BadTime {
    /// Every value.
    pub const ALL: &'static [Self] = &[Self::Unreadable, Self::Implausible];

    /// The label in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Implausible => "implausible",
        }
    }
}

// === impl Notes ===

impl Notes {
    /// Whether there is nothing to count. A time without a zone is only shown.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.time.is_none() && self.events == BatchEvents::default()
    }

    /// Notes what became of the events of a batch.
    #[must_use]
    pub fn with_events(self, events: BatchEvents) -> Self {
        Self { events, ..self }
    }

    /// What became of the events of a batch.
    #[must_use]
    pub fn events(&self) -> BatchEvents {
        self.events
    }

    /// The key, if there is one. A value that cannot be used as one is noted.
    pub fn key(&mut self, at: &'static str, kind: KeyKind, key: identity::Key) -> Option<String> {
        key.unwrap_or_else(|why| {
            self.unused(at, kind, why);
            None
        })
    }

    /// Notes a value that should be a key but is not used. The same note is kept only once.
    pub fn unused(&mut self, at: impl Into<Cow<'static, str>>, kind: KeyKind, why: Unusable) {
        let unused = UnusedKey {
            at: at.into(),
            kind,
            why,
        };
        if !self.keys.contains(&unused) {
            self.keys.push(unused);
        }
    }

    /// Drops what is noted about the time, because another one is used.
    pub(crate) fn forget_time(&mut self) {
        self.time = None;
        self.zoneless = None;
    }

    /// Notes that the time of the event, in this field, names no zone.
    pub(crate) fn zoneless(&mut self, field: &'static str) {
        self.zoneless = Some(field);
    }

    /// Notes that the time in this field is passed over. Only the first note is kept: that field should have had the time.
    pub fn time(&mut self, field: &'static str, why: BadTime) {
        self.time.get_or_insert((field, why));
    }

    /// The values that should identify the customer but are not used.
    #[must_use]
    pub fn unused_keys(&self) -> &[UnusedKey] {
        &self.keys
    }

    /// Their kinds and why they are not used, each pair once: the same value may be read in several places.
    #[must_use]
    pub fn unused_kinds(&self) -> Vec<(KeyKind, Unusable)> {
        let mut kinds: Vec<_> = self.keys.iter().map(|key| (key.kind, key.why)).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    /// The field whose time is passed over, and why.
    #[must_use]
    pub fn bad_time(&self) -> Option<(&'static str, BadTime)> {
        self.time
    }

    /// Adds the notes of a later stage.
    pub fn extend(&mut self, later: Self) {
        for unused in later.keys {
            if !self.keys.contains(&unused) {
                self.keys.push(unused);
            }
        }
        self.time = self.time.or(later.time);
        self.zoneless = later.zoneless.or(self.zoneless);
    }

    /// The notes in words, one per line. They show fields and rules, never values.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let keys = self.keys.iter().map(|unused| {
            let at = &unused.at;
            match (unused.why, unused.kind) {
                (Unusable::Nobody, _) => format!("{at}: left out, it names nobody"),
                (Unusable::Illegal, KeyKind::Id) => {
                    format!("{at}: left out, a Kustomer id has 24 hexadecimal digits")
                }
                (Unusable::Illegal, KeyKind::ExternalId) => format!(
                    "{at}: left out, an external id is a text or a whole number of at most 256 characters, none of them U+FFFD"
                ),
                (Unusable::Illegal, KeyKind::Email) => {
                    format!("{at}: left out, it is not an e-mail address that Kustomer is sure to accept")
                }
                (Unusable::Illegal, KeyKind::Phone) => {
                    format!("{at}: left out, it is not a phone number with a country code")
                }
            }
        });
        let time = self.time.map(|(field, why)| match why {
            BadTime::Unreadable => format!("{field}: passed over, it cannot be read as a time"),
            BadTime::Implausible => format!(
                "{field}: passed over, it is before 2000 or more than a day after the record"
            ),
        });
        let zoneless = self.zoneless.iter();
        let zoneless = zoneless.map(|field| format!("{field}: names no zone, it is read as UTC"));
        keys.chain(time).chain(zoneless).collect()
    }
}
