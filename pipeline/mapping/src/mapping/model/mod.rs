//! The model of a mapping file: routes, and the rules of their operations.

pub(super) mod bad;
pub(in crate::mapping) mod batches;
pub(super) mod digest;
mod expressions;
pub(super) mod names;
pub(super) mod optional;
mod rules;

use std::sync::Arc;

use jiff::SignedDuration;

use self::bad::{BadFields, OnBad};
use self::digest::{DigestRule, LateTo};
use self::names::{EVERY, fold};
pub(super) use self::rules::{CustomRule, FieldRule, MetaRule, Template};
use super::expr::Expr;
use super::node::{Node, Place};
use crate::body::field::Kind;
use crate::decode::Format;
use crate::decode::segment::{KINDS, TRACK};
use crate::value::Value;
use ingest_model::operation::{Klass, MissingCustomer};

/// What happens to a route's work when half of the budget is held and its own work is on hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnHold {
    /// The partitions that it comes from are paused.
    #[default]
    Pause,
    /// The oldest of it goes to the hold topic.
    Divert,
}

impl OnHold {
    /// The words in mapping files.
    pub(super) const WORDS: &'static [(&'static str, Self)] =
        &[("pause", Self::Pause), ("divert", Self::Divert)];
}

/// One route.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) name: Arc<str>,
    /// The file that has it.
    pub(super) file: Arc<str>,
    /// Its place in the file.
    pub(super) place: Place,
    /// The place of each of its fields, by the path within the route.
    pub(super) places: Vec<(String, Place)>,
    /// The event names as written.
    pub(super) on: Vec<String>,
    /// The types of message that it is for; empty if the file does not say.
    pub(super) types: Vec<&'static str>,
    pub(super) when: Option<Expr>,
    /// It is for events that say that their thing is gone, and for no others.
    pub(super) only_deletions: bool,
    /// What happens to bad keys of the customer. Operations have their own `bad`.
    pub(super) on_bad: OnBad,
    pub(super) on_hold: OnHold,
    /// The place of `onHold` in the file, or that of the route if it has none.
    pub(super) on_hold_at: Place,
    pub(super) action: Action,
}

/// What a route does with its events.
#[derive(Debug)]
pub(super) enum Action {
    /// They are not wanted, for this reason.
    Skip(String),
    /// These operations.
    Do {
        customer: CustomerRule,
        rules: Vec<Rule>,
        /// For each rule the list, if there is an operation for each of its items.
        each: Vec<Option<Expr>>,
    },
}

/// Who the customer of a route's events is.
#[derive(Debug)]
pub(super) enum CustomerRule {
    /// Whom the envelope names.
    Hints(MissingCustomer),
    /// Whom these expressions name.
    Keys(Box<KeyRules>, MissingCustomer),
    /// Whoever the object belongs to that this names.
    Owner(Box<OwnerRule>, MissingCustomer),
    /// Nobody: the objects are on no timeline.
    Nobody,
}

/// The object that names a customer.
#[derive(Debug)]
pub(super) struct OwnerRule {
    pub(super) klass: Klass,
    pub(super) external_id: Expr,
}

/// Expressions for the keys of a customer.
#[derive(Debug, Default)]
pub(super) struct KeyRules {
    pub(super) id: Option<Expr>,
    pub(super) external_id: Option<Expr>,
    pub(super) email: Option<Expr>,
    pub(super) phone: Option<Expr>,
}

impl KeyRules {
    pub(super) fn is_empty(&self) -> bool {
        let Self {
            id,
            external_id,
            email,
            phone,
        } = self;
        [id, external_id, email, phone]
            .into_iter()
            .all(Option::is_none)
    }
}

/// How one operation is made.
#[derive(Debug)]
pub(super) enum Rule {
    Identify(IdentifyRule),
    Track(TrackRule),
    KObject(KObjectRule),
    Party(Box<PartyRule>),
    Digest(Arc<DigestRule>),
}

#[derive(Debug)]
pub(super) struct IdentifyRule {
    /// Keys to add to the customer, besides those that identify it.
    pub(super) keys: KeyRules,
    pub(super) fields: Vec<FieldRule>,
    pub(super) location: Vec<FieldRule>,
    pub(super) custom: Vec<CustomRule>,
    pub(super) bad: BadFields,
}

#[derive(Debug)]
pub(super) struct TrackRule {
    pub(super) name: Expr,
    pub(super) session: Option<Expr>,
    pub(super) tracking_id: Option<Expr>,
    pub(super) meta: Vec<MetaRule>,
    pub(super) max_age: Option<SignedDuration>,
    pub(super) late: Late,
    pub(super) bad: BadFields,
}

