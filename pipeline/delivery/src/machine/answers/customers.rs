//! Answers to look-ups of customers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use crate::customers::NotFound;
use crate::health::Endpoint;
use crate::jobs::JobItems;
use crate::machine::Machine;
use crate::machine::answers::job::in_order;
use crate::seam::fact::{Fact, ResolvedBy};
use crate::seam::hold::{Family, Scope};
use ingest_model::call::{CustomerFound, SearchFound};
use ingest_model::operation::CustomerKey;
use ingest_model::outcome::{Outcome, Rejection, RetryCause, SplitHint};

impl Machine {
    pub(in crate::machine) fn on_searched(
        &mut self,
        now: Instant,
        customers: &[CustomerKey],
        outcome: Outcome<SearchFound>,
    ) {
        match outcome {
            Outcome::Delivered(found) => {
                if found.customers.is_empty() && found.unmatched > 0 {
                    // Hits that match no key: searches are of no use here.
                    self.customers.turn_search_off();
                    self.turn.fact(Fact::SearchOff);
                    self.ask_all_again(now, customers);
                    return;
                }
                let by_key: BTreeMap<CustomerKey, Arc<str>> = found.customers.into_iter().collect();
                for customer in customers {
                    let id = self
                        .customers
                        .keys(customer)
                        .and_then(|keys| keys.iter().find_map(|key| by_key.get(key)))
                        .map(Arc::clone);
                    self.customers.note_share(customer, id.is_some());
                    match id {
                        Some(id) => self.learn_customer(customer, &id, ResolvedBy::Search, None),
                        None => {
                            self.customers.not_found(now, customer);
                            self.drop_parked_for(customer);
                        }
                    }
                }
            }
            Outcome::Split(_) | Outcome::Reject(_) => {
                if customers.len() < 2 || !self.customers.halve_search() {
                    self.customers.turn_search_off();
                    self.turn.fact(Fact::SearchOff);
                }
                self.ask_all_again(now, customers);
            }
            Outcome::Retry(RetryCause::OrgQuota) => self.ask_all_again(now, customers),
            Outcome::Hold(_) if self.is_waited_out(None) || !self.customers.searches() => {
                self.ask_all_again(now, customers);
            }
            // That a role is missing is not proved yet.
            Outcome::Hold(_) | Outcome::Retry(_) | Outcome::Ambiguous | Outcome::Pending(_) => {
                for customer in customers {
                    self.look_up_failed(now, customer, &Endpoint::CustomerSearch);
                }
            }
        }
    }

    pub(in crate::machine) fn on_customer(
        &mut self,
        now: Instant,
        key: &CustomerKey,
        outcome: Outcome<Option<CustomerFound>>,
    ) {
        match outcome {
            Outcome::Delivered(Some(found)) if matches!(key, CustomerKey::Id(_)) => {
                self.on_keys_read(key, &found);
            }
            Outcome::Delivered(Some(found)) => {
                self.learn_customer(key, &found.id, ResolvedBy::Read, None);
            }
            Outcome::Delivered(None) => {
                if let NotFound::Refused(operations) = self.customers.proved_missing(now, key) {
                    for operation in operations {
                        self.start_anew(operation);
                    }
                }
                self.drop_parked_for(key);
            }
            Outcome::Reject(detail) => self.refuse_customer(key, &detail),
            Outcome::Split(SplitHint { detail, .. }) => self.refuse_customer(key, &detail),
            Outcome::Retry(RetryCause::OrgQuota) | Outcome::Hold(_) => {
                self.customers.ask_again(now, key);
            }
            Outcome::Retry(_) | Outcome::Ambiguous | Outcome::Pending(_) => {
                self.look_up_failed(now, key, &Endpoint::CustomerRead);
            }
        }
    }

    pub(in crate::machine) fn on_resolve_identified(
        &mut self,
        now: Instant,
        key: &CustomerKey,
        outcome: Outcome<Option<Arc<str>>>,
    ) {
        match outcome {
            Outcome::Delivered(Some(id)) => {
                self.learn_customer(key, &id, ResolvedBy::Tracking, None);
            }
            Outcome::Delivered(None) => self.customers.must_read(key),
            Outcome::Reject(detail) => self.refuse_customer(key, &detail),
            Outcome::Split(SplitHint { detail, .. }) => self.refuse_customer(key, &detail),
            // Repeating it changes nothing: an identity with only keys just finds or creates a customer.
            Outcome::Retry(RetryCause::OrgQuota) => self.customers.ask_again(now, key),
            Outcome::Hold(_)
                if self.is_waited_out(Some(Family::Tracking)) || !self.customers.identifies() =>
            {
                self.customers.ask_again(now, key);
            }
            // That a role is missing is not proved yet.
            Outcome::Hold(_) | Outcome::Retry(_) | Outcome::Ambiguous | Outcome::Pending(_) => {
                self.look_up_failed(now, key, &Endpoint::Identity);
            }
        }
    }

