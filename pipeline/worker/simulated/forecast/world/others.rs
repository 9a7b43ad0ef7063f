//! What others do in the organisation: they make the customers whom routes only wait for.

use std::time::Duration;

use ingest_model::operation::{CustomerKey, CustomerRef, MissingCustomer, Planned};
use kustomer_sim::SimTime;

use super::{Happens, World};

/// When somebody else makes a customer whom the records themselves may make.
const LATER: Duration = Duration::from_secs(60);

/// The customer of an operation, if others make it: its route says `missing: park` or `reject`.
pub(super) fn by_others(planned: &Planned) -> Option<&CustomerRef> {
    let customer = planned.operation.customer()?;
    (customer.missing != MissingCustomer::Create).then_some(customer)
}

impl World<'_> {
    /// These customers are made by others. So they are there; where the records may make them, too, and the route waits, they are
    /// there a minute later if no record did.
    pub(super) fn let_exist(&mut self, customers: &[CustomerRef]) {
        for customer in customers {
            if self.makes_customers && customer.missing == MissingCustomer::Park {
                self.later(LATER, Happens::Made(Box::new(customer.clone())));
            } else {
                self.made(customer);
            }
        }
    }

    /// Somebody else has made the customer, unless it is there.
    pub(super) fn made(&mut self, customer: &CustomerRef) {
        let now = SimTime::from_millis(self.start_ms.saturating_add(self.elapsed_ms()));
        let (mut id, mut email, mut phone) = (None, None, None);
        for key in customer.keys() {
            match key {
                CustomerKey::ExternalId(text) => id = Some(&**text),
                CustomerKey::Email(text) => email = Some(&**text),
                CustomerKey::Phone(text) => phone = Some(&**text),
                // An object that names its customer has to be in the records.
                CustomerKey::Id(_) | CustomerKey::Owner(_) => {}
            }
        }
        self.sim.let_exist(now, id, email, phone);
    }
}
