//! The epochs of assignments.

use std::sync::atomic::{AtomicU64, Ordering};

use ingest_model::record::Epoch;

/// Epochs grow over the life of the process, even from one driver to the next.
static LAST_EPOCH: AtomicU64 = AtomicU64::new(0);

/// The epoch of a new assignment.
pub(super) fn next_epoch() -> Epoch {
    Epoch(LAST_EPOCH.fetch_add(1, Ordering::Relaxed) + 1)
}
