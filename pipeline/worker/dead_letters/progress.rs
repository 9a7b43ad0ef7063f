//! Reports the progress of a long command on standard error, for the person who waits.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use super::error::DeadLettersError;
use crate::clock::Clock;

/// Pause between two progress lines.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

/// Reports the progress of a long command on standard error.
#[derive(Debug)]
pub(crate) struct Progress {
    next_line: Instant,
}

// === impl Progress ===

impl Progress {
    pub(crate) fn new() -> Self {
        Self {
            next_line: Clock.now() + PROGRESS_INTERVAL,
        }
    }

    pub(crate) fn tell(&mut self, line: impl FnOnce() -> String) -> Result<(), DeadLettersError> {
        let now = Clock.now();
        if now < self.next_line {
            return Ok(());
        }
        self.next_line = now + PROGRESS_INTERVAL;
        say(&line())
    }
}

/// Prints a line for the person who waits.
pub(super) fn say(line: &str) -> Result<(), DeadLettersError> {
    let mut err = io::stderr().lock();
    writeln!(err, "{line}")?;
    Ok(err.flush()?)
}
