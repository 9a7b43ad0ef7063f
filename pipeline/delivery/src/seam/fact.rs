//! What happened, as data: the machine reports facts, and the worker turns them into metrics and log lines.
//!
//! A fact never carries a key, a body or anything else that could be about a person.

use std::sync::Arc;
use std::time::Duration;

use crate::seam::hold::Scope;
use crate::seam::invariant::Invariant;
use ingest_model::call::Class;
use ingest_model::outcome::{HeldBy, HoldCause, Rejection, RetryCause, SkipReason, Waits};
use ingest_model::reading::{Gap, LifeCause};
use ingest_model::record::{Offset, Partition, Topic, TopicPartition, Traffic};
use ingest_model::trouble::Seen;

/// One thing that happened in the machine.
#[derive(serde::Serialize, Debug, Clone, PartialEq)]
pub enum Fact {
    /// A record was settled, or several were skipped at once.
    Settled {
        /// Their topic.
        topic: Topic,
        /// Which one it is, if it is one.
        place: Option<(Partition, Offset)>,
        /// How.
        settlement: Settlement,
        /// How many.
        records: u64,
        /// The event's time, epoch milliseconds, of a record that was not skipped.
        event_ms: Option<i64>,
        /// The record's time, epoch milliseconds, of one that was not skipped.
        record_ms: Option<i64>,
        /// How urgent it was; records that the mapping skipped count as live.
        traffic: Traffic,
    },
    /// An optional field of a record was left out because its value is bad.
    FieldDropped {
        /// The record's topic.
        topic: Topic,
        /// The route, as the mapping names it.
        route: Arc<str>,
        /// The field's path, as the mapping writes it.
        field: Arc<str>,
    },
    /// A request was sent.
    Sent {
        /// Its queue.
        class: Class,
        /// How many operations it carries.
        operations: usize,
        /// Whether it is a bulk request.
        bulk: bool,
    },
    /// A request was answered or given up.
    Answered {
        /// Its queue.
        class: Class,
        /// What it meant.
        outcome: OutcomeLabel,
        /// The time from sending to the answer.
        took: Duration,
    },
    /// Something that a record wants written needed no place in a request of its own.
    Saved {
        /// Why.
        way: Saved,
    },
    /// A request is sent again, for this cause.
    Retried {
        /// Why.
        cause: RetryCause,
    },
    /// Something was sent again although it may have arrived.
    PossibleRepeat {
        /// The kind of operation.
        kind: &'static str,
    },
    /// A bulk job ended.
    JobDone {
        /// How long it took.
        took: Duration,
        /// How often it was read.
        reads: u32,
        /// Its items.
        items: usize,
    },
    /// A bulk job did not end and was given up.
    JobAbandoned,
    /// The organisation's limit was hit: nothing is sent for that long.
    Frozen {
        /// How long.
        wait: Duration,
    },
    /// A hold began: something has to wait for a person or for the destination's recovery.
    HoldBegan {
        /// What.
        scope: Scope,
        /// Why.
        cause: HoldCause,
        /// What went wrong.
        seen: Seen,
    },
    /// A hold goes on: a probe failed in another way than before, or a minute has passed since the last report.
    HoldGoesOn {
        /// What is held.
        scope: Scope,
        /// Why.
        cause: HoldCause,
        /// What went wrong.
        seen: Seen,
        /// In how long it is tried again, if it is.
        next: Option<Duration>,
    },
    /// A hold ended.
    HoldEnded {
        /// What was held.
        scope: Scope,
        /// Why it was held.
        cause: HoldCause,
    },
    /// A partition is paused because of held work.
    PartitionWaits {
        /// The partition.
        partition: TopicPartition,
        /// Why.
        why: Waits,
    },
    /// A customer's id was learnt.
    Resolved {
        /// How: `tracking`, `search`, `create`, `read`.
        way: ResolvedBy,
    },
    /// The batched look-up of customers is of no use here, and was turned off.
    SearchOff,
    /// The API key was replaced; searches are tried again.
    KeyReplaced,
    /// The API refuses `_clientRef`; jobs are confirmed without it.
    RefsOff,
    /// A revision conflict: somebody else wrote in between.
    Conflict,
    /// Conflicts keep coming: the organisation counts revisions differently, and the lock is given up for a klass.
    LockOff,
    /// A customer was written without the company that its record names: there is none.
    CompanyMissing,
    /// A batch for the state topic was sent.
    StateWritten {
        /// Its entries.
        entries: usize,
    },
    /// The state topic did not accept a batch, or could not be read.
    StateFailed,
    /// A partition's slice of the state topic was restored.
    StateRestored {
        /// The partition.
        partition: TopicPartition,
        /// How many entries it holds.
        entries: usize,
        /// Records that another version wrote, or that this program did not write.
        unknown: u64,
    },
    /// A write that an earlier owner left open was taken over.
    Inherited {
        /// Its items.
        items: usize,
        /// Whether its job is known; otherwise it is in doubt.
        job: bool,
    },
    /// A drain ran out of time: these records are left to the next owner.
    DrainCut {
        /// How many.
        records: u64,
    },
    /// A partition's former owner had noted what it settled above its last commit.
    MetadataRestored {
        /// The partition.
        partition: TopicPartition,
        /// How many offsets need not be processed again.
        records: u64,
    },
    /// The text beside a committed offset was not used.
    MetadataIgnored {
        /// The partition.
        partition: TopicPartition,
        /// Why.
        why: Ignored,
    },
    /// An owned partition began a new life.
    LifeBegan {
        /// The partition.
        partition: TopicPartition,
        /// Where reading begins.
        from: Offset,
        /// What ended the old one.
        cause: LifeCause,
    },
    /// Records were deleted before they were read.
    Vanished {
        /// The partition.
        partition: TopicPartition,
        /// Their offsets.
        gap: Gap,
        /// How many of them nobody had settled: they are lost.
        records: u64,
    },
    /// A partition left while it had unsettled records of former lives. Nobody can read them again.
    LifeCut {
        /// The partition.
        partition: TopicPartition,
        /// How many.
        records: u64,
    },
    /// Two steps were so far apart that the partitions may have been given to others meanwhile.
    Slept {
        /// The time between them.
        slept: Duration,
    },
    /// The organisation overwrites an object although the update names an old revision.
    LockIgnored,
    /// A commit had no room for all that is settled above the frontier: after a crash, the rest comes again.
    MetadataCut,
    /// A frontier does not move, and nothing is known that leads its lowest open record on.
    Stalled {
        /// The partition.
        partition: TopicPartition,
        /// That record.
        offset: Offset,
        /// Where it is: the stage of one of its operations, `letter`, `no_operation` if it has none left, or `no_record` if the
        /// offset is open without a record.
        stage: &'static str,
    },
    /// An invariant is broken.
    Broken(Invariant),
}

