//! The keys of customers and objects: what they are known by.

use std::fmt;
use std::sync::Arc;

use super::body::{Body, Writer};

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
    /// Whoever an object belongs to: its klass, a slash, and its external id.
    Owner(#[serde(with = "owner")] Arc<str>),
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
    /// Do nothing: where there is no such object, there is nothing to mark as deleted.
    Skip,
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

/// Which of the API's resources a klass stands for: customers and companies are written like objects, by paths of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KlassKind {
    /// Custom objects of the klass.
    Objects,
    /// Customers.
    Customers,
    /// Companies.
    Companies,
}

/// The klasses that stand for customers and companies. No custom klass may have such a name.
pub const RESERVED_KLASSES: &[&str] = &[CUSTOMER, COMPANY];
const CUSTOMER: &str = "customer";
const COMPANY: &str = "company";

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
            Self::Owner(_) => "from",
        }
    }

    /// The customer that this object belongs to.
    ///
    /// ```
    /// # use ingest_model::operation::{CustomerKey, ExternalId, Klass};
    /// let (klass, id) = (Klass("order".into()), ExternalId("2026/7".into()));
    /// let key = CustomerKey::of_object(&klass, &id);
    /// assert_eq!(&**key.value(), "order/2026/7");
    /// assert_eq!(key.object(), Some((klass, id)));
    /// ```
    #[must_use]
    pub fn of_object(klass: &Klass, id: &ExternalId) -> Self {
        Self::Owner(Arc::from(format!("{}/{}", klass.0, id.0)))
    }

    /// The object whose customer is meant, if it is named by one. A klass has no slash in its name.
    #[must_use]
    pub fn object(&self) -> Option<(Klass, ExternalId)> {
        let Self::Owner(text) = self else { return None };
        let (klass, id) = text.split_once('/')?;
        Some((Klass(Arc::from(klass)), ExternalId(Arc::from(id))))
    }

    /// The key itself. It is personal data: never log it.
    #[must_use]
    pub fn value(&self) -> &Arc<str> {
        match self {
            Self::Id(v)
            | Self::ExternalId(v)
            | Self::Email(v)
            | Self::Phone(v)
            | Self::Owner(v) => v,
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

    /// The object that names the customer, if one does.
    #[must_use]
    pub fn owner(&self) -> Option<&CustomerKey> {
        let mut keys = self.keys.iter();
        keys.find(|key| matches!(key, CustomerKey::Owner(_)))
    }

    /// Whether it has a key by which the tracking API knows a customer.
    #[must_use]
    pub fn is_trackable(&self) -> bool {
        self.identity_keys().next().is_some()
    }

    /// The keys that an identity has; of several keys of one kind, the first. Neither a Kustomer id nor an object has a field
    /// there.
    pub fn identity_keys(&self) -> impl Iterator<Item = &CustomerKey> {
        let places = self.keys.iter().enumerate();
        places.filter_map(|(place, key)| {
            let mut before = self.keys.iter().take(place);
            let first = before.all(|other| other.kind() != key.kind());
            let is_field = !matches!(key, CustomerKey::Id(_) | CustomerKey::Owner(_));
            (first && is_field).then_some(key)
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

    pub(crate) fn write_keys(&self, writer: &mut Writer<'_>) {
        for key in self.identity_keys() {
            writer.text(key.kind(), key.value());
        }
    }

    /// The bytes of its keys in an identity, unless some of them are escaped.
    pub(crate) fn identity_bytes(&self) -> usize {
        let keys = self.keys.iter();
        // Quotes, colon and comma.
        keys.map(|key| key.kind().len() + key.value().len() + 6)
            .sum::<usize>()
            + 2
    }
}

// === impl Klass ===

impl Klass {
    /// The klass that stands for customers.
    #[must_use]
    pub fn customer() -> Self {
        Self(Arc::from(CUSTOMER))
    }

    /// The klass that stands for companies.
    #[must_use]
    pub fn company() -> Self {
        Self(Arc::from(COMPANY))
    }

    /// Which kind of thing it stands for.
    #[must_use]
    pub fn kind(&self) -> KlassKind {
        match &*self.0 {
            CUSTOMER => KlassKind::Customers,
            COMPANY => KlassKind::Companies,
            _ => KlassKind::Objects,
        }
    }

    /// Whether it stands for customers.
    #[must_use]
    pub fn is_customer(&self) -> bool {
        self.kind() == KlassKind::Customers
    }
}

impl fmt::Display for Klass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

mod owner {
    //! Klass and external id apart, so that whoever reads the text can tell them from each other.

    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{CustomerKey, ExternalId, Klass};

    #[derive(Serialize, Deserialize)]
    struct Object {
        klass: Klass,
        external_id: ExternalId,
    }

    pub(super) fn serialize<S: Serializer>(key: &Arc<str>, out: S) -> Result<S::Ok, S::Error> {
        let (klass, id) = key.split_once('/').unwrap_or_default();
        let object = Object {
            klass: Klass(klass.into()),
            external_id: ExternalId(id.into()),
        };
        object.serialize(out)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<str>, D::Error> {
        let object = Object::deserialize(from)?;
        let key = CustomerKey::of_object(&object.klass, &object.external_id);
        Ok(Arc::clone(key.value()))
    }
}
