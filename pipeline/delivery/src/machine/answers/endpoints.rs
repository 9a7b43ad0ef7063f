//! Which endpoint a request is for.

use std::time::Instant;

use crate::health::Endpoint;
use crate::machine::Machine;
use crate::objects::history::History;
use crate::sending::SentKind;
use crate::work::Entry;
use ingest_model::batch::{GroupKey, OperationId, Verb};
use ingest_model::operation::Operation;

/// The endpoint of an operation's next or last request, and when the last one was sent.
pub(in crate::machine) fn endpoint(
    entry: &Entry,
    history: &History,
) -> (Endpoint, Option<Instant>) {
    match &entry.operation {
        Operation::Identify(_) => (Endpoint::Identity, entry.last_attempt),
        Operation::Track(_) => (Endpoint::Event, entry.last_attempt),
        Operation::KObject(object) if history.is_to_look() => {
            (Endpoint::Look(object.klass.clone()), entry.last_attempt)
        }
        Operation::KObject(object) => {
            let verb = match history.object_id {
                _ if object.deletes => Verb::Delete,
                Some(_) => Verb::Update,
                None => Verb::Create,
            };
            let klass = object.klass.clone();
            let group = GroupKey { klass, verb };
            let bulk = history.in_bulk;
            (Endpoint::Write { group, bulk }, history.last_write)
        }
    }
}

impl Machine {
    /// The endpoint of a request; `None` for a probe.
    pub(in crate::machine) fn endpoint_of(&self, what: &SentKind) -> Option<Endpoint> {
        let work = |id: &OperationId| self.work.get(*id).map(|state| &state.operation);
        Some(match what {
            SentKind::Tracking(operations) => {
                let event = operations
                    .iter()
                    .any(|id| matches!(work(id), Some(Operation::Track(_))));
                if event {
                    Endpoint::Event
                } else {
                    Endpoint::Identity
                }
            }
            SentKind::ResolveIdentify(_) => Endpoint::Identity,
            SentKind::Search(_) => Endpoint::CustomerSearch,
            SentKind::ReadCustomer { .. } => Endpoint::CustomerRead,
            SentKind::ReadOwner(owner) => Endpoint::Look(owner.object()?.0),
            SentKind::CreateCustomers { .. } => Endpoint::CustomerCreate,
            SentKind::Write(batch) => Endpoint::Write {
                group: batch.group.clone(),
                bulk: batch.operations.len() > 1,
            },
            SentKind::Verify(id) => match work(id) {
                Some(Operation::KObject(object)) => Endpoint::Look(object.klass.clone()),
                Some(Operation::Identify(_) | Operation::Track(_)) | None => return None,
            },
            SentKind::ReadJob { .. } => Endpoint::JobRead,
            SentKind::Probe => return None,
        })
    }
}
