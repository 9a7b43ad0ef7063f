//! What survives a restart, and what earlier owners left.

pub(crate) mod inheritance;
pub(crate) mod inherited;
pub(crate) mod journal;

use self::inheritance::Inheritance;
use self::journal::Journal;
use crate::common::generations::Generations;

/// What is remembered besides customers and objects. Each part has its own verbs.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) journal: Journal,
    pub(crate) inheritance: Inheritance,
    /// Delivered events.
    pub(crate) events: Generations<u128, ()>,
}

impl Memory {
    /// Remembers at most `events` events.
    pub(crate) fn new(events: usize) -> Self {
        Self {
            journal: Journal::default(),
            inheritance: Inheritance::default(),
            events: Generations::new(events),
        }
    }
}
