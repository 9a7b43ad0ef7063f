//! Which operations of different lanes share one bulk request, and when it is sent.
//!
//! A request carries at most `MAX_ITEMS` items and `MAX_BYTES` bytes, all of one klass and verb, and one item of a lane. It is
//! sent when it is full, when its items have waited as long as the price of a request says, or when its oldest has waited as
//! long as any may.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Instant;

use crate::common::price::{BULK, Price, Waiting};
use ingest_model::batch::{GroupKey, MAX_BYTES, MAX_ITEMS, OperationId, Patience};

#[derive(Debug, Clone, Copy)]
struct Item {
    bytes: usize,
    since: Instant,
}

#[derive(Debug, Default)]
struct Group {
    items: BTreeMap<OperationId, Item>,
    bytes: usize,
    waiting: Waiting,
}

/// Operations that are ready for a bulk request.
#[derive(Debug)]
pub(super) struct Groups {
    groups: BTreeMap<GroupKey, Group>,
    patience: Patience,
    ready: usize,
}

impl Groups {
    /// No operations.
    pub(super) fn new(patience: Patience) -> Self {
        Self {
            groups: BTreeMap::new(),
            patience,
            ready: 0,
        }
    }

    /// Adds an operation whose item has that many bytes.
    pub(super) fn add(
        &mut self,
        now: Instant,
        key: GroupKey,
        operation: OperationId,
        bytes: usize,
    ) {
        let group = self.groups.entry(key).or_default();
        if group
            .items
            .insert(operation, Item { bytes, since: now })
            .is_none()
        {
            group.bytes += bytes;
            group.waiting.add(now);
            self.ready += 1;
        }
    }

    /// Removes an operation. `true` if it was there.
    pub(super) fn remove(&mut self, key: &GroupKey, operation: OperationId) -> bool {
        let Some(group) = self.groups.get_mut(key) else {
            return false;
        };
        let Some(item) = group.items.remove(&operation) else {
            return false;
        };
        group.bytes -= item.bytes;
        group.waiting.remove(item.since);
        self.ready -= 1;
        if group.items.is_empty() {
            self.groups.remove(key);
        }
        true
    }

    /// The item of an operation has another size.
    pub(super) fn resize(&mut self, key: &GroupKey, operation: OperationId, bytes: usize) {
        if let Some(group) = self.groups.get_mut(key)
            && let Some(item) = group.items.get_mut(&operation)
        {
            let before = std::mem::replace(&mut item.bytes, bytes);
            group.bytes = group.bytes - before + bytes;
        }
    }

    pub(super) fn contains(&self, key: &GroupKey, operation: OperationId) -> bool {
        let group = self.groups.get(key);
        group.is_some_and(|group| group.items.contains_key(&operation))
    }

    /// Of the groups that are due and may be sent, the one with the lowest operation.
    pub(super) fn due(
        &self,
        now: Instant,
        price: Price,
        may_send: impl Fn(&GroupKey) -> bool,
    ) -> Option<GroupKey> {
        self.groups
            .iter()
            .filter(|(key, group)| {
                group
                    .due_at(self.patience, price)
                    .is_some_and(|at| at <= now)
                    && may_send(key)
            })
            .min_by_key(|(_, group)| group.items.first_key_value().map(|(id, _)| *id))
            .map(|(key, _)| key.clone())
    }

    /// When the next group after that time is due.
    pub(super) fn next_due(&self, after: Instant, price: Price) -> Option<Instant> {
        self.groups
            .values()
            .filter_map(|group| group.due_at(self.patience, price))
            .filter(|at| *at > after)
            .min()
    }

    /// Takes the oldest operations of a group that fit into one request; at least one.
    pub(super) fn take(&mut self, key: &GroupKey) -> Vec<OperationId> {
        let Some(group) = self.groups.get_mut(key) else {
            return Vec::new();
        };
        let mut taken = Vec::with_capacity(group.items.len().min(MAX_ITEMS));
        let mut bytes = 2; // the brackets
        while taken.len() < MAX_ITEMS
            && let Some((id, item)) = group.items.first_key_value()
            && (taken.is_empty() || bytes + item.bytes <= MAX_BYTES)
        {
            let (id, item) = (*id, *item);
            bytes += item.bytes;
            group.bytes -= item.bytes;
            group.waiting.remove(item.since);
            group.items.remove(&id);
            taken.push(id);
        }
        self.ready -= taken.len();
        if group.items.is_empty() {
            self.groups.remove(key);
        }
        taken
    }

