//! Unsettled records of a partition's former lives: each life has its own ledger.

use super::ledger::Ledger;
use ingest_model::record::Epoch;

/// How many former lives without unsettled records are kept, because records of them may still arrive.
const EXPECTED: usize = 8;

/// The former lives of one assignment.
#[derive(Debug, Default)]
pub(in crate::partitions) struct FormerLives(Vec<FormerLife>);

#[derive(Debug)]
struct FormerLife {
    epoch: Epoch,
    ledger: Ledger,
    live: u64,
}

impl FormerLives {
    /// Unsettled records.
    pub(in crate::partitions) fn live(&self) -> u64 {
        self.0.iter().map(|life| life.live).sum()
    }

    pub(in crate::partitions) fn find(&mut self, epoch: Epoch) -> Option<(&mut Ledger, &mut u64)> {
        let former = self.0.iter_mut().find(|life| life.epoch == epoch)?;
        Some((&mut former.ledger, &mut former.live))
    }

    pub(in crate::partitions) fn end(&mut self, epoch: Epoch, ledger: Ledger, live: u64) {
        self.0.push(FormerLife {
            epoch,
            ledger,
            live,
        });
        let idle = self.0.iter().filter(|life| life.live == 0).count();
        if idle > EXPECTED
            && let Some(oldest) = self.0.iter().position(|life| life.live == 0)
        {
            self.0.remove(oldest);
        }
    }

    /// A record of the present life has arrived, so none of a former one follows.
    pub(in crate::partitions) fn seal(&mut self) {
        self.0.retain(|life| life.live > 0);
    }
}
