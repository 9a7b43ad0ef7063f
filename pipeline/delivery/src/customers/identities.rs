//! What was said of the customers that were identified last.

use crate::common::generations::Generations;
use ingest_model::lookup::map_bytes;
use ingest_model::said::Said;

/// Customers of whom it is remembered what was said, if the budget has room for them.
pub(crate) const CUSTOMERS: usize = 50_000;

/// What one of them takes besides its place, as a rule: eight fields and as many changes.
const USUAL: usize = 200;

/// What was said of the customers that were identified last.
#[derive(Debug)]
pub(crate) struct Identities(Generations<u128, Said>);

impl Identities {
    pub(crate) fn new(customers: usize) -> Self {
        Self(Generations::weighing(customers, Said::apart))
    }

    /// Bytes that they occupy, about.
    pub(crate) fn bytes(&self) -> usize {
        self.0.bytes(0)
    }

    /// Bytes that so many usual ones occupy, about.
    pub(crate) fn usual_bytes(customers: usize) -> usize {
        map_bytes::<u128, Said>(customers) + customers * USUAL
    }

    pub(super) fn of(&mut self, names: &[u128]) -> Option<&Said> {
        let name = names.iter().find(|name| self.0.contains(name))?;
        self.0.get(name)
    }

    /// What is known of a customer by that name now.
    pub(super) fn note(&mut self, name: u128, said: Said) {
        self.0.insert(name, said);
    }

    /// Takes back what an earlier owner of a partition knew.
    pub(crate) fn restore(&mut self, name: u128, mut said: Said) {
        if let Some(known) = self.0.get(&name) {
            let theirs = std::mem::replace(&mut said, known.clone());
            said.restore(&theirs);
        }
        self.0.insert(name, said);
    }
}
