//! What decides which records are followed, and where spans go.

use std::sync::Arc;

use ingest_traces::ExportSettings;

/// Checked settings of traces.
#[derive(Debug, Clone)]
pub struct TraceSettings {
    /// Where spans go.
    pub export: ExportSettings,
    /// Of traces that begin here, this part is followed.
    pub ratio: f64,
    /// The most spans a second.
    pub spans_per_second: u32,
    /// The consumer group.
    pub group: Arc<str>,
    /// The API's host and port.
    pub server: (String, u16),
    /// Another one in each process.
    pub seed: u64,
}
