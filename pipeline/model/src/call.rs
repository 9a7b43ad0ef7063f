//! The seam to the API: what the machine asks for, and what an answer means.
//!
//! The machine speaks in calls; the Kustomer client turns a [`Call`] into an HTTP request and its answer into a
//! [`Reply`]. Neither knows the other's side: no status code reaches the machine, and no lane reaches the client.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::operation::{CustomerKey, ExternalId, Klass, Version};
use crate::outcome::Outcome;
use crate::outcome::trouble::Trouble;
use crate::values::body::Body;

/// One intended request, complete. One call is one unit of the organisation's budget.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// `POST /v1/tracking/identity`.
    Identify {
        /// The whole identity: keys and fields.
        identity: Body,
    },
    /// `POST /v1/tracking/identityEvent`.
    Track {
        /// The whole identity: keys, and fields of a fused identify.
        identity: Body,
        /// `name`, `meta`, `sessionId`, `trackingId`.
        event: Body,
    },
    /// `POST /v1/customers/search` for all of these keys at once.
    SearchCustomers {
        /// At most 100.
        keys: Vec<CustomerKey>,
    },
    /// `GET /v1/customers/externalId=…`, `email=…` and so on.
    GetCustomer {
        /// The key to look up.
        key: CustomerKey,
    },
    /// `GET /v1/customers/email=…` or `phone=…`, with all that it shows: a customer that has to be updated.
    FindCustomer {
        /// The key to look up.
        key: CustomerKey,
    },
    /// `POST /v1/customers/bulk`.
    CreateCustomers {
        /// One body for each customer, with the reference that names it in the answer.
        items: Vec<BulkItem>,
        /// Send `_clientRef`.
        with_refs: bool,
    },
    /// `POST /v1/klasses/{klass}/bulk`; of customers and companies `POST /v1/customers/bulk` and `/v1/companies/bulk`. So it is
    /// with the paths of the other calls that name a klass.
    CreateKObjects {
        /// The objects' klass.
        klass: Klass,
        /// At most 100.
        items: Vec<BulkItem>,
        /// Send `_clientRef`.
        with_refs: bool,
    },
    /// `PUT /v1/klasses/{klass}/bulk`; each body has the `id`.
    UpdateKObjects {
        /// The objects' klass.
        klass: Klass,
        /// At most 100.
        items: Vec<BulkItem>,
        /// Send `_clientRef`.
        with_refs: bool,
    },
    /// `POST /v1/klasses/{klass}`: one object, confirmed at once.
    CreateKObject {
        /// The object's klass.
        klass: Klass,
        /// The body.
        body: Body,
    },
    /// `PUT /v1/klasses/{klass}/{id}`.
    UpdateKObject {
        /// The object's klass.
        klass: Klass,
        /// The object's Kustomer id.
        id: Arc<str>,
        /// The body without `id`.
        body: Body,
    },
    /// `DELETE /v1/klasses/{klass}/{id}`.
    DeleteKObject {
        /// The object's klass.
        klass: Klass,
        /// The object's Kustomer id.
        id: Arc<str>,
    },
    /// `GET /v1/klasses/{klass}/externalId=…`.
    GetKObject {
        /// The object's klass.
        klass: Klass,
        /// The object's external id.
        external_id: ExternalId,
    },
    /// `GET /v1/bulk/{id}/batches`: the job's state and, with references, the result of each item.
    ReadJob {
        /// The job's id in Kustomer.
        job: Arc<str>,
    },
    /// `GET /v1/bulk/{id}`: the state alone, for jobs without references.
    ReadJobState {
        /// The job's id in Kustomer.
        job: Arc<str>,
    },
    /// `GET /v1/auth/tokens/current`: is the API key valid?
    Probe,
}

/// One object in a bulk request.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkItem {
    /// Names the item in the job's results: `_clientRef`, unique within the request, at most 255 characters.
    pub reference: String,
    /// The body.
    pub body: Body,
    /// The customer's Kustomer id, added to the body as `customer` (creates of objects only).
    pub customer: Option<Arc<str>>,
    /// The company's Kustomer id, added to the body as `company` (customers only).
    pub company: Option<Arc<str>>,
    /// The object's Kustomer id, added to the body as `id` (updates only).
    pub id: Option<Arc<str>>,
    /// The optimistic lock, added to the body as `rev` (updates only).
    pub rev: Option<i64>,
    /// When it was imported, added to the body as [`IMPORTED_AT`] unless that says so itself (creates of objects only).
    pub imported_at: Option<Arc<str>>,
}

