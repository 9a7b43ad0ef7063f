//! Events and identities that wait only for a permit: partitions take turns, and each sends its lowest first.
//!
//! Lowest first, because whatever settles out of order has to be noted beside the committed offset, or else comes again after
//! a crash. In turns, because offsets of different partitions cannot be compared: a long backlog in one must not delay the
//! others.
//!
//! A customer with many more events than others would always have the lowest. So what a customer has beyond its turns (one in
//! [`ITS_TURNS`], and a few at once) goes behind all others until its next turn, and is sent before only if a permit costs nothing: so it takes
//! from others neither a permit nor what is saved up for them.
//!
//! An identity costs nothing if it leaves with an event of its customer. So one that nobody waits for goes behind all others, too,
//! until such an event is here, or for a while.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::{Duration, Instant};

use ingest_model::batch::OperationId;
use ingest_model::lookup::Lookup;
use ingest_model::operation::CustomerKey;
use ingest_model::record::TopicPartition;

/// A customer has one turn in so many.
const ITS_TURNS: u32 = 40;
/// So many requests of a customer may come at once.
const AT_ONCE: u32 = 3;
/// One waits for something to go with if at least such a part of those before it did not wait for nothing.
const PAYS: f64 = 0.5;
/// Else one in so many, to see whether it pays.
const TRIES: u32 = 8;
/// How much one of them counts.
const COUNTS: f64 = 1.0 / 8.0;
/// So many customers are remembered before those that have turns again are forgotten.
const REMEMBERED: usize = 1_000;

/// Operations by partition. Within a partition, a lower number means a lower offset.
#[derive(Debug, Default)]
pub(super) struct TrackQueue {
    partitions: BTreeMap<TopicPartition, BTreeSet<OperationId>>,
    /// The partition whose turn was last.
    last: Option<TopicPartition>,
    /// Those behind the others, by the time when they are like all others.
    beyond: BTreeSet<(Instant, OperationId)>,
    apart: BTreeMap<OperationId, Apart>,
    /// Those of them that would be in turn if nothing might go with them.
    patient: BTreeSet<(TopicPartition, OperationId)>,
    patience: Patience,
    len: usize,
    turns: CustomerTurns,
}

/// One that is behind the others.
#[derive(Debug)]
struct Apart {
    partition: TopicPartition,
    /// When it is like all others.
    until: Instant,
    /// When its customer has a turn, if that is not now.
    turn: Option<Instant>,
}

/// Whether it pays to wait for something to go with: of the last ones that did, how many did not wait for nothing.
#[derive(Debug, Default)]
struct Patience {
    /// From 0 to 1.
    paid: f64,
    /// How many did not wait since the last one that did.
    others: u32,
}

/// Until when the requests of each customer use up its turns.
#[derive(Debug, Default)]
struct CustomerTurns {
    until: Lookup<CustomerKey, Instant>,
    /// Forgets when there are so many.
    full: usize,
}

impl TrackQueue {
    /// Adds an operation; one that is here already stays where it is. `turn`: how long a permit takes to come. `patience`: until
    /// when something may come that it could go with.
    pub(super) fn add(
        &mut self,
        now: Instant,
        turn: Duration,
        partition: &TopicPartition,
        customer: Option<&CustomerKey>,
        (operation, patience): (OperationId, Option<Instant>),
    ) {
        if self.contains(partition, operation) {
            return;
        }
        self.len += 1;
        let next = customer.and_then(|customer| self.turns.next(now, turn, customer));
        let patience = patience.filter(|until| next < Some(*until) && self.patience.pays());
        let Some(until) = next.max(patience) else {
            self.queue(partition, operation);
            return;
        };
        self.beyond.insert((until, operation));
        if patience.is_some() {
            self.patient.insert((partition.clone(), operation));
        }
        let apart = Apart {
            partition: partition.clone(),
            until,
            turn: next,
        };
        self.apart.insert(operation, apart);
    }

    /// Nothing more is waited for that it could go with.
    pub(super) fn hurry(&mut self, operation: OperationId) {
        let Some(apart) = self.apart.get_mut(&operation) else {
            return;
        };
        if !self.patient.remove(&(apart.partition.clone(), operation)) {
            return;
        }
        self.beyond.remove(&(apart.until, operation));
        if let Some(turn) = apart.turn {
            apart.until = turn;
            self.beyond.insert((turn, operation));
        } else if let Some(apart) = self.apart.remove(&operation) {
            self.queue(&apart.partition, operation);
        }
    }

