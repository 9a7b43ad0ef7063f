//! What each route of the mapping costs, and what it would cost as a digest.

use std::time::Duration;

use ingest_model::operation::{Operation, Planned};

use super::super::traffic::hash;

/// What a route led to.
#[derive(Debug, Clone, Default)]
pub(in crate::simulated::forecast) struct Route {
    /// Tracking events: a request each.
    pub(in crate::simulated::forecast) events: u64,
    /// States of objects.
    pub(in crate::simulated::forecast) objects: u64,
    /// Small events that are folded into digests.
    pub(in crate::simulated::forecast) folded: u64,
    /// Identities.
    pub(in crate::simulated::forecast) identities: u64,
    /// Customers and minutes in which there were tracking events.
    minutes: Distinct,
}

/// About how many different things there were, in a little memory: within 3 %.
#[derive(Debug, Clone, Default)]
struct Distinct(Vec<u8>);

/// Registers of [`Distinct`].
const REGISTERS: usize = 2_048;

// === impl Route ===

impl Route {
    pub(super) fn reads(&mut self, arrived: Duration, planned: &Planned) {
        match &planned.operation {
            Operation::Track(track) => {
                self.events += 1;
                let minute = arrived.as_secs() / 60;
                self.minutes.add(hash((track.customer.first(), minute)));
            }
            Operation::Identify(_) => self.identities += 1,
            Operation::KObject(object) if object.fold.is_some() => self.folded += 1,
            Operation::KObject(_) => self.objects += 1,
        }
    }

    /// How often a digest of its tracking events would be written if each customer's is written once a minute.
    pub(in crate::simulated::forecast) fn digested(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
        let events = self.events as f64;
        self.minutes.count().min(events)
    }
}

// === impl Distinct ===

impl Distinct {
    fn add(&mut self, hash: u64) {
        if self.0.is_empty() {
            self.0.resize(REGISTERS, 0);
        }
        let place = usize::try_from(hash % REGISTERS as u64).unwrap_or(0);
        let rank = (hash / REGISTERS as u64).trailing_zeros().min(60) + 1;
        if let Some(register) = self.0.get_mut(place) {
            *register = (*register).max(u8::try_from(rank).unwrap_or(u8::MAX));
        }
    }

    /// Flajolet's estimate, with linear counting for small numbers.
    fn count(&self) -> f64 {
        if self.0.is_empty() {
            return 0.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let registers = REGISTERS as f64;
        let sum: f64 = self
            .0
            .iter()
            .map(|rank| 0.5_f64.powi(i32::from(*rank)))
            .sum();
        let estimate = 0.7213 / (1.0 + 1.079 / registers) * registers * registers / sum;
        let empty = self.0.iter().filter(|rank| **rank == 0).count();
        if estimate <= 2.5 * registers && empty > 0 {
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            let empty = empty as f64;
            return registers * (registers / empty).ln();
        }
        estimate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_things_are_counted_about() {
        for many in [10_u32, 1_000, 10_000, 1_000_000] {
            let mut distinct = Distinct::default();
            for number in 0..many {
                distinct.add(hash(number));
                distinct.add(hash(number));
            }
            let ratio = distinct.count() / f64::from(many);
            assert!((ratio - 1.0).abs() < 0.07, "{many}: {ratio}");
        }
    }
}