    /// Takes one operation of a group: the first after `last`, or else the first of all.
    pub(super) fn take_after(
        &mut self,
        key: &GroupKey,
        last: Option<OperationId>,
    ) -> Option<OperationId> {
        let items = &self.groups.get(key)?.items;
        let behind = last.and_then(|last| {
            let range = (Bound::Excluded(last), Bound::Unbounded);
            items.range(range).next()
        });
        let (id, _) = behind.or_else(|| items.first_key_value())?;
        let id = *id;
        self.remove(key, id).then_some(id)
    }

    /// How many operations wait for a request.
    pub(super) fn len(&self) -> usize {
        self.ready
    }

    /// How many requests could be filled now.
    pub(super) fn full(&self) -> usize {
        self.groups
            .values()
            .map(|g| (g.items.len() / MAX_ITEMS).max(g.bytes / MAX_BYTES))
            .sum()
    }
}

impl Group {
    fn oldest(&self) -> Option<Instant> {
        self.items.first_key_value().map(|(_, item)| item.since)
    }

    fn due_at(&self, patience: Patience, price: Price) -> Option<Instant> {
        let oldest = self.oldest()?;
        if self.items.len() >= MAX_ITEMS || self.bytes >= MAX_BYTES {
            return Some(oldest);
        }
        // A single object is written alone, and needs no read.
        let requests = if self.items.len() > 1 { BULK } else { 1.0 };
        Some(self.waiting.due_at(oldest, patience, price, requests))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use ingest_model::batch::Verb;
    use ingest_model::operation::Klass;

    const PATIENCE: Patience = Patience {
        linger: Duration::from_millis(50),
        max_delay: Duration::from_secs(5),
    };

    #[expect(
        clippy::disallowed_methods,
        reason = "a test needs some instant to start from"
    )]
    fn start() -> Instant {
        Instant::now()
    }

    fn key(klass: &str) -> GroupKey {
        GroupKey {
            klass: Klass(Arc::from(klass)),
            verb: Verb::Create,
        }
    }

    /// Permits lie idle.
    fn nothing(now: Instant) -> Price {
        Price::new(now, 0.0, Duration::ZERO, false)
    }

    /// Far more waits for permits than there are.
    fn much(now: Instant) -> Price {
        Price::new(now, 1e6, Duration::from_secs(1), false)
    }

    #[test]
    fn at_no_price_it_leaves_soon_at_a_high_one_it_waits_until_full_or_late() {
        let now = start();
        let mut groups = Groups::new(PATIENCE);
        for n in 0..99 {
            groups.add(now, key("order"), OperationId(n), 500);
        }
        assert_eq!(groups.due(now, nothing(now), |_| true), None);
        let soon = now + Duration::from_millis(50);
        assert_eq!(
            groups.due(soon, nothing(soon), |_| true),
            Some(key("order"))
        );
        assert_eq!(groups.due(soon, much(soon), |_| true), None);
        assert_eq!(
            groups.due(
                now + Duration::from_secs(5),
                much(now + Duration::from_secs(5)),
                |_| true
            ),
            Some(key("order"))
        );
        groups.add(now, key("order"), OperationId(99), 500);
        assert_eq!(
            groups.due(now, much(now), |_| true),
            Some(key("order")),
            "full"
        );
        assert_eq!(groups.due(now, much(now), |_| false), None, "held");
        assert_eq!(groups.take(&key("order")).len(), 100);
        assert_eq!(groups.len(), 0);
    }

    #[test]
    fn the_group_with_the_lowest_operation_goes_first() {
        let now = start();
        let mut groups = Groups::new(PATIENCE);
        for n in 0..100 {
            groups.add(now, key("invoice"), OperationId(200 + n), 500);
        }
        // Its operations arrived before the others, and were queued again after them.
        let later = now + Duration::from_secs(1);
        for n in 0..100 {
            groups.add(later, key("order"), OperationId(n), 500);
        }
        assert_eq!(groups.due(later, much(later), |_| true), Some(key("order")));
    }

    proptest! {
        #[test]
        fn every_request_fits_and_nothing_is_lost(
            sizes in prop::collection::vec(1_usize..40_000, 1..300),
        ) {
            let now = start();
            let mut groups = Groups::new(PATIENCE);
            for (n, bytes) in sizes.iter().enumerate() {
                groups.add(now, key("k"), OperationId(n as u64), *bytes);
            }
            let mut seen = Vec::new();
            while groups.len() > 0 {
                let taken = groups.take(&key("k"));
                let bytes: usize = taken.iter().map(|id| sizes[usize::try_from(id.0).unwrap()]).sum();
                prop_assert!(!taken.is_empty() && taken.len() <= MAX_ITEMS);
                prop_assert!(taken.len() == 1 || bytes + 2 <= MAX_BYTES);
                seen.extend(taken);
            }
            let expected: Vec<_> = (0..sizes.len() as u64).map(OperationId).collect();
            prop_assert_eq!(seen, expected, "oldest first");
        }
    }
}
