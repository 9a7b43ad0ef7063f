//! The waiting operations of one lane, in the order of their numbers.

use std::collections::VecDeque;

use ingest_model::batch::OperationId;

/// Operations, lowest first. The first one has a place of its own: most lanes never have another, and need no memory apart.
#[derive(Debug, Default)]
pub(super) struct Queue {
    first: Option<OperationId>,
    /// Empty while there is no first one.
    more: VecDeque<OperationId>,
}

impl Queue {
    pub(super) fn push(&mut self, operation: OperationId) {
        match self.first {
            Some(_) => self.more.push_back(operation),
            None => self.first = Some(operation),
        }
    }

    pub(super) fn first(&self) -> Option<OperationId> {
        self.first
    }

    pub(super) fn second(&self) -> Option<OperationId> {
        self.more.front().copied()
    }

    pub(super) fn last(&self) -> Option<OperationId> {
        self.more.back().copied().or(self.first)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.len()
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = OperationId> {
        self.first.into_iter().chain(self.more.iter().copied())
    }

    pub(super) fn pop(&mut self) -> Option<OperationId> {
        let first = self.first.take()?;
        self.first = self.more.pop_front();
        Some(first)
    }

    /// Puts an operation to its place; one that is here already stays.
    pub(super) fn insert(&mut self, operation: OperationId) {
        if self.iter().any(|one| one == operation) {
            return;
        }
        match self.first {
            Some(first) if first < operation => {
                let place = self.more.partition_point(|one| *one < operation);
                self.more.insert(place, operation);
            }
            Some(first) => {
                self.more.push_front(first);
                self.first = Some(operation);
            }
            None => self.first = Some(operation),
        }
    }

    pub(super) fn remove(&mut self, operation: OperationId) {
        if self.first == Some(operation) {
            self.pop();
        } else {
            self.more.retain(|other| *other != operation);
        }
    }
}

impl FromIterator<OperationId> for Queue {
    fn from_iter<T: IntoIterator<Item = OperationId>>(operations: T) -> Self {
        let mut more: VecDeque<OperationId> = operations.into_iter().collect();
        more.make_contiguous().sort_unstable();
        Self {
            first: more.pop_front(),
            more,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is done to it, it holds what an ordered set would.
        #[test]
        fn it_stays_in_order(steps in prop::collection::vec((0_u8..4, 0_u64..12), 0..60)) {
            let (mut queue, mut set) = (Queue::default(), BTreeSet::new());
            let mut next = 12;
            for (what, number) in steps {
                match what {
                    0 => {
                        next += 1;
                        queue.push(OperationId(next));
                        set.insert(OperationId(next));
                    }
                    1 => {
                        queue.insert(OperationId(number));
                        set.insert(OperationId(number));
                    }
                    2 => {
                        queue.remove(OperationId(number));
                        set.remove(&OperationId(number));
                    }
                    _ => assert_eq!(queue.pop(), set.pop_first()),
                }
                let all: Vec<OperationId> = set.iter().copied().collect();
                prop_assert_eq!(queue.iter().collect::<Vec<_>>(), all.clone());
                prop_assert_eq!((queue.len(), queue.is_empty()), (all.len(), all.is_empty()));
                prop_assert_eq!((queue.first(), queue.second()), (all.first().copied(), all.get(1).copied()));
                prop_assert_eq!(queue.last(), all.last().copied());
                let again: Queue = queue.iter().rev().collect();
                prop_assert_eq!(again.iter().collect::<Vec<_>>(), all);
            }
        }
    }
}
