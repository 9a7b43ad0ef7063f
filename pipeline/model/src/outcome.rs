//! Closed verdicts: what a stage says about a record, and what an attempt means for what happens next.
//!
//! Every reason has one label (`as_str`), used in metrics, logs, dead-letter headers and the documentation alike.

use std::sync::Arc;

use crate::operation::Planned;

/// What decoding and mapping say about a record.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq)]
pub enum Verdict {
    /// These operations, at least one.
    Emit(Vec<Planned>),
    /// Nothing to do, for a stated reason.
    Skip(SkipReason),
    /// It can never be delivered: a dead letter.
    Reject(Rejected),
}

/// Why a record leads to no request although nothing is wrong with it.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub enum SkipReason {
    /// A null value: a delete marker of a compacted topic.
    Tombstone,
    /// No route is for an event of this name.
    NoRoute,
    /// Routes are for the name, but none of their conditions held.
    ConditionFalse,
    /// A route says that such events are not wanted.
    Dropped,
    /// The event says itself that it is not for Kustomer.
    NotForKustomer,
    /// Older than the route's `maxAge`.
    TooOld,
    /// The object already has a newer state, or newer identities have said all that this one says.
    Stale,
    /// The object already has exactly this state.
    Unchanged,
    /// The same occurrence was delivered before.
    Repeat,
    /// The partition's former owner has settled it already.
    SettledBefore,
}

/// A permanent reason why a record cannot be delivered.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub enum Rejection {
    /// The value is not JSON.
    InvalidJson,
    /// The value is not UTF-8.
    InvalidUtf8,
    /// Nested deeper than the limit.
    TooDeep,
    /// The value is larger than the limit.
    TooLarge,
    /// The value is JSON but not the topic's format.
    FormatMismatch,
    /// A field that the format demands is missing or of the wrong type.
    InvalidEnvelope,
    /// A mapping expression failed or gave the wrong type.
    MappingFailed,
    /// A field that the operation demands has no value.
    MissingField,
    /// The event names no customer.
    MissingCustomer,
    /// The result breaks a rule of the API: name, suffix, length.
    IllegalField,
    /// The object alone is larger than a request may be.
    ItemTooLarge,
    /// The object stands with a version of another kind: nobody can tell which is newer.
    MixedVersions,
    /// Kustomer has no such customer and the route does not create one.
    UnknownCustomer,
    /// Kustomer refused the request or the item for good.
    RefusedByApi,
    /// It kept failing while others succeeded.
    RetriesExhausted,
    /// Processes that mapped it died.
    ProcessDied,
}

/// A rejection with what a person needs to find the cause. `detail` holds no personal data: field paths and rules only,
/// or the API's own error text.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The closed reason.
    pub reason: Rejection,
    /// Field, rule and way out.
    pub detail: String,
    /// The route, if one was chosen.
    pub route: Option<Arc<str>>,
}

/// An optional field that was left out of an operation, because its value cannot be had or cannot stand there.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct DroppedField {
    /// The route.
    pub route: Arc<str>,
    /// The field's path as the mapping file writes it, for example `custom.totalNum`. No part of it is from an event.
    pub field: Arc<str>,
    /// Rule and expression, never the value.
    pub detail: String,
}

/// Why the destination, or part of it, must wait for a person or for health.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub enum HoldCause {
    /// 401: the token is wrong or has expired.
    BadToken,
    /// 402: the organisation's plan does not allow it.
    Billing,
    /// 403: the token lacks a role for this endpoint.
    MissingRole,
    /// 404 on a klass: nobody has made it yet.
    MissingKlass,
    /// Too many of a topic's records were rejected: the mapping is probably wrong.
    DeadLetterGuard,
    /// The items of a klass keep failing the same way: the klass has probably changed.
    Quarantine,
    /// Nothing succeeds: the destination is down.
    Unhealthy,
    /// The state topic takes nothing, or cannot be read.
    StateTopic,
    /// The dead-letter topic takes nothing, or not a certain letter.
    DeadLetterTopic,
    /// The hold topic takes nothing, or not a certain letter.
    HoldTopic,
}

/// What keeps a record back that more permits would not help. Holds come first: they tell a person more than a delay.
#[derive(serde::Serialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HeldBy {
    /// A hold.
    Hold(HoldCause),
    /// A delay, or a customer who does not exist yet.
    Parked,
}

/// Why a partition waits although the budget is not full.
#[derive(serde::Serialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Waits {
    /// Held work fills its half of the budget, and part of it comes from here.
    HeldWork(HeldBy),
    /// Held work keeps the partition's frontier, and its commits have no room for more that is settled above.
    CommitsFull(HeldBy),
    /// As much of it was read above its lowest unsettled record as its commits can note.
    CommitRoom,
    /// The dead-letter guard holds its topic.
    Guard,
}

/// A record that is set aside on the hold topic. `detail` holds no personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// What kept it back.
    pub by: HeldBy,
    /// The same in words.
    pub detail: String,
    /// The route, if one was chosen.
    pub route: Option<Arc<str>>,
}

/// Why an attempt is to be made again.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub enum RetryCause {
    /// 429 for the whole organisation.
    OrgQuota,
    /// 429 for one customer or object.
    ObjectQuota,
    /// 409: somebody else wrote in between.
    Conflict,
    /// A 5xx that was answered before anything can have happened, or on a read.
    ServerError,
    /// The connection could not be made, or a read was cut.
    Network,
    /// An item of a job failed in a way that may pass.
    Item,
    /// An answer that makes no sense.
    Garbled,
}

