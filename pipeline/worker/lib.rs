//! The worker: from a configuration file to a process that reads Kafka and writes to Kustomer.
//!
//! | module | holds |
//! |---|---|
//! | [`cli`] | the command line, one file per command; the only module that knows `clap` |
//! | [`config`] | one YAML file, checked into settings that cannot be wrong |
//! | [`app`] | builds everything from settings, then runs it, then drains it |
//! | [`pump`] | the owner of the delivery machine, and the threads and tasks around it |
//! | [`observe`] | what people see: metrics, log lines, a tally, the pace of the backlog, what to do |
//! | [`admin`] | health, status, metrics and holds over HTTP |
//! | [`dead_letters`] | dead letters listed, shown, and sent back |
//! | [`simulated`] | what runs against a simulated Kustomer: the demonstration and the forecast |
//! | [`lifecycle`] | signals, supervised tasks, the reason why a run ended |
//! | [`clock`] | the only place of the worker that reads a clock |

pub mod admin;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod dead_letters;
pub mod lifecycle;
pub mod observe;
pub mod pump;
pub mod simulated;
