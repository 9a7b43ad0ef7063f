//! The delivery machine and its owners: from operations to requests and settled offsets.
//!
//! Nothing here waits, locks, logs or reads a clock. Time comes in as an argument, effects go out as data.

#![deny(clippy::iter_over_hash_type)]

pub mod machine;
pub mod partitions;

mod common;
mod customers;
mod health;
mod jobs;
mod memory;
mod objects;
mod seam;
mod sending;
mod work;

pub use self::common::retry;
pub use self::seam::{beliefs, charge, fact, hold, invariant, port, settled};
