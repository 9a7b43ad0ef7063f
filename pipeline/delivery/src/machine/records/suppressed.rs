//! People of whom nothing is sent: what names one of them ends before it is sent, from whatever moment it is known.
//!
//! Asked when an operation arrives, whenever it comes to the front of its lane, and of all that waits when the list changes.
//! What is under way by then is finished. The end of an object (`delete`) is sent: it takes away.

use crate::machine::Machine;
use ingest_model::batch::OperationId;
use ingest_model::operation::{CustomerKey, Operation};
use ingest_model::outcome::SkipReason;

impl Machine {
    /// The list is this one from now on: what waits for one of these people ends, at once if it is at the front of its lane, else
    /// when it comes there.
    pub(in crate::machine) fn on_suppressed(&mut self, keys: &[CustomerKey]) {
        let customers = &mut self.customers;
        customers.suppressed.replace(keys, &customers.ids);
        let all = self
            .work
            .not_begun(|entry| self.is_suppressed(&entry.operation));
        for id in all {
            let customer = self
                .work
                .get(id)
                .and_then(|entry| entry.operation.customer());
            let first = customer.map(|customer| customer.first().clone());
            self.let_go(id);
            self.finish_skipped(id, SkipReason::Suppressed);
            if let Some(first) = first {
                self.ask_by_others(&first);
            }
        }
    }

    /// Others may wait for the customer that an operation brought keys of: those keys are not sent for them.
    fn ask_by_others(&mut self, first: &CustomerKey) {
        let others = self.customers.waiting_for(first).first();
        let other = others.and_then(|id| self.work.get(*id)?.operation.customer());
        if let Some(customer) = other {
            self.customers.ask_by(customer);
        }
    }

    /// Ends an operation about one of them. `true` if it did.
    pub(in crate::machine) fn end_suppressed(&mut self, id: OperationId) -> bool {
        let operation = self.work.get(id).map(|entry| &entry.operation);
        let suppressed = operation.is_some_and(|operation| self.is_suppressed(operation));
        if suppressed {
            self.finish_skipped(id, SkipReason::Suppressed);
        }
        suppressed
    }

    /// Whether an operation would tell Kustomer something about one of them.
    pub(in crate::machine) fn is_suppressed(&self, operation: &Operation) -> bool {
        if self.customers.suppressed.is_empty() || operation.deletes() {
            return false;
        }
        let is_listed = |key: &CustomerKey| {
            let customers = &self.customers;
            customers.suppressed.has(key, &customers.ids)
        };
        if operation.names().iter().any(is_listed) {
            return true;
        }
        match (operation, operation.customer()) {
            // It says nothing of whose it is, but that may be known.
            (Operation::KObject(object), None) => {
                is_listed(&CustomerKey::of_object(&object.klass, &object.external_id))
            }
            (Operation::Identify(_) | Operation::Track(_) | Operation::KObject(_), _) => false,
        }
    }
}
