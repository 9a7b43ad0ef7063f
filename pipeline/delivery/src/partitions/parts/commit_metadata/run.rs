//! What is written: runs of settled offsets.

use ingest_model::record::Offset;

/// A run of settled offsets, first and last included.
pub type Run = (Offset, Offset);
