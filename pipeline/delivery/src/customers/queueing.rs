//! Which line a customer waits in.

use std::time::Instant;

use super::line::Line;
use super::{Customers, Phase};
use ingest_model::operation::{CustomerKey, MissingCustomer};

impl Customers {
    /// Puts a customer into the line for what is known of it.
    pub(super) fn enqueue_look_up(&mut self, now: Instant, customer: CustomerKey) {
        // An object is read for its customer, and a customer whose id is known for its keys: nothing else tells them.
        if let CustomerKey::Owner(_) | CustomerKey::Id(_) = customer {
            self.enqueue_read(&customer);
            return;
        }
        let Some(wanted) = self.wanted.get(&customer) else {
            return;
        };
        let line = match wanted.customer.missing {
            MissingCustomer::Create if wanted.exists => Line::Exists,
            MissingCustomer::Create => Line::Unasked,
            MissingCustomer::Park | MissingCustomer::Reject => Line::MustExist,
        };
        self.join(now, line, customer);
    }

    pub(super) fn join(&mut self, now: Instant, line: Line, customer: CustomerKey) {
        self.leave_line(&customer);
        if let Some(wanted) = self.wanted.get_mut(&customer) {
            let lowest = wanted.lowest();
            wanted.phase = Phase::In(line, self.lines.of(line).push(now, lowest, customer));
        }
    }

    pub(super) fn leave_line(&mut self, customer: &CustomerKey) {
        if let Some(Phase::In(line, place)) = self.phase(customer) {
            self.lines.of(line).remove(place);
        }
    }
}
