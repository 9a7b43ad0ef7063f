//! The pure part of `kustomer-ingest`: records, events, operations, mapping and the delivery machine.
//!
//! Nothing here waits, locks, logs or reads a clock. Time enters as an argument, effects leave as data.

#![deny(clippy::iter_over_hash_type)]

pub mod batch;
pub mod body;
pub mod call;
pub mod charge;
mod customers;
pub mod decode;
pub mod event;
pub mod fact;
mod generations;
mod health;
pub mod hold;
pub mod identity;
pub mod invariant;
mod jobs;
pub mod known;
pub mod lookup;
pub mod machine;
pub mod mapping;
mod memory;
mod objects;
pub mod operation;
pub mod outcome;
pub mod partitions;
pub mod port;
pub mod reading;
pub mod record;
pub mod repeat;
pub mod retry;
pub mod route;
pub mod said;
mod sending;
pub mod state_log;
pub mod trouble;
mod turn;
pub mod version;
mod work;
