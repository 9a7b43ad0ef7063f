//! Identities: what was said of customers, and what of a late or repeated one is still to be said.

use std::sync::Arc;

use super::Machine;
use crate::batch::OperationId;
use crate::directory::{Generations, customer_hash, map_bytes};
use crate::operation::{CustomerKey, CustomerRef, Identify, Operation};
use crate::outcome::SkipReason;
use crate::repeat::ChangeKey;
use crate::said::{Ages, Said};
use crate::state_log::{Content, Entity};
use crate::work::Entry;

/// Customers of whom it is remembered what was said, if the budget has room for them.
pub(super) const CUSTOMERS: usize = 50_000;

/// What one of them takes besides its place, as a rule: eight fields and as many changes.
const USUAL: usize = 200;

/// What was said of the customers that were identified last.
#[derive(Debug)]
pub(super) struct Identities(Generations<u128, Said>);

impl Identities {
    pub(super) fn new(customers: usize) -> Self {
        Self(Generations::weighing(customers, Said::apart))
    }

    /// Bytes that they occupy, about.
    pub(super) fn bytes(&self) -> usize {
        self.0.bytes(0)
    }

    /// Bytes that so many usual ones occupy, about.
    pub(super) fn usual_bytes(customers: usize) -> usize {
        map_bytes::<u128, Said>(customers) + customers * USUAL
    }

    fn of(&mut self, names: &[u128]) -> Option<&Said> {
        let name = names.iter().find(|name| self.0.contains(name))?;
        self.0.get(name)
    }

    /// Takes back what an earlier owner of a partition knew.
    pub(super) fn restore(&mut self, name: u128, mut said: Said) {
        if let Some(known) = self.0.get(&name) {
            let theirs = std::mem::replace(&mut said, known.clone());
            said.restore(&theirs);
        }
        self.0.insert(name, said);
    }
}

impl Machine {
    /// What a customer is remembered by: the Kustomer id where that is known, and the most trusted key.
    fn names_of(&self, customer: &CustomerRef) -> [u128; 2] {
        let by_key = customer_hash(customer.first());
        let id = self.directory.peek_customer(customer.first());
        let by_id = id.map(|id| customer_hash(&CustomerKey::Id(id)));
        [by_id.unwrap_or(by_key), by_key]
    }

    /// Leaves of an identity what newer ones have not said; or why nothing of it is left.
    pub(super) fn judge_said(
        &mut self,
        identify: &mut Identify,
        ages: &Ages,
        changes: &[ChangeKey],
    ) -> Option<SkipReason> {
        let names = self.names_of(&identify.customer);
        let said = self.identities.of(&names)?;
        if changes.iter().all(|change| said.changes.contains(*change)) {
            return Some(SkipReason::Repeat);
        }
        let left = said.still_new(&identify.fields, ages)?;
        // A key beside the first may be news even where no field is.
        let nothing = left.is_empty() && identify.customer.keys().len() == 1;
        if nothing {
            return Some(SkipReason::Stale);
        }
        identify.fields = Arc::new(left);
        None
    }

    /// The same for the head of a lane: since it arrived, others were sent.
    pub(super) fn judge_identity(&mut self, id: OperationId) -> Option<SkipReason> {
        let state = self.work.get(id)?;
        let Operation::Identify(identify) = &state.operation else {
            return None;
        };
        let (mut identify, ages) = (identify.clone(), state.ages.clone());
        let changes = self.changes_of(id);
        let judged = self.judge_said(&mut identify, &ages, &changes);
        self.work.reword(id, Operation::Identify(identify));
        judged
    }

    /// An identity was sent, and is known to be of the customer with that Kustomer id, if the answer said so.
    pub(super) fn note_identity(&mut self, id: OperationId, customer: Option<&Arc<str>>) {
        let Some(Entry {
            operation: Operation::Identify(identify),
            ages,
            ..
        }) = self.work.get(id)
        else {
            return;
        };
        let names = self.names_of(&identify.customer);
        let mut said = self.identities.of(&names).cloned().unwrap_or_default();
        said.note(&identify.fields, ages);
        said.changes.extend(self.changes_of(id));
        let by_id = customer.map(|id| customer_hash(&CustomerKey::Id(Arc::clone(id))));
        let name = by_id.unwrap_or(names[0]);
        if self.settings.state.is_some() {
            let content = Content::Identity(said.clone());
            self.note(self.origin(id), Entity::Identity(name), content);
        }
        self.identities.0.insert(name, said);
    }
}
