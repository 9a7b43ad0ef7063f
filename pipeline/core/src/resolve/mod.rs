//! Finding the Kustomer id of customers that objects wait for, as cheaply as possible.
//!
//! The cheapest answer is one that is due anyway: an identity or event of the same customer under way. Else many keys share
//! one search; who is not found is made in bulk, or, where the route says so, waited for or refused. A search index may lag,
//! so "not found" is never taken as proof: a create that meets a duplicate leads to a read by key.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::lane::OperationId;
use crate::operation::{CustomerKey, CustomerRef, MissingCustomer};
use crate::pack::{MAX_ITEMS, Patience};

/// Customers that something waits for.
#[derive(Debug)]
pub struct Resolver {
    wanted: HashMap<CustomerKey, Wanted>,
    search: Queue,
    create: Queue,
    read: VecDeque<CustomerKey>,
    alone: VecDeque<CustomerKey>,
    parked: BTreeSet<(Instant, CustomerKey)>,
    settings: ResolverSettings,
    search_terms: usize,
    search_off: bool,
    identify_off: bool,
    recent_searches: VecDeque<Instant>,
    search_cap: usize,
}

/// Times and limits, already scaled.
#[derive(Debug, Clone, Copy)]
pub struct ResolverSettings {
    /// When a look-up that is not full leaves.
    pub patience: Patience,
    /// How long a customer that is missing is waited for.
    pub park_for: Duration,
    /// The API's minute.
    pub minute: Duration,
}

#[derive(Debug)]
struct Wanted {
    customer: CustomerRef,
    waiting: Vec<OperationId>,
    stage: Stage,
}

/// Customers in the order in which they began to wait, from which any can be taken.
#[derive(Debug, Default)]
struct Queue {
    entries: BTreeMap<u64, (Instant, CustomerKey)>,
    next: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Search(u64),
    Create(u64),
    Read,
    Alone,
    UnderWay,
    Parked(Instant),
}

/// What to ask next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// All keys of these customers at once.
    Search(Vec<CustomerKey>),
    /// Make these.
    Create(Vec<CustomerKey>),
    /// Find or make one by an identity with nothing but its keys: one unit, and certain.
    Identify(CustomerKey),
    /// Read one by its key.
    Read(CustomerKey),
}

/// What becomes of a customer that a look-up did not find.
#[derive(Debug, PartialEq, Eq)]
pub enum NotFound {
    /// Another question follows.
    Continues,
    /// Nobody has the key: these operations are refused.
    Refused(Vec<OperationId>),
}

impl Resolver {
    /// Nobody is wanted yet.
    #[must_use]
    pub fn new(settings: ResolverSettings) -> Self {
        Self {
            wanted: HashMap::new(),
            search: Queue::default(),
            create: Queue::default(),
            read: VecDeque::new(),
            alone: VecDeque::new(),
            parked: BTreeSet::new(),
            settings,
            search_terms: MAX_ITEMS,
            search_off: false,
            identify_off: false,
            recent_searches: VecDeque::new(),
            search_cap: 0,
        }
    }

    /// Searches a minute this replica may make of the 100 that the organisation has.
    pub fn set_search_cap(&mut self, cap: usize) {
        self.search_cap = cap;
    }

    /// An operation waits for a customer.
    pub fn want(&mut self, now: Instant, customer: &CustomerRef, operation: OperationId) {
        let first = customer.first().clone();
        if let Some(wanted) = self.wanted.get_mut(&first) {
            wanted.waiting.push(operation);
            return;
        }
        let wanted = Wanted {
            customer: customer.clone(),
            waiting: vec![operation],
            stage: Stage::UnderWay,
        };
        self.wanted.insert(first.clone(), wanted);
        self.enqueue_look_up(now, first);
    }

    /// An operation waits no longer (its partition was handed back).
    pub fn unwant(&mut self, customer: &CustomerRef, operation: OperationId) {
        if let Some(wanted) = self.wanted.get_mut(customer.first()) {
            wanted.waiting.retain(|id| *id != operation);
            if wanted.waiting.is_empty() && wanted.stage != Stage::UnderWay {
                self.forget(customer.first());
            }
        }
    }

    /// The customer is known now: whoever waited for it.
    pub fn found(&mut self, key: &CustomerKey) -> Vec<OperationId> {
        self.forget(key)
    }

    /// A look-up under way came back without this customer.
    pub fn not_found(&mut self, now: Instant, key: &CustomerKey) -> NotFound {
        let Some(wanted) = self.wanted.get_mut(key) else {
            return NotFound::Continues;
        };
        match wanted.customer.missing {
            MissingCustomer::Create => {
                wanted.stage = Stage::Create(self.create.push(now, key.clone()));
                NotFound::Continues
            }
            MissingCustomer::Park => {
                let until = now + self.settings.park_for;
                wanted.stage = Stage::Parked(until);
                self.parked.insert((until, key.clone()));
                NotFound::Continues
            }
            MissingCustomer::Reject => {
                wanted.stage = Stage::Read;
                self.read.push_back(key.clone());
                NotFound::Continues
            }
        }
    }

