//! Companies that customers are to belong to, and that are not known yet: who asks for them, and which do not exist.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ingest_model::batch::OperationId;

/// So many companies are remembered that do not exist.
const MISSING: usize = 10_000;

/// What is being found out of companies, by the hashes that stand for them.
#[derive(Debug)]
pub(crate) struct Companies {
    /// The operation whose look tells of each.
    asked: BTreeMap<u128, OperationId>,
    /// Those that do not exist: until when that is believed.
    missing: BTreeMap<u128, Instant>,
    believed: Duration,
}

impl Companies {
    /// Nothing is asked. That a company does not exist is believed for that long.
    pub(crate) fn new(believed: Duration) -> Self {
        Self {
            asked: BTreeMap::new(),
            missing: BTreeMap::new(),
            believed,
        }
    }

    /// The operation that asks for the company.
    pub(crate) fn asks(&self, company: u128) -> Option<OperationId> {
        self.asked.get(&company).copied()
    }

    /// An operation asks for the company.
    pub(crate) fn ask(&mut self, company: u128, id: OperationId) {
        self.asked.insert(company, id);
    }

    /// Its look was answered, in whatever way, or there will be none.
    pub(crate) fn answered(&mut self, company: u128) {
        self.asked.remove(&company);
    }

    /// There is no such company.
    pub(crate) fn note_missing(&mut self, now: Instant, company: u128) {
        if self.missing.len() >= MISSING {
            self.missing.retain(|_, until| *until > now);
        }
        if self.missing.len() < MISSING {
            self.missing.insert(company, now + self.believed);
        }
    }

    /// Whether it is known that there is no such company.
    pub(crate) fn is_missing(&self, now: Instant, company: u128) -> bool {
        self.missing.get(&company).is_some_and(|until| now < *until)
    }
}