/// What happens to a tracking event that is older than `maxAge`.
#[derive(Debug)]
pub(super) enum Late {
    Send,
    Skip,
    Digest(LateTo),
}

#[derive(Debug)]
pub(super) struct KObjectRule {
    /// It marks an object that is there already, so it needs no title, and belongs to whom it belongs to. What happens if it is not there.
    pub(super) marks: Option<MissingCustomer>,
    /// The object is deleted.
    pub(super) deletes: bool,
    pub(super) klass: Klass,
    pub(super) external_id: Expr,
    pub(super) version: Option<Expr>,
    pub(super) fields: Vec<FieldRule>,
    pub(super) custom: Vec<CustomRule>,
    pub(super) bad: BadFields,
}

/// How a customer or a company is written, as an operation of its own.
#[derive(Debug)]
pub(super) struct PartyRule {
    pub(super) kind: Party,
    pub(super) external_id: Expr,
    pub(super) version: Option<Expr>,
    /// The company that a customer belongs to.
    pub(super) company: Option<Expr>,
    pub(super) email: Option<Expr>,
    pub(super) phone: Option<Expr>,
    pub(super) fields: Vec<FieldRule>,
    pub(super) custom: Vec<CustomRule>,
    pub(super) bad: BadFields,
}

/// Who is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Party {
    Customer,
    Company,
}

/// A test of a mapping file.
#[derive(Debug)]
pub(crate) struct Test {
    /// The file that has it.
    pub(crate) file: Arc<str>,
    pub(crate) name: String,
    pub(crate) event: Value<'static>,
    /// The topic, key and headers of the record.
    pub(crate) topic: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) headers: Vec<(String, Option<String>)>,
    pub(crate) expect: Node,
    /// The fields that must be left out, sorted.
    pub(crate) dropped: Vec<String>,
    /// The events of a batch that must be rejected, by their numbers.
    pub(crate) rejected: Vec<u32>,
}

/// Where a value of `let` is named.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) file: Arc<str>,
    pub(super) place: Place,
}

/// What a file has besides its routes and tests.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) format: Option<Format>,
    pub(super) header: Header,
    pub(super) empty_text: EmptyText,
    /// What happens to bad optional fields, if the route does not say.
    pub(super) on_bad: OnBad,
}

/// What expressions see for an empty text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum EmptyText {
    /// A text.
    #[default]
    Keep,
    /// Null.
    Drop,
}

/// The expressions of the header `event`.
#[derive(Debug, Default)]
pub(super) struct Header {
    /// Where a record may have several events.
    pub(super) each: Option<batches::Each>,
    pub(super) name: Option<Expr>,
    pub(super) id: Option<Expr>,
    pub(super) time: Option<Expr>,
    /// Whether the event says that its thing is gone.
    pub(super) deleted: Option<Expr>,
}

/// The fields of an object besides its key and attributes.
pub(super) const KOBJECT_FIELDS: &[(&str, Kind)] = &[
    ("title", Kind::Title),
    ("description", Kind::Description),
    ("createdAt", Kind::DateTime),
    ("importedAt", Kind::DateTime),
    ("tags", Kind::Tags),
    ("icon", Kind::Code(64)),
    ("images", Kind::Images),
    ("data", Kind::Data),
];

/// The fields of an identity besides its keys, location and attributes.
pub(super) const IDENTITY_FIELDS: &[(&str, Kind)] = &[
    ("name", Kind::Text),
    ("company", Kind::Text),
    ("username", Kind::Code(256)),
    ("signedUpAt", Kind::DateTime),
    ("birthdayAt", Kind::Day),
    ("gender", Kind::Gender),
    ("locale", Kind::Code(16)),
    ("timeZone", Kind::Code(64)),
    ("tags", Kind::Tags),
    ("remember", Kind::Bool),
];

/// The fields of a customer besides its key, contacts, company and attributes.
pub(super) const CUSTOMER_FIELDS: &[(&str, Kind)] = &[
    ("name", Kind::Text),
    ("username", Kind::Code(256)),
    ("signedUpAt", Kind::DateTime),
    ("birthdayAt", Kind::Day),
    ("gender", Kind::Gender),
    ("locale", Kind::Code(16)),
    ("timeZone", Kind::Code(64)),
    ("tags", Kind::Tags),
    ("createdAt", Kind::DateTime),
    ("importedAt", Kind::DateTime),
];

