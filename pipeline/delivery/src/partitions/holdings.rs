//! What each partition of the group's topics brings of the quota, and whose it is.

use super::Partitions;
use crate::seam::rider::{Holding, Standing};
use ingest_model::record::{Partition, Topic, TopicPartition};

/// Where brokers accept less text than this, a commit carries no lease: it would take the room of what is settled.
const SMALLEST_WITH_RIDER: usize = 1_024;

impl Partitions {
    /// All partitions of these topics, whose weights are given, as far as their number is known.
    pub(crate) fn holdings<'a>(
        &self,
        topics: impl Iterator<Item = (&'a Topic, f64)>,
    ) -> Vec<Holding> {
        let known: Vec<(&Topic, f64, u32)> = topics
            .filter_map(|(topic, weight)| Some((topic, weight, self.owned_of(topic)?.1)))
            .collect();
        let total: f64 = known.iter().map(|(_, weight, _)| weight).sum();
        let mut holdings = Vec::new();
        for (topic, weight, all) in known {
            let guarantee = weight / total / f64::from(all);
            for number in 0..i32::try_from(all).unwrap_or(i32::MAX) {
                let partition = TopicPartition {
                    topic: topic.clone(),
                    partition: Partition(number),
                };
                holdings.push(Holding {
                    guarantee,
                    standing: self.standing(&partition),
                    partition,
                });
            }
        }
        holdings
    }

    fn standing(&self, partition: &TopicPartition) -> Standing {
        let roomy = self.commits.limit.characters() >= SMALLEST_WITH_RIDER;
        match self.assignments.get(partition) {
            Some(assignment) if roomy && assignment.may_lend() => Standing::Lendable,
            Some(_) => Standing::Owned,
            None => Standing::Other,
        }
    }
}
