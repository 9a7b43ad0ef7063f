//! Where the time of tests begins.

use std::time::Instant;

/// Some instant.
#[expect(
    clippy::disallowed_methods,
    reason = "a test needs some instant to start from"
)]
pub(crate) fn start() -> Instant {
    Instant::now()
}
