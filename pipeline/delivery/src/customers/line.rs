//! Who waits for a question, by what is known of them: those that live records wait for first, then the lowest operation.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use crate::common::price::{Price, Waiting};
use ingest_model::batch::{OperationId, Patience};
use ingest_model::operation::CustomerKey;
use ingest_model::record::Traffic;

/// What is known of the customers in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// An answer about them is due anyway, to an event or identity.
    Answer,
    /// Nothing; they may be created.
    Unasked,
    /// Nothing; they may not be created.
    MustExist,
    /// They were not found and are to be created.
    Missing,
    /// They exist, but under which id is not known.
    Exists,
}

/// Waiting customers, each in one line.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) answer: Queue,
    pub(super) unasked: Queue,
    pub(super) must_exist: Queue,
    pub(super) missing: Queue,
    pub(super) exists: Queue,
}

/// Customers in the order of what waits for each: live records first, then the lowest operation. Any of them can be removed.
#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: BTreeMap<Place, (Instant, CustomerKey)>,
    waiting: Waiting,
    next: u64,
}

/// How urgent it is, the lowest operation, and a number that makes the place unique even when no operation waits any more.
pub(super) type Place = (Traffic, OperationId, u64);

/// Customers who are asked about one by one, those that live records wait for first.
#[derive(Debug, Default)]
pub(super) struct Singles {
    live: VecDeque<CustomerKey>,
    backfill: VecDeque<CustomerKey>,
}

impl Lines {
    pub(super) fn of(&mut self, line: Line) -> &mut Queue {
        match line {
            Line::Answer => &mut self.answer,
            Line::Unasked => &mut self.unasked,
            Line::MustExist => &mut self.must_exist,
            Line::Missing => &mut self.missing,
            Line::Exists => &mut self.exists,
        }
    }

    /// Whether a customer waits at that place.
    pub(super) fn has(&self, line: Line, place: Place) -> bool {
        let line = match line {
            Line::Answer => &self.answer,
            Line::Unasked => &self.unasked,
            Line::MustExist => &self.must_exist,
            Line::Missing => &self.missing,
            Line::Exists => &self.exists,
        };
        line.entries.contains_key(&place)
    }

    /// Whether a customer waits that was not asked about yet.
    pub(super) fn has_unasked(&self) -> bool {
        !self.unasked.is_empty() || !self.must_exist.is_empty()
    }
}

impl Queue {
    /// Inserts a customer by the lowest operation that waits for it. Returns its place.
    pub(super) fn push(
        &mut self,
        now: Instant,
        (traffic, lowest): (Traffic, OperationId),
        customer: CustomerKey,
    ) -> Place {
        self.next += 1;
        let place = (traffic, lowest, self.next);
        self.entries.insert(place, (now, customer));
        self.waiting.add(now);
        place
    }

    /// Takes the first.
    pub(super) fn pop(&mut self) -> Option<CustomerKey> {
        let (_, (since, customer)) = self.entries.pop_first()?;
        self.waiting.remove(since);
        Some(customer)
    }

    /// Removes the customer at that place.
    pub(super) fn remove(&mut self, place: Place) {
        if let Some((since, _)) = self.entries.remove(&place) {
            self.waiting.remove(since);
        }
    }

    pub(super) fn first(&self) -> Option<&CustomerKey> {
        let (_, (_, customer)) = self.entries.first_key_value()?;
        Some(customer)
    }

    /// Since when the first has waited.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.entries.first_key_value().map(|(_, (since, _))| *since)
    }

    /// When those in the line have waited enough for so many requests.
    pub(super) fn due_at(
        &self,
        patience: Patience,
        price: Price,
        requests: f64,
    ) -> Option<Instant> {
        let oldest = self.oldest()?;
        Some(self.waiting.due_at(oldest, patience, price, requests))
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many wait, or only those that live records wait for.
    pub(super) fn count(&self, live_only: bool) -> usize {
        if live_only {
            let live = ..(Traffic::Backfill, OperationId(0), 0);
            self.entries.range(live).count()
        } else {
            self.len()
        }
    }

    /// Whether one waits whose question may be asked now: anybody, or one that a live record waits for.
    pub(super) fn has(&self, live_only: bool) -> bool {
        let first = self.entries.first_key_value();
        first.is_some_and(|((traffic, ..), _)| !live_only || *traffic == Traffic::Live)
    }
}

impl Singles {
    pub(super) fn push(&mut self, traffic: Traffic, customer: CustomerKey) {
        match traffic {
            Traffic::Live => self.live.push_back(customer),
            Traffic::Backfill => self.backfill.push_back(customer),
        }
    }

    pub(super) fn pop(&mut self) -> Option<CustomerKey> {
        let live = self.live.pop_front();
        live.or_else(|| self.backfill.pop_front())
    }

    pub(super) fn remove(&mut self, customer: &CustomerKey) {
        self.live.retain(|other| other != customer);
        self.backfill.retain(|other| other != customer);
    }

    pub(super) fn contains(&self, customer: &CustomerKey) -> bool {
        self.live.contains(customer) || self.backfill.contains(customer)
    }

    /// Whether one waits whose question may be asked now.
    pub(super) fn has(&self, live_only: bool) -> bool {
        !self.live.is_empty() || !live_only && !self.backfill.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.has(false)
    }

    #[cfg(test)]
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
