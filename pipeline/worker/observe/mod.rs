//! What people see of the worker: metrics, log lines, a tally, and what to do.

pub mod account;
pub mod advice;
pub mod breaks;
mod drain;
pub mod metrics;
mod observer;
pub mod pace;
pub mod retention;
pub mod telemetry;
pub mod watchdog;
pub(crate) mod words;

pub use self::observer::{Observer, Tally};
