//! The one place of this crate that reads a clock.
//!
//! Its threads live outside the worker's virtual time: Kafka's deadlines run on the real clock whatever the worker's
//! time scale is.

use std::time::Instant;

/// The monotonic time now.
#[expect(
    clippy::disallowed_methods,
    reason = "deadlines of the poll thread belong to Kafka's time, which no test and no time scale can bend"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}
