//! The poll thread, the producer and the readers against the embedded broker.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test names the event it waits for; every other one fails it"
)]

#[cfg(test)]
mod consuming; // records, pauses, commits, restarts, statistics, the stop
#[cfg(test)]
mod producing; // dead letters
#[cfg(test)]
mod reading; // partition counts, reading back
#[cfg(test)]
mod rebalancing; // several members, hand-backs, losses
#[cfg(test)]
mod state; // the state topic
#[cfg(test)]
mod support; // what they share
