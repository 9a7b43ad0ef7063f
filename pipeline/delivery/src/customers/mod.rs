//! Finding the Kustomer ids of the customers that objects wait for, as cheaply as possible.
//!
//! The cheapest answer is one that is due anyway: to an identity or event of the same customer, in flight or about to be sent.
//! Otherwise many customers share one search or, where the route creates customers and few of them exist, one bulk create. A
//! customer that is not found is created or, where the route says so, waited for or refused. The search index may lag, so its
//! "not found" is never taken as proof; a customer that turns out to exist is searched for, or read by each key.

mod known;
mod led;
mod line;
mod question;
mod queueing;
mod said;
mod search;
mod wanted;
mod way;
mod whose;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

pub(crate) use self::known::{CUSTOMERS, CustomerIds, Identities, Owners, Suppressed};
pub(crate) use self::led::Led;
use self::line::{Line, Lines, Queue, Singles};
use self::search::SearchLimit;
use self::wanted::{Phase, Wanted};
use self::way::Share;
use crate::common::price::{BULK, Price};
use ingest_model::batch::OperationId;
use ingest_model::batch::Patience;
use ingest_model::lookup::Lookup;
use ingest_model::lookup::map_bytes;
use ingest_model::operation::{CustomerKey, CustomerRef, Klass, MissingCustomer};
use ingest_model::record::Traffic;

/// How often a missing customer is looked up before it is given up.
const LOOKS: u32 = 4;

/// What a wanted customer takes besides its place in the map: its list of keys, its place in a line, its item in a job or a
/// request.
const APART: usize = 280;

/// Customers that operations wait for, and what is known of others.
#[derive(Debug)]
pub(crate) struct Customers {
    pub(crate) ids: CustomerIds,
    pub(crate) said: Identities,
    pub(crate) suppressed: Suppressed,
    owners: Owners,
    /// Items carry references, which the answers of bulk creates repeat.
    with_refs: bool,
    wanted: Lookup<CustomerKey, Wanted>,
    /// How many were wanted since the start.
    wanted_ever: u64,
    lines: Lines,
    read: Singles,
    alone: Singles,
    /// Objects to be read for their customers.
    objects: BTreeMap<Klass, Singles>,
    /// Customers that wait for a time, by that time.
    later: BTreeSet<(Instant, CustomerKey)>,
    settings: CustomerSettings,
    searches: SearchLimit,
    identify_off: bool,
    share: Share,
}

/// Times and limits; the times are already scaled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CustomerSettings {
    /// When a look-up that is not full is sent.
    pub patience: Patience,
    /// How long to wait for a missing customer.
    pub park_for: Duration,
    /// The API's minute. An answer that is due anyway is waited for twice as long.
    pub minute: Duration,
    /// How many keys to remember ids for.
    pub ids: usize,
    /// For how many customers to remember what was stated.
    pub identities: usize,
    /// For how many objects and customers to remember who they are.
    pub owners: usize,
}

/// Which kinds of questions may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowed {
    /// Searches.
    pub search: bool,
    /// Reads of customers.
    pub read: bool,
    /// Bulk creates of customers.
    pub create: bool,
    /// Identities.
    pub identify: bool,
    /// Only about customers that live records wait for. Others may share a question with them.
    pub live_only: bool,
}

/// What to ask next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Question {
    /// All keys of these customers at once.
    Search(Vec<CustomerKey>),
    /// Create these.
    Create(Vec<CustomerKey>),
    /// Find or create one by an identity that has only its keys: one unit, and certain.
    Identify(CustomerKey),
    /// Read a customer by one of its keys.
    Read {
        /// The first key, which names the customer here.
        customer: CustomerKey,
        /// The key to read by.
        key: CustomerKey,
    },
}

/// What follows when a look-up did not find a customer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotFound {
    /// Another question follows.
    Continues,
    /// Nobody has any of the keys: these operations are refused. Others may go on waiting.
    Refused(Vec<OperationId>),
}

