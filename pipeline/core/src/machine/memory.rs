//! What the machine keeps beside unsettled records, and what of it the budget pays for.
//!
//! Caches of who and what is there, occurrences that are remembered, questions about customers and the slices of the state
//! topic grow with the data, not with what is unsettled. They have a fixed part of what a process may take beside its budget;
//! what they need above that is taken from the bytes that records have.

use super::Machine;
use super::settings::MachineSettings;
use crate::directory::{Directory, Generations, map_bytes};

/// Bytes that the caches have for themselves, within the constant that a process may take beside its budget.
const OWN: usize = 24 << 20;
/// The part of the budget that full caches may take besides.
const PART: u64 = 4;

/// Entries that each cache may have: as many as are wanted, or half as often as it takes for them to fit.
pub(super) fn entries(settings: &MachineSettings) -> (usize, usize) {
    let room = usize::try_from(settings.budget.bytes / PART).unwrap_or(usize::MAX);
    let room = room.saturating_add(OWN);
    let (mut directory, mut events) = (settings.directory_capacity, settings.repeat_window);
    while directory > 1 && Directory::most_bytes(directory) + map_bytes::<u128, ()>(events) > room {
        directory /= 2;
        events /= 2;
    }
    (directory, events)
}

impl Machine {
    /// Charges what is kept beside records.
    pub(super) fn charge_beside(&mut self) {
        let caches = self.directory.bytes() + Generations::bytes(&self.delivered_events, 0);
        let beside = caches + self.resolver.bytes() + self.journal.bytes();
        let charged = u64::try_from(beside.saturating_sub(OWN)).unwrap_or(u64::MAX);
        if self.budget.set_beside(charged).is_some() {
            self.pauses_changed = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charge::Charge;

    fn settings(bytes: u64) -> MachineSettings {
        let mut settings = MachineSettings::new(1_000, 0.8, 0, 1.0).unwrap();
        settings.budget = Charge {
            records: 50_000,
            bytes,
        };
        settings
    }

    #[test]
    fn a_small_budget_has_small_caches_and_a_large_one_what_is_wanted() {
        let most = |bytes| {
            let (directory, events) = entries(&settings(bytes));
            Directory::most_bytes(directory) + map_bytes::<u128, ()>(events)
        };
        for budget in [4 << 20, 24 << 20, 48 << 20, 192 << 20_u64] {
            let room = OWN + usize::try_from(budget / PART).unwrap();
            assert!(most(budget) <= room, "{budget}");
        }
        assert_eq!(entries(&settings(1 << 30)), (200_000, 100_000));
        let (directory, _) = entries(&settings(48 << 20));
        assert!(directory >= 100_000, "{directory} at the usual budget");
    }
}
