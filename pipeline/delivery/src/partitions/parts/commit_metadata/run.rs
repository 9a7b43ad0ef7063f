//! What a text holds: runs of settled offsets.

use ingest_model::record::Offset;

/// A run of settled offsets, first and last inclusive.
pub type Run = (Offset, Offset);