/// How a record was settled.
#[derive(serde::Serialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Settlement {
    /// Kustomer has confirmed it.
    Delivered,
    /// Nothing had to be done.
    Skipped(SkipReason),
    /// It is on the dead-letter topic.
    DeadLettered(Rejection),
    /// It is on the hold topic.
    Diverted(HeldBy),
}

/// Why a commit's text was not used.
#[derive(serde::Serialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ignored {
    /// Somebody else wrote it.
    Foreign,
    /// Another version of this program wrote it, in a form that this one does not know.
    Version,
    /// It belongs to another partition or topic.
    Partition,
    /// It belongs to another offset: somebody has moved the committed offset since.
    Offset,
    /// It is damaged.
    Damaged,
    /// The record at its offset is not the one that it was written for: it belongs to another life of the topic.
    Generation,
}

impl Ignored {
    /// Every value, in the order of declaration.
    pub const ALL: &'static [Self] = &[
        Self::Foreign,
        Self::Version,
        Self::Partition,
        Self::Offset,
        Self::Damaged,
        Self::Generation,
    ];

    /// The label in metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Foreign => "foreign",
            Self::Version => "version",
            Self::Partition => "partition",
            Self::Offset => "offset",
            Self::Damaged => "damaged",
            Self::Generation => "generation",
        }
    }
}

