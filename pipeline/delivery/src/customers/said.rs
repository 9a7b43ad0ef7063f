//! Identities: what was said of customers, and what of a late or repeated one is still to be said.

use std::sync::Arc;

use super::Customers;
use crate::generations::Generations;
use ingest_model::known::customer_hash;
use ingest_model::lookup::map_bytes;
use ingest_model::operation::{CustomerKey, CustomerRef, Identify};
use ingest_model::outcome::SkipReason;
use ingest_model::repeat::ChangeKey;
use ingest_model::said::{Ages, Said};

/// Customers of whom it is remembered what was said, if the budget has room for them.
pub(crate) const CUSTOMERS: usize = 50_000;

/// What one of them takes besides its place, as a rule: eight fields and as many changes.
const USUAL: usize = 200;

/// What was said of the customers that were identified last.
#[derive(Debug)]
pub(crate) struct Identities(Generations<u128, Said>);

impl Identities {
    pub(crate) fn new(customers: usize) -> Self {
        Self(Generations::weighing(customers, Said::apart))
    }

    /// Bytes that they occupy, about.
    pub(crate) fn bytes(&self) -> usize {
        self.0.bytes(0)
    }

    /// Bytes that so many usual ones occupy, about.
    pub(crate) fn usual_bytes(customers: usize) -> usize {
        map_bytes::<u128, Said>(customers) + customers * USUAL
    }

    fn of(&mut self, names: &[u128]) -> Option<&Said> {
        let name = names.iter().find(|name| self.0.contains(name))?;
        self.0.get(name)
    }

    /// Takes back what an earlier owner of a partition knew.
    pub(crate) fn restore(&mut self, name: u128, mut said: Said) {
        if let Some(known) = self.0.get(&name) {
            let theirs = std::mem::replace(&mut said, known.clone());
            said.restore(&theirs);
        }
        self.0.insert(name, said);
    }
}

impl Customers {
    /// What a customer is remembered by: the Kustomer id where that is known, and the most trusted key.
    fn names_of(&self, customer: &CustomerRef) -> [u128; 2] {
        let by_key = customer_hash(customer.first());
        let id = self.ids.peek(customer.first());
        let by_id = id.map(|id| customer_hash(&CustomerKey::Id(id)));
        [by_id.unwrap_or(by_key), by_key]
    }

    /// Leaves of an identity what newer ones have not said; or why nothing of it is left.
    pub(crate) fn judge_said(
        &mut self,
        identify: &mut Identify,
        ages: &Ages,
        changes: &[ChangeKey],
    ) -> Option<SkipReason> {
        let names = self.names_of(&identify.customer);
        let said = self.said.of(&names)?;
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

    /// An identity was sent, and is known to be of the customer with that Kustomer id, if the answer said so. What is known
    /// of the customer now, and by which name.
    pub(crate) fn note_said(
        &mut self,
        identify: &Identify,
        ages: &Ages,
        changes: impl Iterator<Item = ChangeKey>,
        customer: Option<&Arc<str>>,
    ) -> (u128, Said) {
        let names = self.names_of(&identify.customer);
        let mut said = self.said.of(&names).cloned().unwrap_or_default();
        said.note(&identify.fields, ages);
        said.changes.extend(changes);
        let by_id = customer.map(|id| customer_hash(&CustomerKey::Id(Arc::clone(id))));
        let name = by_id.unwrap_or(names[0]);
        self.said.0.insert(name, said.clone());
        (name, said)
    }
}
