//! This replica's share of the quota follows from the partitions that it owns.

use std::time::Instant;

use crate::machine::Machine;
use crate::seam::charge::Gate;
use crate::seam::hold::Scope;
use crate::seam::invariant::Invariant;
use crate::seam::port::Effect;
use crate::seam::rider::{Holding, Standing};
use crate::sending::fleet::{Cap, Load};
use ingest_model::record::Topic;

/// Parts of many partitions add up to this little more or less than 1.
const ALL: f64 = 1e-9;
/// How many searches a minute the organisation's machine users have.
const SEARCHES_A_MINUTE: f64 = 100.0;

impl Machine {
    pub(in crate::machine) fn on_topology(&mut self, now: Instant, topics: Vec<(Topic, u32)>) {
        self.partitions.set_topology(topics);
        self.weigh(now);
    }

    /// What this replica may use: the guarantees of its partitions, less what is lent, and what is borrowed.
    pub(in crate::machine) fn cap(&self, now: Instant) -> Cap {
        self.sending.fleet.cap(now, &self.holdings())
    }

    /// Looks at the group, if it is time to: lends what is not needed, and asks what others lend.
    pub(in crate::machine) fn look_at_fleet(&mut self, now: Instant) {
        if self.sending.fleet.next_tick().is_none_or(|at| at > now) {
            return;
        }
        let holdings = self.holdings();
        let guaranteed = self.sending.fleet.cap(now, &holdings).guaranteed;
        if guaranteed <= 0.0 || guaranteed >= 1.0 - ALL || self.partitions.is_stopping() {
            self.sending.fleet.rest(now);
        } else {
            let plan = self.sending.fleet.look(now, &holdings, &self.load());
            if plan.say {
                self.partitions.send_riders();
            }
            let others = holdings
                .into_iter()
                .filter(|holding| holding.standing == Standing::Other);
            if plan.read {
                let others = others.map(|holding| holding.partition).collect();
                self.turn.effect(Effect::ReadRiders(others));
            }
        }
        self.weigh(now);
    }

    fn load(&self) -> Load {
        let quota = &self.sending.quota;
        let target = f64::from(quota.fleet_target());
        // What the budget keeps out of memory is more than can be sent soon.
        let full = self.partitions.budget().gate() == Gate::Closed;
        let queued = if self.health.holds.is_held(&Scope::Destination) {
            0.0
        } else if full {
            target
        } else {
            self.work.requests_waiting()
        };
        Load {
            spent: quota.spends_a_minute(self.turn.now),
            queued,
            sent: quota.given(),
            reads: self.jobs.len(),
            lanes: self.work.lanes(),
            answer_takes: self.sending.usual_time(),
            target: target / self.settings.quota.minute.as_secs_f64(),
        }
    }

    /// All partitions of all topics, with their parts of the fleet's target.
    fn holdings(&self) -> Vec<Holding> {
        let topics = self.settings.topics.iter();
        self.partitions
            .holdings(topics.map(|(topic, settings)| (topic, settings.weight)))
    }

    /// Computes this replica's part of all partitions, by the weight of their topics, and applies it.
    pub(in crate::machine) fn weigh(&mut self, now: Instant) {
        self.sending
            .fleet
            .keep(|partition| self.partitions.is_owned(partition));
        let cap = self.cap(now);
        let weight = cap.guaranteed;
        self.turn.check(Invariant::I9, weight <= 1.0 + ALL);
        let alone = weight >= 1.0 - ALL;
        self.objects.note_company(alone);
        // All records of a customer are with one replica where the only topic is keyed by them.
        let topics = &self.settings.topics;
        let apart = topics.len() == 1
            && topics
                .keys()
                .all(|topic| self.settings.by_customer.contains(topic));
        let part = if alone || apart { 1.0 } else { weight };
        self.objects.creates.share(part);
        if weight > 0.0 && !alone {
            self.sending.fleet.begin(now);
        }
        let (siblings, _) = self.sending.fleet.siblings(now);
        self.sending.quota.set_siblings(siblings);
        self.sending.quota.set_weight(now, cap.part());
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
