//! One turn of the machine: its time, and what every owner may use in it.

use std::time::Instant;

use crate::common::retry::Jitter;
use crate::seam::fact::Fact;
use crate::seam::invariant::{Audit, Invariant};
use crate::seam::port::Effect;

/// Passed to each owner that decides something: the time, randomness, unique numbers, the audit, and where effects go.
#[derive(Debug)]
pub(crate) struct Turn {
    /// The time of the current step.
    pub(crate) now: Instant,
    pub(crate) jitter: Jitter,
    pub(crate) audit: Audit,
    effects: Vec<Effect>,
    last_number: u64,
}

impl Turn {
    pub(crate) fn new(now: Instant, seed: u64) -> Self {
        Self {
            now,
            jitter: Jitter::new(seed),
            audit: Audit::default(),
            effects: Vec::new(),
            last_number: 0,
        }
    }

    /// Asks for an effect, after all those asked for before.
    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// So many effects are about to be asked for.
    pub(crate) fn expect(&mut self, effects: usize) {
        self.effects.reserve(effects);
    }

    /// Reports something that people may want to know.
    pub(crate) fn fact(&mut self, fact: Fact) {
        self.effects.push(Effect::Fact(fact));
    }

    /// A number that is unique within this machine; numbers only grow.
    pub(crate) fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Notes a broken invariant when `holds` is false.
    pub(crate) fn check(&mut self, invariant: Invariant, holds: bool) {
        self.audit.check(invariant, holds);
    }

    /// Ends the turn. Returns the effects.
    pub(crate) fn end(&mut self) -> Vec<Effect> {
        for invariant in self.audit.take() {
            self.effects.push(Effect::Fact(Fact::Broken(invariant)));
        }
        std::mem::take(&mut self.effects)
    }
}
