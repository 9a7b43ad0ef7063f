//! Scenarios of the whole delivery machine, in virtual time: what must hold when the destination, the broker or the group
//! misbehaves. Every scenario also checks that no invariant breaks and that the machine never spins.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the helpers of tests fail like tests"
)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a scenario answers the calls that it is about, and leaves all others to the destination"
)]

mod driver;
mod make;

mod batches;
mod beliefs;
mod commits;
mod customers;
mod deletions;
mod digests;
mod drains;
mod events;
mod gone;
mod guard;
mod health;
mod holds;
mod inheritance;
mod keys;
mod letters;
mod limit;
mod lives;
mod objects;
mod owners;
mod parties;
mod pauses;
mod positions;
mod promises;
mod quarantine;
mod quota;
mod receipts;
mod repeats;
mod revisions;
mod saved;
mod sleep;
mod split;
mod state;
mod suppressed;
mod ties;
mod traffic;
mod wakes;