/// The field that says of an object when it was imported.
pub const IMPORTED_AT: &str = "importedAt";

/// The queue in which a call waits for a permit.
#[derive(serde::Serialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Finding or making customers.
    Resolve,
    /// Tracking events and identities.
    Track,
    /// Objects, single and bulk.
    Write,
    /// Job results and verification.
    Read,
    /// Checking the API key.
    Probe,
}

/// An answer: the limits as they are now, and what became of the call.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq)]
pub struct Reply {
    /// What the response's headers said.
    pub limits: Limits,
    /// What it means.
    pub result: CallResult,
    /// What went wrong, if anything did, in words for people.
    pub trouble: Option<Trouble>,
}

/// The organisation's request limit as a response reported it.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests a minute of the whole organisation.
    pub limit: Option<u32>,
    /// What is left of the current window, for everybody.
    pub remaining: Option<u32>,
    /// Time from the response to the window's end, by the server's clock; unscaled.
    pub resets_in: Option<Duration>,
    /// `Retry-After`, unscaled.
    pub retry_after: Option<Duration>,
    /// The server's clock, epoch milliseconds.
    pub date_ms: Option<i64>,
}

/// The outcome of a call, typed by the endpoint family.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq)]
pub enum CallResult {
    /// `Identify` and `Track`: the customer's Kustomer id, where the answer had it.
    Tracked(Outcome<Option<Arc<str>>>),
    /// `SearchCustomers`: the customers that were found.
    Searched(Outcome<SearchFound>),
    /// `GetCustomer`: the customer, or `None` for 404.
    Customer(Outcome<Option<CustomerFound>>),
    /// Bulk submissions; always [`Outcome::Pending`] when accepted.
    Submitted(Outcome<()>),
    /// `CreateKObject`, `UpdateKObject` and `DeleteKObject`.
    Written(Outcome<Written>),
    /// `GetKObject` and `FindCustomer`: the object, or `None` for 404.
    KObject(Outcome<Option<ObjectState>>),
    /// `ReadJob` and `ReadJobState`.
    Job(Outcome<JobReport>),
    /// `Probe`.
    Probed(Outcome<()>),
    /// Any request: the task that sent it ended without an answer, and whether the request arrived is not known.
    Lost,
}

/// What a batched look-up of customers found.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchFound {
    /// The key that was asked for, and the customer's Kustomer id.
    pub customers: Vec<(CustomerKey, Arc<str>)>,
    /// Hits that carry none of the keys asked for. They cannot be matched, so look-ups of this kind are useless here.
    pub unmatched: usize,
}

/// A customer that was read.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct CustomerFound {
    /// Its Kustomer id.
    pub id: Arc<str>,
    /// By what the tracking API knows it, most trusted first: one key of each kind. Only where it was read by its Kustomer id,
    /// because only then they are not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<CustomerKey>,
}

impl From<Arc<str>> for CustomerFound {
    fn from(id: Arc<str>) -> Self {
        let keys = Vec::new();
        Self { id, keys }
    }
}

impl From<&str> for CustomerFound {
    fn from(id: &str) -> Self {
        Arc::<str>::from(id).into()
    }
}

/// What became of a single write of an object.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// Stored as sent.
    Stored {
        /// The object's Kustomer id.
        id: Option<Arc<str>>,
        /// Its revision after the write.
        rev: Option<i64>,
    },
    /// 409 on a create: an object of this external id exists.
    Duplicate,
    /// On an update, the object is gone; on a create, the customer named in its body is. On a deletion, the object is gone now,
    /// or was before.
    Gone,
}

/// An object as it is in Kustomer.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Default, PartialEq)]
pub struct ObjectState {
    /// Its Kustomer id.
    pub id: Arc<str>,
    /// Its revision, if shown.
    pub rev: Option<i64>,
    /// The version written last, if there is one.
    pub version: Option<Version>,
    /// The customer that it belongs to, if it has one.
    pub customer: Option<Arc<str>>,
    /// The company that it belongs to, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<Arc<str>>,
    /// Its fields as Kustomer shows them: more than were written, and perhaps masked.
    pub shown: Map<String, Value>,
}

