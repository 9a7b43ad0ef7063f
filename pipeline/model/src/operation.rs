//! What is to change in Kustomer: the output of the mapping and the input of the delivery machine.
//!
//! An operation is complete and legal: names, suffixes and sizes were checked when it was made, so a body that the API
//! would refuse is never queued. What is still unknown is the Kustomer id of its customer and of its object.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::values::body::{Body, Writer};
use crate::values::digest::Fold;
pub use crate::values::version::{VERSION_ATTRIBUTE, Version};

/// One thing a customer is known by, most trusted first.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub enum CustomerKey {
    /// Kustomer's own id (24 hexadecimal digits).
    Id(Arc<str>),
    /// The id of the customer in the shop, at most 256 characters.
    ExternalId(Arc<str>),
    /// An e-mail address in lower case.
    Email(Arc<str>),
    /// A phone number in E.164 form.
    Phone(Arc<str>),
}

/// What to do when no customer has any of the keys.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, Default,
)]
pub enum MissingCustomer {
    /// Make one.
    #[default]
    Create,
    /// Wait for an identify, for a bounded time, then reject.
    Park,
    /// Reject the record.
    Reject,
}

/// A customer as an operation names it. Never empty: `keys` has at least one entry, most trusted first.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct CustomerRef {
    /// Shared, because a customer is mentioned wherever something waits for it.
    keys: Arc<[CustomerKey]>,
    /// What to do when no customer has any of these keys.
    pub missing: MissingCustomer,
}

/// The class of custom object, as in the API's paths.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub struct Klass(pub Arc<str>);

/// The shop's own id of an object, unique within its klass.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub struct ExternalId(pub Arc<str>);

/// One intended change in Kustomer.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq)]
pub enum Operation {
    /// Tell Kustomer who a customer is.
    Identify(Identify),
    /// Put one occurrence on a customer's timeline.
    Track(Track),
    /// Create or update one object of a customer.
    KObject(KObject),
}

/// Attributes of a customer, for `POST /v1/tracking/identity`.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq)]
pub struct Identify {
    /// Who.
    pub customer: CustomerRef,
    /// The identity's fields: `name`, `company`, `custom` and so on. None of them is a key.
    pub fields: Body,
}

/// One tracking event, for `POST /v1/tracking/identityEvent`.
#[derive(serde::Serialize, serde::Deserialize, Clone, PartialEq)]
#[serde(from = "Occurrence", into = "Occurrence")]
pub struct Track {
    /// Whose timeline.
    pub customer: CustomerRef,
    /// The event as its endpoint expects it: `name`, `trackingId`, `sessionId`, `meta`.
    pub event: Body,
    /// The value of `meta.eventKey`: the same for every repeat of the occurrence.
    pub event_key: uuid::Uuid,
}

/// A tracking event, part by part.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq)]
pub struct Occurrence {
    /// Whose timeline.
    pub customer: CustomerRef,
    /// The event's legal name.
    pub name: Arc<str>,
    /// The visitor's session, if the mapping names one.
    pub session_id: Option<Arc<str>>,
    /// The visitor's id, if the mapping names one.
    pub tracking_id: Option<Arc<str>>,
    /// Flat attributes, `eventKey` and `occurredAt` included.
    pub meta: Map<String, Value>,
    /// The value of `meta.eventKey`.
    #[serde(with = "event_key")]
    pub event_key: uuid::Uuid,
}

/// The state of one object, for the bulk create or update of its klass.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq)]
pub struct KObject {
    /// The object's klass.
    pub klass: Klass,
    /// The object's id in the shop.
    pub external_id: ExternalId,
    /// The customer it belongs to; without one it appears on no timeline.
    pub customer: Option<CustomerRef>,
    /// Which state of the object this is. An older one never overwrites a newer one.
    pub version: Option<Version>,
    /// The body as in a create, without `customer`: it has `externalId`, `title`, and in `custom` the version. None of its fields
    /// has a name of [`REQUEST_FIELDS`].
    pub body: Body,
    /// A digest: the events that are folded into the object. Then version and body are made when it leaves, of what the object
    /// has and of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<Box<Fold>>,
}

/// An operation with the name of the route that made it.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq)]
pub struct Planned {
    /// The route's name, for dead letters and metrics.
    pub route: Arc<str>,
    /// Identifies the operation by its event: the same for every repeat of it. For a tracking event, it is the
    /// `eventKey`.
    #[serde(with = "event_key")]
    pub event_key: uuid::Uuid,
    /// The operation.
    pub operation: Operation,
}

