//! Which line a customer waits in.

use std::time::Instant;

use super::line::Line;
use super::{Customers, LOOKS, NotFound, Phase};
use ingest_model::operation::{CustomerKey, CustomerRef, MissingCustomer};
use ingest_model::record::Traffic;

impl Customers {
    /// Whether operations wait for this customer.
    pub(crate) fn is_wanted(&self, customer: &CustomerKey) -> bool {
        self.wanted.contains_key(customer)
    }

    /// Puts a customer into the line for what is known of it.
    pub(super) fn enqueue_look_up(&mut self, now: Instant, customer: CustomerKey) {
        if self.is_for_nobody(&customer) {
            return;
        }
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
            MissingCustomer::Park | MissingCustomer::Reject | MissingCustomer::Skip => {
                Line::MustExist
            }
        };
        self.join(now, line, customer);
    }

    pub(super) fn join(&mut self, now: Instant, line: Line, customer: CustomerKey) {
        self.leave_line(&customer);
        if let Some(wanted) = self.wanted.get_mut(&customer) {
            let place = (wanted.traffic, wanted.lowest());
            wanted.phase = Phase::In(line, self.lines.of(line).push(now, place, customer));
        }
    }

    /// The customer was found missing: those are refused that do not wait for it.
    pub(super) fn refuse_hasty(&mut self, customer: &CustomerKey) -> NotFound {
        let Some(wanted) = self.wanted.get_mut(customer) else {
            return NotFound::Continues;
        };
        let hasty = wanted.take_hasty();
        if hasty.is_empty() {
            return NotFound::Continues;
        }
        if wanted.waiting.is_empty() {
            self.forget(customer);
        }
        NotFound::Refused(hasty)
    }

    /// A live record waits for the customer: it goes before those that only backfill waits for.
    pub(crate) fn hurry(&mut self, now: Instant, customer: &CustomerKey) {
        let Some(wanted) = self.wanted.get_mut(customer) else {
            return;
        };
        if std::mem::replace(&mut wanted.traffic, Traffic::Live) == Traffic::Live {
            return;
        }
        match wanted.phase {
            Phase::In(line, _) => self.join(now, line, customer.clone()),
            Phase::Read => {
                self.read.remove(customer);
                self.read.push(Traffic::Live, customer.clone());
            }
            Phase::Alone => {
                self.alone.remove(customer);
                self.alone.push(Traffic::Live, customer.clone());
            }
            Phase::Object => {
                self.drop_object(customer);
                self.enqueue_object(customer);
            }
            Phase::UnderWay | Phase::Parked(_) | Phase::Delayed(_) => {}
        }
    }

    pub(super) fn leave_line(&mut self, customer: &CustomerKey) {
        if let Some(Phase::In(line, place)) = self.phase(customer) {
            self.lines.of(line).remove(place);
        }
    }

    /// Nobody waits for the customer any more, so nothing more is asked about it. `true` if so.
    pub(super) fn is_for_nobody(&mut self, customer: &CustomerKey) -> bool {
        let wanted = self.wanted.get(customer);
        let nobody = wanted.is_some_and(|wanted| wanted.waiting.is_empty());
        if nobody {
            self.forget(customer);
        }
        nobody
    }

    /// The customer is asked about by these keys from now on: whoever brought others waits no more.
    pub(crate) fn ask_by(&mut self, customer: &CustomerRef) {
        if let Some(wanted) = self.wanted.get_mut(customer.first()) {
            wanted.customer = customer.clone();
            wanted.next_key = 0;
        }
    }

    pub(super) fn enqueue_read(&mut self, customer: &CustomerKey) {
        if self.is_for_nobody(customer) {
            return;
        }
        if let CustomerKey::Owner(_) = customer {
            self.enqueue_object(customer);
            return;
        }
        if let Some(wanted) = self.wanted.get_mut(customer) {
            wanted.phase = Phase::Read;
            wanted.next_key = 0;
            self.read.push(wanted.traffic, customer.clone());
        }
    }

    pub(super) fn park(&mut self, now: Instant, customer: &CustomerKey) {
        if let Some(wanted) = self.wanted.get_mut(customer) {
            let until = now + self.settings.park_for / LOOKS;
            wanted.looks += 1;
            wanted.phase = Phase::Parked(until);
            self.later.insert((until, customer.clone()));
        }
    }
}