    /// A read by key came back empty: proof that nobody has it.
    pub fn proved_missing(&mut self, now: Instant, key: &CustomerKey) -> NotFound {
        match self.wanted.get(key).map(|wanted| wanted.customer.missing) {
            Some(MissingCustomer::Reject) => NotFound::Refused(self.forget(key)),
            Some(MissingCustomer::Create | MissingCustomer::Park) => self.not_found(now, key),
            None => NotFound::Continues,
        }
    }

    /// A create met somebody who has the key: read by key.
    pub fn exists(&mut self, key: &CustomerKey) {
        if let Some(wanted) = self.wanted.get_mut(key) {
            wanted.stage = Stage::Read;
            self.read.push_back(key.clone());
        }
    }

    /// A question came to nothing and is to be asked again.
    pub fn ask_again(&mut self, now: Instant, key: &CustomerKey) {
        if self.wanted.contains_key(key) {
            self.enqueue_look_up(now, key.clone());
        }
    }

    /// The search was refused for its size: half as many terms from now on. `false` if it cannot be smaller.
    pub fn halve_search(&mut self) -> bool {
        self.search_terms /= 2;
        if self.search_terms < 2 {
            self.turn_search_off();
            return false;
        }
        true
    }

    /// The search is of no use here (no role, or its answers name no keys).
    pub fn turn_search_off(&mut self) {
        self.search_off = true;
        self.search_terms = self.search_terms.max(2);
    }

    /// Identities are not allowed for this key: customers are made in bulk, even one.
    pub fn turn_identify_off(&mut self) {
        self.identify_off = true;
    }

    /// Asks for one customer on its own, where the answer is about nobody else.
    pub fn ask_alone(&mut self, key: &CustomerKey) {
        if let Some(wanted) = self.wanted.get_mut(key) {
            wanted.stage = Stage::Alone;
            self.alone.push_back(key.clone());
        }
    }

    /// Whether the search is used.
    #[must_use]
    pub fn searches(&self) -> bool {
        !self.search_off
    }

    /// The question that is due. It changes nothing.
    #[must_use]
    pub fn due(&self, now: Instant, plenty: bool) -> bool {
        !self.read.is_empty()
            || !self.alone.is_empty()
            || self.is_due(&self.create, MAX_ITEMS, now, plenty)
            || (self.may_search(now) && self.is_due(&self.search, self.search_terms, now, plenty))
    }

    /// When a question will be due by its patience.
    #[must_use]
    pub fn next_due(&self, plenty: bool) -> Option<Instant> {
        let patience = self.patience(plenty);
        let create = self.create.oldest().map(|since| since + patience);
        let search = self.search.oldest().map(|since| {
            let due = since + patience;
            match self.recent_searches.front() {
                Some(first) if self.recent_searches.len() >= self.search_cap => {
                    due.max(*first + self.settings.minute)
                }
                Some(_) | None => due,
            }
        });
        let parked = self.parked.first().map(|(until, _)| *until);
        [create, search, parked].into_iter().flatten().min()
    }

    /// Takes the question that is due, if one is.
    pub fn ask(&mut self, now: Instant, plenty: bool) -> Option<Question> {
        while let Some(key) = self.read.pop_front() {
            if matches!(self.stage(&key), Some(Stage::Read)) {
                self.under_way(&key);
                return Some(Question::Read(key));
            }
        }
        if let Some(key) = self.alone.pop_front() {
            self.under_way(&key);
            return Some(self.one_alone(key));
        }
        if self.is_due(&self.create, MAX_ITEMS, now, plenty) {
            return self.create_question();
        }
        self.forget_old_searches(now);
        if self.may_search(now) && self.is_due(&self.search, self.search_terms, now, plenty) {
            let keys = self.take_search();
            return self.search_question(now, keys);
        }
        None
    }

    /// Customers whose patience ended: their operations are refused.
    pub fn expired(&mut self, now: Instant) -> Vec<OperationId> {
        let mut refused = Vec::new();
        while let Some((until, key)) = self.parked.first().cloned() {
            if until > now {
                break;
            }
            self.parked.remove(&(until, key.clone()));
            refused.extend(self.forget(&key));
        }
        refused
    }

    /// Operations that wait for a customer, and customers waited for.
    #[must_use]
    pub fn waiting(&self) -> (usize, usize) {
        (
            self.wanted.values().map(|w| w.waiting.len()).sum(),
            self.wanted.len(),
        )
    }

    /// All keys of a wanted customer.
    #[must_use]
    pub fn keys(&self, key: &CustomerKey) -> Option<&[CustomerKey]> {
        self.wanted.get(key).map(|wanted| wanted.customer.keys())
    }