    /// The same for all of a partition. Returns those that waited.
    pub(super) fn hurry_all(&mut self, partition: &TopicPartition) -> Vec<OperationId> {
        let from = (partition.clone(), OperationId(0));
        let all = self.patient.range(from..);
        let all: Vec<OperationId> = all
            .take_while(|(of, _)| of == partition)
            .map(|(_, operation)| *operation)
            .collect();
        all.iter().for_each(|operation| self.hurry(*operation));
        all
    }

    /// Something has come behind an operation, if it waited for that; whether it may go with it.
    pub(super) fn accompany(&mut self, operation: OperationId, joins: bool) {
        let before = self.patient.len();
        self.hurry(operation);
        if self.patient.len() < before {
            self.patience.note(joins);
        }
    }

    /// Customers whose next turn has come are like all others, and what nothing has come for.
    pub(super) fn tick(&mut self, now: Instant) {
        while self.next_turn().is_some_and(|at| at <= now)
            && let Some((_, operation)) = self.beyond.pop_first()
        {
            let patient = self.patient.len();
            if let Some(apart) = self.leave(operation) {
                if self.patient.len() < patient {
                    self.patience.note(false);
                }
                self.queue(&apart.partition, operation);
            }
        }
    }

    /// The operation that goes next.
    pub(super) fn first(&self) -> Option<OperationId> {
        match self.turn() {
            Some((_, waiting)) => waiting.first().copied(),
            None => self.beyond.first().map(|(_, id)| *id),
        }
    }

    /// Takes it out because it is sent: then it is the next partition's turn.
    pub(super) fn take(&mut self) -> Option<OperationId> {
        let Some((partition, _)) = self.turn() else {
            return self.pop_beyond();
        };
        let partition = partition.clone();
        let operation = self.pop(&partition);
        self.last = Some(partition);
        operation
    }

    /// Takes it out because it is not to be sent any more: its partition keeps its turn.
    pub(super) fn drop_first(&mut self) {
        if let Some((partition, _)) = self.turn() {
            let partition = partition.clone();
            self.pop(&partition);
        } else {
            self.pop_beyond();
        }
    }

    /// Takes it out because it waits elsewhere from now on.
    pub(super) fn remove(&mut self, partition: &TopicPartition, operation: OperationId) {
        if let Some(waiting) = self.partitions.get_mut(partition)
            && waiting.remove(&operation)
        {
            self.len -= 1;
            if waiting.is_empty() {
                self.partitions.remove(partition);
            }
        } else if let Some(apart) = self.leave(operation) {
            self.beyond.remove(&(apart.until, operation));
            self.len -= 1;
        }
    }

