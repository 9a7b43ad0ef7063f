//! From operations to requests and settled offsets: the delivery machine and its owners.
//!
//! Nothing here waits, locks, logs or reads a clock. Time enters as an argument, effects leave as data.

#![deny(clippy::iter_over_hash_type)]

pub mod charge;
mod customers;
pub mod fact;
mod generations;
mod health;
pub mod hold;
pub mod invariant;
mod jobs;
pub mod machine;
mod memory;
mod objects;
pub mod partitions;
pub mod port;
pub mod retry;
mod sending;
mod turn;
mod work;
