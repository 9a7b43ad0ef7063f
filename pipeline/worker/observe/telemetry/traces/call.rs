//! What a request's span says of its call: no id, no key, no body.

use std::sync::Arc;

use ingest_model::call::{Call, CallResult, JobReport};
use ingest_model::outcome::Outcome;

/// What a call is about.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Subject<'c> {
    /// The klass that it writes or reads.
    pub(super) klass: Option<&'c Arc<str>>,
    /// How many items it has, or how many customers it asks about, if it may have several.
    pub(super) items: Option<usize>,
    /// The job that it reads.
    pub(super) job: Option<&'c Arc<str>>,
}

impl<'c> Subject<'c> {
    pub(super) fn of(call: &'c Call) -> Self {
        let mut subject = Self::default();
        match call {
            Call::CreateKObjects { klass, items, .. }
            | Call::UpdateKObjects { klass, items, .. } => {
                subject.klass = Some(&klass.0);
                subject.items = Some(items.len());
            }
            Call::CreateKObject { klass, .. }
            | Call::UpdateKObject { klass, .. }
            | Call::DeleteKObject { klass, .. }
            | Call::GetKObject { klass, .. } => subject.klass = Some(&klass.0),
            Call::CreateCustomers { items, .. } => subject.items = Some(items.len()),
            Call::SearchCustomers { keys } => subject.items = Some(keys.len()),
            Call::ReadJob { job } | Call::ReadJobState { job } => subject.job = Some(job),
            Call::Identify { .. }
            | Call::Track { .. }
            | Call::GetCustomer { .. }
            | Call::FindCustomer { .. }
            | Call::Probe => {}
        }
        subject
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
