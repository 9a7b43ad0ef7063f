//! Where an operation is between its arrival and its end.

use std::time::Instant;

use ingest_model::batch::{GroupKey, JobId};

/// The stage of an operation. Private to this folder: others move an operation by reporting what happened to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    Queued,
    /// Nothing of it is begun until a planned pause is over.
    Paused,
    WaitCustomer,
    ReadyTrack,
    /// Its partition's commits have no room for what it would settle.
    KeptBack,
    ReadyWrite(GroupKey),
    ReadyForced,
    /// It was in a request that was refused as a whole, and another part of that request is tried.
    Suspect,
    ReadyLook,
    Parked(Instant),
    /// What others are asking will tell how it has to be written; it is looked at again then.
    AwaitAnswers(Instant),
    /// More events may be folded into it until then.
    Gathering(Instant),
    /// The result of an earlier owner's write of the object is not known yet.
    WaitInherited,
    /// The intent of its write is not acknowledged yet, so nothing was sent.
    Journalling,
    UnderWay,
    InJob(JobId),
}

/// What an operation waits for, as far as others need to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Its turn in its lane.
    Turn,
    /// The end of a planned pause.
    Pause,
    /// Its customer's id.
    Customer,
    /// A permit, for an event or identity.
    Track,
    /// Room in its partition's commits.
    Room,
    /// A permit, and others to share a request with, for a write.
    Write,
    /// A permit for a write with fixed members, or the result of such a write of others.
    Forced,
    /// A permit, for a look at its object.
    Look,
    /// A time.
    Time(Instant),
    /// Answers to others; it is looked at again then.
    Others(Instant),
    /// More events of its session, until then.
    Events(Instant),
    /// The result of an earlier owner's write.
    Inherited,
    /// The acknowledgement of its intent.
    Journal,
    /// An answer.
    Answer,
    /// The end of a job.
    Job(JobId),
}

impl Stage {
    pub(super) fn wait(&self) -> Wait {
        match self {
            Self::Queued => Wait::Turn,
            Self::Paused => Wait::Pause,
            Self::WaitCustomer => Wait::Customer,
            Self::ReadyTrack => Wait::Track,
            Self::KeptBack => Wait::Room,
            Self::ReadyWrite(_) => Wait::Write,
            Self::ReadyForced | Self::Suspect => Wait::Forced,
            Self::ReadyLook => Wait::Look,
            Self::Parked(until) => Wait::Time(*until),
            Self::AwaitAnswers(until) => Wait::Others(*until),
            Self::Gathering(until) => Wait::Events(*until),
            Self::WaitInherited => Wait::Inherited,
            Self::Journalling => Wait::Journal,
            Self::UnderWay => Wait::Answer,
            Self::InJob(job) => Wait::Job(*job),
        }
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.wait().is_under_way()
    }
}

impl Wait {
    /// The label of the place.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Turn => "queued",
            Self::Pause => "paused",
            Self::Customer => "wait_customer",
            Self::Track => "ready_track",
            Self::Room => "kept_back",
            Self::Write => "ready_write",
            Self::Forced => "forced",
            Self::Look => "ready_look",
            Self::Time(_) => "parked",
            Self::Others(_) => "await_answers",
            Self::Events(_) => "gathering",
            Self::Inherited => "wait_inherited",
            Self::Journal => "journalling",
            Self::Answer => "under_way",
            Self::Job(_) => "in_job",
        }
    }

    /// Whether a request of it was sent whose result is not known.
    pub(crate) fn is_under_way(self) -> bool {
        match self {
            Self::Answer | Self::Job(_) => true,
            Self::Turn
            | Self::Pause
            | Self::Customer
            | Self::Track
            | Self::Room
            | Self::Write
            | Self::Forced
            | Self::Look
            | Self::Time(_)
            | Self::Others(_)
            | Self::Events(_)
            | Self::Inherited
            | Self::Journal => false,
        }
    }

    /// Whether a newer operation may still change what it says: nothing of it is fixed yet.
    pub(crate) fn is_unsaid(self) -> bool {
        match self {
            Self::Turn
            | Self::Pause
            | Self::Customer
            | Self::Inherited
            | Self::Track
            | Self::Room
            | Self::Others(_)
            | Self::Events(_)
            | Self::Write => true,
            Self::Forced
            | Self::Look
            | Self::Time(_)
            | Self::Journal
            | Self::Answer
            | Self::Job(_) => false,
        }
    }
}