    pub(super) fn contains(&self, partition: &TopicPartition, operation: OperationId) -> bool {
        let waiting = self.partitions.get(partition);
        waiting.is_some_and(|waiting| waiting.contains(&operation))
            || self.apart.contains_key(&operation)
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many are not behind the others.
    pub(super) fn in_turn(&self) -> usize {
        self.len - self.beyond.len()
    }

    /// When the next of those behind the others is like all others.
    pub(super) fn next_turn(&self) -> Option<Instant> {
        self.beyond.first().map(|(at, _)| *at)
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn turn(&self) -> Option<(&TopicPartition, &BTreeSet<OperationId>)> {
        let after = self.last.as_ref().and_then(|last| {
            let behind = (Bound::Excluded(last), Bound::Unbounded);
            self.partitions.range::<TopicPartition, _>(behind).next()
        });
        after.or_else(|| self.partitions.first_key_value())
    }

    fn queue(&mut self, partition: &TopicPartition, operation: OperationId) {
        match self.partitions.get_mut(partition) {
            Some(waiting) => {
                waiting.insert(operation);
            }
            None => {
                let waiting = BTreeSet::from([operation]);
                self.partitions.insert(partition.clone(), waiting);
            }
        }
    }

    fn pop(&mut self, partition: &TopicPartition) -> Option<OperationId> {
        let waiting = self.partitions.get_mut(partition)?;
        let operation = waiting.pop_first();
        self.len -= usize::from(operation.is_some());
        if waiting.is_empty() {
            self.partitions.remove(partition);
        }
        operation
    }

    fn pop_beyond(&mut self) -> Option<OperationId> {
        let (_, operation) = self.beyond.pop_first()?;
        self.leave(operation);
        self.len -= 1;
        Some(operation)
    }

    /// It is not behind the others any more.
    fn leave(&mut self, operation: OperationId) -> Option<Apart> {
        let apart = self.apart.remove(&operation)?;
        self.patient.remove(&(apart.partition.clone(), operation));
        Some(apart)
    }
}

impl Patience {
    /// Whether the next one waits.
    fn pays(&mut self) -> bool {
        let waits = self.paid >= PAYS || self.others + 1 >= TRIES;
        self.others = if waits { 0 } else { self.others + 1 };
        waits
    }

    /// One that waited was or was not joined by something.
    fn note(&mut self, joined: bool) {
        let now = if joined { 1.0 } else { 0.0 };
        self.paid += (now - self.paid) * COUNTS;
    }
}

impl CustomerTurns {
    /// A request of the customer waits: when its turn comes, if that is not now.
    fn next(&mut self, now: Instant, turn: Duration, customer: &CustomerKey) -> Option<Instant> {
        let one = turn * ITS_TURNS;
        let until = self.until.get(customer).copied().unwrap_or(now).max(now);
        // What is beyond its turns is sent in those that nobody else wants, and is not held against it.
        let later = (until + one).min(now + one * AT_ONCE);
        self.until.insert(customer.clone(), later);
        self.forget(now);
        until
            .checked_sub(one * (AT_ONCE - 1))
            .filter(|at| *at > now)
    }

    fn forget(&mut self, now: Instant) {
        if self.until.len() < self.full.max(REMEMBERED) {
            return;
        }
        for customer in self.until.keys_where(|_, until| *until <= now) {
            self.until.remove(&customer);
        }
        self.full = self.until.len() * 2;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::common::instants::start;

    const TURN: Duration = Duration::from_secs(1);

    fn add(queue: &mut TrackQueue, now: Instant, partition: i32, who: Option<&str>, id: u64) {
        let partition = TopicPartition::new("shop.events", partition);
        let who = who.map(|who| CustomerKey::Email(Arc::from(who)));
        let operation = (OperationId(id), None);
        queue.add(now, TURN, &partition, who.as_ref(), operation);
    }

    fn queue(waiting: &[(i32, u64)]) -> TrackQueue {
        let mut queue = TrackQueue::default();
        let now = start();
        for (partition, operation) in waiting {
            add(&mut queue, now, *partition, None, *operation);
        }
        queue
    }

    #[test]
    fn partitions_take_turns_and_each_sends_its_lowest() {
        let mut queue = queue(&[(0, 9), (0, 2), (1, 4), (0, 5), (2, 1), (2, 8), (0, 2)]);
        assert_eq!(queue.len(), 6);
        let order = std::iter::from_fn(|| {
            let first = queue.first();
            assert_eq!(first, queue.take());
            first
        });
        let order: Vec<u64> = order.map(|operation| operation.0).collect();
        assert_eq!(order, [2, 4, 1, 5, 8, 9]);
        assert!(queue.is_empty());
    }

    #[test]
    fn what_is_dropped_costs_no_turn() {
        let mut queue = queue(&[(0, 1), (0, 2), (1, 3)]);
        queue.drop_first();
        assert_eq!(queue.take(), Some(OperationId(2)));
        assert_eq!(queue.take(), Some(OperationId(3)));
        assert_eq!(queue.take(), None);
    }

    #[test]
    fn what_a_customer_has_beyond_its_turns_goes_behind_the_others_until_the_next() {
        let now = start();
        let mut queue = TrackQueue::default();
        for id in 1..=5 {
            add(&mut queue, now, 0, Some("a"), id);
        }
        add(&mut queue, now, 0, Some("b"), 6);
        add(&mut queue, now, 1, Some("c"), 7);
        assert_eq!(queue.len(), 7);
        assert!(queue.contains(&TopicPartition::new("shop.events", 0), OperationId(5)));
        let taken = |queue: &mut TrackQueue, count| -> Vec<u64> {
            let ids = std::iter::from_fn(|| queue.take());
            ids.take(count).map(|id| id.0).collect()
        };
        assert_eq!(taken(&mut queue, 5), [1, 7, 2, 3, 6]);
        // Nobody else waits: it need not wait for its turn.
        assert_eq!(taken(&mut queue, 1), [4]);
        // So many permits later it has one of them.
        let later = now + TURN * ITS_TURNS;
        add(&mut queue, later, 0, Some("b"), 8);
        queue.tick(later);
        assert_eq!(taken(&mut queue, 3), [5, 8]);
        assert!(queue.is_empty());
        // What it sent in other turns is not held against it.
        add(&mut queue, later, 0, Some("a"), 9);
        add(&mut queue, later, 0, Some("b"), 10);
        assert_eq!(taken(&mut queue, 3), [9, 10]);
    }

    #[test]
    fn what_may_go_with_something_else_waits_for_it_behind_the_others() {
        let now = start();
        let partition = |number| TopicPartition::new("shop.events", number);
        let mut queue = TrackQueue::default();
        queue.patience.paid = 1.0;
        let who = CustomerKey::Email(Arc::from("a"));
        for (number, id) in [(0, 1), (0, 2), (1, 3), (1, 4), (1, 5)] {
            let patience = Some(now + TURN * 10);
            let operation = (OperationId(id), patience);
            queue.add(now, TURN, &partition(number), Some(&who), operation);
        }
        add(&mut queue, now, 0, None, 6);
        assert_eq!((queue.len(), queue.in_turn()), (6, 1));
        assert_eq!(queue.first(), Some(OperationId(6)));
        // One has what it waited for; the customer's fourth and fifth wait for their turns, which come later.
        queue.hurry(OperationId(2));
        assert_eq!(queue.in_turn(), 2);
        assert_eq!(queue.hurry_all(&partition(1)), [OperationId(3)]);
        assert_eq!(queue.in_turn(), 3);
        assert!(queue.hurry_all(&partition(1)).is_empty());
        queue.remove(&partition(1), OperationId(5));
        queue.remove(&partition(0), OperationId(2));
        assert_eq!((queue.len(), queue.in_turn()), (4, 2));
        queue.tick(now + TURN * 9);
        assert_eq!(queue.in_turn(), 2);
        // Nothing came.
        queue.tick(now + TURN * 10);
        assert_eq!(queue.in_turn(), 3);
        let rest: Vec<u64> = std::iter::from_fn(|| queue.take()).map(|id| id.0).collect();
        assert_eq!(rest, [1, 3, 6, 4]);
        assert!(queue.is_empty() && queue.apart.is_empty() && queue.patient.is_empty());
    }

    #[test]
    fn identities_wait_where_events_come_and_hardly_where_none_do() {
        let now = start();
        let partition = TopicPartition::new("shop.events", 0);
        let mut queue = TrackQueue::default();
        let mut next = 0;
        // How many of a hundred wait. Behind each something comes that joins it or does not, or nothing does.
        let mut hundred = |queue: &mut TrackQueue, joins: Option<bool>| {
            let mut waited = 0;
            for _ in 0..100 {
                next += 1;
                let operation = OperationId(next);
                let patience = Some(now + TURN);
                queue.add(now, TURN, &partition, None, (operation, patience));
                waited += queue.len() - queue.in_turn();
                match joins {
                    Some(joins) => queue.accompany(operation, joins),
                    None => queue.tick(now + TURN),
                }
                queue.take();
            }
            waited
        };
        assert!((10..=14).contains(&hundred(&mut queue, None)));
        assert!(hundred(&mut queue, Some(true)) > 40);
        assert_eq!(hundred(&mut queue, Some(true)), 100);
        // Events of another topic come behind them.
        assert!(hundred(&mut queue, Some(false)) < 25);
        assert!(hundred(&mut queue, Some(true)) > 40);
        assert!(hundred(&mut queue, None) < 25);
    }

    #[test]
    fn customers_with_turns_left_are_forgotten() {
        let now = start();
        let mut queue = TrackQueue::default();
        for id in 0..10_000_u64 {
            let at = now + Duration::from_secs(id);
            add(&mut queue, at, 0, Some(&format!("c{id}")), id);
        }
        assert!(
            queue.turns.until.len() <= REMEMBERED,
            "{}",
            queue.turns.until.len()
        );
    }
}
