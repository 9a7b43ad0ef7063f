//! Which question is asked next, and what may be asked at all.

use std::time::Instant;

use super::{Allowed, Question, Resolver};
use crate::operation::{CustomerKey, MissingCustomer};
use crate::pack::MAX_ITEMS;

impl Resolver {
    /// Whether a question is due that may be sent. It changes nothing.
    #[must_use]
    pub fn due(&self, now: Instant, plenty: bool, allowed: Allowed) -> bool {
        (allowed.read && !self.read.is_empty())
            || (self.may_make(allowed, false) && !self.alone.is_empty())
            || self.is_create_due(now, plenty, allowed)
            || self.is_search_due(now, plenty, allowed)
    }

    /// Takes the question that is due and may be sent, if there is one.
    pub fn ask(&mut self, now: Instant, plenty: bool, allowed: Allowed) -> Option<Question> {
        if allowed.read
            && let Some(customer) = self.read.pop_front()
        {
            return Some(self.read_question(customer));
        }
        if self.may_make(allowed, false)
            && let Some(customer) = self.alone.pop_front()
        {
            self.under_way(&customer);
            return Some(self.one_alone(customer));
        }
        if self.is_create_due(now, plenty, allowed) {
            return self.create_question();
        }
        self.forget_old_searches(now);
        if self.is_search_due(now, plenty, allowed) {
            let customers = self.take_search();
            return self.search_question(now, customers);
        }
        None
    }

    /// Whether customers may be made now: many in bulk, one or two by identities.
    fn may_make(&self, allowed: Allowed, many: bool) -> bool {
        if many || self.identify_off {
            allowed.create
        } else {
            allowed.identify
        }
    }

    fn is_create_due(&self, now: Instant, plenty: bool, allowed: Allowed) -> bool {
        self.may_make(allowed, self.create.entries.len() > 2)
            && self.is_full_or_late(&self.create, MAX_ITEMS, now, plenty)
    }

    fn is_search_due(&self, now: Instant, plenty: bool, allowed: Allowed) -> bool {
        // One customer alone may become an identity; a search or a read needs the role to read.
        let alone = self.search.entries.len() == 1;
        (allowed.read && (!alone || allowed.identify || self.identify_off))
            && self.may_search(now)
            && self.is_full_or_late(&self.search, self.search_terms, now, plenty)
    }

    fn read_question(&mut self, customer: CustomerKey) -> Question {
        self.under_way(&customer);
        let key = self
            .wanted
            .get(&customer)
            .and_then(|wanted| wanted.customer.keys().get(wanted.next_key))
            .map_or_else(|| customer.clone(), Clone::clone);
        Question::Read { customer, key }
    }

    /// One or two are made by identities: two units at most, where a bulk with its read costs two and takes seconds.
    fn create_question(&mut self) -> Option<Question> {
        let many = self.create.entries.len() > 2 || self.identify_off;
        let wanted = if many { MAX_ITEMS } else { 1 };
        let mut customers = Vec::new();
        while customers.len() < wanted
            && let Some((_, (_, customer))) = self.create.entries.pop_first()
        {
            self.under_way(&customer);
            customers.push(customer);
        }
        if many {
            Some(Question::Create(customers))
        } else {
            customers.pop().map(Question::Identify)
        }
    }

    fn one_alone(&self, customer: CustomerKey) -> Question {
        if self.identify_off {
            Question::Create(vec![customer])
        } else {
            Question::Identify(customer)
        }
    }

    fn take_search(&mut self) -> Vec<CustomerKey> {
        let mut customers = Vec::new();
        let mut terms = 0;
        while let Some(entry) = self.search.entries.first_entry() {
            let customer = &entry.get().1;
            let count = self
                .wanted
                .get(customer)
                .map_or(0, |wanted| wanted.customer.keys().len());
            if !customers.is_empty() && terms + count > self.search_terms {
                break;
            }
            let (_, customer) = entry.remove();
            terms += count;
            self.under_way(&customer);
            customers.push(customer);
        }
        customers
    }

    /// A single customer that may be made is found or made by one identity; a single key that must exist is read.
    fn search_question(&mut self, now: Instant, customers: Vec<CustomerKey>) -> Option<Question> {
        if let [customer] = customers.as_slice()
            && let Some(wanted) = self.wanted.get_mut(customer)
        {
            if wanted.customer.missing == MissingCustomer::Create && !self.identify_off {
                return Some(Question::Identify(customer.clone()));
            }
            if wanted.customer.keys().len() == 1 {
                wanted.next_key = 0;
                return Some(self.read_question(customer.clone()));
            }
        }
        if customers.is_empty() {
            return None;
        }
        self.recent_searches.push_back(now);
        Some(Question::Search(customers))
    }
}
