//! A process that slept: stopped by a signal, or on a paused machine. Its partitions may have another owner by now.
//!
//! It shows in two steps that are further apart than a consumer group waits for a member. What was about to be sent then waits
//! until every partition with unsettled work was committed again: a commit names the member and its generation, so it fails
//! if another member has taken over. Then the source reports the partition as lost, and nothing of it is sent.

use std::time::Instant;

use crate::machine::Machine;
use crate::seam::fact::Fact;

impl Machine {
    /// Compares the time of this step with that of the previous one.
    pub(in crate::machine) fn notice_sleep(&mut self, before: Instant) {
        let Some(limit) = self.settings.asleep_after else {
            return;
        };
        let slept = self.turn.now.saturating_duration_since(before);
        if slept < limit {
            return;
        }
        self.partitions.doubt_membership(&self.turn);
        self.sending.fleet.slept();
        self.turn.fact(Fact::Slept { slept });
    }
}
