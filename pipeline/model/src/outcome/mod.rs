//! Closed verdicts: what a stage says about a record, and what the result of an attempt means for the next step.
//!
//! Every reason has one label (`as_str`), used in metrics, logs, dead-letter headers and the documentation alike.

pub mod members;
pub mod trouble;

use std::sync::Arc;

use crate::operation::Planned;

/// What decoding and mapping say about a record.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Deliver these operations, at least one.
    Emit(Vec<Planned>),
    /// Nothing to do, for a stated reason.
    Skip(SkipReason),
    /// It can never be delivered and becomes a dead letter.
    Reject(Rejected),
    /// It is several events, and this is what they lead to: an operation or a rejection at least.
    Batch(Box<Batch>),
}

impl Verdict {
    /// The operations to deliver.
    #[must_use]
    pub fn planned(&self) -> &[Planned] {
        match self {
            Self::Emit(planned) => planned,
            Self::Batch(batch) => &batch.planned,
            Self::Skip(_) | Self::Reject(_) => &[],
        }
    }

    /// The same, to be changed.
    pub fn planned_mut(&mut self) -> &mut [Planned] {
        match self {
            Self::Emit(planned) => planned,
            Self::Batch(batch) => &mut batch.planned,
            Self::Skip(_) | Self::Reject(_) => &mut [],
        }
    }
}

/// What the members of a record lead to.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// The operations of those that are delivered.
    pub planned: Vec<Planned>,
    /// For each operation the members that it is for, by their numbers from 0.
    pub members: Vec<Vec<u32>>,
    /// Those that are rejected.
    pub refused: Vec<u32>,
    /// Why the first of them is.
    pub rejected: Option<Rejected>,
}

/// Why a record leads to no request although nothing is wrong with it.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub enum SkipReason {
    /// A null value: a delete marker of a compacted topic.
    Tombstone,
    /// No route accepts an event of this name.
    NoRoute,
    /// There are routes for the name, but no route's condition held.
    ConditionFalse,
    /// A route says that such events are not wanted.
    Dropped,
    /// The event itself says that it is not for Kustomer.
    NotForKustomer,
    /// The source wrote it for its own sake: a heartbeat, a bound of a transaction, a change of a schema.
    Housekeeping,
    /// Its customer is on the list of people of whom nothing is sent.
    Suppressed,
    /// Older than the route's `maxAge`.
    TooOld,
    /// The route writes an operation for each item of a list, and there is none.
    NoItems,
    /// The object already has a newer state, or newer identities already cover everything in this one.
    Stale,
    /// The object already has exactly this state.
    Unchanged,
    /// There is no such object, so there is nothing to delete or to mark.
    NotThere,
    /// The same occurrence was delivered before.
    Repeat,
    /// The partition's former owner already settled it.
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
    /// The bytes are not what the topic's encoding or their schema says.
    InvalidEncoding,
    /// There is no schema of that id, or none that can be used.
    UnknownSchema,
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
    /// It is a request under privacy law, and no route takes it.
    PrivacyRequest,
    /// The result breaks a rule of the API: name, suffix, length.
    IllegalField,
    /// The object alone is larger than a request may be.
    ItemTooLarge,
    /// The object has a version of another kind, so nobody can tell which is newer.
    MixedVersions,
    /// Kustomer has no such customer and the route does not create one.
    UnknownCustomer,
    /// Kustomer refused the request or the item for good.
    RefusedByApi,
    /// It kept failing while others succeeded.
    RetriesExhausted,
    /// Processes died while mapping it.
    ProcessDied,
}

/// A rejection with what a person needs to find the cause. `detail` holds no personal data: only field paths, rules and
/// the API's own error text.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The closed reason.
    pub reason: Rejection,
    /// The field, the rule and how to fix it.
    pub detail: String,
    /// The route, if one was chosen.
    pub route: Option<Arc<str>>,
}

/// An optional field that was left out of an operation because its value could not be computed or is not allowed there.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct DroppedField {
    /// The route.
    pub route: Arc<str>,
    /// The field's path as written in the mapping file, for example `custom.totalNum`. No part of it comes from an event.
    pub field: Arc<str>,
    /// The rule and the expression, never the value.
    pub detail: String,
}

/// Why the destination, or part of it, has to wait until a person acts or it recovers.
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
    /// 404 on a klass: it has not been created yet.
    MissingKlass,
    /// Too many of a topic's records were rejected: the mapping is probably wrong.
    DeadLetterGuard,
    /// The items of a klass keep failing the same way: the klass has probably changed.
    Quarantine,
    /// Nothing succeeds: the destination is down.
    Unhealthy,
    /// The state topic cannot be written, or cannot be read.
    StateTopic,
    /// The dead-letter topic accepts no letters, or refuses a certain one.
    DeadLetterTopic,
    /// The hold topic accepts no letters, or refuses a certain one.
    HoldTopic,
    /// The committed offset of a partition lies below the start of its log.
    LostPosition,
    /// Nothing is wrong: a person or the configuration pauses it for a while.
    Paused,
}

/// What keeps a record back and would do so with any number of permits. Holds come first: they tell a person more than a
/// delay does.
#[derive(serde::Serialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HeldBy {
    /// A hold.
    Hold(HoldCause),
    /// A delay, or a customer who does not exist yet.
    Parked,
}

