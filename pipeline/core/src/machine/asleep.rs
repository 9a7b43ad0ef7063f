//! A process that slept: stopped by a signal, or on a machine that was paused. Its partitions may have another owner by now.
//!
//! Two steps that are further apart than a consumer group waits for a member say so. Whatever was about to be sent then stays
//! until every partition that work is held of has been committed anew: a commit names the member and its generation, so it
//! fails where another member has taken over. Then the source reports the partition as lost, and nothing of it is sent.

use std::time::Instant;

use super::Machine;
use super::state::Membership;
use crate::fact::Fact;

impl Machine {
    /// Compares the time of this step with that of the one before.
    pub(super) fn notice_sleep(&mut self, now: Instant) {
        let Some(limit) = self.settings.asleep_after else {
            return;
        };
        let slept = now.saturating_duration_since(self.turn.now);
        if slept < limit {
            return;
        }
        let mut anything = false;
        for assignment in self.assignments.values_mut() {
            if assignment.ledger.frontier().is_some() {
                assignment.membership = Membership::InDoubt;
                anything = true;
            }
        }
        if anything {
            self.commit.next_at = Some(now);
        }
        self.turn.fact(Fact::Slept { slept });
    }

    /// Whether it is not known yet that the partitions are still this process's: nothing may be sent.
    pub(super) fn is_membership_in_doubt(&self) -> bool {
        self.assignments
            .values()
            .any(|assignment| assignment.membership != Membership::Sure)
    }
}
