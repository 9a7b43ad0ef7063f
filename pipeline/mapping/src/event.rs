//! The neutral form of what a record says, whatever envelope it came in.

use std::borrow::Cow;

use serde_json::Value;

use crate::identity::{self, Unusable};

/// A decoded record: who, what, when, and the content for the mapping.
///
/// `payload` is what jq expressions see as `.`; the other fields are what the envelope said, so that routes, order and
/// repeats do not depend on the format of a topic.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The format that was decoded, for example `segment`.
    pub source: &'static str,
    /// The kind of message, where the format has kinds: `track`, `identify`, `page` and so on.
    pub kind: Option<&'static str>,
    /// The event's name as sent, for example `Order Completed`; routes compare it folded.
    pub name: String,
    /// The producer's id of this occurrence; repeats are found by it.
    pub id: Option<String>,
    /// When it happened, if the record says so.
    pub time: Option<jiff::Timestamp>,
    /// The customer as the envelope names it.
    pub customer: CustomerHints,
    /// The content.
    pub payload: Value,
    /// The record says that the thing was deleted.
    pub deleted: bool,
    /// What the envelope says and cannot be used.
    pub notes: Notes,
}

/// What an envelope itself says about the customer, cleaned of values that identify nobody.
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
    /// The id of a visitor who is not known yet. It never identifies a customer.
    pub anonymous_id: Option<String>,
}

/// What is known about a customer, as metrics name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyKind {
    /// The Kustomer id.
    Id,
    /// The id in the shop.
    ExternalId,
    /// The e-mail address.
    Email,
    /// The phone number.
    Phone,
}

/// Why a time that an event names is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BadTime {
    /// It is in no spelling that is understood.
    Unreadable,
    /// It is before 2000, or more than a day after the record.
    Implausible,
}

/// A value that should name the customer and is not used. `at` is a field or a rule, never the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusedKey {
    /// Where it stands.
    pub at: Cow<'static, str>,
    /// What it should be.
    pub kind: KeyKind,
    /// Why it is not.
    pub why: Unusable,
}

/// What a record says and cannot be used, although it is no reason to reject it: counted, and shown by `explain`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    keys: Vec<UnusedKey>,
    time: Option<(&'static str, BadTime)>,
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
    /// The key, if there is one; a value that should be one is noted.
    pub fn key(&mut self, at: &'static str, kind: KeyKind, key: identity::Key) -> Option<String> {
        key.unwrap_or_else(|why| {
            self.unused(at, kind, why);
            None
        })
    }

    /// Notes a value that should be a key and is none. What is noted once at a place stays once.
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

    /// Notes that the time in that field is passed over. The first one counts: it is what should have been the time.
    pub fn time(&mut self, field: &'static str, why: BadTime) {
        self.time.get_or_insert((field, why));
    }

    /// The values that should name the customer and are not used.
    #[must_use]
    pub fn unused_keys(&self) -> &[UnusedKey] {
        &self.keys
    }

    /// Of which kinds they are, and why they are not used; one value may be read in several places.
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

    /// Adds what a later stage notes.
    pub fn extend(&mut self, later: Self) {
        for unused in later.keys {
            if !self.keys.contains(&unused) {
                self.keys.push(unused);
            }
        }
        self.time = self.time.or(later.time);
    }

    /// The notes in words, one a line; they show fields and rules, never values.
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
                    "{at}: left out, an external id is a text or a whole number of at most 256 whole characters"
                ),
                (Unusable::Illegal, KeyKind::Email) => {
                    format!("{at}: left out, it is no e-mail address that Kustomer is sure to take")
                }
                (Unusable::Illegal, KeyKind::Phone) => {
                    format!("{at}: left out, it is no phone number with a country code")
                }
            }
        });
        let time = self.time.map(|(field, why)| match why {
            BadTime::Unreadable => format!("{field}: passed over, it cannot be read as a time"),
            BadTime::Implausible => format!(
                "{field}: passed over, it is before 2000 or more than a day after the record"
            ),
        });
        keys.chain(time).collect()
    }
}
