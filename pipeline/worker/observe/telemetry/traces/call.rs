//! What a request's span says of its call: no id, no key, no body.

use std::sync::Arc;

use ingest_model::call::{Call, CallResult, JobReport};
use ingest_model::outcome::Outcome;

/// The klass that a call writes or reads.
pub(super) fn klass(call: &Call) -> Option<&Arc<str>> {
    match call {
        Call::CreateKObjects { klass, .. }
        | Call::UpdateKObjects { klass, .. }
        | Call::CreateKObject { klass, .. }
        | Call::UpdateKObject { klass, .. }
        | Call::DeleteKObject { klass, .. }
        | Call::GetKObject { klass, .. } => Some(&klass.0),
        Call::Identify { .. }
        | Call::Track { .. }
        | Call::SearchCustomers { .. }
        | Call::GetCustomer { .. }
        | Call::FindCustomer { .. }
        | Call::CreateCustomers { .. }
        | Call::ReadJob { .. }
        | Call::ReadJobState { .. }
        | Call::Probe => None,
    }
}

/// How many items a call has, or how many customers it asks about, if it may have several.
pub(super) fn items(call: &Call) -> Option<usize> {
    match call {
        Call::CreateKObjects { items, .. }
        | Call::UpdateKObjects { items, .. }
        | Call::CreateCustomers { items, .. } => Some(items.len()),
        Call::SearchCustomers { keys } => Some(keys.len()),
        Call::Identify { .. }
        | Call::Track { .. }
        | Call::GetCustomer { .. }
        | Call::FindCustomer { .. }
        | Call::CreateKObject { .. }
        | Call::UpdateKObject { .. }
        | Call::DeleteKObject { .. }
        | Call::GetKObject { .. }
        | Call::ReadJob { .. }
        | Call::ReadJobState { .. }
        | Call::Probe => None,
    }
}

/// The job that a call reads.
pub(super) fn job_read(call: &Call) -> Option<&Arc<str>> {
    match call {
        Call::ReadJob { job } | Call::ReadJobState { job } => Some(job),
        Call::Identify { .. }
        | Call::Track { .. }
        | Call::SearchCustomers { .. }
        | Call::GetCustomer { .. }
        | Call::FindCustomer { .. }
        | Call::CreateCustomers { .. }
        | Call::CreateKObjects { .. }
        | Call::UpdateKObjects { .. }
        | Call::CreateKObject { .. }
        | Call::UpdateKObject { .. }
        | Call::DeleteKObject { .. }
        | Call::GetKObject { .. }
        | Call::Probe => None,
    }
}

/// The job that an answer names: what was submitted is accepted.
pub(super) fn job_begun(result: &CallResult) -> Option<&Arc<str>> {
    if let CallResult::Submitted(Outcome::Pending(ticket)) = result {
        return Some(&ticket.id);
    }
    None
}

/// What a job says of itself.
pub(super) fn job_report(result: &CallResult) -> Option<&JobReport> {
    if let CallResult::Job(Outcome::Delivered(report)) = result {
        return Some(report);
    }
    None
}