impl Customers {
    /// No customer is wanted yet.
    pub(crate) fn new(settings: CustomerSettings) -> Self {
        Self {
            ids: CustomerIds::new(settings.ids),
            said: Identities::new(settings.identities),
            suppressed: Suppressed::default(),
            owners: Owners::new(settings.owners),
            with_refs: true,
            wanted: Lookup::default(),
            wanted_ever: 0,
            lines: Lines::default(),
            read: Singles::default(),
            alone: Singles::default(),
            objects: BTreeMap::new(),
            later: BTreeSet::new(),
            searches: SearchLimit::new(settings.minute),
            settings,
            identify_off: false,
            share: Share::default(),
        }
    }

    /// Whether items of bulk creates carry references.
    pub(crate) fn are_named(&self) -> bool {
        self.with_refs
    }

    /// The API refuses references of items. `true` if they were used until now.
    pub(crate) fn name_no_more(&mut self) -> bool {
        std::mem::take(&mut self.with_refs)
    }

    /// Sets this replica's part of the organisation's 100 searches a minute.
    pub(crate) fn set_search_cap(&mut self, cap: usize) {
        self.searches.set_cap(cap);
    }

    /// An operation waits for a customer. `due`: an answer to an event or identity of the customer is due soon anyway.
    pub(crate) fn want(
        &mut self,
        now: Instant,
        customer: &CustomerRef,
        (operation, traffic): (OperationId, Traffic),
        due: bool,
    ) {
        let first = customer.first().clone();
        if let Some(wanted) = self.wanted.get_mut(&first) {
            wanted.wait(operation, customer.missing);
            if traffic == Traffic::Live {
                self.hurry(now, &first);
            }
            return;
        }
        let mut wanted = Wanted::new(customer.clone(), traffic);
        wanted.wait(operation, customer.missing);
        self.wanted.insert(first.clone(), wanted);
        self.wanted_ever += 1;
        if due {
            self.join(now, Line::Answer, first);
        } else {
            self.enqueue_look_up(now, first);
        }
    }

    /// An answer to an event or identity of the customer is due soon: it is waited for, unless a question is in flight.
    pub(crate) fn answer_due(&mut self, now: Instant, customer: &CustomerKey) {
        if let Some(Phase::In(Line::Unasked | Line::MustExist | Line::Missing, _)) =
            self.phase(customer)
        {
            self.join(now, Line::Answer, customer.clone());
        }
    }

    /// The answer that the customer waits for is not expected any more.
    pub(crate) fn answer_not_due(&mut self, now: Instant, customer: &CustomerKey) {
        if let Some(Phase::In(Line::Answer, _)) = self.phase(customer) {
            self.enqueue_look_up(now, customer.clone());
        }
    }

    /// No answers are expected: events and identities are held.
    pub(crate) fn no_answer_due(&mut self, now: Instant) {
        while let Some(customer) = self.lines.answer.pop() {
            self.enqueue_look_up(now, customer);
        }
    }

    /// An operation no longer waits for a customer: its partition was handed back.
    pub(crate) fn unwant(&mut self, customer: &CustomerRef, operation: OperationId) {
        if let Some(wanted) = self.wanted.get_mut(customer.first()) {
            wanted.leave(operation);
            if wanted.waiting.is_empty() && wanted.phase != Phase::UnderWay {
                self.forget(customer.first());
            }
        }
    }

    /// The customer is known now, or given up. Returns the operations that waited for it.
    pub(crate) fn found(&mut self, customer: &CustomerKey) -> Vec<OperationId> {
        self.forget(customer)
    }

    /// How many customers were wanted since the start, and how many of them are not known yet.
    pub(crate) fn wanted(&self) -> (u64, u64) {
        (self.wanted_ever, self.wanted.len() as u64)
    }

    /// Notes whether a customer that may be created existed when it was asked about.
    pub(crate) fn note_share(&mut self, customer: &CustomerKey, there: bool) {
        let may_be_made = self
            .wanted
            .get(customer)
            .is_some_and(|wanted| wanted.customer.missing == MissingCustomer::Create);
        if may_be_made {
            self.share.note(there);
        }
    }

    /// A search came back without this customer, which is no proof that it does not exist.
    pub(crate) fn not_found(&mut self, now: Instant, customer: &CustomerKey) {
        if self.is_for_nobody(customer) {
            return;
        }
        let Some(wanted) = self.wanted.get(customer) else {
            return;
        };
        match wanted.customer.missing {
            // It exists, so the search index lags; a read does not.
            MissingCustomer::Create if wanted.exists => self.enqueue_read(customer),
            MissingCustomer::Create => self.join(now, Line::Missing, customer.clone()),
            MissingCustomer::Park => self.park(now, customer),
            MissingCustomer::Reject | MissingCustomer::Skip => self.enqueue_read(customer),
        }
    }

