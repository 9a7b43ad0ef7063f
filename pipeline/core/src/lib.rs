//! The pure part of `kustomer-ingest`: records, events, operations, mapping and the delivery machine.
//!
//! Nothing here waits, locks, logs or reads a clock. Time enters as an argument, effects leave as data.

#![deny(clippy::iter_over_hash_type)]

pub mod batch;
pub mod body;
pub mod call;
pub mod coalesce;
pub mod decode;
pub mod directory;
pub mod event;
pub mod fact;
pub mod fair;
pub mod hold;
pub mod identity;
pub mod invariant;
pub mod job;
pub mod lookup;
pub mod machine;
pub mod mapping;
mod objects;
pub mod operation;
pub mod outcome;
pub mod partitions;
pub mod port;
pub mod quarantine;
pub mod quota;
pub mod reading;
pub mod record;
pub mod repeat;
pub mod resolve;
pub mod retry;
pub mod revision;
pub mod route;
pub mod said;
pub mod standing;
pub mod state_log;
pub mod trouble;
mod turn;
pub mod version;
mod work;
