//! What leads a customer on that somebody waits for: asked when a frontier does not move.

use std::time::Instant;

use super::{Customers, Phase};
use ingest_model::batch::OperationId;
use ingest_model::operation::CustomerKey;

/// What a customer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Led {
    /// A question to come; it is where the next question takes it from.
    Question,
    /// That time.
    Until(Instant),
    /// An answer: somebody asks about it.
    Answer,
    /// Nothing: nobody waits for it, or it is not where its phase says.
    Nothing,
}

impl Customers {
    /// What leads a customer on for whom this operation waits.
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
