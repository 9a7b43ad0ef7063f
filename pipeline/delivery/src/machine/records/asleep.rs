//! A process that slept: stopped by a signal, or on a machine that was paused. Its partitions may have another owner by now.
//!
//! Two steps that are further apart than a consumer group waits for a member say so. Whatever was about to be sent then stays
//! until every partition that work is held of has been committed anew: a commit names the member and its generation, so it
//! fails where another member has taken over. Then the source reports the partition as lost, and nothing of it is sent.

use std::time::Instant;

use crate::machine::Machine;
use crate::seam::fact::Fact;

impl Machine {
    /// Compares the time of this step with that of the one before.
    pub(in crate::machine) fn notice_sleep(&mut self, before: Instant) {
        let Some(limit) = self.settings.asleep_after else {
            return;
        };
        let slept = self.turn.now.saturating_duration_since(before);
        if slept < limit {
            return;
        }
        self.partitions.doubt_membership(&self.turn);
        self.turn.fact(Fact::Slept { slept });
    }
}
