//! What is left of an identity when newer ones were sent before it.

use std::sync::Arc;

use super::Customers;
use ingest_model::known::customer_hash;
use ingest_model::operation::{CustomerKey, CustomerRef, Identify};
use ingest_model::outcome::SkipReason;
use ingest_model::repeat::ChangeKey;
use ingest_model::said::{Ages, Said};

impl Customers {
    /// The names under which a customer is remembered: the Kustomer id if it is known, and the most trusted key.
    fn names_of(&self, customer: &CustomerRef) -> [u128; 2] {
        let by_key = customer_hash(customer.first());
        let id = self.ids.peek(customer.first());
        let by_id = id.map(|id| customer_hash(&CustomerKey::Id(id)));
        [by_id.unwrap_or(by_key), by_key]
    }

    /// Reduces an identity to what newer ones have not stated; or returns why nothing is left of it.
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
        // A second key may be new even if no field is.
        let nothing = left.is_empty() && identify.customer.keys().len() == 1;
        if nothing {
            return Some(SkipReason::Stale);
        }
        identify.fields = Arc::new(left);
        None
    }

    /// An identity was sent; `customer` is the Kustomer id that the answer gave, if any. Returns what is known of the customer
    /// now, and its name.
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
