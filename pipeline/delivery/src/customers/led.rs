//! What leads a wanted customer on; needed when a frontier does not move.

use std::time::Instant;

use super::{Customers, Phase};
use ingest_model::batch::OperationId;
use ingest_model::operation::CustomerKey;

/// What a customer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Led {
    /// A question to come: it is in the queue from which that is taken.
    Question,
    /// This time.
    Until(Instant),
    /// The answer to a question in flight.
    Answer,
    /// Nothing: the operation does not wait for it, or it is not where its phase says.
    Nothing,
}

impl Customers {
    /// What leads on the customer that this operation waits for.
    pub(crate) fn led(&self, customer: &CustomerKey, id: OperationId) -> Led {
        let wanted = self.wanted.get(customer);
        let Some(wanted) = wanted.filter(|wanted| wanted.waiting.contains(&id)) else {
            return Led::Nothing;
        };
        match wanted.phase {
            Phase::In(line, place) if self.lines.has(line, place) => Led::Question,
            Phase::Read if self.read.contains(customer) => Led::Question,
            Phase::Alone if self.alone.contains(customer) => Led::Question,
            Phase::Parked(until) | Phase::Delayed(until)
                if self.later.contains(&(until, customer.clone())) =>
            {
                Led::Until(until)
            }
            Phase::UnderWay => Led::Answer,
            Phase::In(..) | Phase::Read | Phase::Alone | Phase::Parked(_) | Phase::Delayed(_) => {
                Led::Nothing
            }
        }
    }
}