    pub(in crate::machine) fn on_customers_submitted(
        &mut self,
        now: Instant,
        keys: BTreeMap<String, CustomerKey>,
        with_refs: bool,
        outcome: Outcome<()>,
    ) {
        match outcome {
            Outcome::Pending(ticket) => {
                let dear = !self.price(now).is_nothing();
                let items = JobItems::Customers { keys };
                self.jobs.add(now, ticket, items, with_refs, dear);
            }
            Outcome::Split(hint) => self.split_customers(now, keys, &hint),
            Outcome::Reject(detail) => {
                let hint = SplitHint::unnamed(detail);
                self.split_customers(now, keys, &hint);
            }
            // Duplicate customers are refused, so one that was created is found by the next look-up.
            Outcome::Retry(RetryCause::OrgQuota) | Outcome::Hold(_) => {
                for key in in_order(keys) {
                    self.customers.ask_again(now, &key);
                }
            }
            Outcome::Delivered(()) | Outcome::Retry(_) | Outcome::Ambiguous => {
                for key in in_order(keys) {
                    self.look_up_failed(now, &key, &Endpoint::CustomerCreate);
                }
            }
        }
    }

    /// A create of customers was refused as a whole: the guilty one is refused if it is named, and the others are asked about
    /// again. If none is named, each is asked about alone, so that it has its own answer.
    fn split_customers(
        &mut self,
        now: Instant,
        keys: BTreeMap<String, CustomerKey>,
        hint: &SplitHint,
    ) {
        if hint.refs_refused && self.customers.name_no_more() {
            self.turn.fact(Fact::RefsOff);
            for key in in_order(keys) {
                self.customers.ask_again(now, &key);
            }
            return;
        }
        let guilty = hint.item.map(|index| format!("c{index}"));
        let mut keys: Vec<(String, CustomerKey)> = keys.into_iter().collect();
        keys.sort_unstable();
        for (reference, key) in keys {
            if guilty.as_ref() == Some(&reference) {
                self.refuse_customer(&key, &hint.detail);
            } else if guilty.is_some() {
                self.customers.ask_again(now, &key);
            } else {
                self.customers.ask_alone(&key);
            }
        }
    }

    /// A question about a customer failed: it is asked again later, and given up if it keeps failing while others of its kind
    /// succeed.
    pub(in crate::machine) fn look_up_failed(
        &mut self,
        now: Instant,
        key: &CustomerKey,
        endpoint: &Endpoint,
    ) {
        let attempt = self.customers.failures(key) + 1;
        let delay = self
            .settings
            .retry
            .delay(attempt, None, &mut self.turn.jitter);
        let succeeded = self.health.successes.of(endpoint);
        let sick = self.customers.failed(now, delay, key, succeeded);
        if sick >= self.settings.max_failures {
            for operation in self.customers.found(key) {
                let detail = format!(
                    "finding its customer failed {sick} times while other requests of its kind succeeded"
                );
                self.finish_rejected(operation, Rejection::RetriesExhausted, detail);
            }
        }
    }

    /// Whether a hold keeps back the next such question until it may be asked.
    fn is_waited_out(&self, family: Option<Family>) -> bool {
        let narrow = family.map(Scope::Family);
        self.health.holds.is_held(&Scope::Destination)
            || narrow.is_some_and(|scope| self.health.holds.is_held(&scope))
    }

    pub(in crate::machine) fn refuse_customer(&mut self, key: &CustomerKey, detail: &str) {
        for operation in self.customers.found(key) {
            let detail = format!("the customer was refused: {detail}");
            self.finish_rejected(operation, Rejection::RefusedByApi, detail);
        }
    }

    fn ask_all_again(&mut self, now: Instant, customers: &[CustomerKey]) {
        for customer in customers {
            self.customers.ask_again(now, customer);
        }
    }
}
