//! What is left of an identity when newer ones were sent before it.

use std::sync::Arc;

use super::Customers;
use ingest_model::known::customer_hash;
use ingest_model::operation::{CustomerKey, CustomerRef, Identify};
use ingest_model::outcome::SkipReason;
use ingest_model::repeat::ChangeKey;
use ingest_model::said::{self, Ages, Said};
use smallvec::SmallVec;

/// The names under which a customer is remembered, each once.
type Names = SmallVec<[u128; 2]>;

/// A customer is remembered under the Kustomer id, which all of its keys share, and under the most trusted key, because the id
/// may be forgotten earlier, and an earlier owner may have written down only one of the two.
fn names(key: &CustomerKey, id: Option<Arc<str>>) -> Names {
    let by_id = id.map(|id| customer_hash(&CustomerKey::Id(id)));
    let by_key = customer_hash(key);
    by_id
        .into_iter()
        .filter(|by_id| *by_id != by_key)
        .chain([by_key])
        .collect()
}

impl Customers {
    fn names_of(&self, customer: &CustomerRef) -> Names {
        names(customer.first(), self.ids.peek(customer.first()))
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
        identify.fields = left;
        None
    }

    /// Whether an identity says exactly what was said to this customer last, so that sending it would change nothing.
    pub(crate) fn has_said(&self, identify: &Identify) -> bool {
        let names = self.names_of(&identify.customer);
        self.said.stands(&names, said::print_of(identify))
    }

    /// An identity of this customer is sent: until it is answered, nobody knows what stands.
    pub(crate) fn saying(&mut self, customer: &CustomerRef) {
        for name in self.names_of(customer) {
            self.said.doubt(name);
        }
    }

    /// An identity was sent, or need not be; `customer` is the Kustomer id that the answer gave, if any. Returns what is known of the customer
    /// now, and its names.
    pub(crate) fn note_said(
        &mut self,
        identify: &Identify,
        ages: &Ages,
        changes: impl Iterator<Item = ChangeKey>,
        customer: Option<&Arc<str>>,
    ) -> (Names, Said) {
        let key = identify.customer.first();
        let id = customer.cloned().or_else(|| self.ids.peek(key));
        let names = names(key, id);
        let mut said = self.said.of(&names).unwrap_or_default();
        said.note(&identify.fields, ages);
        said.changes.extend(changes);
        let print = said::print_of(identify);
        for name in &names {
            self.said.note(*name, said.clone(), print);
        }
        (names, said)
    }
}
