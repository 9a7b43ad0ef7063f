//! What an answer says about the destination, whatever the question was.

use ingest_model::call::CallResult;
use ingest_model::outcome::{HoldCause, Outcome, RetryCause};

use crate::seam::fact::OutcomeLabel;

/// What an answer says about the destination.
pub(crate) enum Signal {
    /// It did what was requested.
    Good,
    /// It answered, and refused this one thing.
    Alive,
    /// The organisation's limit is used up.
    OrgLimited,
    /// It failed.
    Failed,
    /// It refuses such requests until a person acts.
    Held(HoldCause),
}

fn signal<T>(outcome: &Outcome<T>) -> Signal {
    match outcome {
        Outcome::Delivered(_) | Outcome::Pending(_) => Signal::Good,
        Outcome::Reject(_) | Outcome::Split(_) => Signal::Alive,
        Outcome::Retry(RetryCause::OrgQuota) => Signal::OrgLimited,
        Outcome::Retry(
            RetryCause::ObjectQuota
            | RetryCause::Conflict
            | RetryCause::Item
            | RetryCause::KeyReplaced,
        ) => Signal::Alive,
        Outcome::Retry(RetryCause::ServerError | RetryCause::Network | RetryCause::Garbled)
        | Outcome::Ambiguous => Signal::Failed,
        Outcome::Hold(cause) => Signal::Held(*cause),
    }
}

fn label<T>(outcome: &Outcome<T>) -> OutcomeLabel {
    match outcome {
        Outcome::Delivered(_) => OutcomeLabel::Delivered,
        Outcome::Pending(_) => OutcomeLabel::Pending,
        Outcome::Retry(_) => OutcomeLabel::Retry,
        Outcome::Ambiguous => OutcomeLabel::Ambiguous,
        Outcome::Reject(_) => OutcomeLabel::Reject,
        Outcome::Split(_) => OutcomeLabel::Split,
        Outcome::Hold(_) => OutcomeLabel::Hold,
    }
}

macro_rules! over_outcome {
    ($result:expr, $function:ident) => {
        match $result {
            CallResult::Tracked(outcome) => $function(outcome),
            CallResult::Searched(outcome) => $function(outcome),
            CallResult::Customer(outcome) => $function(outcome),
            CallResult::Submitted(outcome) => $function(outcome),
            CallResult::Written(outcome) => $function(outcome),
            CallResult::KObject(outcome) => $function(outcome),
            CallResult::Job(outcome) => $function(outcome),
            CallResult::Probed(outcome) => $function(outcome),
            CallResult::Lost => $function(&Outcome::<()>::Ambiguous),
        }
    };
}

pub(crate) fn signal_of(result: &CallResult) -> Signal {
    over_outcome!(result, signal)
}

pub(crate) fn label_of(result: &CallResult) -> OutcomeLabel {
    over_outcome!(result, label)
}
