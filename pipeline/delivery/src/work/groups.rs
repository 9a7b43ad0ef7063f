//! Which operations of different lanes share one bulk request, and when it is sent.
//!
//! A request carries at most as many items as its verb allows and `MAX_BYTES` bytes, all of one klass and verb, and one item of a lane. It is
//! sent when it is full, when its items have waited as long as the price of a request says, or when its oldest has waited as
//! long as any may.
//!
//! Items of live records decide for themselves, as if there were no others; what room their request has is filled with backfill.
//! Only a single live item leaves alone all the same: written singly, it is confirmed at once.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Instant;

use crate::common::price::{BULK, Price, Waiting};
use ingest_model::batch::{GroupKey, MAX_BYTES, OperationId, Patience, Verb};
use ingest_model::record::Traffic;

#[derive(Debug, Clone, Copy)]
struct Item {
    bytes: usize,
    since: Instant,
}

#[derive(Debug, Default)]
struct Group {
    live: Items,
    backfill: Items,
}

#[derive(Debug, Default)]
struct Items {
    all: BTreeMap<OperationId, Item>,
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
        (operation, traffic): (OperationId, Traffic),
        bytes: usize,
    ) {
        let group = self.groups.entry(key).or_default();
        let item = Item { bytes, since: now };
        let known = group.live.all.contains_key(&operation);
        if !known && group.of_mut(traffic).add(operation, item) {
            self.ready += 1;
        }
    }

    /// Removes an operation. `true` if it was there.
    pub(super) fn remove(&mut self, key: &GroupKey, operation: OperationId) -> bool {
        let Some(group) = self.groups.get_mut(key) else {
            return false;
        };
        let live = group.live.remove(operation);
        let removed = live.or_else(|| group.backfill.remove(operation));
        self.ready -= usize::from(removed.is_some());
        self.drop_empty(key);
        removed.is_some()
    }

    /// An operation is as urgent as a live one from now on.
    pub(super) fn hurry(&mut self, key: &GroupKey, operation: OperationId) {
        if let Some(group) = self.groups.get_mut(key)
            && let Some(item) = group.backfill.remove(operation)
        {
            group.live.add(operation, item);
        }
    }

    /// The item of an operation has another size.
    pub(super) fn resize(&mut self, key: &GroupKey, operation: OperationId, bytes: usize) {
        if let Some(group) = self.groups.get_mut(key) {
            group.live.resize(operation, bytes);
            group.backfill.resize(operation, bytes);
        }
    }

    pub(super) fn contains(&self, key: &GroupKey, operation: OperationId) -> bool {
        self.groups.get(key).is_some_and(|group| {
            let [live, backfill] = [&group.live, &group.backfill];
            live.all.contains_key(&operation) || backfill.all.contains_key(&operation)
        })
    }

    /// Of the groups that are due for such traffic and may be sent, the one with the lowest operation of it.
    pub(super) fn due(
        &self,
        now: Instant,
        price: Price,
        traffic: Traffic,
        may_send: impl Fn(&GroupKey) -> bool,
    ) -> Option<GroupKey> {
        self.groups
            .iter()
            .filter(|(key, group)| {
                let due = group.of(traffic).due_at(self.patience, price, key.verb);
                due.is_some_and(|at| at <= now) && may_send(key)
            })
            .min_by_key(|(_, group)| group.of(traffic).lowest())
            .map(|(key, _)| key.clone())
    }

    /// When the next group after that time is due for such traffic.
    pub(super) fn next_due(
        &self,
        after: Instant,
        price: Price,
        traffic: Traffic,
    ) -> Option<Instant> {
        self.groups
            .iter()
            .filter_map(|(key, group)| group.of(traffic).due_at(self.patience, price, key.verb))
            .filter(|at| *at > after)
            .min()
    }

    /// Takes the oldest operations of a group that fit into one request, at least one; live ones first.
    pub(super) fn take(&mut self, key: &GroupKey, traffic: Traffic) -> Vec<OperationId> {
        let Some(group) = self.groups.get_mut(key) else {
            return Vec::new();
        };
        let most = key.verb.most_items();
        let mut taken = Vec::with_capacity(group.len().min(most));
        let mut bytes = 2; // the brackets
        group.live.take(&mut taken, &mut bytes, most);
        let alone = traffic == Traffic::Live && taken.len() == 1;
        if !alone && group.live.all.is_empty() {
            group.backfill.take(&mut taken, &mut bytes, most);
        }
        self.ready -= taken.len();
        self.drop_empty(key);
        taken
    }

    /// Takes one operation of a group: the first after `last`, or else the first of all.
    pub(super) fn take_after(
        &mut self,
        key: &GroupKey,
        last: Option<OperationId>,
    ) -> Option<OperationId> {
        let group = self.groups.get(key)?;
        let [live, backfill] = [&group.live.all, &group.backfill.all];
        let behind = last.and_then(|last| {
            let range = (Bound::Excluded(last), Bound::Unbounded);
            let next = [live.range(range).next(), backfill.range(range).next()];
            next.into_iter().flatten().map(|(id, _)| *id).min()
        });
        let first = || {
            group
                .live
                .lowest()
                .into_iter()
                .chain(group.backfill.lowest())
        };
        let id = behind.or_else(|| first().min())?;
        self.remove(key, id).then_some(id)
    }

    /// How many operations wait for a request.
    pub(super) fn len(&self) -> usize {
        self.ready
    }

    /// How many requests could be filled now with such traffic, and sent.
    pub(super) fn full(&self, traffic: Traffic, may_send: impl Fn(&GroupKey) -> bool) -> usize {
        let full = |(key, group): (&GroupKey, &Group)| match group.of(traffic).full(key.verb) {
            0 => 0,
            _ if !may_send(key) => 0,
            full => full,
        };
        self.groups.iter().map(full).sum()
    }

    fn drop_empty(&mut self, key: &GroupKey) {
        if self.groups.get(key).is_some_and(|group| group.len() == 0) {
            self.groups.remove(key);
        }
    }
}

