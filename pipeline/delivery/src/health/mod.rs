//! The state of the destination: what is held, what succeeded last, what the key may do, and how much work waits for it.

pub(crate) mod failing;
pub(crate) mod held;
pub(crate) mod holds;
pub(crate) mod key;
pub(crate) mod pauses;
mod signal;
mod successes;

use self::failing::Failing;
use self::held::HeldWork;
use self::holds::Holds;
use self::key::KeyHealth;
pub(crate) use self::signal::{Signal, label_of, signal_of};
pub(crate) use self::successes::{Endpoint, Successes};
use crate::common::retry::Backoff;

/// What is known of the destination's health. Each part has its own verbs.
#[derive(Debug)]
pub(crate) struct Health {
    pub(crate) holds: Holds,
    pub(crate) key: KeyHealth,
    pub(crate) successes: Successes,
    pub(crate) held: HeldWork,
    pub(crate) failing: Failing,
}

impl Health {
    /// Nothing is held. Probes of what a person has to fix follow `patient`, those of what recovers by itself `eager`.
    pub(crate) fn new(patient: Backoff, eager: Backoff) -> Self {
        Self {
            holds: Holds::new(patient, eager),
            key: KeyHealth::default(),
            successes: Successes::default(),
            held: HeldWork::default(),
            failing: Failing::default(),
        }
    }
}
