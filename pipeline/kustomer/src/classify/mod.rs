//! Answer → outcome: the only place that knows status codes *and* bodies. Pure.
//!
//! There are two steps. `weigh` decides what depends on the status alone and is the same everywhere: accounts and roles,
//! limits, outages, addresses that cannot be right. The rest (accepted, not found, conflict, too large, refused) is
//! decided exhaustively by one function per endpoint family. The policy is `docs/kustomer-api.md`, section 12.
//!
//! Of a body only what the call needs is read, in one pass and without a tree (`answer`); the whole of it only where it
//! is kept or refused (`answer::document`). Either way a body is JSON as a whole, or it says nothing.
//!
//! Three rules apply throughout:
//!
//! * A write that may have happened is never called "not done". Only answers that rule a write out are retried as
//!   such; any other server error after the body was sent is [`Outcome::Ambiguous`].
//! * A record is never blamed for what is not its fault: an answer that says the address, the account or the transport
//!   is wrong leads to a hold or a retry, not to a rejection.
//! * A 2xx status of a write counts even if its body makes no sense, unless later steps need the body: a bulk
//!   submission without the job's id is ambiguous.

mod answer;
mod bulk;
mod customer;
mod errors;
mod job;
mod kobject;
mod reply;
mod tracking;
mod trouble;
mod weigh;

use ingest_model::call::{Call, CallResult, Limits, Reply};
use ingest_model::operation::KlassKind;
use ingest_model::outcome::{HoldCause, Outcome, RetryCause};
use ingest_model::trouble::{Trouble, TroubleKind};

pub use errors::ERROR_TEXT_LIMIT;
pub use reply::{HttpReply, NoAnswer, ReplyBody, Unanswered};
pub use trouble::trouble_of;
pub(crate) use {answer::document::Document, weigh::hold_of_status};

use answer::{Answer, Nothing};
use weigh::{Effect, Weighed, weigh};

/// What an answer means for a call.
///
/// ```
/// # use ingest_model::call::{Call, CallResult, Limits};
/// # use ingest_model::outcome::{HoldCause, Outcome};
/// # use ingest_kustomer::classify::{HttpReply, ReplyBody, classify};
/// let reply = HttpReply { status: 401, limits: Limits::default(), location: None, body: ReplyBody::Cut };
/// assert_eq!(classify(&Call::Probe, &reply), CallResult::Probed(Outcome::Hold(HoldCause::BadToken)));
/// ```
#[must_use]
pub fn classify(call: &Call, reply: &HttpReply) -> CallResult {
    match call {
        Call::Identify { .. } | Call::Track { .. } => CallResult::Tracked(tracking::tracked(reply)),
        Call::SearchCustomers { keys } => CallResult::Searched(customer::searched(keys, reply)),
        Call::GetCustomer { key } => CallResult::Customer(customer::got(key, reply)),
        Call::CreateCustomers { items, with_refs } => {
            CallResult::Submitted(bulk::submitted(items.len(), *with_refs, None, reply))
        }
        Call::CreateKObjects {
            klass,
            items,
            with_refs,
        }
        | Call::UpdateKObjects {
            klass,
            items,
            with_refs,
        } => CallResult::Submitted(bulk::submitted(items.len(), *with_refs, Some(klass), reply)),
        Call::CreateKObject { klass, .. } => CallResult::Written(kobject::created(klass, reply)),
        Call::UpdateKObject { .. } => CallResult::Written(kobject::updated(reply)),
        Call::DeleteKObject { .. } => CallResult::Written(kobject::deleted(reply)),
        Call::FindCustomer { .. } => CallResult::KObject(kobject::got(reply)),
        Call::GetKObject { klass, external_id } => CallResult::KObject(match klass.kind() {
            KlassKind::Objects | KlassKind::Customers => kobject::got(reply),
            KlassKind::Companies => kobject::filtered(external_id, reply),
        }),
        Call::ReadJob { .. } => CallResult::Job(job::batches(reply)),
        Call::ReadJobState { .. } => CallResult::Job(job::state(reply)),
        Call::Probe => CallResult::Probed(probed(reply)),
    }
}

/// One outcome for a call of any kind.
macro_rules! without_result {
    ($call:expr, $outcome:expr) => {
        match $call {
            Call::Identify { .. } | Call::Track { .. } => CallResult::Tracked($outcome),
            Call::CreateCustomers { .. }
            | Call::CreateKObjects { .. }
            | Call::UpdateKObjects { .. } => CallResult::Submitted($outcome),
            Call::CreateKObject { .. }
            | Call::UpdateKObject { .. }
            | Call::DeleteKObject { .. } => CallResult::Written($outcome),
            Call::SearchCustomers { .. } => CallResult::Searched($outcome),
            Call::GetCustomer { .. } => CallResult::Customer($outcome),
            Call::FindCustomer { .. } | Call::GetKObject { .. } => CallResult::KObject($outcome),
            Call::ReadJob { .. } | Call::ReadJobState { .. } => CallResult::Job($outcome),
            Call::Probe => CallResult::Probed($outcome),
        }
    };
}

/// What a missing answer means for a call.
///
/// Without a connection nothing was sent. After that, a read is simply repeated, while a write may have happened.
#[must_use]
pub fn unanswered(call: &Call, why: Unanswered) -> Reply {
    let result = match why {
        Unanswered::Lost if writes(call) => perhaps_done(call),
        Unanswered::NotSent | Unanswered::Lost => not_done(call, RetryCause::Network),
    };
    let kind = match why {
        Unanswered::NotSent => TroubleKind::NotConnected,
        Unanswered::Lost => TroubleKind::Lost,
    };
    Reply {
        limits: Limits::default(),
        result,
        trouble: Some(Trouble::new(kind, "")),
    }
}

/// The result of a call that was certainly not carried out and may be sent again.
#[must_use]
pub(crate) fn not_done(call: &Call, cause: RetryCause) -> CallResult {
    without_result!(call, Outcome::Retry(cause))
}

/// Whether a call changes something.
fn writes(call: &Call) -> bool {
    match call {
        Call::Identify { .. }
        | Call::Track { .. }
        | Call::CreateCustomers { .. }
        | Call::CreateKObjects { .. }
        | Call::UpdateKObjects { .. }
        | Call::CreateKObject { .. }
        | Call::UpdateKObject { .. }
        | Call::DeleteKObject { .. } => true,
        Call::SearchCustomers { .. }
        | Call::GetCustomer { .. }
        | Call::FindCustomer { .. }
        | Call::GetKObject { .. }
        | Call::ReadJob { .. }
        | Call::ReadJobState { .. }
        | Call::Probe => false,
    }
}

/// The result of a call that may have been carried out.
fn perhaps_done(call: &Call) -> CallResult {
    without_result!(call, Outcome::Ambiguous)
}

/// Every valid key gets an answer here, so anything else is about the address or the server.
fn probed(reply: &HttpReply) -> Outcome<()> {
    match weigh::<_, Answer<Nothing>>(Effect::Read, reply) {
        Weighed::Accepted(_) => Outcome::Delivered(()),
        Weighed::Settled(outcome) => outcome,
        Weighed::NotFound(_) | Weighed::TooLarge(_) | Weighed::Refused(_) => {
            Outcome::Hold(HoldCause::Unhealthy)
        }
        Weighed::Conflict(_) => Outcome::Retry(RetryCause::Garbled),
    }
}

#[cfg(test)]
mod tests;
