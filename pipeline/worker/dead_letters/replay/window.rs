//! Puts letters back into the order of their records before they are sent.
//!
//! The worker writes letters as records fail, several at a time, so two letters with the same key may be in the wrong
//! order, but never far apart. Letters pass through a window. The one that has waited longest decides which source
//! partition is next, and the letter of that partition with the lowest offset leaves. So records of one partition that
//! are less than a window apart leave in their own order, and no letter waits forever.

use std::collections::BTreeMap;

use ingest_model::record::{Offset, Partition, TopicPartition};

use crate::dead_letters::letter::{Letter, Source};

/// The most letters in the window.
const RECORDS: usize = 1_000;
/// Their bytes, exceeded by at most one letter.
const BYTES: usize = 16 << 20;

/// The order within a partition: by offset. Two lives of a topic share offsets; the older record comes first.
type Place = (Offset, Option<i64>, u64);

/// Letters between reading and sending.
#[derive(Debug, Default)]
pub(super) struct Window {
    by_source: BTreeMap<TopicPartition, BTreeMap<Place, Letter>>,
    by_age: BTreeMap<u64, TopicPartition>,
    next_age: u64,
    bytes: usize,
}

// === impl Window ===

impl Window {
    /// Whether something has to leave before anything more goes in.
    pub(super) fn is_full(&self) -> bool {
        self.by_age.len() >= RECORDS || self.bytes >= BYTES
    }

    pub(super) fn push(&mut self, letter: Letter, source: &Source) {
        let age = self.next_age;
        self.next_age += 1;
        self.bytes = self.bytes.saturating_add(letter.record.payload_bytes());
        self.by_age.insert(age, source.partition.clone());
        self.by_source
            .entry(source.partition.clone())
            .or_default()
            .insert((source.offset, source.time_ms, age), letter);
    }

    /// The next letter to send.
    pub(super) fn pop(&mut self) -> Option<Letter> {
        let (_, partition) = self.by_age.first_key_value()?;
        let partition = partition.clone();
        let waiting = self.by_source.get_mut(&partition)?;
        let ((_, _, age), letter) = waiting.pop_first()?;
        if waiting.is_empty() {
            self.by_source.remove(&partition);
        }
        self.by_age.remove(&age);
        self.bytes = self.bytes.saturating_sub(letter.record.payload_bytes());
        Some(letter)
    }

    /// For each partition of the dead-letter topic, the lowest offset that is still in the window.
    pub(super) fn lowest(&self) -> BTreeMap<Partition, Offset> {
        let mut lowest: BTreeMap<Partition, Offset> = BTreeMap::new();
        for letter in self.by_source.values().flat_map(BTreeMap::values) {
            let offset = lowest
                .entry(letter.place.partition)
                .or_insert(letter.place.offset);
            *offset = letter.place.offset.min(*offset);
        }
        lowest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::letter::tests::{at, letter};
    use super::*;

    fn push(window: &mut Window, offset: i64, partition: i32, source: i64) {
        let letter = letter(offset, partition, source);
        let from = letter.source.clone().unwrap();
        window.push(letter, &from);
    }

    #[test]
    fn letters_of_one_partition_leave_in_the_order_of_their_records() {
        let mut window = Window::default();
        for (offset, (partition, source)) in
            [(1, 12), (0, 5), (1, 10), (0, 4)].into_iter().enumerate()
        {
            push(
                &mut window,
                i64::try_from(offset).unwrap(),
                partition,
                source,
            );
        }
        assert_eq!(window.lowest(), BTreeMap::from([(Partition(0), Offset(0))]));
        let sources: Vec<String> = std::iter::from_fn(|| window.pop())
            .map(|letter| letter.source.unwrap().to_string())
            .collect();
        assert_eq!(
            sources,
            [
                "shop.events[1]@10",
                "shop.events[1]@12",
                "shop.events[0]@4",
                "shop.events[0]@5"
            ]
        );
        assert_eq!(window.bytes, 0);
    }

    #[test]
    fn of_two_records_at_one_offset_the_older_leaves_first() {
        let mut window = Window::default();
        for (offset, time_ms) in [(0, 9_000), (1, 4_000), (2, 6_000)] {
            let letter = at(letter(offset, 0, 42), time_ms);
            let from = letter.source.clone().unwrap();
            window.push(letter, &from);
        }
        let times = std::iter::from_fn(|| window.pop()).map(|letter| letter.recorded_ms);
        let times: Vec<i64> = times.flatten().collect();
        assert_eq!(times, [4_000, 6_000, 9_000]);
    }

    proptest! {
        #[test]
        fn everything_leaves_once_and_in_order_as_far_as_the_window_reaches(
            sources in prop::collection::vec((0i32..3, 0i64..50), 0..60), room in 1usize..10,
        ) {
            let mut window = Window::default();
            let mut left: Vec<Letter> = Vec::new();
            for (offset, (partition, source)) in sources.iter().enumerate() {
                if window.by_age.len() >= room {
                    left.extend(window.pop());
                }
                push(&mut window, i64::try_from(offset).unwrap(), *partition, *source);
            }
            let before = left.len();
            left.extend(std::iter::from_fn(|| window.pop()));
            prop_assert_eq!(left.len(), sources.len());
            let mut places: Vec<i64> = left.iter().map(|letter| letter.place.offset.0).collect();
            places.sort_unstable();
            places.dedup();
            prop_assert_eq!(places.len(), sources.len());
            // Letters that were in the window together leave in order.
            for partition in 0..3 {
                let last: Vec<i64> = left[before..].iter()
                    .map(|letter| letter.source.clone().unwrap())
                    .filter(|source| source.partition.partition.0 == partition)
                    .map(|source| source.offset.0)
                    .collect();
                prop_assert!(last.is_sorted(), "{:?}", last);
            }
        }
    }
}