impl Group {
    fn of(&self, traffic: Traffic) -> &Items {
        match traffic {
            Traffic::Live => &self.live,
            Traffic::Backfill => &self.backfill,
        }
    }

    fn of_mut(&mut self, traffic: Traffic) -> &mut Items {
        match traffic {
            Traffic::Live => &mut self.live,
            Traffic::Backfill => &mut self.backfill,
        }
    }

    fn len(&self) -> usize {
        self.live.all.len() + self.backfill.all.len()
    }
}

impl Items {
    /// `false` if it is here already.
    fn add(&mut self, operation: OperationId, item: Item) -> bool {
        let new = self.all.insert(operation, item).is_none();
        if new {
            self.bytes += item.bytes;
            self.waiting.add(item.since);
        }
        new
    }

    fn remove(&mut self, operation: OperationId) -> Option<Item> {
        let item = self.all.remove(&operation)?;
        self.bytes -= item.bytes;
        self.waiting.remove(item.since);
        Some(item)
    }

    fn resize(&mut self, operation: OperationId, bytes: usize) {
        if let Some(item) = self.all.get_mut(&operation) {
            let before = std::mem::replace(&mut item.bytes, bytes);
            self.bytes = self.bytes - before + bytes;
        }
    }

    /// Takes the oldest that fit into a request beside those that were taken; at least one if none was.
    fn take(&mut self, taken: &mut Vec<OperationId>, bytes: &mut usize, most: usize) {
        while taken.len() < most
            && let Some((id, item)) = self.all.first_key_value()
            && (taken.is_empty() || *bytes + item.bytes <= MAX_BYTES)
        {
            let id = *id;
            *bytes += item.bytes;
            self.remove(id);
            taken.push(id);
        }
    }

    fn lowest(&self) -> Option<OperationId> {
        self.all.first_key_value().map(|(id, _)| *id)
    }

    fn full(&self, verb: Verb) -> usize {
        (self.all.len() / verb.most_items()).max(self.bytes / MAX_BYTES)
    }

    fn due_at(&self, patience: Patience, price: Price, verb: Verb) -> Option<Instant> {
        let oldest = self.all.first_key_value().map(|(_, item)| item.since)?;
        if self.all.len() >= verb.most_items() || self.bytes >= MAX_BYTES {
            return Some(oldest);
        }
        // A single object is written alone, and needs no read.
        let requests = if self.all.len() > 1 { BULK } else { 1.0 };
        Some(self.waiting.due_at(oldest, patience, price, requests))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::common::instants::start;
    use ingest_model::batch::MAX_ITEMS;
    use ingest_model::operation::Klass;

    const PATIENCE: Patience = Patience {
        linger: Duration::from_millis(50),
        max_delay: Duration::from_secs(5),
    };

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
            groups.add(now, key("order"), (OperationId(n), Traffic::Live), 500);
        }
        assert_eq!(groups.due(now, nothing(now), Traffic::Live, |_| true), None);
        let soon = now + Duration::from_millis(50);
        assert_eq!(
            groups.due(soon, nothing(soon), Traffic::Live, |_| true),
            Some(key("order"))
        );
        assert_eq!(groups.due(soon, much(soon), Traffic::Live, |_| true), None);
        assert_eq!(
            groups.due(
                now + Duration::from_secs(5),
                much(now + Duration::from_secs(5)),
                Traffic::Live,
                |_| true
            ),
            Some(key("order"))
        );
        groups.add(now, key("order"), (OperationId(99), Traffic::Live), 500);
        assert_eq!(
            groups.due(now, much(now), Traffic::Live, |_| true),
            Some(key("order")),
            "full"
        );
        assert_eq!(
            groups.due(now, much(now), Traffic::Live, |_| false),
            None,
            "held"
        );
        assert_eq!(groups.take(&key("order"), Traffic::Live).len(), 100);
        assert_eq!(groups.len(), 0);
    }

    #[test]
    fn the_group_with_the_lowest_operation_goes_first() {
        let now = start();
        let mut groups = Groups::new(PATIENCE);
        for n in 0..100 {
            groups.add(
                now,
                key("invoice"),
                (OperationId(200 + n), Traffic::Live),
                500,
            );
        }
        // Its operations arrived before the others, and were queued again after them.
        let later = now + Duration::from_secs(1);
        for n in 0..100 {
            groups.add(later, key("order"), (OperationId(n), Traffic::Live), 500);
        }
        assert_eq!(
            groups.due(later, much(later), Traffic::Live, |_| true),
            Some(key("order"))
        );
    }

    proptest! {
        #[test]
        fn every_request_fits_and_nothing_is_lost(
            sizes in prop::collection::vec(1_usize..40_000, 1..300),
        ) {
            let now = start();
            let mut groups = Groups::new(PATIENCE);
            for (n, bytes) in sizes.iter().enumerate() {
                groups.add(now, key("k"), (OperationId(n as u64), Traffic::Live), *bytes);
            }
            let mut seen = Vec::new();
            while groups.len() > 0 {
                let taken = groups.take(&key("k"), Traffic::Live);
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