/// About what an event has besides its `meta`.
const EVENT_BYTES: usize = 128;
/// What a request says of an object besides its body, in the same JSON object.
pub const REQUEST_FIELDS: &[&str] = &["_clientRef", "id", "rev", "customer"];

// === impl CustomerKey ===

impl CustomerKey {
    /// The kind of key, in the spelling of mapping files.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Id(_) => "id",
            Self::ExternalId(_) => "externalId",
            Self::Email(_) => "email",
            Self::Phone(_) => "phone",
        }
    }

    /// The key itself. It is personal data: never log it.
    #[must_use]
    pub fn value(&self) -> &Arc<str> {
        match self {
            Self::Id(v) | Self::ExternalId(v) | Self::Email(v) | Self::Phone(v) => v,
        }
    }
}

// === impl CustomerRef ===

impl CustomerRef {
    /// A customer known by these keys, which are sorted by trust and deduplicated. `None` without a key.
    #[must_use]
    pub fn new(mut keys: Vec<CustomerKey>, missing: MissingCustomer) -> Option<Self> {
        keys.sort();
        keys.dedup();
        (!keys.is_empty()).then(|| Self {
            keys: keys.into(),
            missing,
        })
    }

    /// All keys, most trusted first.
    #[must_use]
    pub fn keys(&self) -> &[CustomerKey] {
        &self.keys
    }

    /// The most trusted key, which names the customer in lanes and look-ups.
    #[must_use]
    pub fn first(&self) -> &CustomerKey {
        #[expect(
            clippy::indexing_slicing,
            reason = "`new` refuses an empty list and nothing removes from it"
        )]
        &self.keys[0]
    }

    /// The combined keys of two references to the same customer: their most trusted key is the same, and no other key
    /// contradicts. `None` where they may mean two customers.
    ///
    /// ```
    /// # use ingest_model::operation::{CustomerKey, CustomerRef, MissingCustomer};
    /// let of = |keys: &[CustomerKey]| CustomerRef::new(keys.to_vec(), MissingCustomer::Create).unwrap();
    /// let id = CustomerKey::ExternalId("u1".into());
    /// let (a, b) = (CustomerKey::Email("a@example.com".into()), CustomerKey::Email("b@example.com".into()));
    /// let both = of(&[id.clone(), a.clone()]);
    /// assert_eq!(of(&[id.clone()]).joined(&both), Some(both.clone()));
    /// assert_eq!(both.joined(&of(&[id, b])), None);
    /// assert_eq!(both.joined(&of(&[a])), None);
    /// ```
    #[must_use]
    pub fn joined(&self, other: &Self) -> Option<Self> {
        if self.first() != other.first() {
            return None;
        }
        let agrees = |mine: &CustomerKey| {
            let mut theirs = other.identity_keys();
            theirs
                .find(|key| key.kind() == mine.kind())
                .is_none_or(|key| key == mine)
        };
        if !self.identity_keys().all(agrees) {
            return None;
        }
        let keys = self.keys.iter().chain(other.keys.iter());
        let keys = keys.cloned().collect();
        Self::new(keys, other.missing)
    }

    /// The keys that an identity has; of several keys of one kind, the first. A Kustomer id has no field there.
    pub fn identity_keys(&self) -> impl Iterator<Item = &CustomerKey> {
        let places = self.keys.iter().enumerate();
        places.filter_map(|(place, key)| {
            let mut before = self.keys.iter().take(place);
            let first = before.all(|other| other.kind() != key.kind());
            (first && !matches!(key, CustomerKey::Id(_))).then_some(key)
        })
    }

    /// The keys as an identity.
    ///
    /// ```
    /// # use ingest_model::operation::{CustomerKey, CustomerRef, MissingCustomer};
    /// let keys = vec![CustomerKey::Email("a@example.com".into()), CustomerKey::ExternalId("u1".into())];
    /// let customer = CustomerRef::new(keys, MissingCustomer::Create).unwrap();
    /// assert_eq!(customer.identity().as_str(), r#"{"externalId":"u1","email":"a@example.com"}"#);
    /// ```
    #[must_use]
    pub fn identity(&self) -> Body {
        Body::written(self.identity_bytes(), |writer| self.write_keys(writer))
    }

    fn write_keys(&self, writer: &mut Writer<'_>) {
        for key in self.identity_keys() {
            writer.text(key.kind(), key.value());
        }
    }

    /// The bytes of its keys in an identity, unless some of them are escaped.
    fn identity_bytes(&self) -> usize {
        let keys = self.keys.iter();
        // Quotes, colon and comma.
        keys.map(|key| key.kind().len() + key.value().len() + 6)
            .sum::<usize>()
            + 2
    }
}

