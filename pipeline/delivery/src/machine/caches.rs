//! What the machine keeps apart from unsettled records, and how much of it is charged to the budget.
//!
//! Caches of customers and objects, remembered events, questions about customers and the slices of the state topic grow with
//! the data, not with what is unsettled. They have a fixed part of what a process may take on top of its budget; what they
//! need above that is taken from the bytes for records.

use crate::customers::{CUSTOMERS, CustomerIds, Identities, Owners};
use crate::machine::settings::MachineSettings;
use crate::objects::cache::ObjectCache;
use ingest_model::lookup::map_bytes;

/// The bytes that caches have for themselves, within the constant that a process may take on top of its budget.
const OWN: usize = 20 << 20;
/// The part of the budget (one in this many) that full caches may take in addition.
const PART: u64 = 4;

/// Of how many of the entries in the directory (one in this many) it is remembered who the customer is.
const ASKED: usize = 10;

/// How many entries each cache may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::machine) struct Entries {
    /// Customers, and as many objects.
    pub(in crate::machine) directory: usize,
    /// Events.
    pub(in crate::machine) events: usize,
    /// Customers for whom it is remembered what was stated.
    pub(in crate::machine) customers: usize,
    /// Objects and customers of whom it is remembered who they are; none if no route asks.
    pub(in crate::machine) owners: usize,
}

impl Entries {
    /// The bytes that these occupy, about.
    fn bytes(self) -> usize {
        CustomerIds::most_bytes(self.directory)
            + ObjectCache::most_bytes(self.directory)
            + map_bytes::<u128, ()>(self.events)
            + Identities::usual_bytes(self.customers)
            + Owners::usual_bytes(self.owners)
    }
}

/// How many entries each cache may have: as many as configured, halved until they fit.
pub(in crate::machine) fn entries(settings: &MachineSettings) -> Entries {
    let room = usize::try_from(settings.budget.bytes / PART).unwrap_or(usize::MAX);
    let room = room.saturating_add(OWN);
    let mut entries = Entries {
        directory: settings.directory_capacity,
        events: settings.repeat_window,
        customers: 0,
        owners: 0,
    };
    if !settings.owners_of.is_empty() {
        entries.owners = entries.directory / ASKED;
    }
    while entries.directory > 1 && entries.bytes() > room {
        entries.directory /= 2;
        entries.events /= 2;
        entries.owners /= 2;
    }
    // The rest is for identities.
    entries.customers = CUSTOMERS;
    while entries.customers > 1 && entries.bytes() > room {
        entries.customers /= 2;
    }
    entries
}

/// The bytes of the budget that are charged if `beside` bytes are kept apart from records.
pub(in crate::machine) fn charged(beside: usize) -> u64 {
    u64::try_from(beside.saturating_sub(OWN)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::Value;

    use super::*;
    use crate::seam::charge::Charge;
    use ingest_model::body::Body;
    use ingest_model::known::Revision;
    use ingest_model::known::{Affiliation, KnownObject};
    use ingest_model::repeat::ChangeKey;
    use ingest_model::said::{Ages, Said};

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
        let most = |bytes| entries(&settings(bytes)).bytes();
        for budget in [4 << 20, 24 << 20, 48 << 20, 192 << 20_u64] {
            let room = OWN + usize::try_from(budget / PART).unwrap();
            assert!(most(budget) <= room, "{budget}");
        }
        let wanted = Entries {
            directory: 200_000,
            events: 100_000,
            customers: 50_000,
            owners: 0,
        };
        assert_eq!(entries(&settings(1 << 30)), wanted);
        let Entries {
            directory,
            customers,
            ..
        } = entries(&settings(48 << 20));
        assert!(customers >= 10_000, "{customers} at the usual budget");
        assert!(directory >= 100_000, "{directory} at the usual budget");
    }

    #[test]
    fn what_is_remembered_of_customers_and_changes_is_counted() {
        let mut said = Said::default();
        let fields = (0..20).map(|n| (format!("field{n}"), Value::from(n)));
        let fields = Body::from(fields.collect::<serde_json::Map<_, _>>());
        said.note(&fields, &Ages::of(&fields, Some(7)));
        said.changes.extend((0..16).map(ChangeKey));
        let mut identities = Identities::new(2_000);
        for name in 0..1_000 {
            identities.restore(name, said.clone());
        }
        let least = 1_000 * (20 * 16 + 16 * 8);
        assert!(identities.bytes() >= least, "{}", identities.bytes());
        for name in 0..1_000 {
            identities.restore(name, Said::default());
        }
        let same = identities.bytes();
        assert!(same >= least, "what was said is not forgotten");
        for name in 1_000..4_000 {
            identities.restore(name, Said::default());
        }
        assert!(identities.bytes() < same, "the old ones are gone");
        let object = |changes: u64| KnownObject {
            id: Some(Arc::from("o")),
            version: None,
            fingerprint: None,
            revision: Revision::Unknown,
            doubtful: false,
            gone: false,
            changes: (0..changes).map(ChangeKey).collect(),
            company: Affiliation::default(),
        };
        let known = |changes| {
            let mut cache = ObjectCache::new(2_000);
            (0..1_000).for_each(|hash| cache.restore(hash, object(changes)));
            cache.bytes()
        };
        assert!(known(16) >= known(1) + 1_000 * 16 * 8);
    }
}
