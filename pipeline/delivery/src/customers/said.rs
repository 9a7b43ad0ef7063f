//! What is left of an identity when older ones have said part of it.

use std::sync::Arc;

use super::Customers;
use ingest_model::known::customer_hash;
use ingest_model::operation::{CustomerKey, CustomerRef, Identify};
use ingest_model::outcome::SkipReason;
use ingest_model::repeat::ChangeKey;
use ingest_model::said::{Ages, Said};

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
        self.said.note(name, said.clone());
        (name, said)
    }
}