    /// A read by one key found nothing: that is proof for the key, and for the customer if it was the last key.
    pub(crate) fn proved_missing(&mut self, now: Instant, customer: &CustomerKey) -> NotFound {
        let Some(wanted) = self.wanted.get_mut(customer) else {
            return NotFound::Continues;
        };
        if wanted.waiting.is_empty() {
            self.forget(customer);
            return NotFound::Continues;
        }
        wanted.next_key += 1;
        if wanted.next_key < wanted.customer.keys().len() {
            wanted.phase = Phase::Read;
            self.read.push(wanted.traffic, customer.clone());
            return NotFound::Continues;
        }
        match wanted.customer.missing {
            MissingCustomer::Reject | MissingCustomer::Skip => {
                return NotFound::Refused(self.forget(customer));
            }
            MissingCustomer::Park if wanted.looks >= LOOKS => {
                return NotFound::Refused(self.forget(customer));
            }
            MissingCustomer::Park => self.park(now, customer),
            // Neither found nor to be created in bulk: an identity settles it.
            MissingCustomer::Create if wanted.exists => self.ask_alone(customer),
            MissingCustomer::Create => self.join(now, Line::Missing, customer.clone()),
        }
        self.refuse_hasty(customer)
    }

    /// A create was refused because somebody has one of the keys.
    pub(crate) fn exists(&mut self, now: Instant, customer: &CustomerKey) {
        if let Some(wanted) = self.wanted.get_mut(customer) {
            wanted.exists = true;
            self.enqueue_look_up(now, customer.clone());
        }
    }

    /// An identity was accepted, but the answer did not name the customer: it is read by each key.
    pub(crate) fn must_read(&mut self, customer: &CustomerKey) {
        self.enqueue_read(customer);
    }

    /// A question got no answer, through no fault of the customer: it is asked again as soon as it may be.
    pub(crate) fn ask_again(&mut self, now: Instant, customer: &CustomerKey) {
        if self.wanted.contains_key(customer) {
            self.enqueue_look_up(now, customer.clone());
        }
    }

    /// A question failed and is asked again after the delay. `succeeded`: when one of the same kind last succeeded. Returns how
    /// often this customer's questions failed although others succeeded in between.
    pub(crate) fn failed(
        &mut self,
        now: Instant,
        delay: Duration,
        customer: &CustomerKey,
        succeeded: Option<Instant>,
    ) -> u32 {
        let Some(wanted) = self.wanted.get_mut(customer) else {
            return 0;
        };
        wanted.failures = wanted.failures.saturating_add(1);
        let between = wanted.failed_at.replace(now).zip(succeeded);
        if between.is_some_and(|(before, succeeded)| succeeded >= before) {
            wanted.sick += 1;
        }
        let until = now + delay;
        wanted.phase = Phase::Delayed(until);
        self.later.insert((until, customer.clone()));
        wanted.sick
    }

    /// How often questions about this customer failed.
    pub(crate) fn failures(&self, customer: &CustomerKey) -> u32 {
        self.wanted
            .get(customer)
            .map_or(0, |wanted| wanted.failures)
    }

    /// A search was refused for its size: from now on they have half as many terms. `false` if that leaves only one.
    pub(crate) fn halve_search(&mut self) -> bool {
        self.searches.halve()
    }

    /// Searches are of no use here (no role, or their answers name no keys): customers are found in other ways.
    pub(crate) fn turn_search_off(&mut self) {
        self.searches.turn_off();
    }

    /// Identities are not allowed for this API key: customers are created in bulk, even a single one.
    pub(crate) fn turn_identify_off(&mut self) {
        self.identify_off = true;
    }

    /// Whether identities are used.
    pub(crate) fn identifies(&self) -> bool {
        !self.identify_off
    }

    /// Asks about this customer alone, so that the answer is about nobody else.
    pub(crate) fn ask_alone(&mut self, customer: &CustomerKey) {
        if self.is_for_nobody(customer) {
            return;
        }
        if let Some(wanted) = self.wanted.get_mut(customer) {
            wanted.phase = Phase::Alone;
            self.alone.push(wanted.traffic, customer.clone());
        }
    }

