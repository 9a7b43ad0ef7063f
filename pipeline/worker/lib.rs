//! The worker: from a configuration file to a process that reads Kafka and writes to Kustomer.
//!
//! | module | holds |
//! |---|---|
//! | [`cli`] | the command line, one file per command |
//! | [`config`] | one YAML file, checked into settings that cannot be wrong |
//! | [`app`] | everything built from settings, then run, then drained |
//! | [`pump`] | the delivery machine's one owner, and the threads and tasks around it |
//! | [`judge`] | what comes of a record |
//! | [`suspects`] | the last line against a record that ends the process |
//! | [`observe`] | facts of the machine, as metrics, log lines and a tally |
//! | [`pace`] | when the backlog will be gone |
//! | [`demo`] | the whole thing in one process |
//! | [`dead_letters`] | dead letters listed, shown, and sent back |
//! | [`breaks`] | where reading did not go on where it stood |
//! | [`admin`] | health, status, metrics and holds over HTTP |
//! | [`metrics`] | every metric, from one catalog |
//! | [`telemetry`] | logs, their level, and what never stands in them |
//! | [`lifecycle`] | signals, supervised tasks, the reason why a run ended |
//! | [`clock`] | the only place that reads a clock |

pub mod admin;
pub mod app;
pub mod breaks;
pub mod cli;
pub mod clock;
pub mod config;
pub mod dead_letters;
pub mod demo;
pub mod judge;
pub mod lifecycle;
pub mod metrics;
pub mod observe;
pub mod pace;
pub mod pump;
pub mod suspects;
pub mod telemetry;
mod words;
