//! Identities: what of a late or repeated one is still to be said.

use std::sync::Arc;

use crate::machine::Machine;
use ingest_model::batch::OperationId;
use ingest_model::operation::Operation;
use ingest_model::outcome::SkipReason;
use ingest_model::state_log::{Content, Entity};

impl Machine {
    /// Leaves of an identity at the head of its lane what others have not said since it arrived; or why nothing is left.
    pub(in crate::machine) fn judge_identity(&mut self, id: OperationId) -> Option<SkipReason> {
        let entry = self.work.get(id)?;
        let Operation::Identify(identify) = &entry.operation else {
            return None;
        };
        let (mut identify, ages) = (identify.clone(), entry.ages.clone());
        let changes = self.changes_of(id);
        let judged = self.customers.judge_said(&mut identify, &ages, &changes);
        self.work.reword(id, Operation::Identify(identify));
        judged
    }

    /// An identity was sent, and is known to be of the customer with that Kustomer id, if the answer said so.
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
        let (name, said) = self
            .customers
            .note_said(identify, &entry.ages, changes, customer);
        if self.settings.state.is_some() {
            self.note(
                self.origin(id),
                Entity::Identity(name),
                Content::Identity(said),
            );
        }
    }
}