/// The label for the outcome of an attempt.
#[derive(serde::Serialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OutcomeLabel {
    /// Done.
    Delivered,
    /// A job was accepted.
    Pending,
    /// Not done.
    Retry,
    /// Perhaps done.
    Ambiguous,
    /// Refused for good.
    Reject,
    /// Refused as a whole.
    Split,
    /// Held.
    Hold,
}

/// How a customer's id became known.
#[derive(serde::Serialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResolvedBy {
    /// An identity or event of the customer.
    Tracking,
    /// A batched search.
    Search,
    /// A bulk create.
    Create,
    /// A read by key.
    Read,
    /// A read of an object of theirs.
    Object,
}

impl Settlement {
    /// The verdict's label: `delivered`, `skipped`, `dead_lettered`, `diverted`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Skipped(_) => "skipped",
            Self::DeadLettered(_) => "dead_lettered",
            Self::Diverted(_) => "diverted",
        }
    }

    /// The label of its reason; what was delivered needs none.
    #[must_use]
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::Delivered => None,
            Self::Skipped(reason) => Some(reason.as_str()),
            Self::DeadLettered(reason) => Some(reason.as_str()),
            Self::Diverted(by) => Some(by.as_str()),
        }
    }
}

impl OutcomeLabel {
    /// Every value.
    pub const ALL: &'static [Self] = &[
        Self::Delivered,
        Self::Pending,
        Self::Retry,
        Self::Ambiguous,
        Self::Reject,
        Self::Split,
        Self::Hold,
    ];

    /// The label in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Pending => "pending",
            Self::Retry => "retry",
            Self::Ambiguous => "ambiguous",
            Self::Reject => "reject",
            Self::Split => "split",
            Self::Hold => "hold",
        }
    }
}

/// Why something that a record wants written needed no place in a request of its own.
#[derive(serde::Serialize, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Saved {
    /// It was merged into a state or identity that waited.
    Coalesced,
    /// It was folded into a digest that waited.
    Digested,
    /// An identity that rode in the customer's next event.
    Fused,
    /// The object has exactly this state.
    Unchanged,
    /// A newer state or identity was written before.
    Stale,
    /// It was written before.
    Repeat,
}

impl Saved {
    /// Every value.
    pub const ALL: &'static [Self] = &[
        Self::Coalesced,
        Self::Digested,
        Self::Fused,
        Self::Unchanged,
        Self::Stale,
        Self::Repeat,
    ];

    /// The way in which a skipped operation was saved. `None` if nothing would have been written for it.
    #[must_use]
    pub fn of(reason: SkipReason) -> Option<Self> {
        match reason {
            SkipReason::Unchanged => Some(Self::Unchanged),
            SkipReason::Stale => Some(Self::Stale),
            SkipReason::Repeat => Some(Self::Repeat),
            SkipReason::Tombstone
            | SkipReason::NoRoute
            | SkipReason::ConditionFalse
            | SkipReason::Dropped
            | SkipReason::NotForKustomer
            | SkipReason::Housekeeping
            | SkipReason::Suppressed
            | SkipReason::TooOld
            | SkipReason::NoItems
            | SkipReason::NotThere
            | SkipReason::SettledBefore => None,
        }
    }

    /// The label in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Coalesced => "coalesced",
            Self::Digested => "digested",
            Self::Fused => "fused",
            Self::Unchanged => "unchanged",
            Self::Stale => "stale",
            Self::Repeat => "repeat",
        }
    }
}

impl ResolvedBy {
    /// Every value.
    pub const ALL: &'static [Self] = &[
        Self::Tracking,
        Self::Search,
        Self::Create,
        Self::Read,
        Self::Object,
    ];

    /// The label in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tracking => "tracking",
            Self::Search => "search",
            Self::Create => "create",
            Self::Read => "read",
            Self::Object => "object",
        }
    }
}
