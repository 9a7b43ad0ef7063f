//! The worker: from a configuration file to a process that reads Kafka and writes to Kustomer.
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | one YAML file, checked into settings that cannot be wrong |
//! | [`admin`] | health, status, metrics and holds over HTTP |
//! | [`metrics`] | every metric, from one catalog |
//! | [`telemetry`] | logs, their level, and what never stands in them |
//! | [`lifecycle`] | signals, supervised tasks, the reason why a run ended |
//! | [`clock`] | the only place that reads a clock |

pub mod admin;
pub mod clock;
pub mod config;
pub mod lifecycle;
pub mod metrics;
pub mod telemetry;
