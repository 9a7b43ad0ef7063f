//! What is to change in Kustomer: the output of the mapping and the input of the delivery machine.
//!
//! An operation is complete and legal: names, suffixes and sizes were checked when it was made, so a body that the API
//! would refuse is never queued. What is still unknown is the Kustomer id of its customer and of its object.

use std::borrow::Cow;
use std::fmt;
use std::hash::Hasher as _;
use std::sync::Arc;

use serde_json::{Map, Value};
use siphasher::sip::SipHasher13;

use crate::values::body::Body;
use crate::values::digest::Fold;
pub use crate::values::keys::{
    CustomerKey, CustomerRef, ExternalId, Klass, KlassKind, MissingCustomer, RESERVED_KLASSES,
};
pub use crate::values::party::Party;
pub use crate::values::version::{VERSION_ATTRIBUTE, Version};

/// One intended change in Kustomer.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq)]
pub enum Operation {
    /// Tell Kustomer who a customer is.
    Identify(Identify),
    /// Put one occurrence on a customer's timeline.
    Track(Track),
    /// Create, update or delete one object.
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
    /// What only customers and companies have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<Box<Party>>,
    /// The object is to be deleted. Then its body has the external id alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deletes: bool,
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
/// What an external id takes in a body besides itself.
const ID_BYTES: usize = 20;
/// What a request says of an object besides its body, in the same JSON object.
pub const REQUEST_FIELDS: &[&str] = &["_clientRef", "id", "rev", "customer", "company"];

// === impl KObject ===

impl KObject {
    /// The deletion of an object that had this state at last.
    #[must_use]
    pub fn deletion(klass: Klass, external_id: ExternalId, version: Option<Version>) -> Self {
        let body = Body::written(external_id.0.len() + ID_BYTES, |writer| {
            writer.text("externalId", &external_id.0);
        });
        Self {
            klass,
            external_id,
            customer: None,
            version,
            body,
            fold: None,
            party: None,
            deletes: true,
        }
    }

    /// The company that a customer is to belong to, as the shop names it.
    #[must_use]
    pub fn company(&self) -> Option<&ExternalId> {
        self.party.as_ref()?.company.as_ref()
    }

    /// The keys of the customer that this is: its external id, and what it is created with.
    fn own_keys(&self) -> Vec<CustomerKey> {
        let mut keys = vec![CustomerKey::ExternalId(Arc::clone(&self.external_id.0))];
        let contacts = self.party.as_ref().map(|party| party.on_create.parse());
        let contacts = contacts.unwrap_or_default();
        let mut add = |list: &str, field: &str, key: fn(Arc<str>) -> CustomerKey| {
            let entries = contacts.get(list).and_then(Value::as_array);
            let values = entries.into_iter().flatten();
            let texts = values.filter_map(|entry| entry.get(field)?.as_str());
            keys.extend(texts.map(|text| key(Arc::from(text))));
        };
        add("emails", "email", CustomerKey::Email);
        add("phones", "phone", CustomerKey::Phone);
        keys
    }

    /// A hash of what an update says, the same in every process.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let body = self.body.fingerprint();
        let Some(company) = self.company() else {
            return body;
        };
        let mut both = SipHasher13::new_with_keys(body, 0);
        both.write(company.0.as_bytes());
        both.finish()
    }

    /// The body of a create: an update says less.
    #[must_use]
    pub fn body_on_create(&self) -> Body {
        match &self.party {
            Some(party) if !party.on_create.is_empty() => {
                let bytes = self.body.size() + party.on_create.size();
                Body::written(bytes, |writer| {
                    writer.fields(&self.body);
                    writer.fields(&party.on_create);
                })
            }
            Some(_) | None => self.body.clone(),
        }
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
            Self::KObject(KObject { fold: Some(_), .. }) => "digest",
            Self::KObject(KObject { deletes: true, .. }) => "delete",
            Self::KObject(object) => match object.klass.kind() {
                KlassKind::Objects => "kobject",
                KlassKind::Customers => "customer",
                KlassKind::Companies => "company",
            },
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

    /// Whether it deletes its object.
    #[must_use]
    pub fn deletes(&self) -> bool {
        match self {
            Self::KObject(object) => object.deletes,
            Self::Identify(_) | Self::Track(_) => false,
        }
    }

    /// Puts another reference in the place of the one to the same customer.
    pub fn rename_customer(&mut self, customer: CustomerRef) {
        match self {
            Self::Identify(o) => o.customer = customer,
            Self::Track(o) => o.customer = customer,
            Self::KObject(o) => o.customer = Some(customer),
        }
    }

    /// The keys of the person about whom it tells something, as far as it names one. A deletion tells nothing.
    #[must_use]
    pub fn names(&self) -> Cow<'_, [CustomerKey]> {
        match (self.customer(), self) {
            _ if self.deletes() => Cow::Borrowed(&[]),
            (Some(customer), _) => Cow::Borrowed(customer.keys()),
            (None, Self::KObject(object)) if object.klass.is_customer() => {
                Cow::Owned(object.own_keys())
            }
            (None, Self::Identify(_) | Self::Track(_) | Self::KObject(_)) => Cow::Borrowed(&[]),
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
