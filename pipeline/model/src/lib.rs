//! The vocabulary that every part of `kustomer-ingest` shares: records, operations, outcomes, calls, what is known of
//! objects, and what the state topic holds.
//!
//! Nothing here decides, waits or reads a clock.

#![deny(clippy::iter_over_hash_type)]

pub mod batch;
pub mod call;
pub mod lookup;
pub mod operation;
pub mod outcome;
pub mod reading;
pub mod record;
pub mod state_log;
pub mod weight;

mod remembered;
mod values;

pub use self::outcome::trouble;
pub use self::remembered::{known, repeat, said};
pub use self::values::name_id::name_id;
pub use self::values::{body, decimal, digest, time, version};
