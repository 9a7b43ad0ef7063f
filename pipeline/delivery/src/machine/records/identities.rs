//! Identities: what a late or repeated one still has to state.

use std::sync::Arc;

use crate::machine::Machine;
use ingest_model::batch::OperationId;
use ingest_model::operation::Operation;
use ingest_model::outcome::SkipReason;
use ingest_model::state_log::{Content, Entity};

impl Machine {
    /// Reduces an identity at the head of its lane to what others have not stated since; or returns why nothing is left.
    pub(in crate::machine) fn judge_identity(&mut self, id: OperationId) -> Option<SkipReason> {
        let entry = self.work.get(id)?;
        let Operation::Identify(identify) = &entry.operation else {
            return None;
        };
        let (mut identify, ages) = (identify.clone(), entry.ages.clone());
        let changes = self.changes_of(id);
        let keyed = self.settings.by_customer.contains(&entry.partition.topic);
        let judged = self.customers.judge_said(&mut identify, &ages, &changes);
        // Only if all of the customer's records come here does nobody else say something in between.
        let unchanged = keyed && judged.is_none() && self.customers.has_said(&identify);
        self.work.reword(id, Operation::Identify(identify));
        if unchanged {
            // It was said later than before: what is older than that is late.
            self.note_identity(id, None);
            return Some(SkipReason::Unchanged);
        }
        judged
    }

    /// An identity was sent, or need not be; `customer` is the Kustomer id that the answer gave, if any.
    pub(in crate::machine) fn note_identity(
        &mut self,
        id: OperationId,
        customer: Option<&Arc<str>>,
    ) {
        let Some(entry) = self.work.get(id) else {
            return;
        };
        let Operation::Identify(identify) = &entry.operation else {
            return;
        };
        let changes = self.partitions.changes(id);
        let (names, said) = self
            .customers
            .note_said(identify, &entry.ages, changes, customer);
        if self.settings.state.is_none() {
            return;
        }
        for name in names {
            self.note(
                self.origin(id),
                Entity::Identity(name),
                Content::Identity(said.clone()),
            );
        }
    }
}
