//! What a world notes of the requests about objects.

use std::sync::Arc;

use ingest_model::body::Body;
use ingest_model::call::{Call, CallResult};
use ingest_model::outcome::Outcome;
use serde_json::Value;

use super::{Traced, World};

impl World {
    /// Notes a request that was answered, if a trace is wanted.
    pub(super) fn note(&mut self, call: &Call, result: &CallResult) {
        let Some(trace) = self.trace.as_mut() else {
            return;
        };
        let objects = match call {
            Call::CreateKObjects { items, .. } | Call::UpdateKObjects { items, .. } => {
                items.iter().map(|item| external_id(&item.body)).collect()
            }
            Call::CreateKObject { body, .. } | Call::UpdateKObject { body, .. } => {
                vec![external_id(body)]
            }
            Call::ReadJob { job } | Call::ReadJobState { job } => {
                trace.push(Traced::Read(Arc::clone(job)));
                return;
            }
            Call::Identify { .. }
            | Call::Track { .. }
            | Call::SearchCustomers { .. }
            | Call::GetCustomer { .. }
            | Call::CreateCustomers { .. }
            | Call::DeleteKObject { .. }
            | Call::FindCustomer { .. }
            | Call::GetKObject { .. }
            | Call::Probe => return,
        };
        let (refused, job) = match result {
            CallResult::Submitted(Outcome::Pending(ticket)) => {
                (false, Some(Arc::clone(&ticket.id)))
            }
            CallResult::Written(Outcome::Delivered(_)) => (false, None),
            CallResult::Submitted(Outcome::Split(_) | Outcome::Reject(_))
            | CallResult::Written(Outcome::Split(_) | Outcome::Reject(_)) => (true, None),
            // Neither accepted nor refused: it says nothing of the items.
            CallResult::Submitted(
                Outcome::Delivered(()) | Outcome::Retry(_) | Outcome::Ambiguous | Outcome::Hold(_),
            )
            | CallResult::Written(
                Outcome::Pending(_) | Outcome::Retry(_) | Outcome::Ambiguous | Outcome::Hold(_),
            )
            | CallResult::Tracked(_)
            | CallResult::Searched(_)
            | CallResult::Customer(_)
            | CallResult::KObject(_)
            | CallResult::Job(_)
            | CallResult::Probed(_)
            | CallResult::Lost => return,
        };
        trace.push(Traced::Write {
            objects,
            refused,
            job,
        });
    }
}

fn external_id(body: &Body) -> String {
    body.parse()
        .get("externalId")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
