//! The defaults for what the configuration leaves out. `docs/configuration.md` lists the same values.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// `admin.listen`.
pub const ADMIN_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9464);
/// `admin.control`, unless `admin.listen` is an address of this machine itself.
pub const ADMIN_CONTROL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9465);
/// `budget.bytes`.
pub const BUDGET_BYTES: u64 = 64 << 20;
/// `budget.records`.
pub const BUDGET_RECORDS: u64 = 50_000;
/// `delivery.backfill_after`.
pub const BACKFILL_AFTER: Duration = Duration::from_secs(3_600);
/// `delivery.max_delay`.
pub const MAX_DELAY: Duration = Duration::from_secs(20);
/// `kafka.commit_interval`.
pub const COMMIT_INTERVAL: Duration = Duration::from_millis(250);
/// `kafka.drain_timeout`.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);
/// `kustomer.creates_per_customer`: the documented limit.
pub const CREATES_PER_CUSTOMER: u64 = 120;
/// `kustomer.max_concurrency`.
pub const MAX_CONCURRENCY: u64 = 64;
/// `kustomer.request_timeout`.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// `kustomer.reserve` is the limit divided by this.
pub const RESERVE_PART: u64 = 20;
/// `kustomer.share`.
pub const SHARE: f64 = 0.8;
/// `log.level`.
pub const LOG_LEVEL: &str = "info";
/// `debug.recording.steps`.
pub const RECORDING_STEPS: u64 = 20_000;
/// `debug.recording.bytes`.
pub const RECORDING_BYTES: u64 = 8 << 20;
/// `tracing.interval`.
pub const TRACING_INTERVAL: Duration = Duration::from_secs(5);
/// `tracing.queue`.
pub const TRACING_QUEUE: u64 = 2_048;
/// `tracing.ratio`.
pub const TRACING_RATIO: f64 = 0.01;
/// `tracing.spans_per_second`.
pub const TRACING_SPANS_PER_SECOND: u64 = 100;
/// `tracing.timeout`.
pub const TRACING_TIMEOUT: Duration = Duration::from_secs(10);

/// `debug.recording.dir`.
#[must_use]
pub fn recording_dir() -> PathBuf {
    std::env::temp_dir().join("kustomer-ingest-recordings")
}

/// `state.dir`.
#[must_use]
pub fn state_dir() -> PathBuf {
    std::env::temp_dir().join("kustomer-ingest")
}