/// The fields of a company besides its key, contacts and attributes.
pub(super) const COMPANY_FIELDS: &[(&str, Kind)] = &[
    ("name", Kind::CompanyName),
    ("employeeCount", Kind::Count),
    ("website", Kind::Url),
    ("domain", Kind::Domain),
    ("tags", Kind::Tags),
    ("createdAt", Kind::DateTime),
    ("importedAt", Kind::DateTime),
];

/// The fields of an identity's location.
pub(super) const LOCATION_FIELDS: &[(&str, Kind)] = &[
    ("type", Kind::Place),
    ("name", Kind::Text),
    ("address", Kind::Short(256)),
    ("address2", Kind::Short(256)),
    ("address3", Kind::Short(256)),
    ("latitude", Kind::Within(-90, 90)),
    ("longitude", Kind::Within(-180, 180)),
    ("countryCode", Kind::CountryCode),
    ("countryName", Kind::Short(64)),
    ("regionCode", Kind::Code(2)),
    ("regionName", Kind::Short(128)),
    ("cityName", Kind::Short(128)),
    ("zipCode", Kind::Code(30)),
    ("areaCode", Kind::Code(30)),
];

/// The kinds of operations, as a test names them.
pub(crate) const OPERATIONS: &[&str] = &[
    "kobject", "track", "identify", "customer", "company", "digest", "delete",
];

/// The names that a test may use for what an operation of a kind has: those of the request, and the operation's own.
pub(crate) fn entry_names(kind: &str) -> Vec<&'static str> {
    let (own, fields): (&[&str], &[(&str, Kind)]) = match kind {
        "identify" => (&["identify", "customer"], &[]),
        "track" => (&["track", "session", "trackingId", "meta", "customer"], &[]),
        "delete" => (&["delete", "externalId", "version"], &[]),
        "customer" => (
            &[
                "customer", "version", "company", "emails", "phones", "custom",
            ],
            CUSTOMER_FIELDS,
        ),
        "company" => (
            &[
                "company", "version", "emails", "phones", "urls", "domains", "custom",
            ],
            COMPANY_FIELDS,
        ),
        _ => (
            &[
                "kobject",
                "digest",
                "customer",
                "externalId",
                "version",
                "custom",
            ],
            KOBJECT_FIELDS,
        ),
    };
    // A company's one website and domain are lists in the request.
    let fields = fields.iter().map(|(name, _)| *name);
    let fields = fields.filter(|name| !matches!(*name, "website" | "domain"));
    own.iter().copied().chain(fields).collect()
}

// === impl Route ===

impl Route {
    /// Whether it is for messages of the event's type. The name has been compared already.
    ///
    /// A route that names no type is for tracks. It is for identifies, groups, aliases, pages and screens only if `on` has
    /// that word: the name of a page is a title, and a page `Order Cancelled` cancels nothing. `*` is every event.
    pub(super) fn is_for(
        &self,
        kind: Option<&'static str>,
        name: &str,
        names_events: bool,
    ) -> bool {
        let Some(kind) = kind else {
            return self.types.is_empty();
        };
        if !self.types.is_empty() {
            return self.types.contains(&kind);
        }
        // a file that says how events are named has its own names for all of them
        if names_events || self.on.iter().any(|name| name == EVERY) {
            return true;
        }
        let name = fold(name);
        match KINDS.iter().find(|kind| **kind == name && name != TRACK) {
            Some(named) => kind == *named,
            None => kind == TRACK,
        }
    }
}

// === impl Party ===

impl Party {
    /// The word for it in files.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Company => "company",
        }
    }
}

// === impl Rule ===

impl Rule {
    /// Sets what it says of its bad fields.
    pub(super) fn set_bad_fields(&mut self, bad: BadFields) {
        match self {
            Self::Identify(rule) => rule.bad = bad,
            Self::Track(rule) => rule.bad = bad,
            Self::KObject(rule) => rule.bad = bad,
            Self::Party(rule) => rule.bad = bad,
            // Nobody else has it while the file is compiled.
            Self::Digest(rule) => {
                if let Some(rule) = Arc::get_mut(rule) {
                    rule.bad = bad;
                }
            }
        }
    }

    /// The word for its kind of operation.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Identify(_) => "identify",
            Self::Track(_) => "track",
            Self::KObject(rule) if rule.deletes => "delete",
            Self::KObject(_) => "kobject",
            Self::Party(rule) => rule.kind.as_str(),
            Self::Digest(_) => "digest",
        }
    }
}
