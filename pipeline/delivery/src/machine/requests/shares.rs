//! This replica's share of the quota follows from the partitions that it owns.

use std::time::Instant;

use crate::machine::Machine;
use crate::seam::invariant::Invariant;
use ingest_model::record::Topic;

/// How many searches a minute the organisation's machine users have.
const SEARCHES_A_MINUTE: f64 = 100.0;

impl Machine {
    pub(in crate::machine) fn on_topology(&mut self, now: Instant, topics: Vec<(Topic, u32)>) {
        self.partitions.set_topology(topics);
        self.weigh(now);
    }

    /// Computes this replica's part of all partitions, by the weight of their topics, and applies it.
    pub(in crate::machine) fn weigh(&mut self, now: Instant) {
        let (mut total, mut owned) = (0.0, 0.0);
        for (topic, settings) in &self.settings.topics {
            if let Some((mine, all)) = self.partitions.owned_of(topic) {
                total += settings.weight;
                owned += settings.weight * f64::from(mine) / f64::from(all);
            }
        }
        let weight = if total > 0.0 { owned / total } else { 0.0 };
        self.turn.check(Invariant::I9, weight <= 1.0 + f64::EPSILON);
        self.objects.note_company(weight >= 1.0);
        self.sending.quota.set_weight(now, weight);
        let searches = (SEARCHES_A_MINUTE * self.settings.quota.share * weight).floor();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 100 by construction"
        )]
        self.customers
            .set_search_cap(searches.max(f64::from(u8::from(weight > 0.0))) as usize);
    }
}
