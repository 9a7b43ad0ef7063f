//! What leads a wanted customer on; needed when a frontier does not move.

use std::time::Instant;

use super::wanted::Wanted;
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
    /// Whether a customer waits for something that more permits would not bring: it does not exist yet, or asking failed.
    pub(crate) fn is_parked(&self, customer: &CustomerKey) -> bool {
        self.wanted.get(customer).is_some_and(Wanted::is_parked)
    }

    /// Whether operations wait for the customer, and nobody has its keys so far.
    pub(crate) fn is_missing(&self, customer: &CustomerKey) -> bool {
        self.wanted
            .get(customer)
            .is_some_and(|wanted| wanted.looks > 0)
    }

    /// The operations that wait for the customer.
    pub(crate) fn waiting_for(&self, customer: &CustomerKey) -> &[OperationId] {
        self.wanted
            .get(customer)
            .map_or(&[], |wanted| &wanted.waiting)
    }

    /// Whether that is so of any.
    pub(crate) fn are_any_parked(&self) -> bool {
        self.wanted.sum(|wanted| usize::from(wanted.is_parked())) > 0
    }

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
            Phase::Object if self.has_queued(customer) => Led::Question,
            Phase::Parked(until) | Phase::Delayed(until)
                if self.later.contains(&(until, customer.clone())) =>
            {
                Led::Until(until)
            }
            Phase::UnderWay => Led::Answer,
            Phase::In(..)
            | Phase::Read
            | Phase::Alone
            | Phase::Object
            | Phase::Parked(_)
            | Phase::Delayed(_) => Led::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use ingest_model::operation::{CustomerRef, MissingCustomer};
    use ingest_model::record::Traffic;

    use super::super::tests::{ALL, much, resolver};
    use super::super::{NotFound, Question};
    use super::*;
    use crate::common::instants::start;

    const ID: OperationId = OperationId(7);

    fn wanted(now: Instant, missing: MissingCustomer) -> (Customers, CustomerKey) {
        let mut customers = resolver();
        let key = CustomerKey::ExternalId(Arc::from("u7"));
        let one = CustomerRef::new(vec![key.clone()], missing).unwrap();
        customers.want(now, &one, (ID, Traffic::Live), false);
        (customers, key)
    }

    #[test]
    fn a_place_in_a_line_leads_on_as_long_as_it_is_there() {
        let (mut customers, key) = wanted(start(), MissingCustomer::Create);
        assert_eq!(customers.led(&key, ID), Led::Question);
        assert_eq!(
            customers.led(&key, OperationId(8)),
            Led::Nothing,
            "it does not wait"
        );
        assert!(customers.lines.unasked.pop().is_some());
        assert_eq!(customers.led(&key, ID), Led::Nothing);
    }

    #[test]
    fn a_question_leads_on_by_its_answer_and_a_pause_by_its_end() {
        let now = start();
        let (mut customers, key) = wanted(now, MissingCustomer::Park);
        let late = now + Duration::from_secs(6);
        let asked = customers.ask(late, much(late), ALL);
        assert!(matches!(asked, Some(Question::Read { .. })), "{asked:?}");
        assert_eq!(customers.led(&key, ID), Led::Answer);
        assert_eq!(customers.proved_missing(late, &key), NotFound::Continues);
        let led = customers.led(&key, ID);
        assert!(matches!(led, Led::Until(at) if at > late), "{led:?}");
        customers.later.clear();
        assert_eq!(customers.led(&key, ID), Led::Nothing);
    }

    #[test]
    fn a_question_to_ask_again_leads_on_as_long_as_it_is_queued() {
        let now = start();
        let (mut customers, key) = wanted(now, MissingCustomer::Create);
        customers.must_read(&key);
        assert_eq!(customers.led(&key, ID), Led::Question);
        customers.read.clear();
        assert_eq!(customers.led(&key, ID), Led::Nothing);
        customers.ask_alone(&key);
        assert_eq!(customers.led(&key, ID), Led::Question);
        customers.alone.clear();
        assert_eq!(customers.led(&key, ID), Led::Nothing);
    }
}
