//! What survives a restart, and what earlier owners left.

pub(crate) mod inheritance;
pub(crate) mod inherited;
pub(crate) mod journal;

use self::inheritance::Inheritance;
use self::journal::Journal;
use crate::common::generations::Generations;

/// What is remembered beside customers and objects. Each part has verbs of its own.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) journal: Journal,
    pub(crate) inheritance: Inheritance,
    /// Events that were delivered.
    pub(crate) events: Generations<u128, ()>,
}

impl Memory {
    /// Remembers at most that many events.
    pub(crate) fn new(events: usize) -> Self {
        Self {
            journal: Journal::default(),
            inheritance: Inheritance::default(),
            events: Generations::new(events),
        }
    }
}
