//! The pure part of `kustomer-ingest`: records, events, operations, mapping and the delivery machine.
//!
//! Nothing here waits, locks, logs or reads a clock. Time enters as an argument, effects leave as data.

pub mod call;
pub mod event;
pub mod operation;
pub mod outcome;
pub mod record;
