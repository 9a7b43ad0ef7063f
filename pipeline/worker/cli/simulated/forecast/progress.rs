//! How far a forecast is, on standard error: a line that is rewritten on a terminal, a line every few seconds elsewhere.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::simulated::forecast::Progress;

/// Tells the person who waits.
pub(super) struct Reporter {
    interactive: bool,
    next: Instant,
    shown: bool,
}

const ELSEWHERE: Duration = Duration::from_secs(5);
const TERMINAL: Duration = Duration::from_millis(400);

impl Reporter {
    pub(super) fn new() -> Self {
        let interactive = io::stderr().is_terminal();
        Self {
            interactive,
            next: Clock.now() + pause(interactive),
            shown: false,
        }
    }

    pub(super) fn show(&mut self, tiers: &[(String, Arc<Progress>)]) {
        let now = Clock.now();
        if now < self.next {
            return;
        }
        self.next = now + pause(self.interactive);
        let line = line(tiers);
        let mut err = io::stderr().lock();
        let written = if self.interactive {
            self.shown = true;
            write!(err, "\r{line}\x1b[K").and_then(|()| err.flush())
        } else {
            writeln!(err, "{line}")
        };
        // Nobody has to see it.
        drop(written);
    }

    /// Removes the line.
    pub(super) fn end(&self) {
        if self.shown {
            drop(write!(io::stderr().lock(), "\r\x1b[K"));
        }
    }
}

fn pause(interactive: bool) -> Duration {
    if interactive { TERMINAL } else { ELSEWHERE }
}

fn line(tiers: &[(String, Arc<Progress>)]) -> String {
    let tiers: Vec<String> = tiers
        .iter()
        .map(|(name, progress)| {
            let (elapsed, settled) = progress.seen();
            let minutes = elapsed.as_secs() / 60;
            let (hours, minutes) = (minutes / 60, minutes % 60);
            format!("{name}: {settled} settled at {hours}:{minutes:02} h")
        })
        .collect();
    tiers.join("; ")
}