    /// Whether searches are used.
    pub(crate) fn searches(&self) -> bool {
        !self.searches.is_off()
    }

    /// Customers whose time has come are asked about, again or for the first time.
    pub(crate) fn tick(&mut self, now: Instant) {
        while let Some(since) = self.lines.answer.oldest()
            && since + self.answer_wait() <= now
            && let Some(customer) = self.lines.answer.pop()
        {
            self.enqueue_look_up(now, customer);
        }
        while let Some((until, customer)) = self.later.first().cloned() {
            if until > now {
                break;
            }
            self.later.pop_first();
            match self.phase(&customer) {
                Some(Phase::Parked(at)) if at == until => self.enqueue_read(&customer),
                Some(Phase::Delayed(at)) if at == until => self.enqueue_look_up(now, customer),
                Some(_) | None => {}
            }
        }
    }

    /// When, after that time, the next question will be due.
    pub(crate) fn next_due(&self, after: Instant, price: Price) -> Option<Instant> {
        let lines = &self.lines;
        let due = |line: &Queue, requests| line.due_at(self.settings.patience, price, requests);
        let asks = [
            due(&lines.unasked, 1.0),
            due(&lines.unasked, BULK),
            due(&lines.must_exist, 1.0),
            due(&lines.missing, BULK),
        ];
        // Searches are used up: later one may be sent again, or another way is taken once permits have accumulated.
        let full = lines.has_unasked().then(|| self.searches.next()).flatten();
        let gathered = full.map(|_| after + self.settings.patience.max_delay);
        let answer = lines.answer.oldest().map(|at| at + self.answer_wait());
        let later = self.later.first().map(|(until, _)| *until);
        asks.into_iter()
            .chain([full, gathered, answer, later])
            .flatten()
            .filter(|at| *at > after)
            .min()
    }

    /// How many operations wait for customers, and how many customers are wanted.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        (
            self.wanted.sum(|wanted| wanted.waiting.len()),
            self.wanted.len(),
        )
    }

    /// The bytes that it occupies, about.
    pub(crate) fn bytes(&self) -> usize {
        let wanted = map_bytes::<CustomerKey, Wanted>(self.wanted.capacity());
        wanted + self.wanted.len() * APART + self.owners.bytes()
    }

    /// Whether no customer is wanted.
    pub(crate) fn is_idle(&self) -> bool {
        self.wanted.is_empty()
    }

    /// All keys of a wanted customer.
    pub(crate) fn keys(&self, customer: &CustomerKey) -> Option<&[CustomerKey]> {
        self.wanted
            .get(customer)
            .map(|wanted| wanted.customer.keys())
    }

    fn phase(&self, customer: &CustomerKey) -> Option<Phase> {
        self.wanted.get(customer).map(|wanted| wanted.phase)
    }

    fn under_way(&mut self, customer: &CustomerKey) {
        if let Some(wanted) = self.wanted.get_mut(customer) {
            wanted.phase = Phase::UnderWay;
        }
    }

    fn forget(&mut self, customer: &CustomerKey) -> Vec<OperationId> {
        let Some(wanted) = self.wanted.remove(customer) else {
            return Vec::new();
        };
        match wanted.phase {
            Phase::Parked(until) | Phase::Delayed(until) => {
                self.later.remove(&(until, customer.clone()));
            }
            Phase::In(line, place) => self.lines.of(line).remove(place),
            Phase::Read => self.read.remove(customer),
            Phase::Alone => self.alone.remove(customer),
            Phase::Object => self.drop_object(customer),
            Phase::UnderWay => {}
        }
        wanted.waiting.into_vec()
    }

    /// How long to wait for an answer that is due anyway.
    fn answer_wait(&self) -> Duration {
        self.settings.minute * 2
    }

    /// Whether a line fills a question, or those in it have waited enough for so many requests.
    fn is_due(&self, line: &Queue, full: usize, now: Instant, price: Price, requests: f64) -> bool {
        let due = line.due_at(self.settings.patience, price, requests);
        line.len() >= full || due.is_some_and(|at| at <= now)
    }
}

#[cfg(test)]
mod tests;
