//! Events and identities that wait only for a permit: partitions take turns, and each sends its lowest first.
//!
//! Lowest first, because whatever settles out of order has to be noted beside the committed offset, or else comes again after
//! a crash. In turns, because offsets of different partitions cannot be compared: a long backlog in one must not delay the
//! others.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use ingest_model::batch::OperationId;
use ingest_model::record::TopicPartition;

/// Operations by partition. Within a partition, a lower number means a lower offset.
#[derive(Debug, Default)]
pub(super) struct TrackQueue {
    partitions: BTreeMap<TopicPartition, BTreeSet<OperationId>>,
    /// The partition whose turn was last.
    last: Option<TopicPartition>,
    len: usize,
}

impl TrackQueue {
    /// Adds an operation; one that is here already stays where it is.
    pub(super) fn add(&mut self, partition: &TopicPartition, operation: OperationId) {
        let added = match self.partitions.get_mut(partition) {
            Some(waiting) => waiting.insert(operation),
            None => {
                let waiting = BTreeSet::from([operation]);
                self.partitions.insert(partition.clone(), waiting);
                true
            }
        };
        self.len += usize::from(added);
    }

    /// The operation that goes next.
    pub(super) fn first(&self) -> Option<OperationId> {
        let (_, waiting) = self.turn()?;
        waiting.first().copied()
    }

    /// Takes it out because it is sent: then it is the next partition's turn.
    pub(super) fn take(&mut self) -> Option<OperationId> {
        let partition = self.turn()?.0.clone();
        let operation = self.pop(&partition);
        self.last = Some(partition);
        operation
    }

    /// Takes it out because it is not to be sent any more: its partition keeps its turn.
    pub(super) fn drop_first(&mut self) {
        if let Some((partition, _)) = self.turn() {
            let partition = partition.clone();
            self.pop(&partition);
        }
    }

    pub(super) fn contains(&self, partition: &TopicPartition, operation: OperationId) -> bool {
        let waiting = self.partitions.get(partition);
        waiting.is_some_and(|waiting| waiting.contains(&operation))
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn turn(&self) -> Option<(&TopicPartition, &BTreeSet<OperationId>)> {
        let after = self.last.as_ref().and_then(|last| {
            let behind = (Bound::Excluded(last), Bound::Unbounded);
            self.partitions.range::<TopicPartition, _>(behind).next()
        });
        after.or_else(|| self.partitions.first_key_value())
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(waiting: &[(i32, u64)]) -> TrackQueue {
        let mut queue = TrackQueue::default();
        for (partition, operation) in waiting {
            let partition = TopicPartition::new("shop.events", *partition);
            queue.add(&partition, OperationId(*operation));
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
}
