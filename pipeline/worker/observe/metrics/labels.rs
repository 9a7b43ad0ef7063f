//! The labels of metrics, and all the values that each can take.
//!
//! A value comes from a closed list, or it is a topic, a partition, a version, a route or a field of a mapping: names
//! that the operator chose. Nothing from an event, a customer or an error text ever becomes a label.

use ingest_delivery::fact::Ignored;
use ingest_delivery::fact::{OutcomeLabel, ResolvedBy, Saved, Settlement};
pub use ingest_delivery::hold::HOLD_SCOPES;
use ingest_delivery::invariant::Invariant;
use ingest_kafka::{CommitFailureKind, SourceErrorKind};
use ingest_mapping::event::{BadTime, KeyKind};
use ingest_mapping::identity::Unusable;
use ingest_model::call::Class;
use ingest_model::outcome::{HeldBy, HoldCause, Rejection, RetryCause, SkipReason, Waits};
use ingest_model::reading::LifeCause;
use ingest_model::record::Traffic;
use ingest_traces::Reason;

pub use super::by_hand::{AdminAction, AdminResult, KeyResult, ReceiptResult};
use crate::observe::pace::DrainState;

/// Why a recording was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordingCause {
    /// A person asked for it.
    Asked,
    /// An invariant was broken.
    Invariant,
    /// The process halted: a task panicked, or could not go on.
    Halt,
}

impl RecordingCause {
    /// Every value.
    pub const ALL: &'static [Self] = &[Self::Asked, Self::Invariant, Self::Halt];

    /// The label in metrics, and the word in file names.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Invariant => "invariant",
            Self::Halt => "halt",
        }
    }
}

/// What became of credentials that had changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// They are in use.
    Renewed,
    /// They cannot be used, and the old ones stay in use.
    Refused,
}

impl Renewal {
    /// Every value.
    pub const ALL: &'static [Self] = &[Self::Renewed, Self::Refused];

    /// The label in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Renewed => "renewed",
            Self::Refused => "refused",
        }
    }
}

/// Why a span is lost, or a record is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanLoss {
    /// There are as many spans as there may be: the record is not followed.
    OverLimit,
    /// It did not arrive.
    Export(Reason),
}

impl SpanLoss {
    /// The label in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OverLimit => "over_limit",
            Self::Export(reason) => reason.as_str(),
        }
    }

    fn all() -> Vec<&'static str> {
        let exports = Reason::ALL.iter().map(|reason| reason.as_str());
        std::iter::once(Self::OverLimit.as_str())
            .chain(exports)
            .collect()
    }
}

/// A label of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// Why a recording was written.
    RecordingCause,
    /// An input topic, as configured.
    Topic,
    /// The number of a partition.
    Partition,
    /// A route, as the mapping names it.
    Route,
    /// The path of an optional field, as the mapping writes it.
    Field,
    /// The worker's version.
    Version,
    /// How a record was settled.
    Verdict,
    /// What a mapping makes of an event.
    EventVerdict,
    /// Why a record was skipped.
    SkipReason,
    /// Why a record was rejected.
    Rejection,
    /// The key of the customer that a value should have been.
    KeyKind,
    /// Why a key is not used.
    Unusable,
    /// Why an event's time is ignored.
    BadTime,
    /// The queue for permits in which a request waits.
    Class,
    /// What a unit of the quota was spent on: the queue of the request, or the question about a key, which waits in none.
    SpentOn,
    /// The result of a request.
    Outcome,
    /// Why a request is repeated.
    RetryCause,
    /// What may have been written twice.
    RepeatKind,
    /// The start from which a delay is counted.
    From,
    /// How urgent a record is.
    Traffic,
    /// What an operation waits for.
    Waiting,
    /// What the directory knows.
    Kind,
    /// Whether a look-up found something.
    Found,
    /// How a customer's id became known.
    Way,
    /// [`Saved`].
    Saved,
    /// What is held.
    Scope,
    /// Why it is held.
    HoldCause,
    /// What keeps a record back.
    HeldBy,
    /// What a partition waits for.
    Waits,
    /// What the worker does without.
    Fallback,
    /// The result of a commit.
    Commit,
    /// What a request to the admin server would change.
    AdminAction,
    /// What became of it.
    AdminResult,
    /// What became of an API key.
    KeyResult,
    /// Why a span is lost.
    SpanLoss,
    /// What became of a receipt.
    ReceiptResult,
    /// The kind of error that the Kafka client reports.
    SourceError,
    /// What ended one life of a partition.
    LifeCause,
    /// Where reading began, with nothing committed.
    Begun,
    /// Why the text stored with a committed offset was not used.
    Ignored,
    /// The id of an invariant.
    Invariant,
    /// The state of the backlog.
    DrainState,
    /// What became of credentials that had changed.
    Renewal,
}

