//! Counting: the account, the journal, and how writes are judged.

use std::cmp::Ordering;
use std::hash::{BuildHasher as _, Hash, Hasher as _};

use foldhash::quality::FixedState;
use serde_json::{Map, Value};

use super::{Caller, Sim};
use crate::api::endpoint::Endpoint;
use crate::api::error::{ApiError, Refusal};
use crate::fault::Plan;
use crate::organisation::account::journal::JournalEntry;
use crate::organisation::account::{Account, count};
use crate::organisation::store::compare_versions;
use crate::time::parse_instant;

impl Sim {
    /// What was counted up to the latest time that it was given.
    #[must_use]
    pub fn account(&self) -> Account {
        let mut account = self.counts.clone();
        account.windows = self.org.windows();
        account.kobjects_total = self.store.objects.count();
        account.customers_total = self.store.customers.count();
        account.bulk.unfinished = self.jobs.unfinished();
        account
    }

    /// The journal's entries after number `since`, as far back as it reaches.
    pub fn journal(&self, since: u64) -> impl Iterator<Item = JournalEntry> {
        self.journal.since(since)
    }

    pub(super) fn count_request(
        &mut self,
        endpoint: Endpoint,
        status: u16,
        items: u32,
        refusal: Option<Refusal>,
        plan: &Plan,
    ) {
        let counts = &mut self.counts;
        counts.requests.total += 1;
        count(&mut counts.requests.by_endpoint, endpoint.as_str());
        *counts.requests.by_status.entry(status).or_default() += 1;
        if let Some(refusal) = refusal {
            count(&mut counts.refused, refusal.as_str());
        }
        for rule in &plan.hits {
            count(&mut counts.faults, self.faults.label(*rule));
        }
        self.journal.write(self.now, endpoint, status, items);
    }

    /// Judges an accepted tracking event by its reserved `meta` keys.
    pub(super) fn judge_event(&mut self, customer: Option<u32>, meta: Option<&Map<String, Value>>) {
        let field = |name| meta?.get(name)?.as_str();
        let key = field("eventKey");
        let occurred = field("occurredAt")
            .and_then(parse_instant)
            .map(|at| at.as_microsecond());
        self.counts.accepted.tracking += 1;
        if key.is_none() || occurred.is_none() {
            self.counts.unjudged.tracking += 1;
        }
        let repeated = key.is_some_and(|key| !self.store.events.note_key(key));
        if repeated {
            self.counts.repeated.tracking += 1;
        }
        let customer = customer.and_then(|position| self.store.customers.get_mut(position));
        let (Some(customer), Some(occurred)) = (customer, occurred) else {
            return;
        };
        if customer
            .latest_occurred
            .is_some_and(|latest| occurred < latest)
        {
            self.counts.out_of_order.tracking += 1;
            self.counts.out_of_order_repeats += u64::from(repeated);
        }
        customer.latest_occurred = customer.latest_occurred.max(Some(occurred));
    }

    /// Judges a created object.
    pub(super) fn judge_create(&mut self, beside_another: bool, judged: bool) {
        self.counts.accepted.kobjects_created += 1;
        self.counts.repeated.kobjects += u64::from(beside_another);
        self.counts.unjudged.kobjects += u64::from(!judged);
    }

    /// Judges an update of an object by the stored version and the one that it carries, and by what was written under it.
    pub(super) fn judge_update(
        &mut self,
        position: u32,
        stored: Option<&str>,
        carried: Option<&str>,
        print: u64,
    ) {
        self.counts.accepted.kobjects_updated += 1;
        let order = match (stored, carried) {
            (_, None) => None,
            (Some(stored), Some(carried)) => compare_versions(carried, stored),
            (None, Some(_)) => Some(Ordering::Greater),
        };
        let Some(order) = order else {
            self.counts.unjudged.kobjects += 1;
            return;
        };
        self.counts.out_of_order.kobjects += u64::from(order.is_lt());
        let set_back = self.note_written(position, order.is_ne(), print);
        self.counts.set_back.kobjects += u64::from(set_back);
    }

    /// Records what was written of an object. A write under another version clears what was recorded before.
    pub(super) fn note_written(&mut self, position: u32, afresh: bool, print: u64) -> bool {
        let Some(object) = self.store.objects.get_mut(position) else {
            return false;
        };
        if afresh {
            object.history.clear();
        }
        object.history.note(print)
    }

    /// Judges what an identification says about a customer, apart from naming the customer.
    pub(super) fn judge_identity(&mut self, customer: u32, identity: &Map<String, Value>) {
        let says = |field: &str| !super::tracking::is_address(field);
        let customer = self.store.customers.get_mut(customer);
        let (Some(customer), true) = (customer, identity.keys().any(|field| says(field))) else {
            return;
        };
        let set_back = customer.said.note(print_of(identity, says));
        self.counts.set_back.identities += u64::from(set_back);
    }

    /// Whether the per-object limit lets this customer be updated.
    pub(super) fn admit_customer_update(
        &mut self,
        caller: Caller,
        position: u32,
    ) -> Result<(), ApiError> {
        self.customer_updates
            .admit(caller.now, (position, caller.key))
            .map_err(ApiError::over_object_limit)
    }
}

/// A fingerprint of what a body says in the fields that count.
pub(super) fn print_of(body: &Map<String, Value>, counts: impl Fn(&str) -> bool) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    for (field, value) in body.iter().filter(|(field, _)| counts(field)) {
        field.hash(&mut hasher);
        value.hash(&mut hasher);
    }
    hasher.finish()
}
