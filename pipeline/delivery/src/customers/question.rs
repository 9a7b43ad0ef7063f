//! Which question is asked next, and which may be asked at all.

use std::time::{Duration, Instant};

use super::line::{Line, Queue};
use super::search::Searches;
use super::way::{Later, Way, Ways};
use super::{Allowed, Customers, Phase, Question};
use crate::common::price::{BULK, Price};
use ingest_model::batch::MAX_ITEMS;
use ingest_model::operation::CustomerKey;

/// Up to this many customers that certainly exist are read one by one; more of them share a search.
const FEW: usize = 2;

/// The question that is due.
#[derive(Debug, Clone, Copy)]
enum Next {
    Read,
    Alone,
    /// One search for customers that exist.
    SearchExisting,
    /// A read of the first customer in this line.
    ReadFirst(Line),
    /// An identity for the first customer in this line.
    Identify(Line),
    /// A create of those that were not found, and of those not asked about if that is their way.
    Create {
        unasked: bool,
    },
    Search,
}

impl Customers {
    /// Another API key is in use, which may make searches and identities.
    pub(crate) fn allow_all(&mut self) {
        self.searches.turn_on();
        self.identify_off = false;
    }

    /// Whether a question is due that may be sent. Changes nothing.
    pub(crate) fn due(&self, now: Instant, price: Price, allowed: Allowed) -> bool {
        self.next(now, price, allowed).is_some()
    }

    /// Takes the question that is due and may be sent, if there is one.
    pub(crate) fn ask(&mut self, now: Instant, price: Price, allowed: Allowed) -> Option<Question> {
        match self.next(now, price, allowed)? {
            Next::Read => {
                let customer = self.read.pop()?;
                Some(self.read_question(customer))
            }
            Next::Alone => {
                let customer = self.alone.pop()?;
                self.under_way(&customer);
                Some(if self.may_identify(allowed) {
                    Question::Identify(customer)
                } else {
                    Question::Create(vec![customer])
                })
            }
            Next::SearchExisting => {
                let customers = self.take_search(&[Line::Exists]);
                self.searches.sent(now);
                Some(Question::Search(customers))
            }
            Next::ReadFirst(line) => {
                let customer = self.lines.of(line).pop()?;
                if let Some(wanted) = self.wanted.get_mut(&customer) {
                    wanted.next_key = 0;
                }
                Some(self.read_question(customer))
            }
            Next::Identify(line) => {
                let customer = self.lines.of(line).pop()?;
                self.under_way(&customer);
                Some(Question::Identify(customer))
            }
            Next::Create { unasked } => Some(self.create_question(unasked)),
            Next::Search => {
                let customers = self.take_search(&[Line::Unasked, Line::MustExist]);
                self.searches.sent(now);
                Some(Question::Search(customers))
            }
        }
    }

    /// Whether no way to a customer is open, however many permits there are. `false` while a question about it is in flight.
    pub(crate) fn is_kept_back(&self, customer: &CustomerKey, allowed: Allowed) -> bool {
        let make = allowed.create || self.may_identify(allowed);
        let search = allowed.search && self.searches();
        match self.phase(customer) {
            Some(Phase::Read) => !allowed.read,
            Some(Phase::Alone | Phase::In(Line::Missing, _)) => !make,
            Some(Phase::In(Line::Unasked, _)) => !make && !search,
            Some(Phase::In(Line::MustExist, _)) => !allowed.read && !search,
            Some(Phase::In(Line::Exists, _)) => {
                !allowed.read && !search && !self.may_identify(allowed)
            }
            Some(
                Phase::In(Line::Answer, _)
                | Phase::Object
                | Phase::UnderWay
                | Phase::Parked(_)
                | Phase::Delayed(_),
            )
            | None => false,
        }
    }

    fn next(&self, now: Instant, price: Price, allowed: Allowed) -> Option<Next> {
        if self.is_idle() {
            return None;
        }
        if allowed.read && self.read.has(allowed.live_only) {
            return Some(Next::Read);
        }
        if self.alone.has(allowed.live_only) && (allowed.create || self.may_identify(allowed)) {
            return Some(Next::Alone);
        }
        let searches = if allowed.search {
            self.searches.state(now, allowed.live_only)
        } else {
            Searches::Never
        };
        let existing = self.next_existing(searches, allowed);
        existing
            .or_else(|| self.next_missing(now, searches, price, allowed))
            .or_else(|| self.next_unasked(now, searches, price, allowed))
    }

    /// Customers of whom somebody has a key: there is nothing to wait for.
    fn next_existing(&self, searches: Searches, allowed: Allowed) -> Option<Next> {
        let waiting = self.lines.exists.count(allowed.live_only);
        if !self.lines.exists.has(allowed.live_only) {
            return None;
        }
        if waiting > FEW && searches == Searches::Now {
            return Some(Next::SearchExisting);
        }
        if waiting > 0 && allowed.read {
            return Some(Next::ReadFirst(Line::Exists));
        }
        (waiting > 0 && self.may_identify(allowed)).then_some(Next::Identify(Line::Exists))
    }

