//! What the simulator shows of its contents to tests and people.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::time::SimTime;

/// A customer in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerView {
    /// Kustomer id.
    pub id: String,
    /// External id.
    pub external_id: Option<String>,
    /// Name, or e-mail, phone or external id if there is none.
    pub display_name: String,
    /// The Kustomer id of its company.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    /// Objects that exist.
    pub kobjects: u64,
    /// Tracking events.
    pub events: u64,
    /// When it changed last.
    pub updated_at: SimTime,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectView {
    /// Kustomer id.
    pub id: String,
    /// The klass.
    pub klass: String,
    /// External id.
    pub external_id: Option<String>,
    /// Headline.
    pub title: String,
    /// Kustomer id of its customer.
    pub customer: Option<String>,
    /// The lock counter.
    pub rev: u64,
    /// `custom.ingestVersionStr`.
    pub version: Option<String>,
    /// Custom attributes.
    pub custom: Map<String, Value>,
    /// Description, icon, images, data, tags and `importedAt`, where given.
    pub rest: Map<String, Value>,
    /// The `createdAt` that it was given, or else when it was created, in milliseconds since the Unix epoch.
    pub created_at: SimTime,
    /// When it was written last.
    pub updated_at: SimTime,
}

/// A tracking event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventView {
    /// Kustomer id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Kustomer id of its customer; `None` while the visitor is unknown.
    pub customer: Option<String>,
    /// The session it belongs to.
    pub session: String,
    /// `meta.eventKey`.
    pub event_key: Option<String>,
    /// `meta.occurredAt`.
    pub occurred_at: Option<String>,
    /// All of `meta`.
    pub meta: Map<String, Value>,
    /// When it was received, in milliseconds since the Unix epoch.
    pub created_at: SimTime,
}

/// A session with its events, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    /// Its id.
    pub id: String,
    /// When its last event was received.
    pub last_event_at: SimTime,
    /// Its events, newest first.
    pub events: Vec<EventView>,
}

/// One entry of a timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum TimelineItem {
    /// A card.
    Kobject(Box<ObjectView>),
    /// A cluster of tracking events.
    Session(SessionView),
}

impl TimelineItem {
    /// What entries are ordered by: an object's creation, a session's last event.
    #[must_use]
    pub const fn time(&self) -> SimTime {
        match self {
            Self::Kobject(object) => object.created_at,
            Self::Session(session) => session.last_event_at,
        }
    }
}

/// What a support agent sees of one customer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timeline {
    /// Who.
    pub customer: CustomerView,
    /// All attributes of the customer.
    pub attributes: Map<String, Value>,
    /// Cards and sessions, newest first; at most 500 objects and 2,000 events, the newest.
    pub items: Vec<TimelineItem>,
}
