//! What has to wait for a person or for the destination's recovery.

use std::sync::Arc;
use std::time::Duration;

use ingest_model::batch::Verb;
use ingest_model::operation::Klass;
use ingest_model::outcome::HoldCause;
use ingest_model::record::Topic;

/// What is held.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub enum Scope {
    /// Every request.
    Destination,
    /// Requests to one family of endpoints.
    Family(Family),
    /// Records and dead letters of one topic; no request.
    Topic(Topic),
    /// What one route makes of a topic's records. Only pauses hold one.
    Route(Topic, Arc<str>),
    /// Partitions of one topic whose position was lost; no request.
    Position(Topic),
    /// New writes of objects, and partitions whose state is being restored. It ends by itself.
    State,
    /// Letters to one topic; no request.
    Letters(LetterTopic),
}

/// The kinds of scope that may be held, as [`Scope::as_str`] names them.
pub const HOLD_SCOPES: &[&str] = &[
    "destination",
    "tracking",
    "customer_search",
    "customer_read",
    "customer_create",
    "kobject_write",
    "kobject_delete",
    "kobject_read",
    "bulk_read",
    "topic",
    "route",
    "position",
    "state",
    "dead_letter_topic",
    "hold_topic",
];

/// Where records go that do not go to Kustomer.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub enum LetterTopic {
    /// The dead-letter topic: what was rejected.
    Dead,
    /// The hold topic: what was held for too long.
    Held,
}

/// Endpoints that need the same role.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub enum Family {
    /// Tracking events and identities.
    Tracking,
    /// Searching customers: without it, they are found in other ways.
    CustomerSearch,
    /// Reading customers.
    CustomerRead,
    /// Creating customers.
    CustomerCreate,
    /// Writing objects of a klass.
    KObjectWrite(Klass),
    /// Deleting objects of a klass.
    KObjectDelete(Klass),
    /// Reading objects of a klass.
    KObjectRead(Klass),
    /// Reading bulk jobs.
    BulkRead,
}

/// A planned pause: nothing of a scope is begun until its time is over, or a person ends it.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// What is paused.
    pub scope: Scope,
    /// Who pauses it. Each ends its own pauses.
    pub by: PausedBy,
    /// For how long from now on; `None` until somebody ends it.
    pub lasts: Option<Duration>,
    /// Why, in words for people.
    pub reason: Option<Arc<str>>,
}

/// Who pauses something.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PausedBy {
    /// A person, by a command.
    Person,
    /// The configuration, which gives the time a name.
    Window(Arc<str>),
}

impl Family {
    /// What such a write needs: deletions have a role of their own.
    #[must_use]
    pub fn of_write(klass: Klass, verb: Verb) -> Self {
        match verb {
            Verb::Create | Verb::Update => Self::KObjectWrite(klass),
            Verb::Delete => Self::KObjectDelete(klass),
        }
    }
}

impl Scope {
    /// Whether a request or a letter can show that the hold is over.
    #[must_use]
    pub fn is_probed(&self) -> bool {
        match self {
            Self::Destination | Self::Family(_) | Self::Letters(_) => true,
            Self::Topic(_) | Self::Route(..) | Self::Position(_) | Self::State => false,
        }
    }

    /// The label in metrics: the kind of scope, without klass or topic.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Destination => "destination",
            Self::Family(Family::Tracking) => "tracking",
            Self::Family(Family::CustomerSearch) => "customer_search",
            Self::Family(Family::CustomerRead) => "customer_read",
            Self::Family(Family::CustomerCreate) => "customer_create",
            Self::Family(Family::KObjectWrite(_)) => "kobject_write",
            Self::Family(Family::KObjectDelete(_)) => "kobject_delete",
            Self::Family(Family::KObjectRead(_)) => "kobject_read",
            Self::Family(Family::BulkRead) => "bulk_read",
            Self::Topic(_) => "topic",
            Self::Position(_) => "position",
            Self::Route(..) => "route",
            Self::State => "state",
            Self::Letters(to) => to.as_str(),
        }
    }
}

impl LetterTopic {
    /// Every value.
    pub const ALL: [Self; 2] = [Self::Dead, Self::Held];

    /// The label: the setting's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.cause().as_str()
    }

    /// Why its letters wait while it accepts none.
    #[must_use]
    pub fn cause(self) -> HoldCause {
        match self {
            Self::Dead => HoldCause::DeadLetterTopic,
            Self::Held => HoldCause::HoldTopic,
        }
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Family(
                Family::KObjectWrite(klass)
                | Family::KObjectDelete(klass)
                | Family::KObjectRead(klass),
            ) => write!(f, "{}:{klass}", self.as_str()),
            Self::Topic(topic) | Self::Position(topic) => write!(f, "{}:{topic}", self.as_str()),
            Self::Route(topic, route) => write!(f, "{}:{topic}/{route}", self.as_str()),
            Self::Destination
            | Self::State
            | Self::Letters(_)
            | Self::Family(
                Family::Tracking
                | Family::CustomerSearch
                | Family::CustomerRead
                | Family::CustomerCreate
                | Family::BulkRead,
            ) => f.write_str(self.as_str()),
        }
    }
}
