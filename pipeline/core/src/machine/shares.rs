//! This replica's share of the quota follows the partitions that it owns.

use std::time::Instant;

use super::Machine;
use crate::invariant::Invariant;
use crate::record::Topic;

/// Searches a minute that the organisation has for machine users.
const SEARCHES_A_MINUTE: f64 = 100.0;

impl Machine {
    pub(super) fn on_topology(&mut self, now: Instant, topics: Vec<(Topic, u32)>) {
        self.topology = topics.into_iter().collect();
        self.weigh(now);
    }

    /// This replica's part of all partitions, by the weight of their topics.
    pub(super) fn weigh(&mut self, now: Instant) {
        let counted = self
            .settings
            .topics
            .iter()
            .filter_map(|(topic, settings)| {
                Some((topic, settings.weight, *self.topology.get(topic)?))
            })
            .filter(|(_, _, partitions)| *partitions > 0);
        let (mut total, mut owned) = (0.0, 0.0);
        for (topic, weight, partitions) in counted {
            total += weight;
            let mine = u32::try_from(self.partitions.owned_of(topic)).unwrap_or(u32::MAX);
            owned += weight * f64::from(mine.min(partitions)) / f64::from(partitions);
        }
        let weight = if total > 0.0 { owned / total } else { 0.0 };
        self.turn.check(Invariant::I9, weight <= 1.0 + f64::EPSILON);
        self.note_company(weight >= 1.0);
        self.quota.set_weight(now, weight);
        let searches = (SEARCHES_A_MINUTE * self.settings.quota.share * weight).floor();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 100 by construction"
        )]
        self.resolver
            .set_search_cap(searches.max(f64::from(u8::from(weight > 0.0))) as usize);
    }

    /// Notes whether other replicas may write the same objects. What was known before they left is not known any more.
    fn note_company(&mut self, alone: bool) {
        if alone && !self.alone {
            self.directory.doubt_objects();
        }
        self.alone = alone;
    }
}