// === impl Identify ===

impl Identify {
    /// The whole identity: the customer's keys, and the fields.
    #[must_use]
    pub fn identity(&self) -> Body {
        self.identity_with(None)
    }

    /// The same with those keys of another reference to the customer that are of other kinds.
    #[must_use]
    pub fn identity_with(&self, other: Option<&CustomerRef>) -> Body {
        let around = other.map_or(0, CustomerRef::identity_bytes);
        let bytes = self.customer.identity_bytes() + self.fields.size() + around;
        Body::written(bytes, |writer| {
            self.customer.write_keys(writer);
            writer.fields(&self.fields);
            let more = other.into_iter().flat_map(CustomerRef::identity_keys);
            for key in more {
                let mut mine = self.customer.identity_keys();
                if mine.all(|one| one.kind() != key.kind()) {
                    writer.text(key.kind(), key.value());
                }
            }
        })
    }
}

// === impl Track ===

impl Track {
    /// An event with these parts.
    #[must_use]
    pub fn new(
        customer: CustomerRef,
        name: &str,
        session_id: Option<&str>,
        tracking_id: Option<&str>,
        meta: &Body,
        event_key: uuid::Uuid,
    ) -> Self {
        let event = Body::written(meta.size() + EVENT_BYTES, |writer| {
            writer.text("name", name);
            if let Some(id) = tracking_id {
                writer.text("trackingId", id);
            }
            if let Some(id) = session_id {
                writer.text("sessionId", id);
            }
            writer.object("meta", meta);
        });
        Self {
            customer,
            event,
            event_key,
        }
    }

    /// Its parts.
    #[must_use]
    pub fn occurrence(&self) -> Occurrence {
        self.clone().into()
    }
}

impl From<Occurrence> for Track {
    fn from(occurrence: Occurrence) -> Self {
        let Occurrence {
            customer,
            name,
            session_id,
            tracking_id,
            meta,
            event_key,
        } = occurrence;
        Self::new(
            customer,
            &name,
            session_id.as_deref(),
            tracking_id.as_deref(),
            &meta.into(),
            event_key,
        )
    }
}

impl From<Track> for Occurrence {
    fn from(track: Track) -> Self {
        let mut event = track.event.parse();
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(Arc::from);
        let (session_id, tracking_id) =
            (text(event.get("sessionId")), text(event.get("trackingId")));
        let name = text(event.get("name")).unwrap_or_default();
        let meta = match event.get_mut("meta").map(Value::take) {
            Some(Value::Object(meta)) => meta,
            Some(_) | None => Map::new(),
        };
        Self {
            customer: track.customer,
            name,
            session_id,
            tracking_id,
            meta,
            event_key: track.event_key,
        }
    }
}

impl fmt::Debug for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let occurrence = self.occurrence();
        f.debug_struct("Track")
            .field("customer", &occurrence.customer)
            .field("name", &occurrence.name)
            .field("session_id", &occurrence.session_id)
            .field("tracking_id", &occurrence.tracking_id)
            .field("meta", &occurrence.meta)
            .field("event_key", &occurrence.event_key)
            .finish()
    }
}

// === impl Operation ===

impl Operation {
    /// The kind, in the spelling of mapping files.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Identify(_) => "identify",
            Self::Track(_) => "track",
            Self::KObject(KObject { fold: None, .. }) => "kobject",
            Self::KObject(KObject { fold: Some(_), .. }) => "digest",
        }
    }

    /// The events that it folds into an object, if it is a digest.
    #[must_use]
    pub fn fold(&self) -> Option<&Fold> {
        match self {
            Self::KObject(object) => object.fold.as_deref(),
            Self::Identify(_) | Self::Track(_) => None,
        }
    }

    /// The customer, if the operation has one.
    #[must_use]
    pub fn customer(&self) -> Option<&CustomerRef> {
        match self {
            Self::Identify(o) => Some(&o.customer),
            Self::Track(o) => Some(&o.customer),
            Self::KObject(o) => o.customer.as_ref(),
        }
    }
}

impl fmt::Display for Klass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

mod event_key {
    //! The key of an event is a hash of it, and is serialized as one: a newtype `Hash` of 32 hexadecimal digits.

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};
    use uuid::Uuid;

    pub(super) fn serialize<S: Serializer>(key: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct("Hash", &format!("{:032x}", key.as_u128()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Uuid, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16)
            .map(Uuid::from_u128)
            .map_err(D::Error::custom)
    }
}