/// Why a partition is paused although the budget is not full.
#[derive(serde::Serialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Waits {
    /// Held work fills its half of the budget, and some of it comes from this partition.
    HeldWork(HeldBy),
    /// Held work keeps the partition's frontier, and its commits have no room for more records settled above it.
    CommitsFull(HeldBy),
    /// As many records were read above its lowest unsettled one as its commits can describe.
    CommitRoom,
    /// The dead-letter guard holds its topic.
    Guard,
    /// Its topic is paused.
    Pause,
    /// It brings backfill, which has as much of the budget as it may while live records may come.
    LiveFirst,
    /// The schema of its next record is not known yet.
    Schema,
}

/// A record that is set aside on the hold topic. `detail` holds no personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// What kept it back.
    pub by: HeldBy,
    /// The same for people.
    pub detail: String,
    /// The route, if one was chosen.
    pub route: Option<Arc<str>>,
}

/// Why an attempt has to be repeated.
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
    /// A 5xx, on a read or before anything can have happened.
    ServerError,
    /// The connection could not be made, or was cut during a read.
    Network,
    /// An item of a job failed in a way that may pass.
    Item,
    /// An answer that makes no sense.
    Garbled,
    /// The API key was replaced while the request was under way, and the API refused the former one.
    KeyReplaced,
}

/// What the result of an attempt means for the next step.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq)]
pub enum Outcome<T> {
    /// Done, with what the answer says.
    Delivered(T),
    /// Accepted; a job will say what became of each item.
    Pending(JobTicket),
    /// Not done; try again.
    Retry(RetryCause),
    /// Perhaps done: the answer was lost.
    Ambiguous,
    /// Never possible, for this reason.
    Reject(String),
    /// The request is refused as a whole although part of it may be good.
    Split(SplitHint),
    /// Nothing of this kind is sent until a person acts or it recovers.
    Hold(HoldCause),
}

/// A bulk job, as the answer to its submission describes it.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct JobTicket {
    /// The job's id in Kustomer.
    pub id: Arc<str>,
    /// The server's time of submission, epoch milliseconds, if it was given.
    pub created_ms: Option<i64>,
}

/// What the refusal of a bulk request says about the item that caused it.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct SplitHint {
    /// The index of that item in the request, if the error names one.
    pub item: Option<usize>,
    /// The API's error text, without the payload.
    pub detail: String,
    /// `_clientRef` itself was refused: send again without it.
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
    Housekeeping => "housekeeping",
    Suppressed => "suppressed",
    TooOld => "too_old",
    NoItems => "no_items",
    Stale => "stale",
    Unchanged => "unchanged",
    NotThere => "not_there",
    Repeat => "repeat",
    SettledBefore => "settled_before",
});

labels!(Rejection {
    InvalidJson => "invalid_json",
    InvalidUtf8 => "invalid_utf8",
    InvalidEncoding => "invalid_encoding",
    UnknownSchema => "unknown_schema",
    TooDeep => "too_deep",
    TooLarge => "too_large",
    FormatMismatch => "format_mismatch",
    InvalidEnvelope => "invalid_envelope",
    MappingFailed => "mapping_failed",
    MissingField => "missing_field",
    MissingCustomer => "missing_customer",
    PrivacyRequest => "privacy_request",
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
    LostPosition => "lost_position",
    Paused => "paused",
});

labels!(RetryCause {
    OrgQuota => "org_quota",
    ObjectQuota => "object_quota",
    Conflict => "conflict",
    ServerError => "server_error",
    Network => "network",
    Item => "item",
    Garbled => "garbled",
    KeyReplaced => "key_replaced",
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
    /// The label where no hold is involved.
    const COMMIT_ROOM: &'static str = "commit_room";
    const LIVE_FIRST: &'static str = "live_first";
    const SCHEMA: &'static str = "schema";

    /// Every label.
    #[must_use]
    pub fn labels() -> Vec<&'static str> {
        let held = HeldBy::all().into_iter().map(HeldBy::as_str);
        held.chain([Self::COMMIT_ROOM, Self::LIVE_FIRST, Self::SCHEMA])
            .collect()
    }

    /// What holds the work, if anything does.
    #[must_use]
    pub fn by(self) -> Option<HeldBy> {
        match self {
            Self::HeldWork(by) | Self::CommitsFull(by) => Some(by),
            Self::Guard => Some(HeldBy::Hold(HoldCause::DeadLetterGuard)),
            Self::Pause => Some(HeldBy::Hold(HoldCause::Paused)),
            Self::CommitRoom | Self::LiveFirst | Self::Schema => None,
        }
    }

    /// The label in metrics: what holds the work, if anything does.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HeldWork(by) | Self::CommitsFull(by) => by.as_str(),
            Self::Guard => HoldCause::DeadLetterGuard.as_str(),
            Self::Pause => HoldCause::Paused.as_str(),
            Self::CommitRoom => Self::COMMIT_ROOM,
            Self::LiveFirst => Self::LIVE_FIRST,
            Self::Schema => Self::SCHEMA,
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
                "held work of {} keeps the lowest offset open, and a commit has no room for more offsets settled above it",
                by.as_str()
            ),
            Self::CommitRoom => f.write_str(
                "as much was read above the lowest unsettled record as a commit can describe; reading goes on when that record is settled",
            ),
            Self::LiveFirst => f.write_str(
                "its records are backfill, which fills three quarters of the budget; the rest is kept for live records, and reading goes on when half of the budget is free of backfill",
            ),
            Self::Schema => f.write_str(
                "the schema registry has not given the schema of its next record yet; reading goes on when it does",
            ),
            Self::Pause => f.write_str(
                "its topic is paused until the time that the pause names, or until a person resumes it",
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
