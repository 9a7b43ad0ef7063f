//! What was stated about the customers that were identified last.

use crate::common::generations::Generations;
use ingest_model::lookup::map_bytes;
use ingest_model::said::Said;

/// For how many customers this is remembered, if the budget has room; of a customer whose id is known there are two entries.
pub(crate) const CUSTOMERS: usize = 50_000;

/// What one of them usually takes besides its place: eight fields and as many changes.
const USUAL: usize = 200;

/// What was stated about the customers that were identified last.
#[derive(Debug)]
pub(crate) struct Identities(Generations<u128, Said>);

impl Identities {
    pub(crate) fn new(customers: usize) -> Self {
        Self(Generations::weighing(customers, Said::apart))
    }

    /// The bytes that they occupy, about.
    pub(crate) fn bytes(&self) -> usize {
        self.0.bytes(0)
    }

    /// The bytes that this many customers usually occupy, about.
    pub(crate) fn usual_bytes(customers: usize) -> usize {
        map_bytes::<u128, Said>(customers) + customers * USUAL
    }

    /// What is known under any of these names.
    pub(super) fn of(&mut self, names: &[u128]) -> Option<Said> {
        let mut known: Option<Said> = None;
        for name in names {
            match (&mut known, self.0.get(name)) {
                (Some(known), Some(said)) if known != said => known.restore(said),
                (None, Some(said)) => known = Some(said.clone()),
                (_, _) => {}
            }
        }
        known
    }

    /// Sets what is known of the customer with that name.
    pub(super) fn note(&mut self, name: u128, said: Said) {
        self.0.insert(name, said);
    }

    /// Adds what an earlier owner of a partition knew.
    pub(crate) fn restore(&mut self, name: u128, mut said: Said) {
        if let Some(known) = self.0.get(&name) {
            let theirs = std::mem::replace(&mut said, known.clone());
            said.restore(&theirs);
        }
        self.0.insert(name, said);
    }
}