/// The start from which a delay is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum From {
    /// The time that the event itself states.
    Event,
    /// The time of its Kafka record.
    Record,
}

/// What an operation waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Waiting {
    /// A permit: events and identities.
    TrackPermit,
    /// A permit, or more objects for the same request.
    WritePermit,
    /// Its customer's id.
    Customer,
    /// A time.
    Time,
    /// Room in its partition's commits for what it would settle.
    CommitRoom,
}

/// Something that the API was found not to offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fallback {
    /// Customers are looked up one by one.
    SearchOff,
    /// Jobs are confirmed without references.
    RefsOff,
    /// Updates of a klass carry no revision.
    LockOff,
    /// An old revision causes no conflict: each update for a topic without keys is preceded by a read.
    LockIgnored,
}

/// The kinds of operation that may be written twice, as [`ingest_delivery::fact::Fact::PossibleRepeat`] names them.
pub const REPEAT_KINDS: &[&str] = &["track", "identify", "kobject"];

/// What the directory knows.
pub(super) const DIRECTORY_KINDS: &[&str] = &["customer", "object"];

/// Whether a look-up found something.
pub(super) const FOUND: &[&str] = &["hit", "miss"];

/// A commit that was accepted.
pub(super) const ACCEPTED: &str = "accepted";
/// What a mapping makes of an event of a batch.
pub(super) const EMITTED: &str = "emitted";
pub(super) const SKIPPED: &str = "skipped";
pub(super) const REJECTED: &str = "rejected";
/// The ends of a log at which reading begins with nothing committed.
pub(super) const BEGUN_AT_START: &str = "start";
pub(super) const BEGUN_AT_END: &str = "end";
/// The value of [`Label::SpentOn`] for a question about the API key.
pub(super) const KEY: &str = "key";

// === impl Label ===

