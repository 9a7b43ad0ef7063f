//! The last steps, bounded in number and in bytes.

use std::collections::VecDeque;
use std::sync::Arc;

use ingest_model::weight::slice_bytes;

use super::kept::Kept;

/// Slices of the state topic may take this part of the bytes, so that they cannot push out all steps.
const SLICES: usize = 4;

/// Steps, oldest first.
#[derive(Debug)]
pub(super) struct Ring {
    steps: VecDeque<(Arc<Kept>, usize)>,
    bytes: usize,
    slices: usize,
    most_steps: usize,
    most_bytes: usize,
}

impl Ring {
    /// An empty ring of so many steps and bytes at most.
    pub(super) fn new(most_steps: usize, most_bytes: usize) -> Self {
        Self {
            steps: VecDeque::new(),
            bytes: 0,
            slices: 0,
            most_steps,
            most_bytes,
        }
    }

    /// Adds a step; the oldest leave as far as they have to, and are handed over. `false` where it has no room even if all
    /// others leave: they have left, because what stands before a gap does not lead to what comes after it.
    pub(super) fn push(&mut self, step: Kept, mut left: impl FnMut(&Kept)) -> bool {
        let weight = step.weight();
        let fits = weight <= self.most_bytes && self.most_steps > 0;
        while self.steps.len() >= self.most_steps || !fits || self.bytes + weight > self.most_bytes
        {
            let Some((step, weight)) = self.steps.pop_front() else {
                break;
            };
            self.bytes -= weight;
            self.slices -= step.slice().map_or(0, slice_bytes);
            left(&step);
        }
        if fits {
            self.bytes += weight;
            self.slices += step.slice().map_or(0, slice_bytes);
            self.steps.push_back((Arc::new(step), weight));
        } else {
            left(&step);
        }
        fits
    }

    /// The bytes that are left for slices of the state topic.
    pub(super) fn room_for_slice(&self) -> usize {
        (self.most_bytes / SLICES).saturating_sub(self.slices)
    }

    /// All steps, shared.
    pub(super) fn steps(&self) -> Vec<Arc<Kept>> {
        self.steps
            .iter()
            .map(|(step, _)| Arc::clone(step))
            .collect()
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    /// What they weigh.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use ingest_delivery::machine::Input;
    use ingest_model::record::{Epoch, TopicPartition};
    use ingest_model::state_log::reduce::Slice;
    use ingest_model::state_log::{Entity, OwnerId};

    use super::super::kept::Given;
    use super::*;

    fn step(number: u64, input: &Input, room: usize) -> Kept {
        Kept {
            number,
            nanos: number,
            given: Given::of(input, false, room),
            goes_on: false,
            out: Some(Vec::new()),
        }
    }

    fn numbers(ring: &Ring) -> Vec<u64> {
        ring.steps().iter().map(|step| step.number).collect()
    }

    fn topology(topics: usize) -> Input {
        Input::Topology(vec![(ingest_model::record::Topic::new("pier"), 3); topics])
    }

    #[test]
    fn the_oldest_leave_and_are_handed_over() {
        let mut ring = Ring::new(3, 1 << 20);
        let mut left = Vec::new();
        for n in 0..6 {
            assert!(ring.push(step(n, &Input::Wake, 0), |step| left.push(step.number)));
        }
        assert_eq!(numbers(&ring), [3, 4, 5]);
        assert_eq!(left, [0, 1, 2]);
    }

    #[test]
    fn bytes_are_bounded_whatever_the_steps_are_like() {
        let mut ring = Ring::new(1_000_000, 40_000);
        for n in 0..20_000_usize {
            assert!(ring.push(step(0, &topology(n % 70), 0), |_| {}));
            assert!(ring.bytes() <= 40_000, "{}", ring.bytes());
        }
        assert!(ring.len() > 10);
        let mut left = 0;
        assert!(!ring.push(step(9, &topology(4_000), 0), |_| left += 1));
        assert_eq!(
            (ring.len(), ring.bytes()),
            (0, 0),
            "nothing leads over the gap"
        );
        assert!(left > 10);
    }

    #[test]
    fn slices_have_a_part_of_the_room_and_give_it_back() {
        let slice = |entries: usize| Input::Restored {
            partition: TopicPartition::new("pier", 1),
            epoch: Epoch(2),
            slice: Box::new(Slice {
                outranked: vec![(Entity::Event(7), OwnerId::new(1, 1)); entries],
                ..Slice::default()
            }),
        };
        let mut ring = Ring::new(8, 100_000);
        for n in 0..5 {
            ring.push(step(n, &Input::Wake, 0), |_| {});
        }
        for n in 5..7 {
            let room = ring.room_for_slice();
            ring.push(step(n, &slice(400), room), |_| {});
        }
        let kept = ring
            .steps()
            .iter()
            .filter(|step| step.slice().is_some())
            .count();
        let lacking = ring
            .steps()
            .iter()
            .filter(|step| step.lacks_slice())
            .count();
        assert_eq!(
            (ring.len(), kept, lacking),
            (7, 1, 1),
            "the second is too much"
        );
        for n in 7..15 {
            ring.push(step(n, &Input::Wake, 0), |_| {});
        }
        assert_eq!(ring.room_for_slice(), 25_000);
    }
}
