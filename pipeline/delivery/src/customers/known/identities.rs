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
pub(crate) struct Identities(Generations<u128, Kept>);

/// What is remembered under one name.
#[derive(Debug, Clone)]
struct Kept {
    said: Said,
    /// The print of the identity that this process sent last, if it was accepted and nobody else can have said anything since.
    stands: Option<u64>,
}

impl Identities {
    pub(crate) fn new(customers: usize) -> Self {
        Self(Generations::weighing(customers, |kept| kept.said.apart()))
    }

    /// The bytes that they occupy, about.
    pub(crate) fn bytes(&self) -> usize {
        self.0.bytes(0)
    }

    /// The bytes that this many customers usually occupy, about.
    pub(crate) fn usual_bytes(customers: usize) -> usize {
        map_bytes::<u128, Kept>(customers) + customers * USUAL
    }

    /// What is known under any of these names.
    pub(in crate::customers) fn of(&mut self, names: &[u128]) -> Option<Said> {
        let mut known: Option<Said> = None;
        for name in names {
            match (&mut known, self.0.get(name).map(|kept| &kept.said)) {
                (Some(known), Some(said)) if known != said => known.restore(said),
                (None, Some(said)) => known = Some(said.clone()),
                (_, _) => {}
            }
        }
        known
    }

    /// Whether the identity with that print is what was said last, under each of these names that is known.
    pub(in crate::customers) fn stands(&self, names: &[u128], print: u64) -> bool {
        let mut known = names.iter().filter_map(|name| self.0.peek(name)).peekable();
        known.peek().is_some() && known.all(|kept| kept.stands == Some(print))
    }

    /// Sets what is known of the customer with that name.
    pub(in crate::customers) fn note(&mut self, name: u128, said: Said, print: u64) {
        let stands = Some(print);
        self.0.insert(name, Kept { said, stands });
    }

    /// What was said last may be something else by now.
    pub(in crate::customers) fn doubt(&mut self, name: u128) {
        if let Some(mut kept) = self
            .0
            .peek(&name)
            .filter(|kept| kept.stands.is_some())
            .cloned()
        {
            kept.stands = None;
            self.0.insert(name, kept);
        }
    }

    /// Others may have said something to anybody.
    pub(crate) fn doubt_all(&mut self) {
        self.0.each(|kept| kept.stands = None);
    }

    /// Adds what an earlier owner of a partition knew.
    pub(crate) fn restore(&mut self, name: u128, mut said: Said) {
        if let Some(known) = self.0.get(&name) {
            let theirs = std::mem::replace(&mut said, known.said.clone());
            said.restore(&theirs);
        }
        let stands = None;
        self.0.insert(name, Kept { said, stands });
    }
}