/// What an attempt means for what happens next.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq)]
pub enum Outcome<T> {
    /// Done; with what the answer taught.
    Delivered(T),
    /// Accepted; a job will say what became of each item.
    Pending(JobTicket),
    /// Not done; try again.
    Retry(RetryCause),
    /// Perhaps done: the answer was lost.
    Ambiguous,
    /// Never, for this reason.
    Reject(String),
    /// The request is refused as a whole although part of it may be good.
    Split(SplitHint),
    /// Nothing of this kind until a person acts.
    Hold(HoldCause),
}

/// A bulk job as the submission answered it.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct JobTicket {
    /// The job's id in Kustomer.
    pub id: Arc<str>,
    /// The server's time of submission, epoch milliseconds, if it said so.
    pub created_ms: Option<i64>,
}

/// What a refused bulk request says about the guilty item.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct SplitHint {
    /// The index of the guilty item in the request, if the error names one.
    pub item: Option<usize>,
    /// The API's error text, without the payload.
    pub detail: String,
    /// `_clientRef` itself was refused: send again without.
    pub refs_refused: bool,
    /// The body as a whole is too large: smaller ones may do.
    pub too_large: bool,
}

impl SplitHint {
    /// An error that names no item.
    #[must_use]
    pub fn unnamed(detail: String) -> Self {
        Self {
            item: None,
            detail,
            refs_refused: false,
            too_large: false,
        }
    }
}

macro_rules! labels {
    ($name:ident { $($variant:ident => $label:literal),+ $(,)? }) => {
        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The label in metrics, logs and headers.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }
        }
    };
}

labels!(SkipReason {
    Tombstone => "tombstone",
    NoRoute => "no_route",
    ConditionFalse => "condition_false",
    Dropped => "dropped",
    NotForKustomer => "not_for_kustomer",
    TooOld => "too_old",
    Stale => "stale",
    Unchanged => "unchanged",
    Repeat => "repeat",
    SettledBefore => "settled_before",
});

labels!(Rejection {
    InvalidJson => "invalid_json",
    InvalidUtf8 => "invalid_utf8",
    TooDeep => "too_deep",
    TooLarge => "too_large",
    FormatMismatch => "format_mismatch",
    InvalidEnvelope => "invalid_envelope",
    MappingFailed => "mapping_failed",
    MissingField => "missing_field",
    MissingCustomer => "missing_customer",
    IllegalField => "illegal_field",
    ItemTooLarge => "item_too_large",
    MixedVersions => "mixed_versions",
    UnknownCustomer => "unknown_customer",
    RefusedByApi => "refused_by_api",
    RetriesExhausted => "retries_exhausted",
    ProcessDied => "process_died",
});

labels!(HoldCause {
    BadToken => "bad_token",
    Billing => "billing",
    MissingRole => "missing_role",
    MissingKlass => "missing_klass",
    DeadLetterGuard => "dead_letter_guard",
    Quarantine => "klass_quarantine",
    Unhealthy => "unhealthy",
    StateTopic => "state_topic",
    DeadLetterTopic => "dead_letter_topic",
    HoldTopic => "hold_topic",
});

labels!(RetryCause {
    OrgQuota => "org_quota",
    ObjectQuota => "object_quota",
    Conflict => "conflict",
    ServerError => "server_error",
    Network => "network",
    Item => "item",
    Garbled => "garbled",
});

impl HeldBy {
    /// Every value.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let holds = HoldCause::ALL.iter().map(|cause| Self::Hold(*cause));
        holds.chain([Self::Parked]).collect()
    }

    /// The label in metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hold(cause) => cause.as_str(),
            Self::Parked => "parked",
        }
    }
}

impl Waits {
    /// The label of those that nothing holds.
    const COMMIT_ROOM: &'static str = "commit_room";

    /// Every label.
    #[must_use]
    pub fn labels() -> Vec<&'static str> {
        let held = HeldBy::all().into_iter().map(HeldBy::as_str);
        held.chain([Self::COMMIT_ROOM]).collect()
    }

    /// What holds the work, if anything does.
    #[must_use]
    pub fn by(self) -> Option<HeldBy> {
        match self {
            Self::HeldWork(by) | Self::CommitsFull(by) => Some(by),
            Self::Guard => Some(HeldBy::Hold(HoldCause::DeadLetterGuard)),
            Self::CommitRoom => None,
        }
    }

    /// The label in metrics: what holds the work, if anything does.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HeldWork(by) | Self::CommitsFull(by) => by.as_str(),
            Self::Guard => HoldCause::DeadLetterGuard.as_str(),
            Self::CommitRoom => Self::COMMIT_ROOM,
        }
    }
}

impl std::fmt::Display for Waits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::HeldWork(by) => {
                write!(
                    f,
                    "held work of {} fills its half of the budget",
                    by.as_str()
                )
            }
            Self::CommitsFull(by) => write!(
                f,
                "held work of {} keeps the lowest offset, and the commits have no room for more that is settled above it",
                by.as_str()
            ),
            Self::CommitRoom => f.write_str(
                "as much was read above the lowest unsettled record as the commits can note; it is read on when that record has gone",
            ),
            Self::Guard => f.write_str(
                "too many records of the topic were rejected, and the dead-letter guard holds it until a person releases the hold",
            ),
        }
    }
}

impl Held {
    /// The reason in a letter's headers: a record on the hold topic is not dead.
    pub const REASON: &'static str = "held";
}

impl Rejected {
    /// A rejection before any route was chosen.
    #[must_use]
    pub fn new(reason: Rejection, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            route: None,
        }
    }
}