impl Label {
    /// The label's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::Partition => "partition",
            Self::Route => "route",
            Self::Field => "field",
            Self::Version => "version",
            Self::Verdict | Self::EventVerdict => "verdict",
            Self::SkipReason
            | Self::Rejection
            | Self::Unusable
            | Self::BadTime
            | Self::Ignored
            | Self::SpanLoss => "reason",
            Self::KeyKind => "key",
            Self::Class | Self::SpentOn => "class",
            Self::Outcome => "outcome",
            Self::RetryCause
            | Self::Waiting
            | Self::HoldCause
            | Self::HeldBy
            | Self::LifeCause
            | Self::RecordingCause
            | Self::Waits => "cause",
            Self::RepeatKind | Self::Kind | Self::SourceError => "kind",
            Self::From => "from",
            Self::Begun => "at",
            Self::Traffic => "traffic",
            Self::Found
            | Self::Commit
            | Self::KeyResult
            | Self::ReceiptResult
            | Self::AdminResult => "result",
            Self::AdminAction => "action",
            Self::Way | Self::Saved => "way",
            Self::Scope => "scope",
            Self::Fallback => "fallback",
            Self::Invariant => "id",
            Self::DrainState => "state",
            Self::Renewal => "outcome",
        }
    }

    /// All values of a closed label; `None` for a version and for the operator's names: topics, routes, fields.
    #[must_use]
    pub fn values(self) -> Option<Vec<&'static str>> {
        fn all<T: Copy>(values: &[T], label: fn(T) -> &'static str) -> Vec<&'static str> {
            values.iter().map(|value| label(*value)).collect()
        }
        Some(match self {
            Self::Topic | Self::Partition | Self::Route | Self::Field | Self::Version => {
                return None;
            }
            Self::Verdict => all(
                &[
                    Settlement::Delivered,
                    Settlement::Skipped(SkipReason::NoRoute),
                    Settlement::DeadLettered(Rejection::InvalidJson),
                    Settlement::Diverted(HeldBy::Parked),
                ],
                Settlement::as_str,
            ),
            Self::EventVerdict => vec![EMITTED, SKIPPED, REJECTED],
            Self::SpanLoss => SpanLoss::all(),
            Self::SkipReason => all(SkipReason::ALL, SkipReason::as_str),
            Self::Rejection => all(Rejection::ALL, Rejection::as_str),
            Self::KeyKind => all(KeyKind::ALL, KeyKind::as_str),
            Self::Unusable => all(Unusable::ALL, Unusable::as_str),
            Self::BadTime => all(BadTime::ALL, BadTime::as_str),
            Self::Class => all(Class::ALL, Class::as_str),
            Self::SpentOn => {
                let mut values = all(Class::ALL, Class::as_str);
                values.push(KEY);
                values
            }
            Self::Outcome => all(OutcomeLabel::ALL, OutcomeLabel::as_str),
            Self::RetryCause => all(RetryCause::ALL, RetryCause::as_str),
            Self::RepeatKind => REPEAT_KINDS.to_vec(),
            Self::From => all(From::ALL, From::as_str),
            Self::Traffic => all(Traffic::ALL, Traffic::as_str),
            Self::Waiting => all(Waiting::ALL, Waiting::as_str),
            Self::Kind => DIRECTORY_KINDS.to_vec(),
            Self::Found => FOUND.to_vec(),
            Self::Way => all(ResolvedBy::ALL, ResolvedBy::as_str),
            Self::Saved => all(Saved::ALL, Saved::as_str),
            Self::Scope => HOLD_SCOPES.to_vec(),
            Self::HoldCause => all(HoldCause::ALL, HoldCause::as_str),
            Self::HeldBy => HeldBy::all().into_iter().map(HeldBy::as_str).collect(),
            Self::Waits => Waits::labels(),
            Self::Fallback => all(Fallback::ALL, Fallback::as_str),
            Self::LifeCause => all(LifeCause::ALL, LifeCause::as_str),
            Self::Begun => vec![BEGUN_AT_START, BEGUN_AT_END],
            Self::Ignored => all(Ignored::ALL, Ignored::as_str),
            Self::Commit => {
                let mut values = vec![ACCEPTED];
                values.extend(all(&CommitFailureKind::ALL, CommitFailureKind::as_str));
                values
            }
            Self::AdminAction => all(AdminAction::ALL, AdminAction::as_str),
            Self::AdminResult => all(AdminResult::ALL, AdminResult::as_str),
            Self::KeyResult => all(KeyResult::ALL, KeyResult::as_str),
            Self::ReceiptResult => all(ReceiptResult::ALL, ReceiptResult::as_str),
            Self::SourceError => all(&SourceErrorKind::ALL, SourceErrorKind::as_str),
            Self::Invariant => all(Invariant::ALL, Invariant::as_str),
            Self::RecordingCause => all(RecordingCause::ALL, RecordingCause::as_str),
            Self::DrainState => all(&DrainState::ALL, DrainState::as_str),
            Self::Renewal => all(Renewal::ALL, Renewal::as_str),
        })
    }
}

// === impl From ===

impl From {
    /// Every value.
    pub const ALL: &'static [Self] = &[Self::Event, Self::Record];

    /// The label in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Record => "record",
        }
    }
}

// === impl Waiting ===

impl Waiting {
    /// Every value.
    pub const ALL: &'static [Self] = &[
        Self::TrackPermit,
        Self::WritePermit,
        Self::Customer,
        Self::Time,
        Self::CommitRoom,
    ];

    /// The label in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TrackPermit => "track_permit",
            Self::WritePermit => "write_permit",
            Self::Customer => "customer",
            Self::Time => "time",
            Self::CommitRoom => "commit_room",
        }
    }
}

// === impl Fallback ===

impl Fallback {
    /// Every value.
    pub const ALL: &'static [Self] = &[
        Self::SearchOff,
        Self::RefsOff,
        Self::LockOff,
        Self::LockIgnored,
    ];

    /// The label in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SearchOff => "search_off",
            Self::RefsOff => "refs_off",
            Self::LockOff => "lock_off",
            Self::LockIgnored => "lock_ignored",
        }
    }
}
