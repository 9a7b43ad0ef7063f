//! Machine, client and simulator together in virtual time: minutes of traffic in milliseconds, no socket, no thread.
//!
//! The machine's calls are encoded by the real client code, answered by the simulator's pure core, and classified by the
//! real client code. Only the network and Kafka are played by the [`World`](world::World).

mod account;
mod backfill;
mod backlog;
mod customers;
mod deletions;
mod delivery;
mod digests;
mod drain;
mod examples;
mod holds;
mod keys;
mod lending;
mod near_quota;
mod owners;
mod parties;
mod poison;
mod reserve;
mod restart;
mod revisions;
mod roles;
mod schedules;
mod sleep;
mod state;
mod strangers;
#[path = "../../support/examples.rs"]
mod support;
mod ties;
mod workloads;
#[path = "../../support/world/mod.rs"]
mod world;