/// What is known of a job so far.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Default, PartialEq, Eq)]
pub struct JobReport {
    /// The job itself, or each of its batches, is reported complete.
    pub complete: bool,
    /// Results so far, by reference. Empty without references.
    pub items: Vec<ItemResult>,
    /// Number of failed items where only numbers are known.
    pub failures: Option<u64>,
    /// When the last batch was done, epoch milliseconds by the server's clock.
    pub completed_ms: Option<i64>,
    /// The job is not known (404).
    pub unknown: bool,
}

/// What became of one item of a job.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct ItemResult {
    /// The item's `_clientRef`.
    pub reference: String,
    /// What happened.
    pub fate: ItemFate,
}

/// What happened to one item.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub enum ItemFate {
    /// Created or updated; the Kustomer id where given.
    Stored(Option<Arc<str>>),
    /// An object or customer with this key exists already.
    Duplicate,
    /// The revision sent is not the current one. On a create it means the same as [`Duplicate`](Self::Duplicate).
    Conflict,
    /// The object to update, or the customer that a create names, does not exist.
    Gone,
    /// A temporary limit on the customer or object.
    Limited(String),
    /// A failure that may go away by itself.
    Transient(String),
    /// Refused for good, with the API's own words.
    Permanent(String),
}

impl ItemResult {
    /// Whether the item was stored.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        matches!(self.fate, ItemFate::Stored(_))
    }
}

impl BulkItem {
    /// What is added to the body as [`IMPORTED_AT`]: what the mapping says of it counts.
    #[must_use]
    pub fn time_of_import(&self) -> Option<&str> {
        let at = self.imported_at.as_deref()?;
        (!self.body.has(IMPORTED_AT)).then_some(at)
    }

    /// An item that says nothing but its body.
    #[must_use]
    pub fn new(reference: String, body: Body) -> Self {
        Self {
            reference,
            body,
            customer: None,
            company: None,
            id: None,
            rev: None,
            imported_at: None,
        }
    }
}

impl CallResult {
    /// Whether the call failed or its result is unknown, so that there is a trouble to report.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        fn failed<T>(outcome: &Outcome<T>) -> bool {
            match outcome {
                Outcome::Retry(_) | Outcome::Ambiguous | Outcome::Hold(_) => true,
                Outcome::Delivered(_)
                | Outcome::Pending(_)
                | Outcome::Reject(_)
                | Outcome::Split(_) => false,
            }
        }
        match self {
            Self::Tracked(outcome) => failed(outcome),
            Self::Searched(outcome) => failed(outcome),
            Self::Customer(outcome) => failed(outcome),
            Self::Submitted(outcome) => failed(outcome),
            Self::Written(outcome) => failed(outcome),
            Self::KObject(outcome) => failed(outcome),
            Self::Job(outcome) => failed(outcome),
            Self::Probed(outcome) => failed(outcome),
            Self::Lost => true,
        }
    }
}

impl Class {
    /// Every class.
    pub const ALL: &'static [Self] = &[
        Self::Resolve,
        Self::Track,
        Self::Write,
        Self::Read,
        Self::Probe,
    ];

    /// The label in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Track => "track",
            Self::Write => "write",
            Self::Read => "read",
            Self::Probe => "probe",
        }
    }
}

impl Call {
    /// The queue in which this call waits for a permit.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Identify { .. } | Self::Track { .. } => Class::Track,
            Self::SearchCustomers { .. }
            | Self::GetCustomer { .. }
            | Self::CreateCustomers { .. } => Class::Resolve,
            Self::CreateKObjects { .. }
            | Self::UpdateKObjects { .. }
            | Self::CreateKObject { .. }
            | Self::UpdateKObject { .. }
            | Self::DeleteKObject { .. } => Class::Write,
            Self::FindCustomer { .. }
            | Self::GetKObject { .. }
            | Self::ReadJob { .. }
            | Self::ReadJobState { .. } => Class::Read,
            Self::Probe => Class::Probe,
        }
    }
}