    fn next_missing(
        &self,
        now: Instant,
        searches: Searches,
        price: Price,
        allowed: Allowed,
    ) -> Option<Next> {
        let waiting = self.lines.missing.count(allowed.live_only);
        let wanted = self.lines.missing.has(allowed.live_only);
        if !wanted || !self.is_due(&self.lines.missing, MAX_ITEMS, now, price, BULK) {
            return None;
        }
        let unasked =
            self.way_of_unasked(now, searches, price, allowed) == Some(Way::Make) && allowed.create;
        let unasked_too = self.lines.unasked.count(allowed.live_only);
        let together = waiting + if unasked { unasked_too } else { 0 };
        // One or two are created by identities: at most two requests. A bulk create costs as many and takes seconds.
        if self.may_identify(allowed) && (together <= FEW || !allowed.create) {
            return Some(Next::Identify(Line::Missing));
        }
        allowed.create.then_some(Next::Create { unasked })
    }

    /// For customers not asked about yet: of the two lines, the one whose first customer has waited longer comes first.
    fn next_unasked(
        &self,
        now: Instant,
        searches: Searches,
        price: Price,
        allowed: Allowed,
    ) -> Option<Next> {
        let (may_be_made, must_exist) = (&self.lines.unasked, &self.lines.must_exist);
        let make = || self.next_makeable(now, searches, price, allowed);
        let look = || self.next_must_exist(now, searches, price, allowed);
        let looks_first = match (may_be_made.oldest(), must_exist.oldest()) {
            (Some(one), Some(other)) => other < one,
            (None, other) => other.is_some(),
            (Some(_), None) => false,
        };
        if looks_first {
            look().or_else(make)
        } else {
            make().or_else(look)
        }
    }

    fn next_makeable(
        &self,
        now: Instant,
        searches: Searches,
        price: Price,
        allowed: Allowed,
    ) -> Option<Next> {
        let line = &self.lines.unasked;
        if !line.has(allowed.live_only) {
            return None;
        }
        let due = |full, requests| self.is_due(line, full, now, price, requests);
        match self.way_of_unasked(now, searches, price, allowed)? {
            Way::Search => due(self.a_search(line), 1.0).then_some(Next::Search),
            Way::Make => due(MAX_ITEMS, BULK).then_some(Next::Create { unasked: true }),
            Way::Each => due(usize::MAX, 1.0).then_some(Next::Identify(Line::Unasked)),
        }
    }

    fn way_of_unasked(
        &self,
        now: Instant,
        searches: Searches,
        price: Price,
        allowed: Allowed,
    ) -> Option<Way> {
        let line = &self.lines.unasked;
        let ways = Ways {
            search: searches,
            make: allowed.create,
            each: self.may_identify(allowed),
        };
        let later = Later {
            price,
            search_in: self.search_in(now),
        };
        // What is cheapest for many of backfill may take long.
        let waiting = line.count(allowed.live_only);
        ways.best(&self.share, waiting, self.a_search(line), later)
    }

    /// How long until a search may be sent, if none may now.
    fn search_in(&self, now: Instant) -> Duration {
        let next = self.searches.next();
        next.map_or(Duration::ZERO, |at| at.saturating_duration_since(now))
    }

    /// How many customers of a line fit into one search.
    fn a_search(&self, line: &Queue) -> usize {
        (self.searches.terms() / self.keys_of_first(line)).max(1)
    }

    fn next_must_exist(
        &self,
        now: Instant,
        searches: Searches,
        price: Price,
        allowed: Allowed,
    ) -> Option<Next> {
        let line = &self.lines.must_exist;
        let wanted = line.has(allowed.live_only);
        if !wanted || !self.is_due(line, self.a_search(line), now, price, 1.0) {
            return None;
        }
        let read = allowed.read.then_some(Next::ReadFirst(Line::MustExist));
        let live_only = allowed.live_only;
        let alone = line.count(live_only) == 1 && self.lines.unasked.count(live_only) == 0;
        match searches {
            // A read by a single key is as cheap as a search, and it is proof.
            Searches::Now if alone && self.keys_of_first(line) == 1 => read.or(Some(Next::Search)),
            Searches::Now => Some(Next::Search),
            Searches::Later if !price.is_worth(1.0, self.search_in(now)) => None,
            Searches::Later | Searches::Never => read,
        }
    }

    fn may_identify(&self, allowed: Allowed) -> bool {
        allowed.identify && !self.identify_off
    }

    /// How many keys the first customer of a line has; taken as an estimate for the others.
    fn keys_of_first(&self, line: &Queue) -> usize {
        line.first()
            .and_then(|customer| self.keys(customer))
            .map_or(1, <[CustomerKey]>::len)
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

    fn create_question(&mut self, unasked: bool) -> Question {
        let mut customers = Vec::new();
        while customers.len() < MAX_ITEMS {
            let next = self.lines.missing.pop();
            let next = next.or_else(|| unasked.then(|| self.lines.unasked.pop()).flatten());
            let Some(customer) = next else { break };
            self.under_way(&customer);
            customers.push(customer);
        }
        Question::Create(customers)
    }

    /// Takes customers for a search, at least one, from the line whose first has waited longest at the time.
    fn take_search(&mut self, lines: &[Line]) -> Vec<CustomerKey> {
        let mut customers = Vec::new();
        let mut terms = 0;
        loop {
            let first = lines
                .iter()
                .filter_map(|line| Some((self.lines.of(*line).oldest()?, *line)))
                .min_by_key(|(since, _)| *since);
            let Some((_, line)) = first else { break };
            let Some(customer) = self.lines.of(line).first().cloned() else {
                break;
            };
            let count = self.keys(&customer).map_or(0, <[CustomerKey]>::len);
            if !customers.is_empty() && terms + count > self.searches.terms() {
                break;
            }
            self.lines.of(line).pop();
            terms += count;
            self.under_way(&customer);
            customers.push(customer);
        }
        customers
    }
}