    fn stage(&self, key: &CustomerKey) -> Option<Stage> {
        self.wanted.get(key).map(|wanted| wanted.stage)
    }

    fn under_way(&mut self, key: &CustomerKey) {
        if let Some(wanted) = self.wanted.get_mut(key) {
            wanted.stage = Stage::UnderWay;
        }
    }

    fn forget(&mut self, key: &CustomerKey) -> Vec<OperationId> {
        let Some(wanted) = self.wanted.remove(key) else {
            return Vec::new();
        };
        match wanted.stage {
            Stage::Parked(until) => {
                self.parked.remove(&(until, key.clone()));
            }
            Stage::Search(place) => {
                self.search.entries.remove(&place);
            }
            Stage::Create(place) => {
                self.create.entries.remove(&place);
            }
            Stage::Read => self.read.retain(|other| other != key),
            Stage::Alone => self.alone.retain(|other| other != key),
            Stage::UnderWay => {}
        }
        wanted.waiting
    }

    fn enqueue_look_up(&mut self, now: Instant, key: CustomerKey) {
        let Some(wanted) = self.wanted.get_mut(&key) else {
            return;
        };
        if !self.search_off {
            wanted.stage = Stage::Search(self.search.push(now, key));
            return;
        }
        match wanted.customer.missing {
            MissingCustomer::Create => {
                wanted.stage = Stage::Create(self.create.push(now, key));
            }
            MissingCustomer::Park | MissingCustomer::Reject => {
                wanted.stage = Stage::Read;
                self.read.push_back(key);
            }
        }
    }

    fn patience(&self, plenty: bool) -> Duration {
        if plenty {
            self.settings.patience.linger
        } else {
            self.settings.patience.max_delay
        }
    }

    fn is_due(&self, queue: &Queue, full: usize, now: Instant, plenty: bool) -> bool {
        queue.entries.len() >= full
            || queue
                .oldest()
                .is_some_and(|since| since + self.patience(plenty) <= now)
    }

    fn may_search(&self, now: Instant) -> bool {
        let recent = self
            .recent_searches
            .iter()
            .filter(|at| now.saturating_duration_since(**at) < self.settings.minute)
            .count();
        recent < self.search_cap
    }

    fn forget_old_searches(&mut self, now: Instant) {
        while self
            .recent_searches
            .front()
            .is_some_and(|at| now.saturating_duration_since(*at) >= self.settings.minute)
        {
            self.recent_searches.pop_front();
        }
    }

    /// One or two are made by identities: two units at most, where a bulk with its read costs two and takes seconds.
    fn create_question(&mut self) -> Option<Question> {
        let many = self.create.entries.len() > 2 || self.identify_off;
        let wanted = if many { MAX_ITEMS } else { 1 };
        let mut keys = Vec::new();
        while keys.len() < wanted
            && let Some((_, (_, key))) = self.create.entries.pop_first()
        {
            self.under_way(&key);
            keys.push(key);
        }
        if many {
            Some(Question::Create(keys))
        } else {
            keys.pop().map(Question::Identify)
        }
    }

    fn one_alone(&self, key: CustomerKey) -> Question {
        if self.identify_off {
            Question::Create(vec![key])
        } else {
            Question::Identify(key)
        }
    }

    fn take_search(&mut self) -> Vec<CustomerKey> {
        let mut keys = Vec::new();
        let mut terms = 0;
        while let Some(entry) = self.search.entries.first_entry() {
            let key = &entry.get().1;
            let count = self
                .wanted
                .get(key)
                .map_or(0, |wanted| wanted.customer.keys().len());
            if !keys.is_empty() && terms + count > self.search_terms {
                break;
            }
            let (_, key) = entry.remove();
            terms += count;
            self.under_way(&key);
            keys.push(key);
        }
        keys
    }

    /// A single customer that may be made is found or made by one identity; a single key that must exist is read.
    fn search_question(&mut self, now: Instant, keys: Vec<CustomerKey>) -> Option<Question> {
        if let [key] = keys.as_slice()
            && let Some(wanted) = self.wanted.get(key)
        {
            if wanted.customer.missing == MissingCustomer::Create && !self.identify_off {
                return Some(Question::Identify(key.clone()));
            }
            if wanted.customer.keys().len() == 1 {
                return Some(Question::Read(key.clone()));
            }
        }
        if keys.is_empty() {
            return None;
        }
        self.recent_searches.push_back(now);
        Some(Question::Search(keys))
    }
}

impl Queue {
    fn push(&mut self, now: Instant, key: CustomerKey) -> u64 {
        self.next += 1;
        self.entries.insert(self.next, (now, key));
        self.next
    }

    fn oldest(&self) -> Option<Instant> {
        self.entries.first_key_value().map(|(_, (since, _))| *since)
    }
}

#[cfg(test)]
mod tests;
